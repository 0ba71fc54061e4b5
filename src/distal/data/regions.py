"""Sets of bases of a genome: knows union, difference and where sets are found, not what they are for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import N
from distal.errors import InputError
from distal.io import bed
from distal.io.fasta import Genome

Edges = NDArray[np.int64]
Mask = NDArray[np.bool_]

_READ_BP = 1 << 22


@dataclass(frozen=True, eq=False, slots=True)
class Regions:
    """A set of bases, as the stretches that it consists of: they neither overlap nor touch."""

    edges: Mapping[str, Edges]
    """Chromosome -> start and end of each stretch by turns, ascending, [2 x stretches]."""

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Regions:
        """The bases of any intervals, in any order; they may overlap."""
        spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for interval in intervals:
            if interval.width:
                spans[interval.chrom].append((interval.start, interval.end))
        return cls({chrom: _merged(np.array(pairs, dtype=np.int64)) for chrom, pairs in spans.items()})

    def __iter__(self) -> Iterator[Interval]:
        for chrom, edges in self.edges.items():
            for start, end in edges.reshape(-1, 2).tolist():
                yield Interval(chrom, start, end)

    @property
    def bases(self) -> int:
        """How many there are."""
        return sum(int((edges[1::2] - edges[::2]).sum()) for edges in self.edges.values())

    def __or__(self, other: Regions) -> Regions:
        return self._combined(other, np.logical_or, {**self.edges, **other.edges})

    def __and__(self, other: Regions) -> Regions:
        return self._combined(other, np.logical_and, self.edges)

    def __sub__(self, other: Regions) -> Regions:
        return self._combined(other, np.greater, self.edges)

    def at_least(self, bases: int) -> Regions:
        """Without the stretches that are shorter than `bases`."""
        spans = {chrom: edges.reshape(-1, 2) for chrom, edges in self.edges.items()}
        return Regions({chrom: span[span[:, 1] - span[:, 0] >= bases].ravel() for chrom, span in spans.items()})

    def covered(self, interval: Interval) -> int:
        """How many bases of `interval` are in the set."""
        edges = self.edges.get(interval.chrom, np.empty(0, np.int64))
        starts, ends = edges[::2], edges[1::2]
        near = slice(np.searchsorted(ends, interval.start, "right"), np.searchsorted(starts, interval.end, "left"))
        inside = np.minimum(ends[near], interval.end) - np.maximum(starts[near], interval.start)
        return int(inside.sum())

    def _combined(self, other: Regions, keep: Callable[[Mask, Mask], Mask], chroms: Iterable[str]) -> Regions:
        nothing = np.empty(0, np.int64)
        pairs = {chrom: (self.edges.get(chrom, nothing), other.edges.get(chrom, nothing)) for chrom in chroms}
        return Regions({chrom: _combined(one, two, keep) for chrom, (one, two) in pairs.items()})


def _merged(spans: Edges) -> Edges:
    """Edges of the union of spans, [n, 2], n > 0."""
    starts, ends = spans[np.argsort(spans[:, 0])].T
    furthest = np.maximum.accumulate(ends)
    first = np.concatenate(([True], starts[1:] > furthest[:-1]))
    return np.stack([starts[first], furthest[np.roll(first, -1)]], axis=1).ravel()


def _combined(one: Edges, other: Edges, keep: Callable[[Mask, Mask], Mask]) -> Edges:
    """Edges of the bases for which `keep(in one, in other)`; it is false where a base is in neither."""
    places = np.union1d(one, other)
    kept = keep(_inside(one, places), _inside(other, places))
    edges: Edges = places[np.diff(kept, prepend=False)]
    return edges


def _inside(edges: Edges, places: Edges) -> Mask:
    """Whether the base at each place is in the set."""
    inside: Mask = np.searchsorted(edges, places, "right") % 2 == 1
    return inside


def whole(sizes: Mapping[str, int]) -> Regions:
    """Every base of a genome with these chromosomes."""
    return Regions.of(Interval(chrom, 0, size) for chrom, size in sizes.items())


def read(path: str | Path, genome: Genome) -> Regions:
    """The bases of a BED file, named as in `genome`; rows on chromosomes that it lacks speak of other sequence.

    Raises `InputError` where no row lies on a chromosome of the genome; a file without rows is no base.
    """
    name = names(genome)
    rows = [row.interval for row in bed.read(path)]
    found = [replace(row, chrom=known) for row in rows if (known := name(row.chrom))]
    if rows and not found:
        raise InputError(f"no row of {path} lies on a sequence of {genome.path}; is it for another genome?")
    return Regions.of(found)


def names(genome: Genome) -> Callable[[str], str | None]:
    """A function from any name of a chromosome to the one in the genome's file, None where it has no such sequence."""

    @cache
    def name(chrom: str) -> str | None:
        try:
            return genome.resolve(chrom)
        except InputError:
            return None

    return name


def unknown(genome: Genome, advance: Callable[[int], None] = lambda bases: None) -> Regions:
    """The bases of a genome that are not A, C, G or T. `advance` hears how many bases were read."""
    return Regions.of(_unknown(genome, advance))


def _unknown(genome: Genome, advance: Callable[[int], None]) -> Iterator[Interval]:
    for chrom, size in genome.sizes.items():
        for start in range(0, size, _READ_BP):
            read = Interval(chrom, start, start + _READ_BP).clip(0, size)
            edges = np.flatnonzero(np.diff(genome.codes(read) == N, prepend=False, append=False)) + start
            for first, end in edges.reshape(-1, 2).tolist():
                yield Interval(chrom, first, end)
            advance(read.width)
