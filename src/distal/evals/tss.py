"""Signal at the genes' start sites, predicted and measured: knows genes, windows and bins, not who predicts.

A gene's signal on a track is the sum over the bins that hold one of its start sites and their two neighbours, as
log(1 + x). Genes are compared with each other, track by track. A track of one strand is asked about the genes of that
strand alone: telling the strands apart is no merit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.data.dataset import Examples
from distal.io.genes import Genes
from distal.tracks import TrackTable
from distal.train.metrics import Floats, PearsonR, spearman
from distal.train.validation import Predicted

FEWEST = 3
"""Genes, or experiments, below which a correlation over them says nothing."""


@dataclass(frozen=True, eq=False)
class StartSites:
    """Which bins of which windows are around which genes' start sites."""

    strands: tuple[str, ...]
    """Of each gene that has a start site in a window."""
    places: NDArray[np.int64]
    """(bin, counted through all windows; gene), [n, 2], ascending."""
    bins: int
    """Measured bins of a window."""

    @classmethod
    def within(cls, examples: Examples, genes: Genes) -> StartSites:
        """The start sites whose bin and both its neighbours are measured; each counts in the first such window."""
        number: dict[Name, int] = {}
        places: set[tuple[int, int]] = set()
        for window, name, bins in starts(examples, genes):
            at = number.setdefault(name, len(number))
            places |= {(window * examples.bins + bin, at) for bin in bins}
        strands = tuple(strand for _, strand, _ in number)
        return cls(strands, np.array(sorted(places), dtype=np.int64).reshape(-1, 2), examples.bins)

    def __len__(self) -> int:
        """Number of genes."""
        return len(self.strands)


Name = tuple[str, str, str]
"""Chromosome, strand and identifier: what makes a gene another one."""


def starts(examples: Examples, genes: Genes, together: int = 1) -> Iterator[tuple[int, Name, range]]:
    """(window, gene, bins around one of its start sites), window by window, each start site once.

    The bins are the one that has the site and its two neighbours, where `together` measured bins count as one; start
    sites where one of the three isn't measured are left out.
    """
    seen: set[tuple[Name, int]] = set()
    for window, interval in enumerate(examples.intervals):
        if interval is None:
            continue
        measured = interval.clip(interval.start + examples.crop_bp, interval.end - examples.crop_bp)
        for gene in genes.touching(measured):
            for tss in gene.tss:
                bin, name = (tss - measured.start) // (examples.bin_bp * together), (gene.chrom, gene.strand, gene.id)
                if 0 < bin < examples.bins // together - 1 and (name, tss) not in seen:
                    seen.add((name, tss))
                    yield window, name, range((bin - 1) * together, (bin + 2) * together)


class GeneSignal:
    """Adds up predicted and measured signal at start sites, window by window."""

    def __init__(self, sites: StartSites, tracks: int) -> None:
        self._sites = sites
        self._sums: Floats = np.zeros((2, len(sites), tracks))

    def update(self, piece: Predicted) -> None:
        """Add what a piece of a window says of the genes that start there."""
        start = piece.window * self._sites.bins + piece.first
        low, high = np.searchsorted(self._sites.places[:, 0], (start, start + len(piece.targets)))
        bins, genes = self._sites.places[low:high].T
        for sums, values in zip(self._sums, (piece.values, piece.targets), strict=True):
            np.add.at(sums, genes, values[bins - start])

    def correlations(self, table: TrackTable) -> tuple[Floats, Floats]:
        """Pearson's r and Spearman's rho of log(1 + signal) over genes, [tracks] each; NaN over too few genes."""
        predicted, measured = np.log1p(self._sums)
        found = np.full((2, len(table)), np.nan)
        strands = np.array(self._sites.strands)
        for strand in {row.strand for row in table.rows}:
            rows = np.full(len(strands), True) if strand == "." else strands == strand
            columns = [i for i, row in enumerate(table.rows) if row.strand == strand]
            if np.count_nonzero(rows) >= FEWEST:
                p, t = predicted[rows][:, columns], measured[rows][:, columns]
                moments = PearsonR(len(columns))
                moments.update(p, t)
                found[:, columns] = moments.pearson(), spearman(p, t)
        return found[0], found[1]
