"""Peaks: the windows with the largest sums, none overlapping another."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distal.interpret.peaks import Peak, peaks


def test_the_largest_sums_first_whatever_their_sign():
    values = np.zeros(20)
    values[3:5], values[9], values[15] = 2.0, -5.0, 1.0
    assert peaks(values, 3, width=2) == [Peak(8, 10, -5.0), Peak(3, 5, 4.0), Peak(14, 16, 1.0)]
    assert peaks(values, 1, width=2) == [Peak(8, 10, -5.0)]


def test_where_nothing_contributes_there_is_no_peak():
    assert peaks(np.zeros(50), 3) == []
    assert peaks(np.ones(5), 3, width=6) == []


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60), st.integers(1, 8), st.integers(1, 9))
def test_none_overlap_and_none_larger_is_left_out(values, most, width):
    found = peaks(np.array(values), most, width)
    assert len(found) <= most
    for peak in found:
        assert peak.total == sum(values[peak.start : peak.end])
        assert peak.end - peak.start == width
    starts = sorted(peak.start for peak in found)
    assert all(second - first >= width for first, second in pairwise(starts))
    sizes = [abs(peak.total) for peak in found]
    assert sizes == sorted(sizes, reverse=True)
    largest = max((abs(sum(values[i : i + width])) for i in range(len(values) - width + 1)), default=0)
    assert (sizes[0] if found else 0) == largest
