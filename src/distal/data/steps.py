"""A signal along a chromosome that changes at few places, and how stretches add up to one; knows no file.

Positions are 0-based, stretches half-open. Sums are made in float64, exact for counts, and kept as float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.errors import InputError
from distal.io.spans import Spans

Bases = NDArray[np.float64]
_BEFORE = -(1 << 62)
"""The first edge of every signal: there is no base before it."""


@dataclass(frozen=True, eq=False)
class Steps:
    """A signal that is `values[i]` from `edges[i]`, ascending, up to the next edge; the last one goes on for ever."""

    edges: NDArray[np.int64]
    values: NDArray[np.float32]

    def bases(self, start: int, end: int) -> Bases:
        """The value of each base of `[start, end)`."""
        first = int(np.searchsorted(self.edges, start, side="right")) - 1
        last = int(np.searchsorted(self.edges, end, side="left"))
        inside = np.append(np.clip(self.edges[first:last], start, end), end)
        return np.repeat(self.values[first:last].astype(np.float64), inside[1:] - inside[:-1])


def summed(spans: Spans) -> Steps:
    """The sum of the stretches over each base, 0 where there is none."""
    places, inverse = np.unique(np.concatenate([spans.starts, spans.ends]), return_inverse=True)
    changes = np.bincount(inverse, np.concatenate([spans.values, -spans.values]))
    return _steps(places, np.cumsum(changes), 0.0)


def highest(spans: Spans) -> Steps:
    """The highest of the stretches over each base, at least 0, which it is where there is none."""
    places = np.unique(np.concatenate([spans.starts, spans.ends]))
    first, last = np.searchsorted(places, spans.starts), np.searchsorted(places, spans.ends)
    covered, before = last - first, np.cumsum(last - first) - (last - first)
    within = np.arange(covered.sum()) - np.repeat(before - first, covered)
    values = np.zeros(len(places))
    np.maximum.at(values, within, np.repeat(spans.values, covered))
    return _steps(places, values, 0.0)


def single(spans: Spans) -> Steps:
    """The one stretch over each base, NaN where there is none. Raises `InputError` where two overlap."""
    order = np.argsort(spans.starts)
    starts, ends, values = spans.starts[order], spans.ends[order], spans.values[order]
    crossing = np.flatnonzero(starts[1:] < ends[:-1])
    if len(crossing):
        place = Interval(spans.chrom, int(starts[1:][crossing[0]]), int(ends[1:][crossing[0]]))
        raise InputError(f"{place!r} overlaps another stretch of the same file; a bedGraph has one value a base")
    gaps = np.full(len(values), np.nan)
    return _steps(np.stack([starts, ends], axis=1).reshape(-1), np.stack([values, gaps], axis=1).reshape(-1), np.nan)


def inside(edges: NDArray[np.int64]) -> Steps:
    """1 from each first of two `edges` (ascending) to the second, 0 elsewhere."""
    return _steps(edges, np.arange(len(edges)) % 2 == 0, 0.0)


def _steps(places: NDArray[np.int64], values: NDArray[np.float64 | np.bool_], before: float) -> Steps:
    edges = np.concatenate([[_BEFORE], places])
    return Steps(edges, np.concatenate([[before], values]).astype(np.float32))
