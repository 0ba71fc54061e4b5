"""Alignments between two genomes from UCSC's net files (plain or gzip): knows lines, not what they are used for.

A net says for every base of one genome, the target, where the best alignment of another one, the query, lies. A line
``fill`` is an aligned stretch; the indented ``gap`` lines below it are what the alignment leaves out, and a ``fill``
below a gap aligns some of that elsewhere. Starts are 0-based; those of the query count on its forward strand.

Source: https://genome.ucsc.edu/goldenPath/help/net.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distal.coords import Interval
from distal.errors import InputError
from distal.io import lines


@dataclass(frozen=True, slots=True)
class Fill:
    """An aligned stretch: `target` of one genome with `query` of the other, whose strand says which way it runs."""

    target: Interval
    query: Interval
    aligned: int
    """Bases of it that are aligned one to one (`ali`); where the file doesn't say, the length of its shorter side."""
    top: bool
    """Whether it stands at the top level, not in a gap of another."""

    @property
    def shorter(self) -> int:
        """Bases of its shorter side."""
        return min(self.target.width, self.query.width)


def read(path: str | Path) -> Iterator[Fill]:
    """The fills of a net file in file order, those in gaps of others included.

    The top level is indented by exactly one space. Raises `InputError`, with file and line, for a line that is neither
    a comment, ``net``, ``fill`` nor ``gap``, and for one whose columns are missing or no numbers.
    """
    chrom = ""
    for number, line in enumerate(lines.read_annotation(Path(path)), start=1):
        kind, *columns = line.split() or ("#",)
        if kind == "net" and columns:
            chrom = columns[0]
        elif kind == "fill" and chrom:
            yield _fill(chrom, columns, line, f"{path} line {number}")
        elif kind != "gap" and not kind.startswith("#"):
            raise InputError(f"{path} line {number}: no line of a UCSC net file; give one such as hg38.mm10.net.gz")


def _fill(chrom: str, columns: list[str], line: str, where: str) -> Fill:
    """``start size query-chromosome strand query-start query-size [name value] ...``."""
    try:
        start, size, query, strand, query_start, query_size = columns[:6]
        named = dict(zip(columns[6::2], columns[7::2], strict=False))
        target = Interval(chrom, int(start), int(start) + int(size))
        other = Interval(query, int(query_start), int(query_start) + int(query_size), strand)
        aligned = int(named.get("ali", min(target.width, other.width)))
    except ValueError:
        raise InputError(f"{where}: a fill has start, size, chromosome, strand, start and size") from None
    return Fill(target, other, aligned, line.startswith(" ") and not line.startswith("  "))
