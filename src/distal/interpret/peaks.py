"""Where contributions are concentrated; knows numbers along a sequence, not how they were made.

A motif makes several letters next to each other matter, in one direction. So contributions are summed over windows of
`PEAK_BP`, and the windows with the largest sums, positive or negative, are taken one after another, none of them
overlapping another: what seqlets are to TF-MoDISco, without a null model. They are the most important places whatever
their number; whether the last of them mean anything, the sums beside them tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PEAK_BP = 20


@dataclass(frozen=True)
class Peak:
    """A window [start, end) of an array of contributions, and their sum over it."""

    start: int
    end: int
    total: float


def peaks(contributions: NDArray[np.floating[Any]], most: int, width: int = PEAK_BP) -> list[Peak]:
    """At most `most` windows of `width` bases of contributions [L], the largest |sum| first; none overlap.

    Windows without any contribution are none. Of equal sums the first is taken.
    """
    if len(contributions) < width:
        return []
    sums = np.convolve(contributions.astype(np.float64), np.ones(width), mode="valid")
    sizes = np.abs(sums)
    floor = 1e-9 * float(np.abs(contributions).sum())
    found: list[Peak] = []
    while len(found) < most:
        first = int(np.argmax(sizes))
        if sizes[first] <= floor:
            break
        found.append(Peak(first, first + width, float(sums[first])))
        sizes[max(first - width + 1, 0) : first + width] = -1
    return found
