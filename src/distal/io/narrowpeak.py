"""Peaks from BED, narrowPeak and broadPeak files, plain or gzip; 0-based and half-open, nothing is converted.

Source of the formats: https://genome.ucsc.edu/FAQ/FAQformat.html#format12
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from distal.io import columns
from distal.io.spans import Spans, grouped

_COLUMNS = ("chromosome", "start", "end", "name", "score", "strand", "signalValue")


def read(path: Path, signal: bool) -> Iterator[Spans]:
    """The peaks in file order, each of height 1, or of its signalValue (column 7) where `signal`.

    Raises `InputError` with the line for what is no BED, and where `signal` is asked of a file without it.
    """
    for piece in columns.read(path, _COLUMNS):
        chroms, starts, ends = piece.texts("chromosome"), piece.whole("start"), piece.whole("end")
        heights = piece.decimal("signalValue") if signal else np.ones(len(starts))
        yield from grouped(piece, chroms, starts, ends, heights)
