"""Fragments of HTML that pages and notebooks share: tables, facts, small curves; knows text and numbers only.

Every text is escaped. Fragments carry classes for a page's style sheet and look right without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads somewhere."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A number with a bar beside it, full at `largest`; its colour says whether the number is below 0."""

    value: float
    largest: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Numbers from left to right, drawn, and what they are in words."""

    values: Sequence[float]
    label: str


Row = Mapping[str, Any]
SHOWN = 10
"""Rows that a notebook shows of a long table."""


def table(rows: Sequence[Row]) -> str:
    """Rows of the same columns, numbers aligned right; None and NaN are empty cells. Nothing for no rows."""
    if not rows:
        return ""
    names = list(rows[0])
    numeric = {name for name in names if all(isinstance(row.get(name), int | float | Bar | None) for row in rows)}
    header = "".join(f'<th scope="col"{_aligned(name in numeric)}>{escape(name)}</th>' for name in names)
    lines = (
        "".join(f"<td{_sorted(row.get(name))}{_aligned(name in numeric)}>{cell(row.get(name))}</td>" for name in names)
        for row in rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{header}</tr></thead>\n<tbody>{body}</tbody></table>"


def facts(entries: Mapping[str, Any]) -> str:
    """Names and what they are, below each other."""
    lines = (f"<dt>{escape(name)}</dt><dd>{cell(value)}</dd>" for name, value in entries.items())
    return f"<dl>{''.join(lines)}</dl>"


def cell(value: Any) -> str:
    """A value as it stands in a table: numbers with three digits, truth as yes and no, several with commas."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return _number(value)
        case Link():
            return f'<a href="{escape(value.href)}">{escape(value.text)}</a>'
        case Bar():
            return _bar(value)
        case Curve():
            return curve(value.values, value.label)
        case Mapping():
            return escape(", ".join(f"{name} {item}" for name, item in value.items()))
        case list() | tuple():
            return ", ".join(map(cell, value))
        case _:
            return escape(str(value).encode("utf-8", "replace").decode())  # a VCF may hold what is no UTF-8


def curve(values: Sequence[float], label: str, width: int = 220, height: int = 26) -> str:
    """Numbers from left to right as the outline of what they enclose with 0, in an SVG of so many pixels.

    NaN and infinities are drawn as 0.
    """
    known = [value if math.isfinite(value) else 0.0 for value in values]
    low, high = min([0.0, *known]), max([0.0, *known])
    room = high - low or 1.0
    step = width / max(len(known), 1)

    def at(i: int, value: float) -> str:
        return f"{i * step:.4g},{height * (high - value) / room:.4g}"

    points = [point for i, value in enumerate(known) for point in (at(i, value), at(i + 1, value))]
    outline = " ".join([at(0, 0.0), *points, at(len(known), 0.0)])
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    drawn = f'<polygon points="{outline}" fill="#2f86d6"/>'
    return f'<svg role="img" aria-label="{escape(label)}" {size}>{drawn}</svg>'


def card(title: str, entries: Mapping[str, Any], body: str = "") -> str:
    """What a notebook shows of an object: a title, facts in one line, and a fragment below."""
    said = " &middot; ".join(f"{cell(value)} {escape(name)}" for name, value in entries.items())
    line = f'<div style="opacity:.75;margin:.1em 0 .5em">{said}</div>'
    return f'<div style="overflow-x:auto"><strong>{escape(title)}</strong>{line}{body}</div>'


def rest(rows: int, shown: int = SHOWN) -> str:
    """What stands below the first rows of a long table; nothing where all are shown."""
    return f'<div style="opacity:.75">and {rows - shown:,} more</div>' if rows > shown else ""


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    size = f"{abs(value):,.0f}" if 999.5 <= abs(value) < 1e9 else f"{abs(value):.3g}"
    return f"\u2212{size}" if value < 0 else size


def _bar(bar: Bar) -> str:
    if math.isnan(bar.value):
        return ""
    share = min(abs(bar.value) / bar.largest, 1.0) if bar.largest > 0 else 0.0
    kind = "bar below" if bar.value < 0 else "bar"
    return f'{_number(bar.value)}<span class="{kind}" style="--part:{share:.3f}"></span>'


def _sorted(value: Any) -> str:
    """What a page's rows are ordered by where the cell's text wouldn't do."""
    number = value.value if isinstance(value, Bar) else value
    return f' data-by="{number:.9g}"' if isinstance(number, float) and not math.isnan(number) else ""


def _aligned(numeric: bool) -> str:
    return ' class="n"' if numeric else ' style="text-align:left"'  # which notebooks wouldn't do by themselves
