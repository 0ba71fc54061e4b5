"""Where a gene begins and what a model reads and says there: knows start sites, windows and bins, no prediction.

A gene's signal is what a model predicts in the bin of a start site and in those within 128 bp of it: bins of 128 bp are
three then, as Enformer's authors had it (Avsec et al. 2021). Start sites that lie close together are read in one
window, and a bin that two of them share counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, Window
from distal.errors import InputError
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.io.genes import Gene

NEAR_BP = 128
APART_BP = 1000
"""Start sites further from the next one than this are other promoters."""


@dataclass(frozen=True, slots=True)
class Promoter:
    """Start sites of one gene that are read in one window."""

    gene: str
    chrom: str
    strand: str
    """``+``, ``-``, or ``.`` where it is not known."""
    tss: tuple[int, ...]
    """0-based, ascending."""

    def __post_init__(self) -> None:
        if not self.tss or any(behind <= before for before, behind in pairwise(self.tss)):
            raise ValueError(f"start sites must be some, ascending and distinct, not {self.tss}")

    def read(self, window: Window) -> Interval:
        """The input that is centred between the first and the last start site; the base of a single one."""
        return window.input_around(Interval(self.chrom, self.tss[0], self.tss[-1] + 1))

    def bins(self, window: Window) -> NDArray[np.int64]:
        """The output's bins with a start site, and those within `NEAR_BP` of such a bin, ascending."""
        output = window.output_of(self.read(window))
        bins = widened([(site - output.start) // window.bin_bp for site in self.tss], window)
        return bins[(bins >= 0) & (bins < window.bins)]

    def distance(self, element: Interval) -> int:
        """Bases from the middle of an element to the nearest start site."""
        return min(abs(element.center - site) for site in self.tss)


def margin(window: Window) -> int:
    """How many bins within `NEAR_BP` of a start site's own are its on either side."""
    return max(1, NEAR_BP // window.bin_bp)


def widened(bins: Iterable[int], window: Window) -> NDArray[np.int64]:
    """Start sites' bins and those within `NEAR_BP` of them, each once, ascending."""
    near = margin(window)
    return np.unique([bin + step for bin in bins for step in range(-near, near + 1)]).astype(np.int64)


def promoters(gene: Gene, window: Window, apart: int = APART_BP) -> list[Promoter]:
    """The promoters of a gene: runs of start sites no more than `apart` bases from the next, from left to right.

    A run that would not leave half of the output around its first and last site is cut.
    """
    runs: list[list[int]] = []
    for site in gene.tss:
        if runs and site - runs[-1][-1] <= apart and site - runs[-1][0] <= window.output_bp // 2:
            runs[-1].append(site)
        else:
            runs.append([site])
    return [Promoter(gene.name, gene.chrom, gene.strand, tuple(run)) for run in runs]


def on_strand(table: TrackTable, strand: str) -> TrackTable:
    """The tracks that can tell of a gene on a strand: those of the other strand are left out.

    All of them where the gene's strand is not known. Raises `InputError` where none is left.
    """
    kept = tuple(row for row in table.rows if strand == "." or row.strand in (".", strand))
    if not kept:
        raise InputError(f"all tracks asked for are of the other strand than the gene's, {strand}; ask for both")
    return TrackTable(kept)


def reach(seen: Iterable[Promoter], window: Window) -> list[Interval]:
    """What a model reads around some promoters, stretches that overlap or abut joined, in their order."""
    reads = sorted((promoter.read(window) for promoter in seen), key=lambda read: (read.chrom, read.start))
    joined: list[Interval] = []
    for read in reads:
        last = joined[-1] if joined else None
        if last is not None and last.chrom == read.chrom and read.start <= last.end:
            joined[-1] = Interval(last.chrom, last.start, max(last.end, read.end))
        else:
            joined.append(Interval(read.chrom, read.start, read.end))
    return joined


def total(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The sum over promoters of the scores that each gives the same elements, [elements].

    A promoter whose window doesn't reach an element says NaN, which counts 0, unless no promoter's window does.
    """
    stacked = np.stack(parts)
    unseen = np.isnan(stacked).all(axis=0)
    return np.where(unseen, np.nan, np.nansum(stacked, axis=0))
