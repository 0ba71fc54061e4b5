"""A page of text, tables and figures as one HTML file that needs nothing else; knows nothing of what they say.

Style and script are inside, pictures are data: the file asks for nothing, from disk or from a server. It is light or
dark as the reader's system is. The script orders and narrows long tables; without it they are plain ones.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from distal import markup
from distal.files import replacing

_STYLE, _SCRIPT = (Path(__file__).with_name(f"page.{kind}") for kind in ("css", "js"))


@dataclass(frozen=True)
class Heading:
    """Begins a part of the page, or, where it is `small`, a part of such a part; a link ``#anchor`` leads to it."""

    text: str
    anchor: str = ""
    small: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph; `literal` keeps its spaces and line ends, `soft` is for what only some readers need."""

    text: str
    literal: bool = False
    soft: bool = False


@dataclass(frozen=True)
class Picture:
    """An SVG drawing, what it shows in words, and what stands below it."""

    svg: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of the same columns; None and NaN are empty cells, `markup.Link` and `markup.Bar` may be in some.

    A `long` one has its own scroll bar, and can be ordered and narrowed.
    """

    rows: Sequence[Mapping[str, Any]]
    long: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    entries: Mapping[str, Any]


@dataclass(frozen=True)
class Shares:
    """Counts as parts of one bar, with their names; those of 0 are left out."""

    counts: Mapping[str, int]


@dataclass(frozen=True)
class Folded:
    """Parts that are shown when their title is clicked."""

    title: str
    parts: Sequence[Part]


Part = Heading | Text | Picture | Table | Facts | Shares | Folded
_COLOURS = ("#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#8c8c8c")


def write(path: str | Path, title: str, parts: Sequence[Part]) -> None:
    """Write the page; it appears whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(html(title, parts), encoding="utf-8", errors="replace")


def html(title: str, parts: Sequence[Part]) -> str:
    """The page as text."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text()}</style>"
    )
    body = "\n".join(map(_html, parts))
    script = f"<script>{_SCRIPT.read_text()}</script>\n" if 'class="table long"' in body else ""
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main><h1>{escape(title)}</h1>\n'
        f"{body}\n</main>{script}</body></html>\n"
    )


def _html(part: Part) -> str:
    match part:
        case Heading(text, anchor, small):
            name, where = "h3" if small else "h2", f' id="{escape(anchor)}"' if anchor else ""
            return f"<{name}{where}>{escape(text)}</{name}>"
        case Text(text, literal, soft):
            if literal:
                return f"<pre>{escape(text)}</pre>"
            return f'<p class="soft">{escape(text)}</p>' if soft else f"<p>{escape(text)}</p>"
        case Picture():
            return _picture(part)
        case Table(rows, long):
            made = markup.table(rows)
            scrolled = ' class="table long" tabindex="0" role="region" aria-label="Table"' if long else ' class="table"'
            return made and f"<div{scrolled}>{made}</div>"
        case Facts(entries):
            return markup.facts(entries)
        case Shares(counts):
            return _shares({name: count for name, count in counts.items() if count})
        case Folded(title, parts):
            inside = "\n".join(map(_html, parts))
            return f"<details><summary>{escape(title)}</summary>\n{inside}</details>"


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode("ascii")
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure><img alt="{escape(picture.alt)}" src="data:image/svg+xml;base64,{data}">{caption}</figure>'


def _shares(counts: Mapping[str, int]) -> str:
    coloured = [(name, count, _COLOURS[i % len(_COLOURS)]) for i, (name, count) in enumerate(counts.items())]
    bars = "".join(f'<span style="flex:{count} 1 0;background:{colour}"></span>' for _, count, colour in coloured)
    keys = "".join(
        f'<li><i style="background:{colour}"></i>{count:,} {escape(name)}</li>' for name, count, colour in coloured
    )
    return f'<div class="shares" aria-hidden="true">{bars}</div><ul class="keys">{keys}</ul>'
