"""A page of text, tables and figures as one HTML file that needs nothing else; knows nothing of what they say."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from distal.files import replacing

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; font-size: 1.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
th, td { padding: 2px 10px 2px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; font-size: 13px; background: #f6f6f6; padding: .6rem; }
"""


@dataclass(frozen=True)
class Heading:
    """Begins a part of the page."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; `literal` keeps its spaces and line ends."""

    text: str
    literal: bool = False


@dataclass(frozen=True)
class Picture:
    """An SVG drawing, and what it shows in words."""

    svg: bytes
    alt: str


@dataclass(frozen=True)
class Table:
    """Rows of the same columns; None and NaN are empty cells."""

    rows: Sequence[Mapping[str, Any]]


Part = Heading | Text | Picture | Table


def write(path: str | Path, title: str, parts: Sequence[Part]) -> None:
    """Write the page; it appears whole or not at all."""
    body = "\n".join(map(_html, parts))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    page = (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n'
    )
    with replacing(path) as temporary:
        temporary.write_text(f"{page}{body}\n</body></html>\n", encoding="utf-8")


def _html(part: Part) -> str:
    if isinstance(part, Heading):
        return f"<h2>{escape(part.text)}</h2>"
    if isinstance(part, Text):
        return f"<pre>{escape(part.text)}</pre>" if part.literal else f"<p>{escape(part.text)}</p>"
    if isinstance(part, Picture):
        data = base64.b64encode(part.svg).decode("ascii")
        return f'<figure><img alt="{escape(part.alt)}" src="data:image/svg+xml;base64,{data}"></figure>'
    return _table(part.rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    numeric = {name for name in names if all(isinstance(row.get(name), int | float | None) for row in rows)}
    header = "".join(f"<th{_class(name in numeric)}>{escape(name)}</th>" for name in names)
    lines = (
        "".join(f"<td{_class(name in numeric)}>{escape(_cell(row.get(name)))}</td>" for name in names) for row in rows
    )
    return f"<table><tr>{header}</tr>\n" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
