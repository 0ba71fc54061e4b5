"""Some of a data set's windows as a data set: what one of several processes looks at; knows no process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.data.dataset import Examples, Targets
from distal.dna import Codes
from distal.tracks import TrackTable


@dataclass(frozen=True, eq=False)
class Part:
    """The windows `indices` of `whole`, in that order."""

    whole: Examples
    indices: range

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def input_bp(self) -> int:
        """As in `Examples`, and so below."""
        return self.whole.input_bp

    @property
    def bin_bp(self) -> int:
        """Bases of a bin."""
        return self.whole.bin_bp

    @property
    def crop_bp(self) -> int:
        """Bases on each side of a window that have no signal."""
        return self.whole.crop_bp

    @property
    def bins(self) -> int:
        """Measured bins of a window."""
        return self.whole.bins

    @property
    def table(self) -> TrackTable:
        """What the tracks are."""
        return self.whole.table

    @property
    def intervals(self) -> tuple[Interval | None, ...]:
        """Where each window's bases lie."""
        return tuple(self.whole.intervals[index] for index in self.indices)

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean signal of a bin of each track over the windows of the whole, [tracks]."""
        return self.whole.means

    def codes(self, index: int, start: int, width: int) -> Codes:
        """[width]."""
        return self.whole.codes(self.indices[index], start, width)

    def targets(self, index: int, first: int, last: int) -> Targets:
        """[last - first, tracks]."""
        return self.whole.targets(self.indices[index], first, last)
