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

from distal.cli import VERBS

pytestmark = pytest.mark.slow
WORDS = ("models_fetch", "disease_cards", "score_report")
"""Examples whose result is to be read, or a page of its own."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
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
        self.names: set[str] = set()
        self.words: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name in ("id", "name") and value:
                self.names.add(value)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in built.rglob("*.html")}


def test_every_link_leads_somewhere(built: Path, pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                assert parts.scheme in ("https", "data"), link
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists() or (
                parts.fragment and target in pages and parts.fragment not in pages[target].names
            ):
                lost.append(f"{path.relative_to(built)}: {link}")
    assert not lost


def test_pages_load_nothing_from_elsewhere(pages: dict[Path, Page], built: Path) -> None:
    for path in pages:
        text = path.read_text()
        for loaded in ('<script src="http', '<link rel="stylesheet" href="http', '<img src="http'):
            assert loaded not in text, path.relative_to(built)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_page_and_a_notebook(example: Path, built: Path, pages: dict[Path, Page]) -> None:
    section = example.parent.name
    page = pages[built / "gallery" / section / f"{example.stem}.html"]
    (name,) = {Path(link).name for link in page.links if link.endswith(".ipynb")}
    (notebook,) = (built / "_downloads").rglob(name)
    cells = json.loads(notebook.read_text())["cells"]
    code = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for line in lines(example):
        assert line.split("X")[0][:40] in code
    assert example.stem in WORDS or any(f"sphx_glr_{example.stem}_" in link for link in page.links), "it has no picture"


def test_every_verb_is_explained(built: Path, pages: dict[Path, Page]) -> None:
    words = " ".join("".join(pages[built / "commands.html"].words).split())
    for verb in VERBS:
        assert f"distal {verb}" in words, verb


def test_the_public_names_are_documented(built: Path, pages: dict[Path, Page]) -> None:
    import distal

    names = {name for page in pages.values() for name in page.names}
    for name in distal.__all__:
        assert f"{distal._WHERE[name]}.{name}" in names, name
