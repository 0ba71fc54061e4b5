"""How far two matrices of numbers agree, row by row and column by column; knows not what they are numbers of.

NaN stands where nothing can be said: the correlation of a constant, signs that are all zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SAMPLE_ROWS, SAMPLE_BYTES = 1 << 16, 1 << 28
"""How many rows `ByColumn` keeps for Spearman's rho: at most so many, and at most in so much memory."""

_BLOCK_BYTES = 1 << 25


def same_sign(a: Array, b: Array) -> Array:
    """Fraction of the columns in which both have the same sign, columns with a zero left out; [n, m] to [n]."""
    return _ratio(*_signs(a, b, axis=1))


def pearson(a: Array, b: Array) -> Array:
    """Pearson's r of each row of `a` with that of `b`, [n, m] to [n]."""
    x, y = (part - part[:, :1] for part in (a, b))  # exactly 0 where a row is constant
    x, y = (part - part.mean(axis=1, keepdims=True) for part in (x, y))
    return _ratio((x * y).sum(axis=1), np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1)))


def spearman(a: NDArray[Any], b: NDArray[Any]) -> Array:
    """Spearman's rho of each row of `a` with that of `b`, [n, m] to [n]."""
    return pearson(ranks(a), ranks(b))


def ranks(values: NDArray[Any]) -> Array:
    """Rank of each value in its row, counted from 0; equal values share the mean of theirs. [n, m] to [n, m]."""
    order = values.argsort(axis=1)  # in any order where values are equal: they share a rank
    ordered = np.take_along_axis(values, order, axis=1)
    opens, closes = np.ones((2, *values.shape), dtype=np.bool_)  # whether a run of equal values opens, closes here
    opens[:, 1:] = closes[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    place = np.arange(values.shape[1])
    first = np.maximum.accumulate(np.where(opens, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(closes, place, len(place))[:, ::-1], axis=1)[:, ::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last) / 2, axis=1)
    return found


class ByColumn:
    """Agreement of each column over rows that come in blocks.

    Signs and Pearson's r are exact. Spearman's rho needs all rows at once: it is taken over all of them while they are
    few, then over every second, fourth, ... row (`SAMPLE_ROWS`, `SAMPLE_BYTES`).
    """

    def __init__(self, columns: int) -> None:
        self._sums = np.zeros((5, columns))
        self._signs = np.zeros((2, columns), dtype=np.int64)
        self._origin: tuple[Array, Array] | None = None  # sums of squares around it keep their digits
        self._rows = 0
        self._every = 1
        self._room = max(2, min(SAMPLE_ROWS, SAMPLE_BYTES // (8 * columns)))
        self._sample: list[NDArray[np.float32]] = []  # [2, columns] each

    def add(self, a: Array, b: Array) -> None:
        """Take in the next rows, float64 [rows, columns] each."""
        if not len(a):
            return
        self._origin = self._origin or (a[0].copy(), b[0].copy())
        x, y = a - self._origin[0], b - self._origin[1]
        self._sums += [part.sum(axis=0) for part in (x, y, x * x, y * y, x * y)]
        self._signs += _signs(a, b, axis=0)
        for row in range(len(a)):
            self._keep(a[row], b[row])

    def _keep(self, a: Array, b: Array) -> None:
        """Add one row to the sample where it is its turn; every second one goes where there is no room left."""
        if self._rows % self._every == 0:
            self._sample.append(np.stack([a, b]).astype(np.float32))
        self._rows += 1
        if len(self._sample) > self._room:
            self._sample, self._every = self._sample[::2], 2 * self._every

    @property
    def sampled(self) -> int:
        """How many rows Spearman's rho is taken over."""
        return len(self._sample)

    def same_sign(self) -> Array:
        """Fraction of the rows in which both have the same sign, zeros left out; [columns]."""
        return _ratio(*self._signs)

    def pearson(self) -> Array:
        """Pearson's r over rows, [columns]."""
        x, y, xx, yy, xy = self._sums
        n = max(self._rows, 1)
        return _ratio(xy - x * y / n, np.sqrt((xx - x * x / n).clip(0) * (yy - y * y / n).clip(0)))

    def spearman(self) -> Array:
        """Spearman's rho over the sampled rows, [columns]."""
        columns = self._sums.shape[1]
        if not self._sample:
            return np.full(columns, np.nan)
        width = max(1, _BLOCK_BYTES // (8 * len(self._sample)))
        found = []
        for start in range(0, columns, width):
            a, b = np.stack([pair[:, start : start + width] for pair in self._sample], axis=2)
            found.append(spearman(a, b))
        return np.concatenate(found)


def _signs(a: Array, b: Array, axis: int) -> NDArray[np.int64]:
    """How many pairs have the same sign, and how many have one at all, [2, ...]."""
    both = (a != 0) & (b != 0)
    return np.stack([(((a > 0) == (b > 0)) & both).sum(axis=axis), both.sum(axis=axis)])


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Array:
    """`above` / `below`, NaN where `below` is 0."""
    found: Array = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=found, where=below != 0)
    return found
