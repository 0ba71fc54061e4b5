"""Colours, type and axes that all figures have, and how they are saved and shown; knows no data.

Colours are Okabe and Ito's, which colour-blind readers can tell apart. Positions on axes are printed counted from 1, as
genome browsers do.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plain
from matplotlib.ticker import MaxNLocator

from distal.coords import Interval
from distal.files import replacing

LETTERS = "ACGT"
COLOURS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}
INK, SOFT, GRID = "#222222", "#6f6f6f", "#e6e6e6"
REF, ALT = "#8c8c8c", "#D55E00"
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), SOFT),
    **dict.fromkeys(("axes.labelcolor", "text.color"), INK),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 7.5),
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "svg.hashsalt": "distal",
}
_FONTS = ("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
"""What an SVG asks for, and what it asks for in a page, where the first may not be there; Verdana is as wide."""
_DARK = {
    "fill: #ffffff": "#16191d",
    **{f"{what}: {colour}": "#e8e6e3" for what in ("fill", "stroke") for colour in ("#000000", INK)},
    **{f"{what}: {SOFT}": "#a6a6a6" for what in ("fill", "stroke")},
    **{f"{what}: {GRID}": "#3a3f45" for what in ("fill", "stroke")},
    **{f"{what}: #0072b2": "#2f86d6" for what in ("fill", "stroke")},
}
"""Colours of an SVG that is shown on a dark page."""
_ON_DARK = "".join(f"[style*='{old}']{{{old.split(':')[0]}:{new}!important}}" for old, new in _DARK.items())
_THEME = f"@media (prefers-color-scheme:dark){{{_ON_DARK}image{{filter:invert(1) hue-rotate(180deg)}}}}"


class Figure(Plain):
    """A figure that a notebook shows, whatever backend it has set up."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture, and the size to show it at: dots are denser than a plain screen's."""
        buffer = io.BytesIO()
        with style():
            self.savefig(buffer, format="png", metadata={"Software": "distal"})
        width, height = (round(96 * inches) for inches in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}


def save(figure: Plain, path: str | Path) -> None:
    """Write a figure in the format that the name's ending says (.png .svg .pdf); whole or not at all."""
    metadata = {".png": {"Software": "distal"}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with replacing(path) as temporary, style():
        figure.savefig(temporary, metadata=metadata.get(Path(path).suffix))


def svg(figure: Plain) -> bytes:
    """A figure to be put into a page, dark on a dark one; the same bytes for the same figure."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue().replace(*_FONTS)
    return text.replace("</style>", f"{_THEME}</style>", 1).encode()


def positions(axis: Axes, interval: Interval) -> None:
    """Limits of `interval`; ticks in the middle of round positions, counted from 1, with thousands separators."""
    axis.set_xlim(interval.start, interval.end)
    steps = MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]).tick_values(interval.start, interval.end)
    rounds = {
        f"{step:,.0f}": Interval.from_one_based(interval.chrom, int(step), int(step)) for step in steps if step > 0
    }
    shown = {text: base.start + 0.5 for text, base in rounds.items() if interval.contains(base)}
    axis.set_xticks(list(shown.values()), list(shown))


@contextmanager
def style() -> Iterator[None]:
    """What is drawn inside looks like the others."""
    with mpl.rc_context(_STYLE):
        yield
