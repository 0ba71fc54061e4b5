"""Exact order statistics of the columns of a matrix too large for memory; knows numbers, not what they measure.

Floats are ordered as the integers are that their bits spell, once the bits of negative numbers are inverted and the
sign of the others is set. So the number at a given rank of a column is found digit by digit: count how many values have
each leading digit, and the rank says which of them it is; then count the next digit among the values that begin so. One
pass over the data for each digit (two for float16, three or four for float32), whatever the number of rows; the only
memory are counters, one for each column, beginning that is still wanted, and digit that may follow.

The result does not depend on how the rows are cut into blocks or in which order they come. NaN is left out, column by
column; -0 is 0; infinities are ordinary values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Matrix = NDArray[np.floating[Any]]
Blocks = Callable[[slice], Iterable[Matrix]]
"""Called with a range of columns, goes through the rows from the first: blocks [rows, columns of the range].

It is called once for each pass over each range, and must give the same rows every time. Types: float16, float32 or
float64, one for all blocks.
"""
COUNTERS = 1 << 25
"""Counters in memory at once (12 bytes each); with more columns than they suffice for, a range at a time is read."""

_LEADING = 12  # bits of the first digit: sign, exponent, and what there is room for
_PER_COLUMN = 1 << 16  # counters of a column when the later digits are as wide as can be
_PIECE = 1 << 18  # values that are worked on at once: some megabytes, which stay near the processor


def column_quantiles(
    blocks: Blocks, columns: int, probabilities: Sequence[float], *, counters: int = COUNTERS
) -> Array:
    """Quantiles of each column, [probabilities, columns], interpolated as `numpy.nanquantile` does by default.

    NaN where a column holds no number. Between infinities the result is the one nearer to the rank, without the NaN
    that a difference of infinities would give. Raises `ValueError` for probabilities outside 0 to 1.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"probabilities must lie in 0 to 1, and {p.tolist()} do not")

    def neighbours(counts: Indices) -> Indices:
        low = np.floor(np.multiply.outer(p, counts - 1)).astype(np.int64)
        return np.concatenate([low, np.minimum(low + 1, counts - 1)])

    values, counts = _selected(blocks, columns, 2 * len(p), neighbours, counters)
    place = np.multiply.outer(p, counts - 1)
    return _between(values[: len(p)], values[len(p) :], place - np.floor(place))


def order_statistics(blocks: Blocks, columns: int, ranks: Sequence[int], *, counters: int = COUNTERS) -> Array:
    """The values at `ranks` of each column when it is sorted (0 is the smallest), [ranks, columns].

    NaN where a column has not so many numbers. Raises `ValueError` for negative ranks.
    """
    wanted = np.asarray(ranks, dtype=np.int64)
    if (wanted < 0).any():
        raise ValueError(f"ranks are counted from 0, and {wanted.min()} is less")
    values, counts = _selected(
        blocks, columns, len(wanted), lambda counts: np.minimum.outer(wanted, counts - 1), counters
    )
    values[np.greater_equal.outer(wanted, counts)] = np.nan
    return values


def _selected(
    blocks: Blocks, columns: int, n: int, ranks: Callable[[Indices], Indices], counters: int
) -> tuple[Array, Indices]:
    """The values at the `n` ranks [n, columns] that `ranks` makes of each column's count of numbers, and the counts."""
    sample = next(iter(blocks(slice(0, 1))), None) if n and columns else None
    if sample is None:
        return np.full((n, columns), np.nan), np.zeros(columns, dtype=np.int64)
    if sample.dtype.kind != "f" or sample.dtype.itemsize > 8:
        raise TypeError(f"blocks are float16, float32 or float64, not {sample.dtype}")
    digits = _digits(8 * sample.dtype.itemsize, n)
    width = max(1, counters // max(1 << _LEADING, n << digits[1].bits))
    ranges = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
    values, counts = zip(*(_descend(_Pass(blocks, part, sample.dtype), digits, ranks) for part in ranges), strict=True)
    return np.concatenate(values, axis=1), np.concatenate(counts)


class _Digit(NamedTuple):
    """Some neighbouring bits of an integer."""

    shift: int
    bits: int

    def of(self, image: NDArray[Any]) -> Indices:
        moved = image >> image.dtype.type(self.shift)
        digits: Indices = (moved & image.dtype.type((1 << self.bits) - 1)).astype(np.int64)
        return digits


def _digits(bits: int, n: int) -> list[_Digit]:
    """How integers of `bits` bits are cut where `n` values of a column are wanted: the more, the narrower."""
    rest = bits - _LEADING
    widest = max(1, (_PER_COLUMN // n).bit_length() - 1)
    bounds = np.linspace(rest, 0, -(-rest // widest) + 1).round().astype(int).tolist()
    return [_Digit(rest, _LEADING), *(_Digit(end, start - end) for start, end in pairwise(bounds))]


def _descend(data: _Pass, digits: Sequence[_Digit], ranks: Callable[[Indices], Indices]) -> tuple[Array, Indices]:
    """The values of a range of columns, found digit by digit, and how many numbers each column holds."""
    first, *later = digits
    counts = data.count([first], [], data.width)
    rank = np.maximum(ranks(data.numbers), 0)
    slot, rank = _locate(counts, first, np.broadcast_to(np.arange(data.width), rank.shape), rank)
    found = (slot % (1 << first.bits)).astype(np.uint64)
    children: list[NDArray[np.int32]] = []
    for i, digit in enumerate(later, start=2):
        wanted, node = np.unique(slot, return_inverse=True)
        children.append(np.full(len(counts), -1, dtype=np.int32))
        children[-1][wanted] = np.arange(len(wanted))
        counts = data.count(digits[:i], children, len(wanted))
        slot, rank = _locate(counts, digit, node.reshape(slot.shape), rank)
        found = found << np.uint64(digit.bits) | (slot % (1 << digit.bits)).astype(np.uint64)
    values = _floats(found, data.dtype)
    values[:, data.numbers == 0] = np.nan
    return values, data.numbers


def _locate(counts: Indices, digit: _Digit, node: Indices, rank: Indices) -> tuple[Indices, Indices]:
    """The counter in which the value of `rank` among those below `node` lies, and its rank among that counter's."""
    ends = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=ends[1:])
    overall = ends[node << digit.bits] + rank
    slot = np.minimum(np.searchsorted(ends[1:], overall, side="right"), len(counts) - 1)
    return slot, overall - ends[slot]


class _Pass:
    """A range of columns that is gone through again and again."""

    def __init__(self, blocks: Blocks, part: slice, dtype: np.dtype[Any]) -> None:
        self._blocks = blocks
        self._part = part
        self.width = part.stop - part.start
        self.dtype = dtype
        self.numbers: Indices = np.zeros(self.width, dtype=np.int64)
        """Values of each column that are not NaN; known once they have been counted."""

    def count(self, digits: Sequence[_Digit], children: Sequence[NDArray[np.int32]], nodes: int) -> Indices:
        """How many values have each last of `digits` below each of the `nodes` that `children` lead to."""
        counts = np.zeros(nodes << digits[-1].bits, dtype=np.int64)
        self.numbers[:] = 0
        for piece in self._pieces():
            missing = np.isnan(piece)
            self.numbers += len(piece) - missing.sum(axis=0)
            np.add.at(counts, _slots(_image(piece, missing), digits, children), 1)
        return counts

    def _pieces(self) -> Iterator[Matrix]:
        rows = max(1, _PIECE // self.width)
        for block in self._blocks(self._part):
            if block.dtype != self.dtype:
                raise TypeError(f"blocks of {self.dtype} and of {block.dtype} cannot be mixed")
            if block.ndim != 2 or block.shape[1] != self.width:
                raise ValueError(f"a block has shape {block.shape}; {self.width} columns were asked for")
            yield from (block[start : start + rows] for start in range(0, len(block), rows))


def _slots(image: NDArray[Any], digits: Sequence[_Digit], children: Sequence[NDArray[np.int32]]) -> Indices:
    """The counter of each value [rows, columns] one level below `children`; values on no wanted path are left out."""
    slot = (digits[0].of(image) + (np.arange(image.shape[1]) << digits[0].bits)).ravel()
    rest = image.ravel()
    for child, digit in zip(children, digits[1:], strict=True):
        node = child[slot]
        kept = np.flatnonzero(node >= 0)
        rest = rest[kept]
        slot = (node[kept].astype(np.int64) << digit.bits) + digit.of(rest)
    return slot


def _image(values: Matrix, missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Unsigned integers in the order of the values; the largest for those that are `missing`."""
    size = values.dtype.itemsize
    bits = values.astype(values.dtype.newbyteorder("="), order="C", copy=False).view(f"u{size}")
    negative = (bits.view(f"i{size}") >> (8 * size - 1)).view(f"u{size}")  # all ones, or zero
    image: NDArray[Any] = bits ^ (negative | _top(size))
    image[missing] = ~bits.dtype.type(0)
    return image


def _floats(image: NDArray[np.uint64], dtype: np.dtype[Any]) -> Array:
    """The values whose image in `dtype` is given, as float64; 0 for both zeros."""
    narrow = image.astype(f"u{dtype.itemsize}")
    top = _top(dtype.itemsize)
    bits = np.where(narrow & top, narrow ^ top, ~narrow)
    values: Array = bits.view(dtype.newbyteorder("=")).astype(np.float64) + 0.0
    return values


def _top(size: int) -> Any:
    """The highest bit of an unsigned integer of `size` bytes."""
    return np.dtype(f"u{size}").type(1 << (8 * size - 1))


def _between(low: Array, high: Array, weight: Array) -> Array:
    """`low` + `weight` of the way to `high`, rounded as numpy does it; where they are equal, they."""
    with np.errstate(invalid="ignore"):
        step = high - low
        rising = np.where(weight < 0.5, low + step * weight, high - step * (1 - weight))
    return np.where((weight == 0) | (low == high), low, np.where(np.isfinite(step), rising, _nearer(low, high, weight)))


def _nearer(low: Array, high: Array, weight: Array) -> Array:
    return np.where(np.isnan(low), low, np.where(weight < 0.5, low, high))
