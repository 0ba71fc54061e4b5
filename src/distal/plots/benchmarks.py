"""Figures of benchmarks: numbers with their intervals, a row a question and a colour a model; knows no benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from distal.plots.style import ALT, COLOURS, GRID, REF, SOFT, Figure, style

SERIES = (COLOURS["C"], ALT, COLOURS["A"], COLOURS["G"], "#CC79A7", REF)
NEUTRAL = {"auroc": 0.5, "concordance": 0.5}
"""Where a statistic says nothing; 0 of the others."""


class Mark(NamedTuple):
    """A number with its interval."""

    panel: str
    """The statistic: a column of the figure."""
    name: str
    """The question: a row."""
    series: str
    """The model: a colour."""
    value: float
    low: float
    high: float


def intervals(marks: Sequence[Mark], title: str = "") -> Figure:
    """A panel a statistic, a row a question; models lie above each other in a row, their intervals as bars."""
    panels = list(dict.fromkeys(mark.panel for mark in marks))
    names, series = list(dict.fromkeys(mark.name for mark in marks)), list(dict.fromkeys(mark.series for mark in marks))
    height = 0.9 + len(names) * (0.12 * len(series) + 0.12)
    with style():
        figure = Figure(figsize=(3.2 + 2.3 * len(panels), height), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, panel in zip(axes, panels, strict=True):
            axis.axvline(NEUTRAL.get(panel, 0), color=SOFT, lw=0.8, ls=":", zorder=0)
            for row in range(1, len(names)):
                axis.axhline(row - 0.5, color=GRID, lw=0.6, zorder=0)
            for mark in marks:
                if mark.panel == panel and np.isfinite(mark.value):
                    place = series.index(mark.series)
                    y = names.index(mark.name) + 0.7 * ((place + 0.5) / len(series) - 0.5)
                    colour = SERIES[place % len(SERIES)]
                    axis.plot([mark.low, mark.high], [y, y], color=colour, lw=1.2, solid_capstyle="butt")
                    axis.plot([mark.value], [y], color=colour, marker="o", ms=4)
            axis.set_title(panel, loc="left", fontweight="normal")
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set_ylim(len(names) - 0.5, -0.5)
        handles = [
            axes[0].plot([], [], color=SERIES[i % len(SERIES)], marker="o", ms=4, lw=1.2)[0] for i in range(len(series))
        ]
        figure.legend(handles, series, loc="outside lower left", ncols=len(series), frameon=False)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure
