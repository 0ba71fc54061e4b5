"""Figures of contributions: a whole window, and its most important places letter by letter; knows values, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes
from distal.plots.logos import logo
from distal.plots.style import INK, SOFT, Figure, positions, style

UP, DOWN, TARGET = "#0072B2", "#D55E00", "#F0E442"
LOGO_BP = 100
"""Bases in a logo: letters stay legible in print."""
LOGOS = 4
"""Logos in a figure."""
_COLUMNS = 1200
"""Points across the figure: each is the largest and the smallest contribution of its bases."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Contributions [width] of the letters `codes` [width] over an interval."""

    values: NDArray[np.float32]
    codes: Codes
    interval: Interval

    def over(self, part: Interval) -> Shown:
        """The bases of `part`."""
        rows = slice(part.start - self.interval.start, part.end - self.interval.start)
        return Shown(self.values[rows], self.codes[rows], part)


Marks = Mapping[Interval, str]
"""What to write under a logo, and over which bases: motif hits."""


def contributions(
    shown: Shown,
    target: Interval,
    places: Sequence[Interval],
    title: str = "",
    label: str = "",
    marks: Marks | None = None,
) -> Figure:
    """The whole interval above, the target shaded; below, one logo for each of `places`, on one scale.

    The places are numbered above as below, from left to right; of places that would share a logo the first that is
    given is shown. An interval that fits one logo is one logo.
    """
    whole = shown.interval.width > LOGO_BP
    logos = _logos_of(places, shown.interval) if whole else [shown.interval]
    heights = ([1.5] if whole else []) + [1.15] * len(logos)
    with style():
        figure = Figure(figsize=(10, sum(heights) + 0.75), layout="constrained")
        grid = figure.add_gridspec(len(heights), 1, height_ratios=heights, hspace=0.08)
        axes = [figure.add_subplot(grid[i]) for i in range(len(heights))]
        if whole:
            _overview(axes[0], shown, target, logos, label)
        letters = axes[1:] if whole else axes
        _logos(letters, shown, logos, marks or {}, numbered=whole)
        if not whole:
            axes[0].set_ylabel(label, fontsize=8)
        axes[-1].set_xlabel(f"position on {shown.interval.chrom}")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def attention(
    curves: Mapping[str, NDArray[np.float32]], interval: Interval, target: Interval, title: str = ""
) -> Figure:
    """One panel for each named curve [positions] over an interval, on a logarithmic scale; the target is shaded."""
    with style():
        figure = Figure(figsize=(10, 1.5 * len(curves) + 0.9), layout="constrained")
        axes = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (name, values) in zip(axes, curves.items(), strict=True):
            edges = np.linspace(interval.start, interval.end, len(values) + 1)
            axis.stairs(values, edges, color=UP, lw=0.8, baseline=None)
            axis.set_yscale("log")
            axis.axhline(1 / len(values), color=SOFT, lw=0.7, ls=(0, (3, 2)))
            axis.set_title(name, loc="left", fontsize=8, pad=2.5)
            _shade(axis, target, interval)
        positions(axes[-1], interval)
        axes[-1].set_xlabel(f"position on {interval.chrom}; dashed: attention spread evenly; shaded: the target")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _logos_of(places: Sequence[Interval], whole: Interval) -> list[Interval]:
    """`LOGO_BP` around places, at most `LOGOS` of them, the first ones; none overlap; from left to right."""
    kept: list[Interval] = []
    for wide in (_widened(place, whole) for place in places):
        if len(kept) < LOGOS and not any(wide.overlaps(other) for other in kept):
            kept.append(wide)
    return sorted(kept, key=lambda wide: wide.start)


def _widened(place: Interval, whole: Interval) -> Interval:
    """`LOGO_BP` around a place, moved inside the whole."""
    wide = place.resize(LOGO_BP)
    return wide.shift(max(whole.start - wide.start, 0) + min(whole.end - wide.end, 0))


def _overview(axis: Axes, shown: Shown, target: Interval, logos: Sequence[Interval], label: str) -> None:
    interval = shown.interval
    cuts = np.unique(np.linspace(0, interval.width, min(_COLUMNS, interval.width) + 1).astype(int))
    tops = np.maximum(np.maximum.reduceat(shown.values, cuts[:-1]), 0)
    bottoms = np.minimum(np.minimum.reduceat(shown.values, cuts[:-1]), 0)
    for values, colour in ((tops, UP), (bottoms, DOWN)):
        axis.stairs(values, cuts + interval.start, fill=True, color=colour, lw=0)
    axis.axhline(0, color=SOFT, lw=0.5)
    _shade(axis, target, interval)
    margin = 0.22 * float(tops.max() - bottoms.min() or 1)
    axis.set_ylim(float(bottoms.min()) - 0.3 * margin, float(tops.max()) + 1.1 * margin)
    shelf = float(tops.max()) + 0.4 * margin
    for number, (place, x) in enumerate(zip(logos, _spread(logos, interval), strict=True), start=1):
        middle = (place.start + place.end) / 2
        axis.plot([middle, x], [shelf - 0.25 * margin, shelf], color=SOFT, lw=0.6)
        axis.text(x, shelf, str(number), ha="center", va="bottom", fontsize=7.5, fontweight="bold")
    axis.yaxis.set_major_locator(MaxNLocator(3))
    axis.set_ylabel(label, fontsize=8)
    positions(axis, interval)


def _spread(places: Sequence[Interval], whole: Interval) -> list[float]:
    """Where numbers stand above places, in order: over their middles, or as near as keeps them apart."""
    room = whole.width / 60
    found: list[float] = []
    for place in places:
        middle = (place.start + place.end) / 2
        found.append(max(middle, found[-1] + room) if found else middle)
    middles = [(place.start + place.end) / 2 for place in places]
    back = sum(x - middle for x, middle in zip(found, middles, strict=True)) / max(len(found), 1)
    return [min(x - back, whole.end - (len(found) - i) * room / 2) for i, x in enumerate(found)]


def _shade(axis: Axes, target: Interval, whole: Interval) -> None:
    """The target, at least as wide as can be seen."""
    seen = target.resize(max(target.width, whole.width // 300))
    axis.axvspan(seen.start, seen.end, color=TARGET, alpha=0.45, lw=0, zorder=0)


def _logos(axes: Sequence[Axes], shown: Shown, logos: Sequence[Interval], marks: Marks, *, numbered: bool) -> None:
    parts = [shown.over(place) for place in logos]
    high = max((float(part.values.max(initial=0)) for part in parts), default=0)
    low = min((float(part.values.min(initial=0)) for part in parts), default=0)
    room = high - low or 1.0
    for number, (axis, part) in enumerate(zip(axes, parts, strict=True), start=1):
        logo(axis, part.values.astype(np.float64), part.codes, part.interval.start)
        here = {place: text for place, text in marks.items() if part.interval.contains(place)}
        depth = _bars(axis, here, low - 0.06 * room, 0.16 * room)
        axis.set_ylim(low - 0.06 * room - depth, high + 0.08 * room)
        axis.yaxis.set_major_locator(MaxNLocator(3))
        positions(axis, part.interval)
        axis.spines["bottom"].set_visible(False)
        if numbered:
            axis.text(0.002, 0.98, str(number), transform=axis.transAxes, va="top", fontsize=9, fontweight="bold")


def _bars(axis: Axes, marks: Marks, top: float, row: float) -> float:
    """A bar and a name under the bases of each mark, in as few rows as keep them apart; how much room they took."""
    ends: list[float] = []
    for place in sorted(marks, key=lambda place: place.start):
        text = marks[place]
        wide = max(place.width, 1.15 * len(text))
        lane = next((i for i, end in enumerate(ends) if end <= place.start), len(ends))
        ends[lane : lane + 1] = [place.start + wide + 1]
        y = top - lane * 2 * row - 0.3 * row
        axis.hlines(y, place.start, place.end, color=INK, lw=1.6)
        late = place.start + wide > axis.get_xlim()[1]
        x, side = (place.end, "right") if late else (place.start, "left")
        axis.text(x, y - 0.25 * row, text, fontsize=6.5, va="top", ha=side, clip_on=True)
    return 2 * row * len(ends)
