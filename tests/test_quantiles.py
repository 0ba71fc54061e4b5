"""Order statistics by counting against sorting, whatever the values and the blocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from distal.quantiles import column_quantiles, order_statistics

P = (0.0, 0.001, 0.25, 0.5, 0.6, 0.75, 1.0)
EDGES = {
    np.float16: [0.0, -0.0, 6e-8, -6e-8, 6e-5, 65504.0, -65504.0, 1.0, 1.001, np.inf, -np.inf, np.nan],
    np.float32: [0.0, -0.0, 1e-45, -1e-45, 1e-38, 3e38, -3e38, 1.0, 1.0000001, np.inf, -np.inf, np.nan],
    np.float64: [0.0, -0.0, 5e-324, -5e-324, 2e-308, 1e308, -1e308, 1.0, 1 + 2**-52, np.inf, -np.inf, np.nan],
}


def cut(values: np.ndarray, rows: int) -> Callable[[slice], Iterator[np.ndarray]]:
    """`values` in blocks of `rows`."""
    return lambda part: (values[start : start + rows, part] for start in range(0, len(values), rows))


def test_worked() -> None:
    # 3, 1, 2, 10: sorted 1 2 3 10; the quarter lies at place 0.25 * 3 = 0.75, that is 1 + 0.75 * (2 - 1)
    values = np.array([[3], [1], [2], [10]], dtype=np.float32)
    assert column_quantiles(cut(values, 3), 1, [0.25, 0.5, 1]).tolist() == [[1.75], [2.5], [10]]
    assert order_statistics(cut(values, 3), 1, [3, 0, 0]).tolist() == [[10], [1], [1]]


@pytest.mark.parametrize("dtype", EDGES)
@given(data=st.data(), rows=st.integers(1, 50), counters=st.sampled_from([1, 50_000, 1 << 20]))
def test_order_statistics_are_those_of_sorting(dtype, data, rows, counters) -> None:
    width = 8 * np.dtype(dtype).itemsize
    elements = st.floats(width=width) | st.sampled_from(np.array(EDGES[dtype], dtype).tolist())
    values = data.draw(arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=elements))
    ranks = list(range(len(values)))
    found = order_statistics(cut(values, rows), values.shape[1], ranks, counters=counters)
    np.testing.assert_array_equal(found, np.sort(values.astype(np.float64), axis=0))  # NaN is sorted to the end
    assert not (np.signbit(found) & (found == 0)).any()


@pytest.mark.parametrize("dtype", EDGES)
@pytest.mark.parametrize("missing", [False, True])
@given(seed=st.integers(0, 1000), rows=st.integers(1, 400), block=st.integers(1, 400))
def test_quantiles_are_those_of_numpy(dtype, missing, seed, rows, block) -> None:
    draw = np.random.default_rng(seed)
    values = (draw.standard_t(2, (rows, 5)) * 10.0 ** draw.integers(-7, 3, 5)).round(draw.integers(0, 9))
    values = np.clip(values, -6e4, 6e4).astype(dtype)
    if missing:
        values[draw.random(values.shape) < 0.3] = np.nan
        values[0] = 1.0  # numpy warns of columns without numbers
    found = column_quantiles(cut(values, block), 5, P)
    np.testing.assert_array_equal(found, np.nanquantile(values.astype(np.float64), P, axis=0))


@pytest.mark.parametrize("dtype", EDGES)
def test_large_blocks_are_cut_without_a_seam(dtype) -> None:
    values = np.random.default_rng(0).normal(size=(3000, 200)).astype(dtype)  # more than are worked on at once
    expected = np.quantile(values.astype(np.float64), P, axis=0)
    for rows in (1, 7, 3000):
        np.testing.assert_array_equal(column_quantiles(cut(values[:, :3], rows), 3, P), expected[:, :3])
    for counters in (4096 * 33, 1 << 24):
        np.testing.assert_array_equal(column_quantiles(cut(values, 1000), 200, P, counters=counters), expected)


def test_columns_without_numbers() -> None:
    values = np.array([[np.nan, 1], [np.nan, np.nan]], dtype=np.float16)
    np.testing.assert_array_equal(column_quantiles(cut(values, 1), 2, [0, 0.5]), [[np.nan, 1], [np.nan, 1]])
    np.testing.assert_array_equal(order_statistics(cut(values, 1), 2, [0, 1]), [[np.nan, 1], [np.nan, np.nan]])
    for empty in (values[:0], values[:, :0]):
        shape = (1, empty.shape[1])
        np.testing.assert_array_equal(column_quantiles(cut(empty, 1), shape[1], [0.5]), np.full(shape, np.nan))
    np.testing.assert_array_equal(column_quantiles(lambda part: [], 2, [0.5]), [[np.nan, np.nan]])


def test_infinities_are_ordinary_values() -> None:
    # places of 0.25 0.5 0.75 among the five of each column: exactly 1 2 3; of 0.1 and 0.9: 0.4 and 3.6
    values = np.array([[-np.inf, 1], [-np.inf, 2], [0, 3], [1, np.inf], [np.inf, np.inf]], dtype=np.float32)
    found = column_quantiles(cut(values, 2), 2, [0.1, 0.25, 0.5, 0.75, 0.9])
    assert found.T.tolist() == [[-np.inf, -np.inf, 0, 1, np.inf], [1.4, 2, 3, np.inf, np.inf]]


def test_ranges_that_are_asked_for_are_small() -> None:
    values = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    asked = []

    def blocks(part: slice) -> Iterator[np.ndarray]:
        asked.append(part)
        return cut(values, 9)(part)

    column_quantiles(blocks, 40, [0.5], counters=4096 * 16)  # a leading digit has 4,096 values
    ranges = [slice(0, 16), slice(16, 32), slice(32, 40)]
    assert asked == [slice(0, 1), *(part for part in ranges for _ in range(3))]  # a look at the type, then the digits


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(blocks: int) -> int:
        def drawn(part: slice) -> Iterator[np.ndarray]:
            return (np.random.default_rng(i).normal(size=(2000, 50)).astype("f4")[:, part] for i in range(blocks))

        tracemalloc.start()
        column_quantiles(drawn, 50, [0.25, 0.5, 0.75])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(40) < 1.05 * peak(4)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ValueError, lambda: column_quantiles(cut(np.zeros((2, 2), "f4"), 1), 2, [1.1])),
        (ValueError, lambda: column_quantiles(cut(np.zeros((2, 2), "f4"), 1), 2, [float("nan")])),
        (ValueError, lambda: order_statistics(cut(np.zeros((2, 2), "f4"), 1), 2, [-1])),
        (ValueError, lambda: order_statistics(cut(np.zeros((2, 2), "f4"), 1), 3, [0])),
        (TypeError, lambda: order_statistics(cut(np.zeros((2, 2), "i4"), 1), 2, [0])),
        (TypeError, lambda: order_statistics(lambda part: [np.zeros((1, 1), t) for t in ("f2", "f4")], 1, [0])),
    ],
)
def test_misuse_is_told(error, call) -> None:
    with pytest.raises(error):
        call()
