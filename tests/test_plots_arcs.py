"""Arcs: how high each is, which stand out, and that every panel is there."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import PathPatch
from tests import builders

from distal import plots
from distal.coords import Interval
from distal.tracks import Tracks

HERE = Interval("chr1", 10_000, 12_560)
FOUND = [
    plots.Arc(Interval("chr1", at, at + 200), 11_000, score)
    for at, score in ((10_100, 2.0), (11_500, 1.0), (12_000, 0.0))
]


def bows(axis) -> list[PathPatch]:
    return [patch for patch in axis.patches if isinstance(patch, PathPatch)]


def test_the_highest_score_is_one_and_the_best_stand_out() -> None:
    figure = plots.arcs({"gradient": FOUND, "abc": FOUND[:1]}, HERE, few=1)
    axis, other = figure.axes
    # In ascending order; the control points of a curve that is h high are 4/3 h high.
    heights = [bow.get_path().vertices[1, 1] * 3 / 4 for bow in bows(axis)]
    assert heights == pytest.approx([0.06, 0.5, 1])
    assert len({bow.get_edgecolor() for bow in bows(axis)[:2]}) == 1
    assert bows(axis)[2].get_edgecolor() != bows(axis)[0].get_edgecolor()
    assert bows(axis)[2].get_path().vertices[[0, -1], 0].tolist() == [10_200, 11_000]
    assert len(bows(other)) == 1


def test_tracks_and_genes_lie_below() -> None:
    signal = Tracks(np.ones((20, 1), np.float32), builders.TABLE.take([2]), HERE, 128)
    genes = {"G": [Interval("chr1", 11_000, 11_400, "+")]}
    assert len(plots.arcs({"gradient": FOUND}, HERE, signal, genes, "title").axes) == 3


def test_unseen_elements_have_no_arc_and_zeros_no_height() -> None:
    unseen = plots.Arc(FOUND[0].element, 11_000, float("nan"))
    (axis,) = plots.arcs({"gradient": [unseen, FOUND[2]]}, HERE).axes
    assert [bow.get_path().vertices[1, 1] for bow in bows(axis)] == pytest.approx([0.08])
