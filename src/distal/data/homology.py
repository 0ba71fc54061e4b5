"""Which pieces of two genomes are homologous, and what that leaks where they are parted; knows alignments, no windows.

Source: Kelley 2020 (doi:10.1371/journal.pcbi.1008050) and Basenji's basenji_data_align.py: pieces that overlap one
long top-level alignment, on either side, stay together. Here contigs are first cut between alignments: a piece with the
ends of two would join them, the next one would join a third, and soon all of both genomes were one component.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from distal.coords import Interval
from distal.data.regions import names
from distal.data.splits import Division, Piece
from distal.errors import InputError
from distal.io import net
from distal.io.fasta import Genome
from distal.io.net import Fill

LONG_BP = 100_000
"""Alignments whose shorter side has as many bases keep pieces together."""
TOUCH_BP = 1024
"""Bases of an alignment that a piece may hold without belonging to it."""


@dataclass(frozen=True)
class Net:
    """The alignments of a net file between sequences that both genomes have, named as there; read anew each time.

    The first genome is the net's target, the second its query. Raises `InputError` where nothing is aligned.
    """

    path: Path
    genomes: tuple[Genome, Genome]

    def __iter__(self) -> Iterator[Fill]:
        first, second = (names(genome) for genome in self.genomes)
        found = False
        for fill in net.read(self.path):
            target, query = first(fill.target.chrom), second(fill.query.chrom)
            if target and query:
                found = True
                yield replace(fill, target=replace(fill.target, chrom=target), query=replace(fill.query, chrom=query))
        if not found:
            one, other = (genome.path.name for genome in self.genomes)
            raise InputError(f"{self.path} aligns no sequence of {one} with one of {other}; the first is its target")


def long(fills: Iterable[Fill], least_bp: int = LONG_BP) -> list[Fill]:
    """The top-level alignments with a shorter side of at least `least_bp` bases: those that keep pieces together."""
    return [fill for fill in fills if fill.top and fill.shorter >= least_bp]


def cut(contigs: Iterable[Interval], sides: Iterable[Interval]) -> Iterator[Interval]:
    """The contigs of a genome, cut half-way between neighbouring alignments, of which `sides` are those in it.

    Alignments that overlap are not parted.
    """
    between = _between(sides)
    for contig in contigs:
        inside = [place for place in between.get(contig.chrom, ()) if contig.start < place < contig.end]
        for start, end in pairwise((contig.start, *inside, contig.end)):
            yield Interval(contig.chrom, start, end)


def _between(sides: Iterable[Interval]) -> dict[str, list[int]]:
    """Chromosome -> the middles between an alignment, or several that overlap, and the next one; ascending."""
    places: dict[str, list[int]] = defaultdict(list)
    furthest: dict[str, int] = {}
    for side in sorted(sides, key=lambda side: side.start):
        end = furthest.setdefault(side.chrom, side.end)
        if side.start >= end:
            places[side.chrom].append((end + side.start) // 2)
        furthest[side.chrom] = max(end, side.end)
    return places


def components(pieces: Sequence[Piece], fills: Iterable[Fill]) -> list[list[Piece]]:
    """The pieces in groups: an alignment connects all that it touches, on both of its sides.

    Groups are connected components; they and their pieces keep the order of `pieces`.
    """
    under = _Under(pieces)
    parent = list(range(len(pieces)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for fill in fills:
        touched = [*under.by_more(0, fill.target), *under.by_more(1, fill.query)]
        for other in touched[1:]:
            parent[root(other)] = root(touched[0])
    groups: dict[int, list[Piece]] = defaultdict(list)
    for i, piece in enumerate(pieces):
        groups[root(i)].append(piece)
    return list(groups.values())


def leaks(division: Division, fills: Iterable[Fill]) -> dict[tuple[str, str], int]:
    """(split in the first genome, another split in the second) -> aligned bases between their pieces.

    All alignments count, also short and nested ones. Each is taken to be even from end to end: how its gaps lie inside
    it is not looked at.
    """
    pieces, labels = zip(*division, strict=True)
    under = _Under(pieces)
    total: dict[tuple[str, str], float] = defaultdict(float)
    for fill in fills:
        ours, theirs = under(0, fill.target), under(1, fill.query)
        if len({labels[i] for i in (*ours, *theirs)}) > 1:
            for i in ours:
                for j in theirs:
                    if labels[i] != labels[j]:
                        total[labels[i], labels[j]] += fill.aligned * _both(fill, pieces[i], pieces[j])
    return {pair: round(bases) for pair, bases in sorted(total.items()) if round(bases)}


def _both(fill: Fill, ours: Piece, theirs: Piece) -> float:
    """The share of an alignment that lies in both pieces."""
    low, high = _share(fill.target, ours)
    start, end = _share(fill.query, theirs)
    return max(0.0, min(high, end) - max(low, start))


def _share(side: Interval, piece: Piece) -> tuple[float, float]:
    """From where to where, 0 … 1 along the alignment, one of its sides lies in a piece."""
    part = piece.interval.clip(side.start, side.end)
    low, high = (part.start - side.start) / side.width, (part.end - side.start) / side.width
    return (1 - high, 1 - low) if side.strand == "-" else (low, high)


class _Under:
    """Finds the pieces that an interval overlaps."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        rows: dict[tuple[int, str], list[tuple[int, int, int]]] = defaultdict(list)
        for i, piece in enumerate(pieces):
            rows[piece.genome, piece.interval.chrom].append((piece.interval.start, piece.interval.end, i))
        self._sorted = {key: tuple(zip(*sorted(row), strict=True)) for key, row in rows.items()}

    def __call__(self, genome: int, interval: Interval) -> Sequence[int]:
        """Their numbers, from left to right."""
        starts, ends, numbers = self._sorted.get((genome, interval.chrom), ((), (), ()))
        return numbers[bisect_right(ends, interval.start) : bisect_left(starts, interval.end)] if interval.width else ()

    def by_more(self, genome: int, interval: Interval) -> list[int]:
        """Those that it overlaps by more than `TOUCH_BP`."""
        found = [(i, self._pieces[i].interval) for i in self(genome, interval)]
        return [i for i, piece in found if interval.clip(piece.start, piece.end).width > TOUCH_BP]
