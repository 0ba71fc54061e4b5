"""Start sites to windows, bins and tracks: numbers worked out by hand, and what moves with the gene."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import builders

from distal.coords import Interval, Window
from distal.errors import InputError
from distal.interpret.promoters import Promoter, on_strand, promoters, reach, total
from distal.io.genes import Gene

ENFORMER, BORZOI = Window(196_608, 128, 896), Window(131_072, 32, 2048)


def gene(*tss: int) -> Gene:
    return Gene("ENSG1", "ABC1", "chr1", "+", tss, ())


def test_one_start_site_is_the_three_middle_bins_of_enformer():
    assert Promoter("g", "chr1", "+", (500_000,)).bins(ENFORMER).tolist() == [447, 448, 449]


def test_bins_of_32_bp_are_nine_within_the_same_reach():
    assert Promoter("g", "chr1", "+", (500_000,)).bins(BORZOI).tolist() == list(range(1020, 1029))


def test_a_bin_that_two_start_sites_share_counts_once():
    # The window is centred on base 500,100: bin 448 begins there, 500,000 lies in bin 447 and 500,200 in bin 448.
    both = Promoter("g", "chr1", "+", (500_000, 500_200))
    assert both.read(ENFORMER).center == 500_100
    assert both.bins(ENFORMER).tolist() == [446, 447, 448, 449]


@given(st.integers(-10_000, 10_000_000))
def test_bins_move_with_the_gene(shift):
    here, there = (Promoter("g", "chr1", "+", (at, at + 700)) for at in (300_000, 300_000 + shift))
    assert here.bins(ENFORMER).tolist() == there.bins(ENFORMER).tolist()
    assert here.read(ENFORMER).shift(shift) == there.read(ENFORMER)


def test_start_sites_further_apart_than_a_kilobase_are_two_promoters():
    assert [each.tss for each in promoters(gene(0, 1000, 2001), ENFORMER)] == [(0, 1000), (2001,)]
    assert len(promoters(gene(0, 1000, 2001), ENFORMER, apart=1001)) == 1


def test_a_run_as_long_as_half_of_the_output_is_cut():
    small = Window(2048, 128, 8)
    assert [each.tss for each in promoters(gene(0, 400, 500, 900), small)] == [(0, 400, 500), (900,)]


def test_start_sites_are_ascending():
    with pytest.raises(ValueError, match="ascending"):
        Promoter("g", "chr1", "+", (5, 5))


@pytest.mark.parametrize(
    ("strand", "left"),
    [("+", ["cage+", "dnase", "atac", "rna+"]), ("-", ["cage-", "dnase", "atac", "rna-"]), (".", builders.TABLE.names)],
)
def test_tracks_of_the_other_strand_are_left_out(strand, left):
    assert list(on_strand(builders.TABLE, strand).names) == list(left)


def test_no_track_of_the_strand_is_an_error():
    with pytest.raises(InputError, match="other strand"):
        on_strand(builders.TABLE.take([0]), "-")


def test_windows_that_overlap_are_one_stretch():
    small = Window(2048, 128, 8)
    found = reach([Promoter("g", "chr1", "+", (at,)) for at in (9000, 1024, 3000)], small)
    assert found == [Interval("chr1", 0, 4024), Interval("chr1", 7976, 10_024)]


def test_promoters_add_up_and_unseen_elements_stay_unseen():
    found = total([np.array([1.0, np.nan, np.nan]), np.array([2.0, 5.0, np.nan])])
    np.testing.assert_array_equal(found, [3.0, 5.0, np.nan])
