"""The recipes: worked windows, what clips do, what stands in for lost bases, and laws that all of them obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from distal.coords import Window
from distal.data import targets
from distal.data.targets import HALF_MAX, RECIPES, Measured
from distal.errors import InputError
from distal.tracks import Track

WINDOW = Window(40, 2, 10)
"""Ten bases of crop, ten bins of two bases, ten bases of crop."""
NAN = math.nan


def measured(values: dict[int, float], track: Track, black: tuple[int, ...] = (), rest: float = 0.0) -> Measured:
    """A window that is `rest` but for some bases."""
    bases, blacked = np.full(40, float(rest)), np.zeros(40, bool)
    bases[list(values)] = list(values.values())
    blacked[list(black)] = True
    return Measured(bases, blacked, track, WINDOW)


def track(clip: float | None = None, soft: float | None = None, scale: float = 1.0, stat: str = "sum") -> Track:
    return Track(0, "x", clip=clip, clip_soft=soft, scale=scale, sum_stat=stat)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        # the first bins hold 1 + 3, 100 + 100 and 50 + 0; clip 36, clip_soft 20, scale 2
        ("basenji2", [4 * 2, (36 + math.sqrt(200 - 36)) * 2, (36 + math.sqrt(50 - 36)) * 2, 0]),
        ("basenji2-hard", [4 * 2, 36 * 2, 36 * 2, 0]),
        ("basenji", [8, 36, 19 + math.sqrt(100 - 19), 0]),  # 19 + sqrt(400 - 19) = 38.5 is cut at 36; 19 + 9 = 28 not
        ("borzoi", [4 * 2, (20 + math.sqrt(200 - 20)) * 2, (20 + math.sqrt(50 - 20)) * 2, 0]),
    ],
)
def test_clips_and_scale(recipe: str, expected: list[float]) -> None:
    window = measured({10: 1, 11: 3, 12: 100, 13: 100, 14: 50}, track(36, 20, 2))
    found = RECIPES[recipe].bins(window)
    assert found.shape == (10,)
    np.testing.assert_allclose(found[:4], expected, rtol=1e-12)
    assert not found[4:].any()


@pytest.mark.parametrize(
    ("recipe", "stat", "expected"),
    [
        *((recipe, stat, value) for recipe in RECIPES for stat, value in
          (("sum", 6), ("mean", 3), ("avg", 3), ("median", 3), ("max", 4))),
        ("basenji", "sum_sqrt", math.sqrt(7) - 1),
        ("basenji", "mean_sqrt", 1),  # sqrt(1 + 3) - 1
        ("basenji", "peak", 1),  # sqrt(12), at most 1
        ("borzoi", "sum_sqrt", 6**0.75),
        ("borzoi", "mean_sqrt", 3**0.75),
    ],
)  # fmt: skip
def test_what_sum_stat_does(recipe: str, stat: str, expected: float) -> None:
    found = RECIPES[recipe].bins(measured({10: 2, 11: 4}, track(stat=stat)))
    np.testing.assert_allclose(found, [expected, *[0] * 9], rtol=1e-12)


def test_peak_below_one() -> None:
    found = RECIPES["basenji"].bins(measured({10: 0.0625, 12: 0.5}, track(stat="peak")))
    np.testing.assert_allclose(found[:3], [math.sqrt(4 * 0.03125), 1, 0], rtol=1e-12)  # sqrt(4 x 0.25) = 1


def test_blacklisted_and_lost_bases_in_2020() -> None:
    # all is 5 but 8 zeros in the flanks and two lost bases, which count as 0: the 10th percentile of 40 lies between
    # the 4th and 5th lowest, 0; with 2 zeros fewer than 10 % it is 5
    zeros = dict.fromkeys(range(8), 0.0)
    low = RECIPES["basenji2"].bins(measured({**zeros, 12: NAN, 13: NAN}, track(), black=(10, 11, 14), rest=5))
    np.testing.assert_array_equal(low, [0, 0, 5, *[10] * 7])
    high = RECIPES["basenji2"].bins(measured({12: NAN, 13: NAN, 10: 99}, track(), black=(10, 11), rest=5))
    np.testing.assert_array_equal(high, [10] * 10)


def test_blacklisted_and_lost_bases_later() -> None:
    # the median of the centre is 5: what is blacklisted is cut at it, both ways, and what is lost becomes it
    found = RECIPES["basenji"].bins(measured({10: 99, 11: -99, 12: 1, 14: NAN}, track(), black=(10, 11, 12), rest=5))
    np.testing.assert_array_equal(found, [5 - 5, 1 + 5, 10, *[10] * 7])


def test_few_bins_have_no_median() -> None:
    few = Measured(np.full(34, 5.0), np.arange(34) < 14, track(), Window(34, 2, 7))
    np.testing.assert_array_equal(RECIPES["borzoi"].bins(few), [*[0] * 2, *[10] * 5])


def test_what_is_read_has_the_precision_of_float16() -> None:
    # 2049 lies between the float16 2048 and 2050; ties go to the even one
    for recipe in RECIPES.values():
        assert recipe.bins(measured({10: 2049}, track(stat="max")))[0] == 2048
        assert recipe.bins(measured({10: 1e9}, track(stat="max")))[0] == HALF_MAX


@pytest.mark.parametrize("recipe", ["basenji", "borzoi"])
def test_roots_of_negative_numbers_are_refused(recipe: str) -> None:
    with pytest.raises(InputError, match="a bin is -6, which has no root"):
        RECIPES[recipe].bins(measured({10: -2, 11: -4}, track(stat="sum_sqrt")))


def test_negative_numbers_are_cut_where_they_were() -> None:
    window = measured({10: -50, 11: -50}, track(32, scale=2))
    assert {name: recipe.bins(window)[0] for name, recipe in RECIPES.items()} == {
        "basenji2": -200,
        "basenji2-hard": 0,
        "basenji": -32,
        "borzoi": -64,
    }


def test_unknown_names() -> None:
    with pytest.raises(InputError, match=r"there is no recipe 'basenji3'; there are basenji2, basenji2-hard, basenji"):
        targets.recipe("basenji3")
    for name, recipe in RECIPES.items():
        with pytest.raises(InputError, match=r"track x: sum_stat is 'total'; give sum, mean"):
            recipe.check(track(stat="total"))
        known = name in ("basenji", "borzoi")
        assert known == ("sum_sqrt" in recipe.stats)


def test_unmappable_bins_are_cut_at_a_quantile() -> None:
    # of 0 .. 8, the quarter is 2; a bin that is touched by less than a tenth keeps its value, so does a low one
    lost = np.array([1, 0, 0, 0.5, 0.1, 0.09, 0, 0, 1])
    found = targets.capped(np.arange(9.0), lost, 0.25)
    np.testing.assert_array_equal(found, [0, 1, 2, 2, 2, 5, 6, 7, 2])


BASES = arrays.arrays(np.float64, 40, elements=st.one_of(st.just(NAN), st.floats(0, 1e5, width=32)))


@given(BASES, st.sampled_from(list(RECIPES)), st.sampled_from(["sum", "mean", "median", "max"]))
def test_what_is_stored_is_finite_and_in_order(bases: NDArray[np.float64], name: str, stat: str) -> None:
    window = Measured(bases, np.zeros(40, bool), track(384, 64, 2, stat), WINDOW)
    bins = RECIPES[name].bins(window)
    stored = targets.half(bins)
    assert stored.dtype == np.float16
    assert np.isfinite(stored).all()
    assert (np.diff(stored[np.argsort(bins)].astype(float)) >= 0).all()


@given(BASES, st.sampled_from(list(RECIPES)))
def test_the_other_strand_is_the_mirror(bases: NDArray[np.float64], name: str) -> None:
    black = np.arange(40) % 7 == 0
    forward = RECIPES[name].bins(Measured(bases, black, track(384, 64, 2), WINDOW))
    backward = RECIPES[name].bins(Measured(bases[::-1], black[::-1], track(384, 64, 2), WINDOW))
    np.testing.assert_allclose(backward[::-1], forward, rtol=1e-12)


@given(BASES, st.floats(0.1, 10))
def test_interpolated(bases: NDArray[np.float64], slope: float) -> None:
    filled = targets.interpolated(bases)
    np.testing.assert_array_equal(filled[~np.isnan(bases)], bases[~np.isnan(bases)])
    assert np.isfinite(filled).all()
    line = np.where(np.isnan(bases), NAN, slope * np.arange(1, 41))  # from 0 before the window: its last gap falls to 0
    last = max(np.flatnonzero(~np.isnan(line)), default=-1)
    np.testing.assert_allclose(targets.interpolated(line)[: last + 1], slope * np.arange(1, 41)[: last + 1], rtol=1e-12)
