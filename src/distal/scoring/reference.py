"""Where a number stands among those of a null distribution, column by column; knows numbers, not what they measure.

Of each column the null keeps some of its sorted values, its *knots*. A number between two knots has a rank between
theirs, interpolated; so it is never further from the true rank than the knots are from each other: 0.005 of the null up
to its 0.9 quantile, beyond it a tenth of what lies above, and nothing for the two dozen largest values, which are all
kept. (With smooth nulls the error is about a fifth of that.) A number that equals values of the null stands in their
middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distal.io.scores import Matrix
from distal.quantiles import order_statistics

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_BULK, _STEP = 0.9, 0.005
_A_DECADE = 24  # knots while what lies above falls to a tenth: each 10 % less than the one before
_LARGEST = 24
_PIECE = 1 << 14  # values that are looked up at once, near the processor


def knot_ranks(n: int) -> Indices:
    """Which of `n` sorted values are kept: ranks, ascending, with the first and the last [knots].

    200 values are all kept; of a million, some three hundred.
    """
    bulk = np.arange(0, _BULK * n, max(1.0, _STEP * n))
    above = (1 - _BULK) * n * 10.0 ** -(np.arange(_A_DECADE * max(np.log10(n), 1)) / _A_DECADE)
    ranks = np.concatenate([bulk, n - 1 - above, np.arange(n - _LARGEST, n)]).round().astype(np.int64)
    return np.unique(ranks.clip(0, n - 1))


@dataclass(frozen=True, eq=False)
class Reference:
    """A null distribution of each column."""

    size: int
    """How many values of each column it was made of."""
    ranks: Indices
    """Rank of each knot among them, ascending [knots]."""
    knots: Matrix
    """The values at those ranks [knots, columns]."""

    @classmethod
    def of(
        cls, blocks: Callable[[slice], Iterable[Matrix]], columns: int, size: int, dtype: np.dtype[Any]
    ) -> Reference:
        """From `size` rows without NaN that `blocks` goes through (see `distal.quantiles`)."""
        ranks = knot_ranks(size)
        return cls(size, ranks, order_statistics(blocks, columns, ranks.tolist()).astype(dtype))

    @property
    def cap(self) -> float:
        """The largest share that is ever said: n / (n + 1); what exceeds all n values may not exceed all there are."""
        return self.size / (self.size + 1)

    @cached_property
    def _sorted(self) -> torch.Tensor:
        """Knots of each column, [columns, knots]."""
        return torch.from_numpy(np.ascontiguousarray(self.knots.T, dtype=np.float32))

    @cached_property
    def _last(self) -> torch.Tensor:
        """Of each knot the last one that equals it, [columns, knots]."""
        last = torch.arange(len(self.ranks)).repeat(len(self._sorted), 1)
        for i in range(len(self.ranks) - 2, -1, -1):
            last[:, i] = torch.where(self._sorted[:, i] == self._sorted[:, i + 1], last[:, i + 1], i)
        return last

    def shares(self, values: Matrix) -> NDArray[np.float32]:
        """The share of the null that is smaller than each value [n, columns], half of what equals it included.

        From 0 to `cap`; NaN for NaN.
        """
        shares = np.empty(values.shape, dtype=np.float32)
        width = max(1, _PIECE // max(1, len(values)))
        for start in range(0, values.shape[1], width):
            columns = slice(start, start + width)
            x = torch.from_numpy(np.ascontiguousarray(values[:, columns].T, dtype=np.float32))
            shares[:, columns] = self._shares(x, columns).T.numpy()
        return shares

    def _shares(self, x: torch.Tensor, columns: slice) -> torch.Tensor:
        """The shares of some columns, [columns, n] like the values `x`."""
        knots, last = self._sorted[columns], self._last[columns]
        ranks = torch.from_numpy(self.ranks)
        place = torch.searchsorted(knots, x)
        here, before = place.clamp(max=len(ranks) - 1), (place - 1).clamp(min=0)
        high, low = knots.gather(1, here), knots.gather(1, before)
        rank, first = ranks.take(here), ranks.take(before) + 1
        count = first + ((x - low) / (high - low)).double() * (rank - first)
        count = torch.where(x == high, (rank + ranks.take(last.gather(1, here)) + 1) / 2, count)
        count = torch.where((place == 0) & (x < high), 0.0, count)
        count = torch.where(place == len(ranks), float(self.size), count)
        return torch.where(x.isnan(), torch.nan, (count / self.size).clamp(max=self.cap))
