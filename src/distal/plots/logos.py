"""Sequence logos and figures of mutagenesis; knows effects and positions, not how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes
from distal.plots.style import COLOURS, GRID, INK, LETTERS, SOFT, Figure, positions, style

DIVERGING = "RdBu_r"
WRAP_BP = 96  # bases in one line of a mutagenesis figure: letters stay legible in print


@dataclass(frozen=True)
class Effects:
    """Effects of single-base substitutions and, if known, deletions over an interval, predicted or measured.

    `values` [width, 4] for A, C, G, T: 0 or NaN for the base that is there, NaN where nothing was measured.
    `deletions` [width]: NaN where nothing was measured.
    """

    values: NDArray[np.float32]
    codes: Codes
    interval: Interval
    kind: str  # one word: predicted, measured
    label: str  # a few words: by which model, of which track; by whom, in which cells
    deletions: NDArray[np.float32] | None = None

    @property
    def rows(self) -> int:
        """Rows of the heat map: the letters, and one of deletions."""
        return len(LETTERS) + (self.deletions is not None)

    @property
    def importance(self) -> NDArray[np.float64]:
        """Minus the mean effect of replacing each base, [width]; 0 where nothing is known."""
        here = self.codes[:, None] == np.arange(4)
        known = ~here & ~np.isnan(self.values)
        total = np.where(known, self.values, 0).sum(axis=1, dtype=np.float64)
        mean: NDArray[np.float64] = -total / np.maximum(known.sum(axis=1), 1)
        return mean

    def over(self, part: Interval) -> Effects:
        """The bases of `part`."""
        rows = slice(part.start - self.interval.start, part.end - self.interval.start)
        deletions = None if self.deletions is None else self.deletions[rows]
        return replace(self, values=self.values[rows], codes=self.codes[rows], interval=part, deletions=deletions)


@cache
def _outline(letter: str) -> Outline:
    """The letter's shape in the unit square."""
    text = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = text.get_extents()
    scale = Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height)
    outline: Outline = scale.transform_path(text)
    return outline


def logo(axis: Axes, heights: NDArray[np.float64], codes: Codes, start: int) -> None:
    """Draw the sequence `codes` [width] from position `start`, each letter `heights` [width] high; negative hangs down.

    All letters of one kind are one path, so a logo of thousands of bases stays quick.
    """
    for code, letter in enumerate(LETTERS):
        placed = [_placed(letter, start + int(i), float(heights[i])) for i in np.flatnonzero(codes == code)]
        if placed:
            axis.add_patch(PathPatch(Outline.make_compound_path(*placed), color=COLOURS[letter], lw=0))
    axis.axhline(0, color=SOFT, lw=0.6)
    low, high = min(0.0, float(heights.min(initial=0))), max(0.0, float(heights.max(initial=0)))
    margin = 0.06 * (high - low or 1)
    axis.set_ylim(low - margin, high + margin)
    axis.set_xlim(start, start + len(codes))


def _placed(letter: str, x: float, height: float) -> Outline:
    placed: Outline = Affine2D().scale(0.94, height).translate(x + 0.03, 0).transform_path(_outline(letter))
    return placed


def mutagenesis(effects: Sequence[Effects], title: str = "") -> Figure:
    """Lines of `WRAP_BP` bases; for each set of effects a logo of what the bases add, over the effects as a heat map.

    The sets cover one interval (predicted, and measured), each on its own scale, so that shapes can be compared. A dot
    is the base that is there, grey is not known; the row "del" is deletions, the logo knows substitutions only.
    """
    lines = list(_wrapped(effects[0].interval))
    heats = [each.rows * _ROW for each in effects]
    tops = [sum(heats[:i]) + i * (_LOGO + _GAP) for i in range(len(effects) + 1)]
    block = tops[-1] + _TICKS
    with style():
        figure = Figure(figsize=(_WIDTH, _HEAD + len(lines) * block))
        for i, each in enumerate(effects):
            norm = _norm(each)
            _scale(figure, f"{each.kind}: {each.label}", norm, i, len(effects))
            for j, line in enumerate(lines):
                top = _HEAD + j * block + tops[i]
                above, below = _placed_axes(figure, top, _LOGO), _placed_axes(figure, top + _LOGO, heats[i])
                _importance(above, each, line)
                _heat(below, each.over(line), norm)
                for axis in (above, below):
                    positions(axis, Interval(line.chrom, line.start, line.start + lines[0].width))
                    axis.spines["bottom"].set_visible(False)
                    axis.tick_params(bottom=False, labelbottom=axis is below and i == len(effects) - 1)
        figure.text(_LEFT / _WIDTH, 1 - 0.12 / figure.get_figheight(), title, va="top", fontsize=11, fontweight="bold")
    return figure


_WIDTH, _LEFT, _RIGHT, _HEAD, _LOGO, _ROW, _GAP, _TICKS = 11.0, 0.65, 0.15, 0.95, 0.85, 0.125, 0.14, 0.3  # inches


def _placed_axes(figure: Figure, top: float, height: float) -> Axes:
    """Axes across the figure, `top` inches below its upper edge and `height` inches high."""
    whole = figure.get_figheight()
    bottom = 1 - (top + height) / whole
    return figure.add_axes((_LEFT / _WIDTH, bottom, 1 - (_LEFT + _RIGHT) / _WIDTH, height / whole))


def _scale(figure: Figure, label: str, norm: TwoSlopeNorm, place: int, count: int) -> None:
    """The colour bar of one set of effects, under the title, side by side with the others'."""
    whole = figure.get_figheight()
    share = (_WIDTH - _LEFT - _RIGHT) / count
    left = (_LEFT + place * share) / _WIDTH
    axis = figure.add_axes((left, 1 - 0.62 / whole, min(1.6, 0.8 * share) / _WIDTH, 0.09 / whole))
    bar = figure.colorbar(ScalarMappable(norm, DIVERGING), cax=axis, orientation="horizontal")
    bar.outline.set_visible(False)
    limit = float(norm.vmax or 1)
    bar.set_ticks([-limit, 0, limit], labels=[f"\u2212{limit:.2g}", "0", f"+{limit:.2g}"])
    axis.tick_params(length=0, labelsize=7)
    figure.text(left + 1.7 / _WIDTH, 1 - 0.58 / whole, label, va="center", fontsize=8)


def _wrapped(interval: Interval) -> Iterator[Interval]:
    """Parts of at most `WRAP_BP` bases, equally wide but for the last."""
    width = -(-interval.width // -(-interval.width // WRAP_BP))
    for start in range(interval.start, interval.end, width):
        yield Interval(interval.chrom, start, start + width).clip(interval.start, interval.end)


def _norm(effects: Effects) -> TwoSlopeNorm:
    """White at 0; the strongest colour at the 99.5th percentile of the absolute effects."""
    limit = max(float(np.nanpercentile(np.abs(_table(effects)), 99.5)), 1e-9)
    return TwoSlopeNorm(0.0, -limit, limit)


def _table(effects: Effects) -> NDArray[np.float32]:
    """The heat map, [width, rows]."""
    if effects.deletions is None:
        return effects.values
    return np.concatenate([effects.values, effects.deletions[:, None]], axis=1)


def _importance(axis: Axes, effects: Effects, line: Interval) -> None:
    part = effects.over(line)
    logo(axis, part.importance, part.codes, line.start)
    every = effects.importance
    low, high = float(min(every.min(), 0)), float(max(every.max(), 0))
    margin = 0.1 * (high - low or 1)
    axis.set_ylim(low - margin, high + margin)  # one scale for all lines
    axis.yaxis.set_major_locator(MaxNLocator(3))
    axis.tick_params(axis="y", labelsize=6.5)
    axis.set_ylabel(effects.kind, fontsize=8, fontweight="bold")
    axis.yaxis.set_label_coords(-0.45 / _WIDTH, 0.25)


def _heat(axis: Axes, effects: Effects, norm: TwoSlopeNorm) -> None:
    start, end = effects.interval.start, effects.interval.end
    here = effects.codes[:, None] == np.array([0, 1, 2, 3, -1])[: effects.rows]
    shown = np.where(here, 0.0, _table(effects))
    axis.set_facecolor(GRID)
    edges = (start, end, effects.rows - 0.5, -0.5)
    axis.imshow(shown.T, cmap=DIVERGING, norm=norm, extent=edges, aspect="auto", interpolation="none")
    if effects.deletions is not None:
        axis.axhline(len(LETTERS) - 0.5, color="white", lw=1)
    positions, letters = np.nonzero(here)
    axis.scatter(positions + start + 0.5, letters, s=2.5, color=SOFT, lw=0)
    axis.set_yticks(range(effects.rows), [*LETTERS, "del"][: effects.rows], fontsize=6.5, fontweight="bold")
    for label in axis.get_yticklabels():
        label.set_color(COLOURS.get(label.get_text(), INK))
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
