"""Candidates: which bins are called, how active a part of a bin is, and what class an element has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import builders

from distal.coords import Interval
from distal.errors import InputError
from distal.interpret.elements import Element, activity, called, kind, listed
from distal.io.bed import BedRow
from distal.io.genes import Gene
from distal.tracks import Tracks, TrackTable

DNASE = TrackTable(builders.TABLE.rows[2:4])


def signal(*heights: float, start: int = 1000, bin_bp: int = 100) -> Tracks:
    """Two tracks whose mean is `heights`."""
    values = np.array(heights, dtype=np.float32)[:, None] + np.array([[-0.5, 0.5]], dtype=np.float32)
    return Tracks(values, DNASE, Interval("chr1", start, start + len(heights) * bin_bp), bin_bp)


def test_the_strongest_bins_are_called_from_left_to_right():
    found = called(signal(1, 1, 5, 4, 1, 1, 9, 1, 1), width=200, most=2)
    assert [element.interval for element in found] == [Interval("chr1", 1150, 1350), Interval("chr1", 1550, 1750)]
    assert [element.activity for element in found] == pytest.approx([0.5 + 5 + 2, 0.5 + 9 + 0.5])


def test_no_called_element_overlaps_another_or_leaves_the_signal():
    found = called(signal(*np.random.default_rng(0).random(60)), width=500)
    assert len(found) == 1
    many = called(signal(*np.random.default_rng(0).random(60)), width=500, most=50)
    assert 6 <= len(many) <= 11
    for i, element in enumerate(many):
        assert element.interval.start >= 1000
        assert element.interval.end <= 7000
        assert not any(element.interval.overlaps(other.interval) for other in many[i + 1 :])


@given(st.integers(900, 1500), st.integers(1, 500))
def test_activity_is_the_sum_over_bases(start, width):
    tracks = signal(3, 0.5, 7, 2, 1)
    by_base = np.zeros(3000)
    by_base[1000:1500] = np.repeat([3, 0.5, 7, 2, 1], 100) / 100
    found = activity(Interval("chr1", start, start + width), [tracks])
    assert found == pytest.approx(by_base[start : start + width].sum(), abs=1e-6)


def test_activity_is_the_score_of_a_file_where_every_row_has_one():
    rows = [
        BedRow(Interval("chr1", 1000, 1100), "a", 4.0),
        BedRow(Interval("chr1", 1100, 1200), ".", 2.0),
        BedRow(Interval("chr1", 0, 100)),
    ]
    found = listed(rows, [signal(3, 1)])
    assert [(element.name, element.activity) for element in found] == [("a", 4.0), ("chr1:1100-1200", 2.0)]
    unscored = listed([*rows[:1], BedRow(Interval("chr1", 1100, 1200))], [signal(3, 1)])
    assert [element.activity for element in unscored] == pytest.approx([3, 1])


def test_classes():
    gene = Gene("g", "g", "chr1", "+", (1000,), ((1000, 1100), (5000, 5100)))
    places = [(900, 1001), (1001, 1400), (3000, 3100), (5100, 5200), (500, 900)]
    found = [kind(Interval("chr1", *place), [gene]) for place in places]
    assert found == ["promoter", "genic", "genic", "intergenic", "intergenic"]


def test_an_element_has_bases_and_no_negative_activity():
    with pytest.raises(InputError, match="holds no base"):
        Element(Interval("chr1", 5, 5), "e", 1)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(InputError, match="below 0"):
            Element(Interval("chr1", 5, 9), "e", wrong)
