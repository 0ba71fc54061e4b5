"""Counts per base from a tab-separated table with a header, plain or gzip; one-based positions become 0-based here.

A line is a base: ``chrom`` (``chr``, ``chromosome``), a position and a count. Positions called ``pos``, ``pos1`` or
``position`` count from 1, those called ``pos0`` or ``start`` from 0. Other columns choose lines (``strand``,
``sample``) or are counts of their own (one column a sample or strand).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distal.coords import single_bases
from distal.errors import InputError
from distal.io import columns
from distal.io.spans import Spans, grouped

_CHROM = ("chrom", "chr", "chromosome", "#chrom", "seqnames")
_FROM_ONE = ("pos1", "pos", "position")
_FROM_ZERO = ("pos0", "start")
_COUNT = ("count", "counts", "score", "value")


def read(path: Path, count: str = "", where: Mapping[str, Sequence[str]] | None = None) -> Iterator[Spans]:
    """The counted bases in file order, as stretches of width 1.

    `count` names the column of the counts. Of each column in `where` only lines with one of its values are taken.
    Raises `InputError` where a column is missing, and with the line for what is no number.
    """
    for piece in columns.read(path):
        chrom, place = _named(piece, _CHROM), _named(piece, (*_FROM_ONE, *_FROM_ZERO))
        value = _named(piece, (count,) if count else _COUNT)
        for column, values in (where or {}).items():
            piece = piece.keep(piece.texts(_named(piece, (column,))).is_in(list(values)))
        starts, ends = single_bases(piece.whole(place), first=1 if place in _FROM_ONE else 0)
        yield from grouped(piece, piece.texts(chrom), starts, ends, piece.decimal(value))


def _named(piece: columns.Piece, names: Sequence[str]) -> str:
    for name in names:
        if name in piece.frame.columns:
            return name
    there = ", ".join(piece.frame.columns)
    raise InputError(f"{piece.path} has no column {' or '.join(names)} in its header ({there})")
