"""Contact: the power law by hand, measured pairs against a search of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.interpret.contact import Measured, PowerLaw
from distal.io.bedpe import Pair

PLACES = st.integers(0, 60)


def test_the_power_law_is_the_formula_and_flat_below_five_kilobases():
    law = PowerLaw()
    element = Interval("chr1", 99_750, 100_250)
    assert law(element, 120_000) == pytest.approx(math.exp(5.9594510043736655) * 20_001**-1.024238616787792, rel=1e-12)
    assert law(element, 100_000) == law(element, 105_000) == law(element, 95_000)
    assert law(element, 106_000) < law(element, 105_000)


@given(
    st.lists(st.tuples(PLACES, PLACES, st.integers(0, 9)), max_size=12), PLACES, PLACES, st.sampled_from(["chr1", "1"])
)
def test_measured_contact_is_the_most_that_any_pair_says(rows, middle, tss, chrom):
    pairs = [Pair(Interval("chr1", a, a + 9), Interval("chr1", b, b + 7), float(score)) for a, b, score in rows]
    base, start = Interval("chr1", middle, middle + 1), Interval("chr1", tss, tss + 1)
    expected = [
        pair.score
        for pair in pairs
        for one, other in ((pair.first, pair.second), (pair.second, pair.first))
        if one.contains(base) and other.contains(start)
    ]
    assert Measured(pairs)(Interval(chrom, middle - 3, middle + 3), tss) == max(expected, default=0)


def test_other_chromosomes_do_not_touch():
    pairs = [
        Pair(Interval("chr1", 0, 9), Interval("chr2", 0, 9), 1.0),
        Pair(Interval("chr2", 0, 9), Interval("chr2", 0, 9), 2.0),
    ]
    measured = Measured(pairs)
    assert [measured(Interval(chrom, 0, 2), 3) for chrom in ("chr1", "chr2", "chr3")] == [0, 2, 0]
    assert np.isscalar(measured(Interval("chr2", 0, 2), 3))
