"""Figures of enrichments, a bar a group; knows names and numbers, not what was tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distal.plots.style import ALT, GRID, REF, SOFT, Figure, style

MOST = 25


def enrichments(
    names: Sequence[str],
    enrichment: Sequence[float],
    p: Sequence[float],
    q: Sequence[float],
    fdr: float,
    title: str = "",
) -> Figure:
    """The first `MOST` groups, from above: -log10 p as a bar, coloured where q < `fdr`, with its enrichment."""
    shown = min(len(names), MOST)
    places = np.arange(shown)
    length = -np.log10(np.maximum(np.asarray(p[:shown], dtype=np.float64), 1e-300))
    called = np.asarray(q[:shown]) < fdr
    with style():
        figure = Figure(figsize=(6.4, 1.1 + 0.24 * shown), layout="constrained")
        axis = figure.add_subplot()
        axis.barh(places, length, color=[ALT if yes else REF for yes in called], height=0.72)
        for place, end, ratio in zip(places.tolist(), length.tolist(), enrichment, strict=False):
            axis.text(end, place, f" {ratio:.2f}x", va="center", fontsize=7, color=SOFT)
        axis.set_yticks(places, [name if len(name) <= 48 else f"{name[:47]}…" for name in names[:shown]])
        axis.invert_yaxis()
        axis.set_xlim(0, max(float(length.max(initial=0)) * 1.15, 1))
        axis.axvline(0, color=GRID, lw=0.8)
        axis.set_xlabel(f"-log10 p (coloured: FDR < {fdr:g}; beside: enrichment)")
        axis.set_title(title, loc="left")
        if shown < len(names):
            axis.set_title(
                f"first {shown} of {len(names):,}", loc="right", fontsize=7.5, fontweight="normal", color=SOFT
            )
    return figure
