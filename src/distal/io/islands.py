"""Known stretches of an assembly, without what lies around them: letters at positions, N elsewhere.

Knows FASTA files whose headers give coordinates (``>HBB chr11:5248252-5248438``, counted from 1, both ends included,
plus strand) and genomes to look in first; knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from distal import dna
from distal.coords import Interval, spellings
from distal.dna import Codes, N
from distal.errors import InputError
from distal.io import lines
from distal.io.fasta import Genome

Island = tuple[Interval, Codes]


class Patchwork:
    """Letters from the first source that knows them: genomes in their order, then islands."""

    def __init__(self, genomes: Sequence[Genome], islands: Sequence[Island] = ()) -> None:
        self._genomes = tuple(genomes)
        self._islands = tuple(islands)

    def codes(self, interval: Interval) -> Codes:
        """Codes uint8 [width], N where no source knows a base."""
        codes = np.full(interval.width, N, dtype=np.uint8)
        for genome in self._genomes:
            if any(name in genome.sizes for name in spellings(interval.chrom)):
                found = genome.codes(interval)
                codes = np.where(codes == N, found, codes)
        for where, bases in self._islands:
            if where.chrom in spellings(interval.chrom) and where.start < interval.end and interval.start < where.end:
                first, end = max(where.start, interval.start), min(where.end, interval.end)
                mine = codes[first - interval.start : end - interval.start]
                mine[mine == N] = bases[first - where.start : end - where.start][mine == N]
        return codes

    def also(self, islands: Sequence[Island]) -> Patchwork:
        """With further islands, to be looked in last."""
        return Patchwork(self._genomes, (*self._islands, *islands))

    def known(self, interval: Interval) -> float:
        """Share of the bases that are known."""
        return float(np.mean(self.codes(interval) != N))


def read(path: str | Path) -> list[Island]:
    """The stretches of a FASTA file, plain or gzip. Raises `InputError` where a header has no place, or no such one."""
    found: list[Island] = []
    for number, header, letters in _records(lines.read_annotation(Path(path))):
        words = [word for word in header.split() if ":" in word and "-" in word]
        if not words:
            raise InputError(f"{path} line {number}: no place such as chr1:101-200 in the header {header!r}")
        where = Interval.from_ucsc(words[0])
        if where.width != len(letters):
            raise InputError(f"{path} line {number}: {words[0]} has {where.width} bases, {len(letters)} are given")
        found.append((where, dna.encode(letters.upper())))
    return found


def _records(text: Iterable[str]) -> Iterable[tuple[int, str, str]]:
    """(line of the header, header, letters)."""
    number, header, letters = 0, "", list[str]()
    for at, line in enumerate(text, start=1):
        if line.startswith(">"):
            if header:
                yield number, header, "".join(letters)
            number, header, letters = at, line[1:].strip(), []
        else:
            letters.append(line.strip())
    if header:
        yield number, header, "".join(letters)
