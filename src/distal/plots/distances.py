"""Figures of numbers by distance, one line a model; knows neither the models nor what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from distal.plots.style import ALT, COLOURS, GRID, SOFT, Figure, style

Line = tuple[Sequence[float], Sequence[float]]
"""Means and standard deviations, one each per class of distance."""


def by_distance(
    limits: Sequence[int], panels: Mapping[str, Mapping[str, Line]], reach: int | None = None, title: str = ""
) -> Figure:
    """One panel per measure, titled by its name, with a line and its spread for each model.

    `limits` are the classes' limits in bases, one more than a line has numbers. A dotted line marks `reach` bases.
    """
    edges = np.array(limits) / 1000
    middles = np.sqrt(edges[:-1] * edges[1:])
    with style():
        figure = Figure(figsize=(3.6 * len(panels), 3.2), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (measure, lines) in zip(axes, panels.items(), strict=True):
            axis.axhline(0, color=GRID, lw=0.8, zorder=0)
            if reach is not None:
                axis.axvline(reach / 1000, color=SOFT, lw=0.8, ls=":", zorder=0)
            for (name, (mean, spread)), colour in zip(lines.items(), (COLOURS["C"], ALT), strict=False):
                axis.errorbar(middles, mean, spread, label=name, color=colour, marker="o", ms=3.5, lw=1.3, capsize=2)
            axis.set_xscale("log")
            axis.set_xticks(edges, [f"{edge:g}" for edge in edges])
            axis.minorticks_off()
            axis.set_xlabel("distance to the enhancer, kb")
            axis.set_title(measure, loc="left", fontweight="normal")
        axes[0].set_ylabel("Pearson r")
        axes[0].legend(frameon=False, loc="lower left")
        figure.suptitle(title)
    return figure
