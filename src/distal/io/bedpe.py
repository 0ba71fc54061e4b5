"""Pairs of stretches that belong together, such as an enhancer and a start site, in BEDPE files; knows columns only.

Written with a line of names that begins with ``#``, as juicer and bedtools do; 0-based and half-open, nothing is
converted. Source: https://bedtools.readthedocs.io/en/latest/content/general-usage.html#bedpe-format
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from distal.coords import Interval
from distal.errors import InputError
from distal.files import replacing
from distal.io import lines

_NAMES = ("#chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2")
_SKIPPED = ("#", "track", "browser", "chr1\tx1\t")
"""Juicer's line of names has no ``#`` in its older versions."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two stretches, each with its strand, and how strongly they belong together."""

    first: Interval
    second: Interval
    score: float
    name: str = "."


def write(path: str | Path, pairs: Iterable[Pair]) -> None:
    """Write pairs in their order; the file appears whole or not at all."""
    rows = ["\t".join(_NAMES)]
    for pair in pairs:
        ends = (f"{end.chrom}\t{end.start}\t{end.end}" for end in (pair.first, pair.second))
        rows.append("\t".join((*ends, pair.name, f"{pair.score:.6g}", pair.first.strand, pair.second.strand)))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(rows) + "\n")


def read(path: str | Path) -> Iterator[Pair]:
    """The pairs of a file, plain or gzip, in its order; the score is column 8.

    Raises `InputError`, with file and line, where a line has not that many columns or no finite score.
    """
    for number, line in enumerate(lines.read_annotation(Path(path)), start=1):
        if line.strip() and not line.startswith(_SKIPPED):
            yield _pair(line.split("\t"), f"{path} line {number}")


def _pair(columns: list[str], where: str) -> Pair:
    if len(columns) < 8:
        raise InputError(f"{where}: {len(columns)} columns between tabs; a BEDPE line has at least 8, the score last")
    strands = [text if text in ("+", "-") else "." for text in (*columns[8:10], ".", ".")[:2]]
    try:
        score = float(columns[7])
        first, second = (
            Interval(columns[at], int(columns[at + 1]), int(columns[at + 2]), strand)
            for at, strand in zip((0, 3), strands, strict=True)
        )
    except (ValueError, InputError) as error:
        raise InputError(f"{where}: {error}; columns are two stretches, a name and a score") from None
    if not math.isfinite(score):
        raise InputError(f"{where}: the score {columns[7]!r} is no finite number")
    return Pair(first, second, score, columns[6])
