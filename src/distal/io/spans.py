"""Stretches of chromosomes with a number each: what every reader of measured signal gives; knows no file.

Bases are 0-based, stretches half-open.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from distal.io.columns import Piece


class Spans(NamedTuple):
    """Stretches `[starts, ends)` of one chromosome, in any order, and what is counted on every base of each."""

    chrom: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.float64]


def grouped(
    piece: Piece, chroms: pl.Series, starts: NDArray[np.int64], ends: NDArray[np.int64], values: NDArray[np.float64]
) -> Iterator[Spans]:
    """The lines of a piece as `Spans`, one for each run of lines on the same chromosome.

    Raises `InputError`, with the line, where a stretch is empty or starts before the chromosome.
    """
    piece.refuse((starts < 0) | (ends <= starts), "the end must lie behind the start, and the start not below 0")
    runs = chroms.rle_id().to_numpy()
    cuts = [0, *(np.flatnonzero(np.diff(runs)) + 1).tolist(), len(runs)] if len(runs) else []
    for low, high in pairwise(cuts):
        yield Spans(chroms[low], starts[low:high], ends[low:high], values[low:high])
