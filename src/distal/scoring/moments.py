"""Sums over variants of the products of two tracks, the same to the last bit however the variants are shared out.

Knows numbers, no files. Floating-point sums depend on their order; integer sums don't. So the products of a block are
taken in float64 and rounded once, to whole numbers of a unit so fine that the sum over all variants just fits into 62
bits: at most 2^-58 of the largest sum that the tracks' ranges allow. Workers may add up any blocks in any order. What a
block is must be fixed: another cut of the variants rounds in other places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_BITS = 62


@dataclass(frozen=True, eq=False)
class Units:
    """The fixed point of sums over at most `variants` rows, in which no value of track i is larger than `limits`[i]."""

    limits: Array
    variants: int

    @property
    def scales(self) -> Array:
        """What brings each track, and the constant 1 after the last, to its units: powers of two, [tracks + 1]."""
        largest = np.append(self.limits, 1.0) * np.sqrt(max(self.variants, 1))
        scales: Array = np.ldexp(1.0, _BITS // 2 - 1 - np.frexp(largest)[1])
        return scales


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums of products over some variants; add those of other variants with ``+``."""

    units: Units
    totals: NDArray[np.int64]
    """Products of any two tracks, or of a track and 1, summed, in their units: [tracks + 1, tracks + 1]."""

    @classmethod
    def of(cls, blocks: Iterable[Array], units: Units) -> Self:
        """The moments of blocks [variants, tracks] of finite numbers. Raises `ValueError` beyond the units' limits."""
        scales = units.scales
        totals = np.zeros((len(scales), len(scales)), dtype=np.int64)
        for block in blocks:
            if len(block) and (np.maximum(block.max(axis=0), -block.min(axis=0)) > units.limits).any():
                raise ValueError("a value lies beyond the limits that the units were made for")
            rows = np.empty((len(block), len(scales)))
            np.multiply(block, scales[:-1], out=rows[:, :-1])
            rows[:, -1] = scales[-1]
            products = rows.T @ rows
            totals += np.rint(products, out=products).astype(np.int64)
        return cls(units, totals)

    def __add__(self, other: Self) -> Self:
        """Both together. Raises `ValueError` where the units differ."""
        same = np.array_equal(self.units.limits, other.units.limits) and self.units.variants == other.units.variants
        if not same:
            raise ValueError("moments of different units cannot be added")
        return type(self)(self.units, self.totals + other.totals)

    @property
    def variants(self) -> int:
        """How many rows were summed."""
        return round(float(self.totals[-1, -1]) / float(self.units.scales[-1]) ** 2)

    @property
    def gram(self) -> Array:
        """Sum over variants of the product of each two tracks, [tracks, tracks]."""
        scales = self.units.scales[:-1]
        gram: Array = self.totals[:-1, :-1] / scales[:, None] / scales
        return gram

    @property
    def means(self) -> Array:
        """Mean of each track, [tracks]."""
        means: Array = self.totals[-1, :-1] / self.units.scales[:-1] / self.units.scales[-1] / self.variants
        return means

    @property
    def variances(self) -> Array:
        """Variance of each track (divided by the number of variants), [tracks]."""
        variances: Array = np.diagonal(self.gram) / self.variants - self.means**2
        return variances
