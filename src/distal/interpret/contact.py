"""How often an element touches a start site: a power law of their distance, or what was measured; knows no model.

The power law is the ABC model's: contact = exp(scale - gamma * ln(distance + 1)), distances below 5 kb counting as
5 kb, with the gamma and scale that its program has by default (broadinstitute/ABC-Enhancer-Gene-Prediction, `hic.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from distal.coords import Interval
from distal.io.bedpe import Pair

GAMMA, SCALE, NEAREST_BP = 1.024238616787792, 5.9594510043736655, 5000


class Contact(Protocol):
    """How often the middle of an element and a start site meet, in a unit of its own, not below 0."""

    def __call__(self, element: Interval, tss: int) -> float:
        """`tss` is 0-based, on the element's chromosome."""
        ...


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Contact by distance alone."""

    gamma: float = GAMMA
    scale: float = SCALE

    def __call__(self, element: Interval, tss: int) -> float:
        """See `Contact`."""
        distance = max(abs(element.center - tss), NEAREST_BP)
        return math.exp(self.scale - self.gamma * math.log(distance + 1))


class Measured:
    """Contact as a list of pairs of stretches has it; 0 for what it doesn't list, the most of what it lists twice."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        rows: dict[str, list[tuple[float, ...]]] = {}
        for pair in pairs:
            if pair.first.chrom == pair.second.chrom:
                ends = (pair.first.start, pair.first.end, pair.second.start, pair.second.end)
                rows.setdefault(_bare(pair.first.chrom), []).append((*ends, pair.score))
        self._by_chrom = {chrom: np.array(found).T for chrom, found in rows.items()}

    def __call__(self, element: Interval, tss: int) -> float:
        """See `Contact`."""
        known = self._by_chrom.get(_bare(element.chrom))
        if known is None:
            return 0.0
        first, first_end, second, second_end, scores = known
        middle = element.center
        along = (first <= middle) & (middle < first_end) & (second <= tss) & (tss < second_end)
        across = (second <= middle) & (middle < second_end) & (first <= tss) & (tss < first_end)
        return float(scores[along | across].max(initial=0.0))


def _bare(chrom: str) -> str:
    return chrom.removeprefix("chr")
