"""Builds the documentation: copies what it is made of into a folder and runs Sphinx there; knows no page.

    python docs/build.py [FOLDER] [SPHINX OPTIONS]

The pages are in FOLDER/html (build/docs/html when left out). Examples run in FOLDER/source/examples, so that the files
that they write lie there and not beside the sources. Those that have not changed since the last time don't run again.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import verbs
from sphinx.cmd.build import main as sphinx

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
KEPT = ("gallery",)
"""What Sphinx makes among the sources, and finds again the next time."""


def copy(source: Path) -> None:
    """The pages, and everything below docs/, as one folder in which links between pages lead to pages."""
    source.mkdir(parents=True, exist_ok=True)
    for old in source.iterdir():
        if old.name not in KEPT:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.copytree(ROOT / "docs", source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PAGES:
        shutil.copyfile(ROOT / name, source / name)
    (source / "commands.md").write_text(verbs.page())
    for page in source.glob("*.md"):
        page.write_text(linked(page.read_text()))


def linked(text: str) -> str:
    """A page whose links to other pages are right once README.md and docs/ lie in one folder.

    What is not a page (programs, tables, recipes) is named, as code, and not linked to.
    """
    text = re.sub(r"\]\((?:docs/|\.\./)(\w[\w.-]*\.(?:md|png|svg))(#[\w-]*)?\)", r"](\1\2)", text)
    return re.sub(
        r"\[(`?)([^]`]+)`?\]\((?!https?:|#)[^)]*\.(?:toml|txt|py)\)",
        r"`\2`",
        re.sub(r"\[([^]]+)\]\(\.\./\w+/[^)]*\)", r"\1", text),
    )


def build(folder: Path, options: list[str]) -> int:
    """Sphinx's exit code."""
    source = folder / "source"
    copy(source)
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky"]
    return sphinx(
        [
            "--builder",
            "html",
            *strict,
            "--doctree-dir",
            str(folder / "doctrees"),
            *options,
            str(source),
            str(folder / "html"),
        ]
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    where = Path(words.pop(0)) if words and not words[0].startswith("-") else ROOT / "build" / "docs"
    raise SystemExit(build(where.resolve(), words))
