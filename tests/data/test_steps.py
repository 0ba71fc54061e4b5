"""Signals that change at few places: against arrays of single bases, for sums, heights and single values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from distal.data.steps import Steps, highest, inside, single, summed
from distal.errors import InputError
from distal.io.spans import Spans

SIZE = 40

Row = tuple[int, int, int]
"""Start, width and value of a stretch."""
ROWS = st.lists(st.tuples(st.integers(0, SIZE - 10), st.integers(1, 10), st.integers(0, 5)), min_size=1, max_size=12)
RANGE = st.tuples(st.integers(-5, SIZE + 5), st.integers(0, 20))


def spans(rows: list[Row]) -> Spans:
    starts, widths, values = np.array(rows, dtype=np.int64).T
    return Spans("chr1", starts, starts + widths, values.astype(np.float64))


def bases(rows: list[Row], join: Callable[[list[int]], float], gap: float) -> NDArray[np.float64]:
    """The value of each base from -10 on, one by one."""
    over = [[v for s, w, v in rows if s <= base < s + w] for base in range(-10, SIZE + 30)]
    return np.array([join(values) if values else gap for values in over], dtype=np.float64)


def check(steps: Steps, expected: NDArray[np.float64], start: int, width: int) -> None:
    found = steps.bases(start, start + width)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected[start + 10 : start + 10 + width])


@given(ROWS, RANGE)
def test_sums(rows: list[Row], place: tuple[int, int]) -> None:
    check(summed(spans(rows)), bases(rows, sum, 0), *place)


@given(ROWS, RANGE)
def test_heights(rows: list[Row], place: tuple[int, int]) -> None:
    check(highest(spans(rows)), bases(rows, max, 0), *place)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(-5, 5)), min_size=1, max_size=7),
    st.randoms(),
    RANGE,
)
def test_single_values(gaps: list[Row], random: object, place: tuple[int, int]) -> None:
    rows, end = [], 0
    for gap, width, value in gaps:
        rows.append((end + gap, width, value))
        end += gap + width
    random.shuffle(rows)  # type: ignore[attr-defined]
    check(single(spans(rows)), bases(rows, sum, np.nan), *place)


def test_overlapping_values_are_refused() -> None:
    with pytest.raises(InputError, match=r"chr1:\[5, 9\) overlaps another stretch"):
        single(spans([(20, 1, 1), (5, 4, 2), (0, 6, 1)]))


@given(st.lists(st.integers(0, SIZE), unique=True, max_size=10).filter(lambda x: len(x) % 2 == 0), RANGE)
def test_inside(edges: list[int], place: tuple[int, int]) -> None:
    pairs = np.sort(np.array(edges, dtype=np.int64)).reshape(-1, 2)
    rows = [(start, end - start, 1) for start, end in pairs.tolist()]
    check(inside(pairs.ravel()), bases(rows, sum, 0), *place)
