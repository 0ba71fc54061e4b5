"""Figures of tracks, alleles, sequence logos and mutagenesis; knows values and positions, not how they were made.

Every function returns a matplotlib `Figure` (or draws on the axes that it is given) and touches no global state: no
pyplot, no rcParams left changed, any thread, no display needed. Colours are Okabe and Ito's, which colour-blind readers
can tell apart. Positions on axes are printed counted from 1, as genome browsers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from distal.coords import Interval, Variant
from distal.dna import Codes
from distal.files import replacing
from distal.tracks import Track, Tracks

LETTERS = "ACGT"
COLOURS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}
ASSAYS = {"DNASE": "#0072B2", "ATAC": "#56B4E9", "CAGE": "#D55E00", "RNA": "#009E73", "CHIP": "#CC79A7"}
INK, SOFT, GRID = "#222222", "#6f6f6f", "#e6e6e6"
REF, ALT = "#8c8c8c", "#D55E00"
DIVERGING = "RdBu_r"
WRAP_BP = 96  # bases in one line of a mutagenesis figure: letters stay legible in print
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
Genes = Mapping[str, Sequence[Interval]]  # name -> exons


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


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format that the name's ending says (.png .svg .pdf); whole or not at all."""
    metadata = {".png": {"Software": "distal"}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with replacing(path) as temporary, _style():
        figure.savefig(temporary, metadata=metadata.get(Path(path).suffix))


def tracks(signal: Tracks, title: str = "", genes: Genes | None = None, marks: Sequence[Interval] = ()) -> Figure:
    """One panel a track, genes below, `marks` shaded: signal over its interval."""
    with _style():
        figure, axes = _panels(len(signal.table), signal.interval, genes, 0.95)
        for i, (axis, row) in enumerate(zip(axes, signal.table.rows, strict=False)):
            _area(axis, signal, i, ASSAYS.get(row.assay, SOFT))
            _name(axis, _label(row))
            axis.set_ylim(bottom=min(0, float(signal.values[:, i].min())))
            for mark in marks:
                axis.axvspan(mark.start, mark.end, color="#F0E442", alpha=0.45, lw=0, zorder=0)
        _finish(figure, axes, signal.interval, title)
    return figure


def alleles(ref: Tracks, alt: Tracks, variant: Variant, title: str = "", genes: Genes | None = None) -> Figure:
    """Two panels a track: REF under ALT, and their difference; the variant is marked."""
    change = alt - ref
    with _style():
        figure, axes = _panels(2 * len(ref.table), ref.interval, genes, 0.8)
        for i, row in enumerate(ref.table.rows):
            both, difference = axes[2 * i], axes[2 * i + 1]
            _area(both, ref, i, REF)
            _steps(both, alt, i, color=ALT, lw=1.1, baseline=None)
            both.set_ylim(bottom=0)
            _name(both, _label(row))
            _area(difference, change, i, ALT)
            limit = max(1.25 * float(np.abs(change.values[:, i]).max()), 1e-6)  # or rounding would fill the panel
            difference.set_ylim(-limit, limit)
            difference.axhline(0, color=SOFT, lw=0.6)
            _name(difference, "ALT \u2212 REF", weight="normal")
            for axis in (both, difference):
                axis.axvline(variant.start + 0.5, color=INK, lw=0.8, ls=(0, (2, 2)))
        _key(axes[0], {f"REF {_short(variant.ref)}": REF, f"ALT {_short(variant.alt)}": ALT})
        _finish(figure, axes, ref.interval, title or str(variant))
    return figure


def _panels(count: int, interval: Interval, genes: Genes | None, inches: float) -> tuple[Figure, list[Axes]]:
    """`count` panels above each other and one for genes where there are some, sharing the axis of positions."""
    shown = {name: exons for name, exons in (genes or {}).items() if interval.overlaps(_body(exons))}
    lanes = _lanes(shown, interval)
    heights = [inches] * count + ([0.26 * len(lanes) + 0.1] if lanes else [])
    figure = Figure(figsize=(10, sum(heights) + 0.9), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights, hspace=0.06)
    axes = [figure.add_subplot(grid[0])]
    axes += [figure.add_subplot(grid[i], sharex=axes[0]) for i in range(1, len(heights))]
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False, bottom=False)
        axis.spines["bottom"].set_visible(False)
    for axis in axes[:count]:
        axis.yaxis.set_major_locator(MaxNLocator(2))
    if lanes:
        _draw_genes(axes[-1], lanes, shown, interval)
    return figure, axes


def _area(axis: Axes, signal: Tracks, column: int, colour: str) -> None:
    _steps(axis, signal, column, fill=True, color=colour, lw=0, alpha=0.85)


def _steps(axis: Axes, signal: Tracks, column: int, **style: Any) -> None:
    edges = np.arange(len(signal.values) + 1) * signal.bin_bp + signal.interval.start
    axis.stairs(signal.values[:, column], edges, **style)


def _label(row: Track) -> str:
    text = row.description.strip(" ,") or row.name
    return text if row.strand == "." else f"{text}, {'forward' if row.strand == '+' else 'reverse'} strand"


def _name(axis: Axes, text: str, weight: str = "bold") -> None:
    axis.set_title(text, loc="left", fontsize=8, fontweight=weight, pad=2.5)


def _key(axis: Axes, colours: Mapping[str, str]) -> None:
    for i, (label, colour) in enumerate(reversed(list(colours.items()))):
        text = axis.text(1 - 0.09 * i, 1.02, label, transform=axis.transAxes, fontsize=8, fontweight="bold")
        text.set(color=colour, ha="right", va="bottom")


def _short(allele: str) -> str:
    return allele if len(allele) <= 6 else f"{allele[:5]}\u2026 ({len(allele)} bp)"


def _finish(figure: Figure, axes: Sequence[Axes], interval: Interval, title: str) -> None:
    _positions(axes[-1], interval)
    axes[-1].set_xlabel(f"position on {interval.chrom}")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")


# --- genes and positions


def _lanes(genes: Genes, interval: Interval) -> list[list[str]]:
    """Genes in as few rows as keep them and their names apart, left to right."""
    room = interval.width // 14  # for a name
    lanes: list[list[str]] = []
    ends: list[int] = []
    for name in sorted(genes, key=lambda name: _body(genes[name]).start):
        body = _body(genes[name]).clip(interval.start, interval.end)
        lane = next((i for i, end in enumerate(ends) if end <= body.start), len(lanes))
        if lane == len(lanes):
            lanes.append([])
            ends.append(0)
        lanes[lane].append(name)
        ends[lane] = max(body.end, body.start + room) + room // 6
    return lanes


def _body(exons: Sequence[Interval]) -> Interval:
    return Interval(exons[0].chrom, min(e.start for e in exons), max(e.end for e in exons), exons[0].strand)


def _draw_genes(axis: Axes, lanes: list[list[str]], genes: Genes, interval: Interval) -> None:
    for lane, names in enumerate(lanes):
        for name in names:
            body = _body(genes[name]).clip(interval.start, interval.end)
            arrow = {"+": " \u25b6", "-": "\u25c0 "}.get(body.strand, "")
            label = f"{arrow}{name}" if body.strand == "-" else f"{name}{arrow}"
            axis.hlines(-lane, body.start, body.end, color=SOFT, lw=0.9)
            for exon in genes[name]:
                axis.hlines(-lane, exon.start, exon.end, color=INK, lw=5)
            axis.text(body.start, -lane - 0.24, label, fontsize=7, va="top", fontstyle="italic", clip_on=True)
    axis.set_ylim(-len(lanes) + 0.15, 0.45)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)


def _positions(axis: Axes, interval: Interval) -> None:
    """Limits of `interval`; ticks in the middle of round positions, counted from 1, with thousands separators."""
    axis.set_xlim(interval.start, interval.end)
    steps = MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]).tick_values(interval.start, interval.end)
    rounds = {
        f"{step:,.0f}": Interval.from_one_based(interval.chrom, int(step), int(step)) for step in steps if step > 0
    }
    shown = {text: base.start + 0.5 for text, base in rounds.items() if interval.contains(base)}
    axis.set_xticks(list(shown.values()), list(shown))


# --- logos and mutagenesis


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
    with _style():
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
                    _positions(axis, Interval(line.chrom, line.start, line.start + lines[0].width))
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


# --- predicted against measured


def scatter(
    predicted: NDArray[np.float32],
    measured: NDArray[np.float32],
    labels: tuple[str, str],
    named: Mapping[str, int] | None = None,
    title: str = "",
) -> Figure:
    """Points of predicted [n] over measured [n] effects, with Pearson's r; `labels` are those of the two axes (x, y).

    `named` gives a text to some of the points, by index.
    """
    with _style():
        figure = Figure(figsize=(5.2, 4.8), layout="constrained")
        axis = figure.add_subplot()
        axis.axhline(0, color=GRID, lw=0.8, zorder=0)
        axis.axvline(0, color=GRID, lw=0.8, zorder=0)
        axis.scatter(measured, predicted, s=9, color=COLOURS["C"], alpha=0.45, lw=0)
        chosen = sorted((named or {}).items(), key=lambda item: float(predicted[item[1]]))
        for place, (text, i) in enumerate(chosen):  # named in a column at the lower right, a line leads to each point
            axis.scatter(measured[i], predicted[i], s=22, color=ALT, edgecolor="white", lw=0.6, zorder=3)
            lead, where = {"arrowstyle": "-", "color": SOFT, "lw": 0.5, "shrinkB": 3}, (0.99, 0.04 + 0.05 * place)
            label = axis.annotate(text, (measured[i], predicted[i]), where, textcoords="axes fraction", arrowprops=lead)
            label.set(ha="right", va="center", fontsize=7.5)
        r = float(np.corrcoef(measured, predicted)[0, 1])
        axis.set_title(f"Pearson r = {r:.2f}, n = {len(measured):,}", loc="right", fontsize=8.5, fontweight="normal")
        axis.set_xlabel(labels[0])
        axis.set_ylabel(labels[1])
        axis.set_title(title, loc="left")
    return figure


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context(_STYLE):
        yield
