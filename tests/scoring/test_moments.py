"""Sums of products that don't depend on who adds them up."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.scoring.moments import Moments, Units


def blocks(seed: int = 0, n: int = 9) -> list[np.ndarray]:
    """Heavy-tailed, of very different sizes, means that are not 0."""
    draw = np.random.default_rng(seed)
    sizes = 10.0 ** draw.uniform(-6, 6, 5)
    return [(draw.standard_t(2, (int(draw.integers(0, 60)), 5)) + 0.5) * sizes for _ in range(n)]


def units(data: list[np.ndarray]) -> Units:
    together = np.concatenate(data)
    return Units(np.abs(together).max(axis=0), len(together))


def test_worked() -> None:
    # rows (1, 2) and (3, -4): products 1 + 9, 2 - 12, 4 + 16; means 2, -1; variances 5 - 4, 10 - 1
    moments = Moments.of([np.array([[1.0, 2]]), np.array([[3.0, -4]])], Units(np.array([3.0, 4]), 2))
    assert moments.gram.tolist() == [[10, -10], [-10, 20]]
    assert moments.means.tolist() == [2, -1]
    assert moments.variances.tolist() == [1, 9]
    assert moments.variants == 2


@given(seed=st.integers(0, 50), workers=st.integers(1, 4), order=st.randoms())
def test_any_worker_may_add_any_blocks_in_any_order(seed, workers, order) -> None:
    data = blocks(seed)
    scale = units(data)
    shared = list(data)
    order.shuffle(shared)
    parts = [Moments.of(shared[i::workers], scale) for i in range(workers)]
    order.shuffle(parts)
    np.testing.assert_array_equal(reduce(add, parts).totals, Moments.of(data, scale).totals)


@given(seed=st.integers(0, 50))
def test_sums_are_those_of_long_floats(seed) -> None:
    data = blocks(seed)
    exact = np.concatenate(data).astype(np.longdouble)
    found = Moments.of(data, units(data))
    size = np.sqrt((exact**2).sum(axis=0)).astype(float)
    np.testing.assert_allclose(
        found.gram / size / size[:, None], (exact.T @ exact).astype(float) / size / size[:, None], atol=1e-13
    )
    np.testing.assert_allclose(found.means / size, exact.mean(axis=0).astype(float) / size, atol=1e-13)
    np.testing.assert_allclose(found.variances / size**2, exact.var(axis=0).astype(float) / size**2, atol=1e-13)
    assert found.variants == len(exact)


def test_the_largest_sums_fit() -> None:
    n, limits = 100_000, np.array([1.0, 3e4, 1e-30])
    moments = Moments.of([np.broadcast_to(limits, (1000, 3))] * (n // 1000), Units(limits, n))
    np.testing.assert_allclose(moments.gram, n * np.outer(limits, limits), rtol=1e-12)
    assert np.abs(moments.totals).max() <= 2**60


def test_what_does_not_fit_is_told() -> None:
    scale = Units(np.ones(2), 3)
    with pytest.raises(ValueError, match="limits"):
        Moments.of([np.array([[0.0, -1.1]])], scale)
    with pytest.raises(ValueError, match="units"):
        Moments.of([], scale) + Moments.of([], Units(np.ones(2), 4))
    assert Moments.of([], scale).variants == 0
