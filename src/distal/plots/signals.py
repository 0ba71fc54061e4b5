"""Figures of tracks and of two alleles; knows values and positions, not how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from distal.coords import Interval, Variant
from distal.plots.style import ALT, INK, REF, SOFT, positions, style
from distal.tracks import Track, Tracks

ASSAYS = {"DNASE": "#0072B2", "ATAC": "#56B4E9", "CAGE": "#D55E00", "RNA": "#009E73", "CHIP": "#CC79A7"}
Genes = Mapping[str, Sequence[Interval]]  # name -> exons


def tracks(signal: Tracks, title: str = "", genes: Genes | None = None, marks: Sequence[Interval] = ()) -> Figure:
    """One panel a track, genes below, `marks` shaded: signal over its interval."""
    with style():
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
    with style():
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
