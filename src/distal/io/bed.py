"""Regions from BED files (plain, gzip or bgzip); knows columns, not what they are used for.

BED is 0-based and half-open, as `Interval` is: nothing is converted. Source of the format:
https://genome.ucsc.edu/FAQ/FAQformat.html#format1
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distal.coords import Interval
from distal.errors import InputError
from distal.io import lines

_SKIPPED = ("#", "track", "browser")


@dataclass(frozen=True, slots=True)
class BedRow:
    """One line of a BED file.

    `interval` has the strand of column 6 where that is ``+`` or ``-``; `name` is column 4 (``.`` where there is
    none) and `score` column 5 where it is a finite number. What further columns mean differs from file to file: they
    are not read.
    """

    interval: Interval
    name: str = "."
    score: float | None = None


def read(path: str | Path) -> Iterator[BedRow]:
    """The rows of a BED file, in file order. Empty lines, comments, ``track`` and ``browser`` lines are skipped.

    Columns are separated by tabs, or by spaces in a line without tabs. Raises `InputError`, with file and line, where
    a line has no three columns, where start and end are no numbers, or where the end lies before the start.
    """
    for number, line in enumerate(lines.read_annotation(Path(path)), start=1):
        if line.strip() and not line.startswith(_SKIPPED):
            yield _row(line, f"{path} line {number}")


def _row(line: str, where: str) -> BedRow:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 3 or not columns[0].strip():
        raise InputError(f"{where}: a BED line has at least chromosome, start and end, separated by tabs")
    chrom, start, end = (column.strip() for column in columns[:3])
    if not all(text.isascii() and text.isdigit() and len(text) < 16 for text in (start, end)):
        raise InputError(f"{where}: start {start!r} and end {end!r} must be whole numbers; put # before header lines")
    if int(end) < int(start):
        raise InputError(f"{where}: the end {end} lies before the start {start}")
    name, score, strand = (*(column.strip() for column in columns[3:6]), *("", "", "")[: 6 - min(len(columns), 6)])
    interval = Interval(chrom, int(start), int(end), strand if strand in ("+", "-") else ".")
    return BedRow(interval, name or ".", _number(score))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
