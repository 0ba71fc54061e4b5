"""What README and docs tell the reader to type: blocks of code, commands in a sentence; runs nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = [ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md", *sorted((ROOT / "src").rglob("*.md"))]
"""Other pages that name commands: a list of changes, the benchmarks' own, model cards."""
NOT_RUN = "Not run by the tests: "
"""How the paragraph behind a block begins whose commands are only parsed; it goes on with the reason and the time."""
PROGRAMS = ("distal", "python", "pytest", "pip", "ray", "torchrun", "gunzip", "git")
"""What a command begins with, besides the repository's own scripts."""
_LOOP = re.compile(r"for (\w+) in ([^;\n]+?); do\n(.*?)\ndone", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: Path
    line: int
    language: str
    """Empty for blocks that are only indented, and for those that say none."""
    text: str
    not_run: str = ""
    """Why the tests don't run it, as the page says; empty where they do."""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page, or those in one language."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    found = []
    for i, token in enumerate(tokens):
        if token.type in ("fence", "code_block") and token.level == 0 and token.map is not None:
            behind = _paragraph(tokens[i + 1 :])
            reason = behind.removeprefix(NOT_RUN) if behind.startswith(NOT_RUN) else ""
            words = token.info.split()
            found.append(Block(page, token.map[0] + 1, words[0] if words else "", token.content, reason))
    return [block for block in found if language in ("", block.language)]


def _paragraph(tokens: list[Token]) -> str:
    """The text of what follows, if it is a paragraph."""
    if len(tokens) > 1 and tokens[0].type == "paragraph_open":
        return " ".join(tokens[1].content.split())
    return ""


def spans(page: Path) -> list[tuple[int, str]]:
    """(line, command) of every command in a sentence or a cell of a table."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        for child in token.children or ():
            if child.type == "code_inline" and _is_command(child.content) and token.map is not None:
                found.append((token.map[0] + 1, child.content))
    return found


def _is_command(text: str) -> bool:
    return (text.split()[0] in PROGRAMS and len(text.split()) > 1) or text.startswith("scripts/")


def commands(script: str) -> Iterator[list[str]]:
    """The command lines of a shell script as words: comments gone, lines joined, loops unrolled."""
    joined = script.replace("\\\n", " ")
    while loop := _LOOP.search(joined):
        name, values, body = loop.groups()
        turns = "\n".join(re.sub(rf"\$\{{?{name}\b\}}?", value, body) for value in values.split())
        joined = joined.replace(loop[0], turns)
    for line in joined.splitlines():
        if words := shlex.split(line, comments=True):
            yield words
