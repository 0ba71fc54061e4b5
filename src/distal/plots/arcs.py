"""Figure of the elements of a gene as arcs to its start sites; knows scores and positions, not how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from distal.coords import Interval
from distal.plots.panels import ASSAYS, Genes, area, finish, headed, label, panels
from distal.plots.style import ALT, INK, SOFT, Figure, style
from distal.tracks import Tracks

_FLATTEST = 0.06
"""Height of the arc of a score of 0, as a share of the highest: it is still seen where it leads."""


@dataclass(frozen=True, slots=True)
class Arc:
    """An element, a start site (0-based), and a score that isn't below 0."""

    element: Interval
    tss: int
    score: float


def arcs(
    scored: Mapping[str, Sequence[Arc]],
    interval: Interval,
    signal: Tracks | None = None,
    genes: Genes | None = None,
    title: str = "",
    few: int = 5,
) -> Figure:
    """One panel a method with its arcs, then predicted tracks, then genes. The `few` best arcs of a method stand out.

    An arc is as high as its score in its panel, the highest being 1; elements are ticks on the panel's floor.
    """
    rows = len(signal.table) if signal is not None else 0
    with style():
        figure, axes = panels(len(scored) + rows, interval, genes, 1.15)
        for axis, (method, found) in zip(axes, scored.items(), strict=False):
            _arcs(axis, found, few)
            headed(axis, method)
        if signal is not None:
            for i, row in enumerate(signal.table.rows):
                axis = axes[len(scored) + i]
                area(axis, signal, i, ASSAYS.get(row.assay, SOFT))
                headed(axis, label(row))
                axis.set_ylim(bottom=0)
        finish(figure, axes, interval, title)
    return figure


def _arcs(axis: Axes, found: Sequence[Arc], few: int) -> None:
    order = sorted((arc for arc in found if not np.isnan(arc.score)), key=lambda arc: arc.score)
    highest = max((arc.score for arc in order), default=0.0) or 1.0
    for place, arc in enumerate(order):
        best = len(order) - place <= few
        height = max(arc.score / highest, _FLATTEST)
        axis.add_patch(_bow(arc.element.center, arc.tss, height, ALT if best else SOFT, 1.4 if best else 0.6))
        axis.hlines(0, arc.element.start, arc.element.end, color=ALT if best else SOFT, lw=4)
    for site in sorted({arc.tss for arc in order}):
        axis.axvline(site, ymax=0.08, color=INK, lw=1.2)
    axis.set_ylim(-0.06, 1.08)
    axis.set_yticks([0, 1], ["0", f"{highest:.2g}"])


def _bow(start: int, end: int, height: float, colour: str, width: float) -> PathPatch:
    """A cubic curve whose highest point is at `height`: its control points lie 4/3 as high."""
    points = [(start, 0.0), (start, height * 4 / 3), (end, height * 4 / 3), (end, 0.0)]
    codes = [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]
    return PathPatch(Curve(points, codes), facecolor="none", edgecolor=colour, lw=width, alpha=0.9)
