"""Figures of variants: where a file's strongest lie, and what one does letter by letter; knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from distal.coords import Interval, Variant
from distal.dna import Codes, N
from distal.plots.logos import DIVERGING, Effects, logo
from distal.plots.panels import ASSAYS
from distal.plots.style import ALT, COLOURS, GRID, INK, LETTERS, REF, SOFT, Figure, positions, style

MARK = "#F0E442"
POINTS = 5000
"""More points than these are one image, so that a page stays small."""
_GAP = 0.012
"""Between chromosomes, as a part of all of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """A variant's place (0-based), how large its effect is, and the assay of the track that shows it."""

    chrom: str
    start: int
    size: float
    assay: str


def sizes(points: Sequence[Size], label: str, named: Mapping[int, str] | None = None, title: str = "") -> Figure:
    """Sizes over positions, a colour an assay; chromosomes in the order of the points, beside each other.

    `named` gives a text to some of the points, by index; `label` is that of the sizes.
    """
    chroms: dict[str, list[int]] = {}
    for i, point in enumerate(points):
        chroms.setdefault(point.chrom, []).append(i)
    with style():
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        axis = figure.add_subplot()
        x = _across(axis, points, chroms)
        y = np.array([point.size for point in points])
        order = np.argsort(y, kind="stable")  # the largest lie on top
        colours = [ASSAYS.get(points[i].assay, SOFT) for i in order.tolist()]
        axis.scatter(x[order], y[order], s=14, color=colours, lw=0, alpha=0.8, rasterized=len(points) > POINTS)
        for assay in sorted({point.assay for point in points}):
            axis.scatter([], [], s=14, color=ASSAYS.get(assay, SOFT), lw=0, label=assay or "other")
        _name(axis, x, y, named or {})
        axis.set_ylim(0, 1.18 * float(y.max(initial=0)) or 1)
        axis.set_ylabel(label)
        axis.grid(axis="y", color=GRID, lw=0.6)
        axis.set_axisbelow(True)
        if points:
            axis.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=8, handletextpad=0.1, borderpad=0)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _across(axis: Axes, points: Sequence[Size], chroms: Mapping[str, Sequence[int]]) -> NDArray[np.float64]:
    """Where each point stands: its position, or, with several chromosomes, one after the other."""
    starts = np.array([point.start for point in points], dtype=np.float64)
    if len(chroms) == 1:
        (chrom,) = chroms
        first, last = int(starts.min()), int(starts.max()) + 1
        margin = max((last - first) // 25, 50)
        positions(axis, Interval(chrom, first - margin, last + margin))
        axis.set_xlabel(f"position on {chrom}")
        return starts + 0.5
    x, ticks, edge = starts.copy(), [], 0.0
    gap = _GAP * sum(starts[rows].max() - starts[rows].min() + 1 for rows in map(list, chroms.values()))
    for i, rows in enumerate(map(list, chroms.values())):
        width = starts[rows].max() - starts[rows].min() + 1
        x[rows] += edge + gap / 2 - starts[rows].min()
        if i % 2:
            axis.axvspan(edge, edge + width + gap, color=GRID, alpha=0.45, lw=0, zorder=0)
        ticks.append(edge + (width + gap) / 2)
        edge += width + gap
    axis.set_xlim(0, edge or 1)
    axis.set_xticks(ticks, [chrom.removeprefix("chr") for chrom in chroms] if len(chroms) > 9 else list(chroms))
    axis.tick_params(bottom=False)
    axis.set_xlabel("chromosome" if len(chroms) > 9 else "")
    return x


def _name(axis: Axes, x: NDArray[np.float64], y: NDArray[np.float64], named: Mapping[int, str]) -> None:
    """Texts above points; one that would lie over another is left out."""
    low, high = axis.get_xlim()
    taken: list[tuple[float, float]] = []
    for i, text in named.items():
        across, up = (x[i] - low) / (high - low), y[i] / (float(y.max()) or 1)
        wide = 0.0075 * len(text)
        if all(abs(across - other) > wide or abs(up - level) > 0.1 for other, level in taken):
            taken.append((across, up))
            side = "left" if across < 0.08 else "right" if across > 0.92 else "center"
            axis.annotate(text, (x[i], y[i]), (0, 4), textcoords="offset points", ha=side, fontsize=7)


# --- one variant, letter by letter


@dataclass(frozen=True)
class _Aligned:
    """Columns that both alleles share: each has its bases in some of them, left-aligned in the edit."""

    variant: Variant
    left: int
    right: int

    @property
    def width(self) -> int:
        return self.left + self.edit + self.right

    @property
    def edit(self) -> int:
        return max(len(self.variant.ref), len(self.variant.alt))

    def columns(self, allele: str) -> NDArray[np.int64]:
        """Where the bases of the sequence with `allele` stand."""
        inside = self.left + np.arange(len(allele))
        return np.concatenate([np.arange(self.left), inside, self.left + self.edit + np.arange(self.right)])


def letters(ref: Effects, alt: Effects, variant: Variant, title: str = "") -> Figure:
    """What each base adds in the sequence with REF and in that with ALT, and the effect of every substitution in REF.

    Both sets of effects begin at the same base, lie around the variant and end as far behind it; an indel leaves a
    gap. The variant is shaded; framed is a substitution's own effect, or where an indel lies.
    """
    left = variant.start - ref.interval.start
    shared = _Aligned(variant, left, ref.interval.width - left - len(variant.ref))
    both = (("REF", variant.ref, ref), ("ALT", variant.alt, alt))
    heights = {name: _spread(each.importance, shared.columns(allele), shared.width) for name, allele, each in both}
    low, high = (float(edge(0, *(edge(row) for row in heights.values()))) for edge in (min, max))
    room = 0.08 * (high - low or 1)
    with style():
        figure = Figure(figsize=(10, 3.7), layout="constrained")
        axes = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 0.85))
        for axis, (name, allele, each) in zip(axes, both, strict=False):
            logo(axis, heights[name], _letters(each.codes, shared.columns(allele), shared.width), 0)
            axis.set_ylim(low - room, high + room)
            axis.yaxis.set_major_locator(MaxNLocator(3))
            axis.set_ylabel(f"{name} {_short(allele)}", color=ALT if name == "ALT" else REF, fontweight="bold")
        _heat(figure, axes[2], ref, shared)
        for axis in axes[:2]:
            axis.axvspan(left, left + shared.edit, color=MARK, alpha=0.35, lw=0, zorder=0)
        for axis in axes:
            axis.tick_params(bottom=False, labelbottom=axis is axes[2])
            axis.spines["bottom"].set_visible(False)
        _places(axes[2], ref.interval, shared)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _spread(values: NDArray[np.float64], columns: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    spread = np.zeros(width)
    spread[columns] = values
    return spread


def _letters(codes: Codes, columns: NDArray[np.int64], width: int) -> Codes:
    spread = np.full(width, N, dtype=np.uint8)
    spread[columns] = codes
    return spread


def _heat(figure: Figure, axis: Axes, ref: Effects, shared: _Aligned) -> None:
    """Effects of the substitutions of REF; grey where it has no base."""
    variant, columns = shared.variant, shared.columns(shared.variant.ref)
    shown = np.full((len(LETTERS), shared.width), np.nan)
    here = ref.codes[:, None] == np.arange(len(LETTERS))
    shown[:, columns] = np.where(here, 0.0, ref.values).T
    limit = max(float(np.nanmax(np.abs(shown), initial=0)), 1e-9)
    norm = TwoSlopeNorm(0.0, -limit, limit)
    axis.set_facecolor(GRID)
    axis.imshow(
        shown, cmap=DIVERGING, norm=norm, extent=(0, shared.width, 3.5, -0.5), aspect="auto", interpolation="none"
    )
    places, rows = np.nonzero(here)
    axis.scatter(columns[places] + 0.5, rows, s=4, color=SOFT, lw=0)
    snv = len(variant.ref) == len(variant.alt) == 1
    corner = (shared.left, LETTERS.index(variant.alt) - 0.5 if snv else -0.5)
    height = 1 if snv else len(LETTERS)
    axis.add_patch(Rectangle(corner, shared.edit, height, fill=False, edgecolor=INK, lw=1.4, clip_on=False))
    axis.set_yticks(range(len(LETTERS)), list(LETTERS), fontweight="bold")
    for label in axis.get_yticklabels():
        label.set_color(COLOURS[label.get_text()])
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    bar = figure.colorbar(ScalarMappable(norm, DIVERGING), ax=axis, aspect=9, pad=0.01, ticks=[-limit, 0, limit])
    bar.outline.set_visible(False)
    bar.ax.set_yticklabels([f"\u2212{limit:.2g}", "0", f"+{limit:.2g}"])
    bar.ax.tick_params(length=0, labelsize=7)


def _places(axis: Axes, interval: Interval, shared: _Aligned) -> None:
    """Round positions of the sequence with REF under its bases."""
    columns = shared.columns(shared.variant.ref)
    known = [Interval(interval.chrom, interval.start + i, interval.start + i + 1) for i in range(len(columns))]
    chosen = [(int(columns[i]) + 0.5, f"{base.end:,}") for i, base in enumerate(known) if base.end % 5 == 0]
    axis.set_xticks([x for x, _ in chosen], [text for _, text in chosen])
    axis.set_xlim(0, shared.width)
    axis.set_xlabel(f"position on {interval.chrom}")


def _short(allele: str) -> str:
    return allele if len(allele) <= 8 else f"{allele[:6]}\u2026"
