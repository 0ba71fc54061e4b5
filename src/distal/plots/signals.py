"""Figures of tracks and of two alleles; knows values and positions, not how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from distal.coords import Interval, Variant
from distal.plots.panels import ASSAYS, Genes, area, finish, headed, label, panels, steps
from distal.plots.style import ALT, INK, REF, SOFT, Figure, style
from distal.tracks import Tracks


def tracks(signal: Tracks, title: str = "", genes: Genes | None = None, marks: Sequence[Interval] = ()) -> Figure:
    """One panel a track, genes below, `marks` shaded: signal over its interval."""
    with style():
        figure, axes = panels(len(signal.table), signal.interval, genes, 0.95)
        for i, (axis, row) in enumerate(zip(axes, signal.table.rows, strict=False)):
            area(axis, signal, i, ASSAYS.get(row.assay, SOFT))
            headed(axis, label(row))
            axis.set_ylim(bottom=min(0, float(signal.values[:, i].min())))
            for mark in marks:
                axis.axvspan(mark.start, mark.end, color="#F0E442", alpha=0.45, lw=0, zorder=0)
        finish(figure, axes, signal.interval, title)
    return figure


def alleles(
    ref: Tracks,
    alt: Tracks,
    variant: Variant,
    title: str = "",
    genes: Genes | None = None,
    change: Tracks | None = None,
) -> Figure:
    """Two panels a track: REF under ALT, and their difference; the variant is marked.

    `change` is ALT - REF where it is known better than both are.
    """
    change = alt - ref if change is None else change
    with style():
        figure, axes = panels(2 * len(ref.table), ref.interval, genes, 0.8)
        for i, row in enumerate(ref.table.rows):
            both, difference = axes[2 * i], axes[2 * i + 1]
            area(both, ref, i, REF)
            steps(both, alt, i, color=ALT, lw=1.1, baseline=None)
            both.set_ylim(bottom=0)
            headed(both, label(row))
            area(difference, change, i, ALT)
            _around_zero(difference, change, i)
            headed(difference, "ALT \u2212 REF", weight="normal")
            for axis in (both, difference):
                axis.axvline(variant.start + 0.5, color=INK, lw=0.8, ls=(0, (2, 2)))
        _key(axes[0], {f"REF {_short(variant.ref)}": REF, f"ALT {_short(variant.alt)}": ALT})
        finish(figure, axes, ref.interval, title or str(variant))
    return figure


def differences(change: Tracks, variant: Variant, genes: Genes | None = None) -> Figure:
    """One panel a track: ALT - REF, as far as there is any signal, on a scale of its own; the variant is marked."""
    with style():
        figure, axes = panels(len(change.table), change.interval, genes, 0.7)
        for i, (axis, row) in enumerate(zip(axes, change.table.rows, strict=False)):
            area(axis, change, i, ALT)
            _around_zero(axis, change, i)
            axis.axvline(variant.start + 0.5, color=INK, lw=0.8, ls=(0, (2, 2)))
            headed(axis, label(row))
        finish(figure, axes, change.interval, "")
    return figure


def _around_zero(axis: Axes, change: Tracks, column: int) -> None:
    limit = max(1.25 * float(np.abs(change.values[:, column]).max()), 1e-6)  # or rounding would fill the panel
    axis.set_ylim(-limit, limit)
    axis.axhline(0, color=SOFT, lw=0.6)


def _key(axis: Axes, colours: Mapping[str, str]) -> None:
    for i, (allele, colour) in enumerate(reversed(list(colours.items()))):
        text = axis.text(1 - 0.09 * i, 1.02, allele, transform=axis.transAxes, fontsize=8, fontweight="bold")
        text.set(color=colour, ha="right", va="bottom")


def _short(allele: str) -> str:
    return allele if len(allele) <= 6 else f"{allele[:5]}\u2026 ({len(allele)} bp)"
