"""The documentation is built as `scripts/docs` builds it: every example runs, no warning, no link leads nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.reading import ROOT
from tests.docs.test_gallery import EXAMPLES, lines

import distal
from distal.cli import VERBS

pytestmark = pytest.mark.slow
WORDS = ("models_fetch", "disease_cards", "score_report")
"""Examples whose result is to be read, or a page of its own."""


def build(folder: Path) -> Path:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, str(ROOT / "docs" / "build.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return folder / "html"


class Page(HTMLParser):
    """What a page refers to, the names in it, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        self.words: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
                if name == "src" or tag == "link":
                    self.loaded.append(value)
            if name in ("id", "name") and value:
                self.names.add(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_documentation_is_built(tmp_path: Path) -> None:
    """One test, because the pages are made once."""
    html = build(tmp_path)
    pages = {path: Page(path) for path in html.rglob("*.html")}
    assert lost(html, pages) == []
    for path, page in pages.items():
        elsewhere = [link for link in page.loaded if urlsplit(link).scheme not in ("", "data")]
        assert not elsewhere, path.relative_to(html)
    for example in EXAMPLES:
        check_example(example, html, pages)
    words = " ".join("".join(pages[html / "commands.html"].words).split())
    for verb in VERBS:
        assert f"distal {verb}" in words, verb
    names = {name for page in pages.values() for name in page.names}
    for name in distal.__all__:
        assert f"{distal._WHERE[name]}.{name}" in names, name


def lost(html: Path, pages: dict[Path, Page]) -> list[str]:
    """Links to pages, files and places on pages that aren't there."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = target.exists() and (
                not parts.fragment or target not in pages or parts.fragment in pages[target].names
            )
            found += [] if there else [f"{path.relative_to(html)}: {link}"]
    return found


def check_example(example: Path, html: Path, pages: dict[Path, Page]) -> None:
    """A page with a picture, and a notebook with the same commands."""
    page = pages[html / "gallery" / example.parent.name / f"{example.stem}.html"]
    (name,) = {link for link in page.links if link.endswith(".ipynb")}
    notebook = json.loads((html / "gallery" / example.parent.name / name).read_text())
    code = "".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    for line in lines(example):
        assert line.split("X")[0][:40] in code, example
    pictures = [link for link in page.links if f"sphx_glr_{example.stem}_" in link]
    assert pictures or example.stem in WORDS, f"{example} has no picture"
