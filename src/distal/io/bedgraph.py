"""bedGraph files, plain or gzip: a number for each stretch of bases; 0-based and half-open, nothing is converted.

Source of the format: https://genome.ucsc.edu/goldenPath/help/bedgraph.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from distal.io import columns
from distal.io.spans import Spans, grouped


def read(path: Path) -> Iterator[Spans]:
    """The stretches of a bedGraph in file order; raises `InputError` with the line for what is no bedGraph."""
    for piece in columns.read(path, ("chromosome", "start", "end", "value")):
        chroms, starts, ends = piece.texts("chromosome"), piece.whole("start"), piece.whole("end")
        yield from grouped(piece, chroms, starts, ends, piece.decimal("value"))
