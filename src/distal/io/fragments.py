"""Fragments of ATAC-seq as 10x Genomics writes them: chromosome, start, end, barcode; 0-based and half-open.

A line is one fragment, whatever its fifth column (reads of the same fragment) says. Its two ends are where the
transposase cut, already moved by +4 and -5. Source of the format: 10x Genomics, Cell Ranger ATAC, "Barcoded and aligned
fragment file".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from distal.io import columns
from distal.io.spans import Spans, grouped


def read(path: Path, whole: bool) -> Iterator[Spans]:
    """A count of 1 on every base of each fragment where it is to be counted `whole`, else on its first and last base.

    Raises `InputError` with the line for what is no fragment.
    """
    for piece in columns.read(path, ("chromosome", "start", "end")):
        chroms, starts, ends = piece.texts("chromosome"), piece.whole("start"), piece.whole("end")
        for spans in grouped(piece, chroms, starts, ends, np.ones(len(starts))):
            yield from (spans,) if whole else (ends_of(spans, 1, first=True), ends_of(spans, 1, first=False))


def ends_of(spans: Spans, width: int, first: bool) -> Spans:
    """The first or the last `width` bases of each stretch."""
    if first:
        return spans._replace(ends=spans.starts + width)
    return spans._replace(starts=spans.ends - width)
