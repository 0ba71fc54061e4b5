"""Figures of predicted against measured numbers; knows nothing else of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from distal.plots.style import ALT, COLOURS, GRID, SOFT, Figure, style


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
    with style():
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
        said = axis.text(1, 1.005, f"Pearson r = {r:.2f}, n = {len(measured):,}", transform=axis.transAxes)
        said.set(ha="right", va="bottom", fontsize=8.5)
        axis.set_xlabel(labels[0])
        axis.set_ylabel(labels[1])
        axis.set_title(title, loc="left", pad=18)
    return figure
