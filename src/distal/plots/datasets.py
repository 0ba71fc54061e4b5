"""Figures of a data set: all of it on one page, and a page for each track; knows a summary, not how it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import MaxNLocator

from distal.coords import Interval
from distal.data.summary import Summary
from distal.plots.panels import ASSAYS
from distal.plots.style import ALT, GRID, INK, SOFT, Figure, positions, style

SPLITS = {"train": "#b8c4cc", "valid": "#E69F00", "test": "#0072B2"}
FOLDS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#222222")
CHROMOSOMES = 26
"""Rows that a map of windows has at most: the longest chromosomes."""
NAMED = 48
"""Up to as many tracks are named on axes; more are told by assay."""


def overview(summary: Summary, remarks: Sequence[Sequence[str]], title: str = "") -> Figure:
    """Where the windows of each split lie, how tracks correlate, and the range of each; tracks with remarks are ringed.

    `remarks` has an entry for each track.
    """
    with style():
        figure = Figure(figsize=(11, 8.2), layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=(1.25, 1), width_ratios=(1.15, 1))
        _map(figure.add_subplot(grid[0, 0]), summary)
        _correlations(figure, figure.add_subplot(grid[0, 1]), summary)
        _ranges(figure.add_subplot(grid[1, :]), summary, remarks)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def track(summary: Summary, index: int, remarks: Sequence[str] = (), title: str = "") -> Figure:
    """The values of one track in each split, and its signal in the window in which it is strongest."""
    row = summary.table.rows[index]
    with style():
        figure = Figure(figsize=(10, 2.7), layout="constrained")
        values, window = figure.subplots(1, 2, width_ratios=(1, 2.3))
        _values(values, summary, index)
        _window(window, summary, index, ASSAYS.get(row.assay, SOFT))
        figure.suptitle(title or f"{row.name}  {row.description}", x=0.01, ha="left", fontsize=10.5, fontweight="bold")
        if remarks:
            figure.supxlabel("; ".join(remarks), x=0.01, ha="left", fontsize=8.5, color=ALT, fontweight="bold")
    return figure


def _colours(splits: Sequence[str]) -> dict[str, str]:
    others = [split for split in splits if split not in SPLITS]
    return {**SPLITS, **{split: FOLDS[i % len(FOLDS)] for i, split in enumerate(others)}}


# --- where windows lie


def _map(axis: Axes, summary: Summary) -> None:
    placed = {name: [x for x in split.intervals if x is not None] for name, split in summary.splits.items()}
    ends: Counter[str] = Counter()
    for windows in placed.values():
        for x in windows:
            ends[x.chrom] = max(ends[x.chrom], x.end)
    chroms = [chrom for chrom, _ in ends.most_common(CHROMOSOMES)]
    for name, colour in _colours(list(placed)).items():
        for i, chrom in enumerate(chroms):
            spans = [(x.start / 1e6, x.width / 1e6) for x in placed.get(name, ()) if x.chrom == chrom]
            axis.broken_barh(spans, (i - 0.36, 0.72), color=colour, lw=0)
    axis.set_yticks(range(len(chroms)), chroms)
    axis.set_ylim(len(chroms) - 0.4, -0.6)
    axis.set_xlabel("position, Mb")
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    axis.set_title("windows" if chroms else "where its windows lie is not known", loc="left")
    counts = {name: f"{name} {len(split.intervals):,}" for name, split in summary.splits.items()}
    _key(axis, [(counts[name], colour) for name, colour in _colours(list(placed)).items() if name in counts])


def _key(axis: Axes, entries: Sequence[tuple[str, str]]) -> None:
    for label, colour in entries:
        axis.plot([], [], color=colour, lw=5, label=label)
    axis.legend(loc="lower right", frameon=False, fontsize=7.5, handlelength=1, ncols=1 + len(entries) // 9)


# --- all tracks


def _assays(summary: Summary) -> Iterator[tuple[str, int, int]]:
    """Runs of tracks of one assay in table order: assay, first, one behind the last."""
    first = 0
    for assay, rows in groupby(summary.table, key=lambda row: row.assay):
        last = first + len(list(rows))
        yield assay, first, last
        first = last


def _correlations(figure: Figure, axis: Axes, summary: Summary) -> None:
    image = axis.imshow(summary.correlations, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    bar = figure.colorbar(image, ax=axis, shrink=0.6, aspect=18, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    for _, first, _last in list(_assays(summary))[1:]:
        for line in (axis.axhline, axis.axvline):
            line(first - 0.5, color=INK, lw=0.5)
    runs = list(_assays(summary)) if len(summary.table) > NAMED / 2 else []
    ticks = [((first + last - 1) / 2, assay) for assay, first, last in runs] or list(enumerate(summary.table.names))
    axis.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
    axis.set_xticks([])
    axis.tick_params(left=False)
    axis.set_title("correlation of tracks, log(1 + signal)", loc="left")


def _ranges(axis: Axes, summary: Summary, remarks: Sequence[Sequence[str]]) -> None:
    places = np.arange(len(summary.table))
    low, high = summary.range
    colours = [ASSAYS.get(row.assay, SOFT) for row in summary.table]
    width = min(6.0, 600 / len(places))
    axis.vlines(places, low, high, color=[to_rgba(colour, 0.3) for colour in colours], lw=width)
    axis.scatter(places, summary.quantile(0.99), marker="_", s=width**2 * 4, color=colours, lw=1)
    axis.scatter(places, summary.mean, s=max(width, 2) ** 1.6, color=colours, lw=0, zorder=3)
    marked = np.array([bool(each) for each in remarks])
    axis.scatter(places[marked], summary.mean[marked], s=70, facecolor="none", edgecolor=ALT, lw=1.4, zorder=4)
    positive = summary.mean[summary.mean > 0]
    axis.set_yscale("asinh", linear_width=float(positive.min()) if len(positive) else 1.0)
    axis.set_xlim(-0.7, len(places) - 0.3)
    if len(places) <= NAMED:
        axis.set_xticks(places, summary.table.names, rotation=60, ha="right", rotation_mode="anchor", fontsize=6.5)
    else:
        runs = list(_assays(summary))
        axis.set_xticks([(first + last - 1) / 2 for _, first, last in runs], [assay or "other" for assay, *_ in runs])
    axis.tick_params(bottom=False)
    ringed = f"; {marked.sum()} with remarks ringed" if marked.any() else ""
    axis.set_title(f"range of each track: bar to the maximum, tick at 99 %, dot at the mean{ringed}", loc="left")
    axis.set_ylabel(f"signal of {summary.bin_bp} bp")


# --- one track


def _values(axis: Axes, summary: Summary, index: int) -> None:
    """The share of bins in which the signal is at least x, split by split; on logarithms, what is above 0."""
    colours = _colours(list(summary.splits))
    for name, split in summary.splits.items():
        values = split.sample[:, index]
        positive = np.sort(values[np.isfinite(values) & (values > 0)])
        shares = np.arange(len(positive), 0, -1) / len(values)
        label = f"{name}: mean {split.mean[index]:.3g}, {100 * split.zero[index]:.0f} % zero"
        axis.plot(positive, shares, color=colours[name], lw=1.6, label=label, drawstyle="steps-pre")
    if any(np.size(line.get_xdata()) for line in axis.lines):
        axis.loglog()
    else:
        axis.set_title("never above 0", loc="left", fontsize=8, fontweight="normal")
    axis.set_xlabel(f"signal of {summary.bin_bp} bp, at least")
    axis.set_ylabel("share of bins")
    axis.legend(frameon=False, fontsize=7, handlelength=1)


def _window(axis: Axes, summary: Summary, index: int, colour: str) -> None:
    place = summary.places[index]
    flank = (summary.input_bp - summary.bins * summary.bin_bp) // 2
    shown = Interval("window", 0, summary.input_bp) if place is None else place
    edges = shown.start + flank + summary.bin_bp * np.arange(summary.bins + 1)
    axis.stairs(np.nan_to_num(summary.peaks[:, index]), edges, fill=True, color=colour, lw=0)
    positions(axis, Interval(shown.chrom, int(edges[0]), int(edges[-1])))
    axis.set_xlabel(f"position in the {shown.chrom}" if place is None else f"position on {shown.chrom}")
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.grid(axis="y", color=GRID, lw=0.6)
    axis.set_axisbelow(True)
    axis.set_title("where it is strongest", loc="left", fontsize=8, fontweight="normal")
