"""Candidate enhancers: read from a BED file or called where a model predicts open chromatin; knows no gene's signal.

The ABC model takes regions of 500 bp around the strongest DNase peaks (Fulco et al. 2019); so does `called`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, spellings
from distal.errors import InputError
from distal.io.bed import BedRow
from distal.io.genes import Gene
from distal.tracks import Tracks

if TYPE_CHECKING:
    from distal.io.fasta import Genome

WIDTH_BP = 500
SPACING_BP = 5000
"""`called` gives at most one element for so many bases."""


@dataclass(frozen=True, slots=True)
class Element:
    """A stretch that may regulate genes, and how active it is there, in a unit of the caller's, not below 0."""

    interval: Interval
    name: str
    activity: float

    def __post_init__(self) -> None:
        if not self.interval.width:
            raise InputError(f"element {self.name} at {self.interval!r} holds no base")
        if not self.activity >= 0:
            raise InputError(f"the activity of element {self.name}, {self.activity}, is below 0")


def listed(rows: Iterable[BedRow], signal: Sequence[Tracks]) -> list[Element]:
    """The elements of a BED file that lie in what `signal` covers, in the file's order.

    Their activity is their score (column 5) where every row has one, otherwise the predicted signal.
    """
    inside = [row for row in rows if any(tracks.interval.contains(row.interval) for tracks in signal)]
    scored = all(row.score is not None for row in inside)
    return [
        Element(row.interval, _name(row), (row.score or 0.0) if scored else activity(row.interval, signal))
        for row in inside
    ]


def known(rows: Iterable[BedRow], genome: Genome) -> Iterator[BedRow]:
    """The rows of a BED file under the genome's names; those of chromosomes that it lacks are left out."""
    for row in rows:
        name = next((name for name in spellings(row.interval.chrom) if name in genome.sizes), None)
        if name is not None:
            yield replace(row, interval=replace(row.interval, chrom=name))


def called(signal: Tracks, width: int = WIDTH_BP, most: int | None = None) -> list[Element]:
    """The bins of strongest signal, mean over tracks, `width` bases around each, from left to right.

    None overlaps a stronger one. At most `most` are called, by default one for each `SPACING_BP`.
    """
    most = max(1, signal.interval.width // SPACING_BP) if most is None else most
    heights = signal.values.mean(axis=1, dtype=np.float64)
    chosen: list[Interval] = []
    for bin in np.argsort(-heights, kind="stable").tolist():
        middle = signal.interval.start + bin * signal.bin_bp + signal.bin_bp // 2
        element = Interval(signal.interval.chrom, middle, middle).resize(width)
        if signal.interval.contains(element) and not any(element.overlaps(other) for other in chosen):
            chosen.append(element)
        if len(chosen) == most:
            break
    found = sorted(chosen, key=lambda element: element.start)
    return [Element(element, _place(element), activity(element, [signal])) for element in found]


def activity(element: Interval, signal: Sequence[Tracks]) -> float:
    """Predicted signal over an element, mean over tracks; of a bin that it holds in part, that part.

    0 outside of what `signal` covers.
    """
    return sum(_over(element, tracks) for tracks in signal if tracks.interval.overlaps(element))


def _over(element: Interval, tracks: Tracks) -> float:
    part = element.clip(tracks.interval.start, tracks.interval.end)
    heights: NDArray[np.float64] = tracks.values.mean(axis=1, dtype=np.float64)
    ends = np.concatenate([[0.0], np.cumsum(heights)])
    edges = tracks.interval.start + np.arange(len(ends)) * tracks.bin_bp
    before, behind = np.interp([part.start, part.end], edges, ends)
    return float(max(behind - before, 0.0))


def kind(element: Interval, genes: Sequence[Gene]) -> str:
    """``promoter`` with a start site of a gene inside, ``genic`` within a gene's exons and introns, or ``intergenic``.

    These are the classes of ENCODE's tables.
    """
    if any(element.start <= site < element.end for gene in genes for site in gene.tss):
        return "promoter"
    bodies = (
        Interval(element.chrom, min(*gene.tss, gene.exons[0][0]), max(gene.tss[-1] + 1, gene.exons[-1][1]))
        for gene in genes
        if gene.exons
    )
    return "genic" if any(body.overlaps(element) for body in bodies) else "intergenic"


def _name(row: BedRow) -> str:
    return _place(row.interval) if row.name == "." else row.name


def _place(interval: Interval) -> str:
    return f"{interval.chrom}:{interval.start}-{interval.end}"
