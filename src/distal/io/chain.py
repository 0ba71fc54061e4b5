"""Where one assembly of a genome lies on another, from UCSC's chain files (plain or gzip); knows no sequence.

A chain is a list of blocks, stretches of the one assembly (the target) that are aligned without gaps to stretches of
the other (the query). Starts are 0-based; those of a query on strand ``-`` count from the other end of its chromosome.

Source: https://genome.ucsc.edu/goldenPath/help/chain.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.errors import InputError
from distal.io import lines

_Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Chain:
    """One chain: `target` and `query` are what it spans, `query` on its forward strand, with the strand that it is on.

    Block i has `widths[i]` bases, which begin at `starts[i]` of the target's chromosome, and at `query_starts[i]` of
    the query's, counted along the query's strand.
    """

    target: Interval
    query: Interval
    query_size: int
    """Bases of the query's whole chromosome."""
    starts: _Ints
    query_starts: _Ints
    widths: _Ints

    def lift(self, interval: Interval) -> Interval | None:
        """What the query has between the first and the last aligned base of `interval`; None where none is aligned.

        Bases in between that only one of the assemblies has are included. The strand is that of the query.
        """
        first = int(np.searchsorted(self.starts + self.widths, interval.start, "right"))
        last = int(np.searchsorted(self.starts, interval.end, "left")) - 1
        if interval.chrom != self.target.chrom or last < first:
            return None
        start = self.query_starts[first] + max(interval.start - self.starts[first], 0)
        end = self.query_starts[last] + min(interval.end - self.starts[last], self.widths[last])
        along = Interval(self.query.chrom, int(start), int(end), "+")
        return along if self.query.strand == "+" else along.mirrored(self.query_size)

    def aligned(self, interval: Interval) -> int:
        """How many bases of `interval` the chain aligns."""
        if interval.chrom != self.target.chrom:
            return 0
        starts = np.maximum(self.starts, interval.start)
        return int(np.maximum(np.minimum(self.starts + self.widths, interval.end) - starts, 0).sum())


class Chains:
    """All chains of a file, by the chromosomes of its target."""

    def __init__(self, path: str | Path) -> None:
        """Reads the whole file. Raises `InputError`, with file and line, where it is no chain file."""
        self.path = Path(path)
        self._chains: dict[str, list[Chain]] = defaultdict(list)
        for chain in read(self.path):
            self._chains[chain.target.chrom].append(chain)

    def best(self, interval: Interval) -> Chain | None:
        """The chain that aligns most bases of `interval`, of equals the first of the file; None where none does."""
        chains = [chain for chain in self._chains.get(interval.chrom, ()) if chain.target.overlaps(interval)]
        found = max(chains, key=lambda chain: chain.aligned(interval), default=None)
        return found if found is not None and found.aligned(interval) else None

    def lift(self, interval: Interval) -> list[Interval]:
        """Where the bases of `interval` lie on the other assembly, a stretch for each chain, in the file's order."""
        found = (chain.lift(interval) for chain in self._chains.get(interval.chrom, ()))
        return [lifted for lifted in found if lifted is not None]


def read(path: str | Path) -> Iterator[Chain]:
    """The chains of a file, in its order. Raises `InputError`, with file and line, where it is no chain file."""
    header, where, blocks = "", "", list[list[int]]()
    for number, line in enumerate(lines.read_annotation(Path(path)), start=1):
        if line.startswith("chain"):
            header, where, blocks = line, f"{path} line {number}", []
        elif line.strip() and not line.startswith("#"):
            blocks.append(_block(line, f"{path} line {number}", bool(header)))
            if len(blocks[-1]) == 1:
                yield _chain(header, blocks, where)
                header = ""
    if header:
        raise InputError(f"{where}: the chain has no last block; the file is cut off")


def _block(line: str, where: str, inside: bool) -> list[int]:
    """``width [target-gap query-gap]``, the gaps behind it; the last block of a chain has none."""
    numbers = line.split()
    if not inside or len(numbers) not in (1, 3) or not all(text.isascii() and text.isdigit() for text in numbers):
        raise InputError(f"{where}: no line of a UCSC chain file; give one such as hg38ToHg19.over.chain.gz")
    return [int(text) for text in numbers]


def _chain(header: str, blocks: list[list[int]], where: str) -> Chain:
    """``chain score name size strand start end name size strand start end id``: the target, then the query."""
    try:
        name, strand, start, end, query, size, query_strand, query_start, query_end = (
            header.split()[i] for i in (2, 4, 5, 6, 7, 8, 9, 10, 11)
        )
        target = Interval(name, int(start), int(end), strand)
        along, query_size = Interval(query, int(query_start), int(query_end), "+"), int(size)
    except (ValueError, IndexError, InputError) as error:
        raise InputError(f"{where}: {header!r} is no chain ({error})") from None
    if strand != "+" or query_strand not in ("+", "-"):
        raise InputError(f"{where}: a chain's target is on strand +, its query on + or -")
    widths, gaps, query_gaps = np.array([(*block, 0, 0)[:3] for block in blocks], dtype=np.int64).T
    before, query_before = (np.cumsum(widths + gap) - widths - gap for gap in (gaps, query_gaps))
    if (target.width, along.width) != (before[-1] + widths[-1], query_before[-1] + widths[-1]):
        raise InputError(f"{where}: the blocks of the chain do not add up to what it spans")
    spanned = along if query_strand == "+" else along.mirrored(query_size)
    return Chain(target, spanned, query_size, target.start + before, along.start + query_before, widths)
