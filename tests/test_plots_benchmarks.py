"""Figures of benchmarks: a panel a statistic, a mark a number, nothing drawn where there is none."""

from __future__ import annotations

import math

import pytest

from distal import plots
from distal.plots import Mark


def test_a_panel_a_statistic_and_a_mark_a_number() -> None:
    marks = [
        Mark("pearson", "a", "one", 0.5, 0.4, 0.6),
        Mark("pearson", "a", "two", 0.3, 0.2, 0.4),
        Mark("pearson", "b", "one", math.nan, math.nan, math.nan),
        Mark("auroc", "b", "two", 0.7, 0.6, 0.8),
    ]
    figure = plots.intervals(marks, "title")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["pearson", "auroc"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]
    points = [
        [line for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata())] for axis in figure.axes
    ]
    assert [len(found) for found in points] == [2, 1]
    (first, second), (third,) = points
    assert first.get_xdata().tolist() == [0.5]
    assert first.get_ydata()[0] < second.get_ydata()[0] == pytest.approx(third.get_ydata()[0] - 1)
    assert first.get_color() != second.get_color() == third.get_color()
    bars = [
        line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_color() == first.get_color()
    ]
    assert list(bars[0].get_xdata()) == [0.4, 0.6]


def test_the_same_figure_is_the_same_svg() -> None:
    drawn = [plots.svg(plots.intervals([Mark("pearson", "a", "one", 0.5, 0.4, 0.6)])) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert b"<svg" in drawn[0]
