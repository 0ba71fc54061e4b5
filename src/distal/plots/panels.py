"""Panels above each other along a chromosome, with genes below: what figures of positions share; knows no data.

Every panel has its name at its upper left; genes lie in as few rows as keep them and their names apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from distal.coords import Interval
from distal.plots.style import INK, SOFT, Figure, positions
from distal.tracks import Track, Tracks

if TYPE_CHECKING:
    from distal.io.genes import Gene

ASSAYS = {"DNASE": "#0072B2", "ATAC": "#56B4E9", "CAGE": "#D55E00", "RNA": "#009E73", "CHIP": "#CC79A7"}
Genes = Mapping[str, Sequence[Interval]]  # name -> exons


def bodies(genes: Iterable[Gene], chrom: str) -> Genes:
    """The exons of genes that have some, under the name that the figure has for their chromosome."""
    return {gene.name: [Interval(chrom, *exon, gene.strand) for exon in gene.exons] for gene in genes if gene.exons}


def panels(count: int, interval: Interval, genes: Genes | None, inches: float) -> tuple[Figure, list[Axes]]:
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


def area(axis: Axes, signal: Tracks, column: int, colour: str) -> None:
    """Fill what lies under one track."""
    steps(axis, signal, column, fill=True, color=colour, lw=0, alpha=0.85)


def steps(axis: Axes, signal: Tracks, column: int, **style: Any) -> None:
    """One track, a step a bin."""
    edges = np.arange(len(signal.values) + 1) * signal.bin_bp + signal.interval.start
    axis.stairs(signal.values[:, column], edges, **style)


def label(row: Track) -> str:
    """What a track is called above its panel."""
    text = row.description.strip(" ,") or row.name
    return text if row.strand == "." else f"{text}, {'forward' if row.strand == '+' else 'reverse'} strand"


def headed(axis: Axes, text: str, weight: str = "bold") -> None:
    """Write a panel's name above it."""
    axis.set_title(text, loc="left", fontsize=8, fontweight=weight, pad=2.5)


def finish(figure: Figure, axes: Sequence[Axes], interval: Interval, title: str) -> None:
    """Positions below the last panel, and the figure's title."""
    positions(axes[-1], interval)
    axes[-1].set_xlabel(f"position on {interval.chrom}")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")


# --- genes


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
