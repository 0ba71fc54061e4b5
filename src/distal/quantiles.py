"""Exact order statistics of the columns of a matrix too large for memory; knows numbers, not what they measure.

Floats are ordered as the integers are that their bits spell, once the bits of negative numbers are inverted and the
sign of the others is set. So the number at a given rank of a column is found digit by digit, as on the shelves of a
library: count how many values have each leading byte, and the rank says which of them it is; then count the next byte
among the values that begin so. One pass over the data for each byte of the type, whatever the number of rows; the only
memory are counters, 256 for each column and beginning that is still wanted.

The result does not depend on how the rows are cut into blocks or in which order they come. NaN is left out, column by
column; -0 is 0; infinities are ordinary values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Matrix = NDArray[np.floating[Any]]
Blocks = Callable[[slice], Iterable[Matrix]]
"""Called with a range of columns, goes through the rows from the first: blocks [rows, columns of the range].

It is called once for each byte of the type and range, and must give the same rows every time. Types: float16, float32
or float64, one for all blocks.
"""
COUNTERS = 1 << 26
"""Counters in memory at once (12 bytes each); with more columns than they suffice for, a range at a time is read."""

_RADIX = 256
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
    if n == 0 or columns == 0:
        return np.empty((n, columns)), np.zeros(columns, dtype=np.int64)
    width = max(1, counters // (_RADIX * n))
    ranges = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
    values, counts = zip(*(_descend(blocks, part, ranks) for part in ranges), strict=True)
    return np.concatenate(values, axis=1), np.concatenate(counts)


def _descend(blocks: Blocks, part: slice, ranks: Callable[[Indices], Indices]) -> tuple[Array, Indices]:
    """The values of a range of columns, found byte by byte, and how many numbers each column holds."""
    counted = _Counted(blocks, part)
    rank = np.maximum(ranks(counted.numbers), 0)
    node = np.broadcast_to(np.arange(part.stop - part.start), rank.shape)
    found = np.zeros(rank.shape, dtype=np.uint64)
    children: list[NDArray[np.int32]] = []
    counts = counted.first
    while True:
        slot, rank = _locate(counts, node, rank)
        found = found << np.uint64(8) | (slot % _RADIX).astype(np.uint64)
        if len(children) + 1 == counted.dtype.itemsize:
            break
        wanted, node = np.unique(slot, return_inverse=True)
        node = node.reshape(slot.shape)
        child = np.full(len(counts), -1, dtype=np.int32)
        child[wanted] = np.arange(len(wanted))
        children.append(child)
        counts = counted.below(children, len(wanted))
    values = _floats(found, counted.dtype)
    values[:, counted.numbers == 0] = np.nan
    return values, counted.numbers


def _locate(counts: Indices, node: Indices, rank: Indices) -> tuple[Indices, Indices]:
    """The counter in which the value of `rank` among those below `node` lies, and its rank among that counter's."""
    ends = np.concatenate([[0], np.cumsum(counts)])
    overall = ends[node * _RADIX] + rank
    slot = np.minimum(np.searchsorted(ends[1:], overall, side="right"), len(counts) - 1)
    return slot, overall - ends[slot]


class _Counted:
    """A range of columns as counts of bytes; each count is a pass over the blocks."""

    def __init__(self, blocks: Blocks, part: slice) -> None:
        self._blocks = blocks
        self._part = part
        self._width = part.stop - part.start
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        """The type of the values; the first pass learns it."""
        self.numbers: Indices = np.zeros(self._width, dtype=np.int64)
        """Values of each column that are not NaN."""
        self.first: Indices = np.zeros(_RADIX * self._width, dtype=np.int64)
        """How many values of each column have each leading byte, [columns * 256]."""
        rows = 0
        for piece in self._pieces():
            self.dtype = piece.dtype
            rows += len(piece)
            self.numbers -= np.isnan(piece).sum(axis=0)
            np.add.at(self.first, _slots(_image(piece), []), 1)
        self.numbers += rows

    def below(self, children: Sequence[NDArray[np.int32]], nodes: int) -> Indices:
        """How many values have each next byte below each of the `nodes` that `children` lead to, [nodes * 256]."""
        counts = np.zeros(_RADIX * nodes, dtype=np.int64)
        for piece in self._pieces():
            if piece.dtype != self.dtype:
                raise TypeError(f"blocks of {self.dtype} and of {piece.dtype} cannot be mixed")
            np.add.at(counts, _slots(_image(piece), children), 1)
        return counts

    def _pieces(self) -> Iterator[Matrix]:
        rows = max(1, _PIECE // self._width)
        for block in self._blocks(self._part):
            if block.dtype.kind != "f" or block.dtype.itemsize > 8:
                raise TypeError(f"blocks are float16, float32 or float64, not {block.dtype}")
            if block.ndim != 2 or block.shape[1] != self._width:
                raise ValueError(f"a block has shape {block.shape}; {self._width} columns were asked for")
            yield from (block[start : start + rows] for start in range(0, len(block), rows))


def _slots(image: NDArray[Any], children: Sequence[NDArray[np.int32]]) -> Indices:
    """The counter of each value [rows, columns] one level below `children`; values on no wanted path are left out."""
    shifts = range(8 * image.dtype.itemsize - 8, -1, -8)
    slot = (_byte(image, shifts[0]) + _RADIX * np.arange(image.shape[1])).ravel()
    rest = image.ravel()
    for child, shift in zip(children, shifts[1:], strict=False):
        node = child[slot]
        kept = np.flatnonzero(node >= 0)
        rest = rest[kept]
        slot = node[kept].astype(np.int64) * _RADIX + _byte(rest, shift)
    return slot


def _byte(image: NDArray[Any], shift: int) -> Indices:
    moved = image >> image.dtype.type(shift)
    digits: Indices = (moved & image.dtype.type(_RADIX - 1)).astype(np.int64)
    return digits


def _image(values: Matrix) -> NDArray[Any]:
    """Unsigned integers in the order of the values; every NaN becomes the largest."""
    size = values.dtype.itemsize
    bits = values.astype(values.dtype.newbyteorder("="), order="C", copy=False).view(f"u{size}")
    negative = (bits.view(f"i{size}") >> (8 * size - 1)).view(f"u{size}")  # all ones, or zero
    image: NDArray[Any] = bits ^ (negative | _top(size))
    image[np.isnan(values)] = ~bits.dtype.type(0)
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
