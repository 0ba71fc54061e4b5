"""Ranks among a null against scipy's, and the promise of the knots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.scoring.reference import Reference, knot_ranks


def reference(values: np.ndarray) -> Reference:
    return Reference.of(lambda part: [values[:, part]], values.shape[1], len(values), values.dtype)


def sizes(n: int, seed: int = 0, ties: bool = False, columns: int = 3) -> np.ndarray:
    values = np.abs(np.random.default_rng(seed).standard_t(2, (n, columns)))
    return (values.round(1) if ties else values).astype(np.float32)


def oracle(null: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of `null` below each value, half of the equal ones included, one comparison at a time."""
    below = (null[None] < values[:, None]).mean(axis=1)
    equal = (null[None] == values[:, None]).mean(axis=1)
    return np.minimum(below + equal / 2, len(null) / (len(null) + 1))


def test_worked() -> None:
    # of 1 2 2 4: below 0.5 none; 1 has none below and itself: 0.5 of 4; 2 has one below and two equal: 2 of 4;
    # above 4 all, but no more than 4 / 5. 3 lies between ranks 2 and 3, which are neighbours: three below it.
    null = reference(np.array([[1], [2], [2], [4]], dtype=np.float32))
    shares = null.shares(np.array([[0.5], [1], [2], [3], [4], [9], [np.inf], [np.nan]], dtype=np.float32))
    np.testing.assert_allclose(shares[:, 0], [0, 0.125, 0.5, 0.75, 0.8, 0.8, 0.8, np.nan])
    assert null.cap == 0.8


def test_between_two_knots_worked() -> None:
    # knots 10 (rank 0) and 20 (rank 4) of five values: 15 is half way between one and four values below it
    null = Reference(5, np.array([0, 4]), np.array([[10], [20]], dtype=np.float32))
    assert null.shares(np.array([[15]], dtype=np.float32)).tolist() == [[0.5]]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 17, 200])
def test_small_nulls_are_kept_whole(n: int, ties: bool) -> None:
    null, values = sizes(n, ties=ties), sizes(50, 1, ties)
    assert knot_ranks(n).tolist() == list(range(n))
    np.testing.assert_allclose(reference(null).shares(values)[:, 0], oracle(null[:, 0], values[:, 0]), rtol=1e-6)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_ranks_of_scipy(ties: bool, dtype: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    null = sizes(5000, ties=ties).astype(dtype)
    shares = reference(null).shares(null)
    exact = (stats.rankdata(null, axis=0) - 0.5) / 5000  # ranks count from 1
    off = np.abs(shares - np.minimum(exact, 5000 / 5001))
    assert (off <= 1 / 5000 + np.maximum(0.0051 * (exact < 0.9), 0.11 * (1 - exact))).all()
    value = float(sizes(1, 7)[0, 0])
    percent = stats.percentileofscore(null[:, 0], value, kind="mean")
    assert reference(null).shares(np.full((1, 3), value, "f4"))[0, 0] == pytest.approx(percent / 100, abs=0.005)


@given(n=st.integers(1, 20_000_000))
def test_knots_keep_their_promise(n: int) -> None:
    ranks = knot_ranks(n)
    assert ranks[0] == 0
    assert ranks[-min(24, n) :].tolist() == list(range(max(0, n - 24), n))
    gaps, above = np.diff(ranks), n - 1 - ranks[:-1]
    assert (gaps <= np.maximum(1, 1 + np.where(ranks[1:] <= 0.9 * (n - 1), 0.005 * n, 0.1 * above))).all()
    assert len(ranks) < 400


@given(seed=st.integers(0, 100), ties=st.booleans())
def test_larger_values_never_stand_lower(seed: int, ties: bool) -> None:
    values = np.sort(sizes(300, seed + 1, ties), axis=0)
    shares = reference(sizes(2000, seed, ties)).shares(values)
    assert (np.diff(shares, axis=0) >= 0).all()
    assert ((shares >= 0) & (shares <= np.float32(2000 / 2001))).all()


def test_the_null_itself_is_uniform() -> None:
    null = sizes(20_000)
    shares = np.sort(reference(null).shares(null), axis=0)
    np.testing.assert_allclose(shares, np.repeat((np.arange(20_000)[:, None] + 0.5) / 20_000, 3, axis=1), atol=1e-3)


def test_columns_and_rows_are_independent() -> None:
    null, values = sizes(3000, columns=5), sizes(40, 1, columns=5)
    whole = reference(null).shares(values)
    for column in range(5):
        alone = reference(null[:, column : column + 1]).shares(values[7:9, column : column + 1])
        np.testing.assert_array_equal(alone, whole[7:9, column : column + 1])
