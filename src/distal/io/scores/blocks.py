"""Variants and their scores in memory, some consecutive rows at a time; knows no file and not what a score means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distal import markup
from distal.tracks import TrackTable

Matrix = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]
DTYPES = ("float16", "float32")

TEXTS = {"snp": "name", "chr": "chrom", "ref": "ref", "alt": "alt", "status": "status"}
"""Data set of a score file -> field of `ScoreRow`."""


class ScoreRow(NamedTuple):
    """One ALT allele of a VCF and what became of it. `pos` is 1-based, as in the VCF."""

    chrom: str
    pos: int
    name: str
    ref: str
    alt: str
    status: str


class GeneAt(NamedTuple):
    """A gene as one variant sees it."""

    id: str
    name: str
    strand: str
    tss_distance: int
    """Bases from the gene's nearest TSS to the variant, positive downstream of it (in the gene's direction)."""


@dataclass(frozen=True)
class GeneScores:
    """Scores of variants on single genes: an entry for each pair of a variant and a gene, m of them."""

    rows: Rows
    """Index of the variant of each entry in its block, ascending [m]."""
    genes: Sequence[GeneAt]
    values: Mapping[str, Matrix]
    """Name -> [m, tracks]."""

    def take(self, index: Sequence[int]) -> GeneScores:
        """The entries of the variants at `index`, in that order; `rows` count within `index`."""
        taken = np.asarray(index, dtype=np.int64)
        first, end = np.searchsorted(self.rows, taken), np.searchsorted(self.rows, taken, side="right")
        counts = end - first
        rows = np.repeat(np.arange(len(taken)), counts)
        picked = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts - first, counts)
        where = together(picked)
        genes = [self.genes[i] for i in picked.tolist()]
        return GeneScores(rows, genes, {name: values[where] for name, values in self.values.items()})


@dataclass(frozen=True)
class Block:
    """Some consecutive rows and their scores: name -> [rows, tracks]; and their scores on genes, where there are."""

    rows: Sequence[ScoreRow]
    values: Mapping[str, Matrix]
    genes: GeneScores | None = None

    def __repr__(self) -> str:
        return f"Block({len(self.rows):,} variants: {' '.join(self.values)})"

    def _repr_html_(self) -> str:
        first = self.take(range(min(len(self.rows), markup.SHOWN)))
        return markup.card("Scores", {"variants": len(self.rows)}, first.html() + markup.rest(len(self.rows)))

    def html(self, table: TrackTable | None = None) -> str:
        """A line a variant: the largest number of each score, and the track that has it where `table` is given."""
        return markup.table([self._shown(i, table) for i in range(len(self.rows))])

    def _shown(self, row: int, table: TrackTable | None) -> dict[str, Any]:
        chrom, pos, name, ref, alt, status = self.rows[row]
        line: dict[str, Any] = {"variant": f"{chrom}:{pos}:{ref}>{alt}", "ID": name, "status": status}
        for score, matrix in self.values.items():
            values = np.nan_to_num(np.abs(matrix[row].astype(np.float64)), nan=-1)
            column = int(values.argmax()) if values.max(initial=-1) >= 0 else None
            line[f"largest {score}"] = None if column is None else float(matrix[row, column])
            if table is not None:
                track = None if column is None else table.rows[column]
                line[f"of {score}"] = "" if track is None else track.description or track.name
        return line

    def take(self, index: Sequence[int]) -> Block:
        """The rows at `index`, in that order (a stretch of rows is not copied)."""
        where = together(np.asarray(index, dtype=np.int64))
        rows = self.rows[where] if isinstance(where, slice) else [self.rows[i] for i in index]
        values = {name: values[where] for name, values in self.values.items()}
        return Block(rows, values, None if self.genes is None else self.genes.take(index))


@dataclass(frozen=True)
class Layout:
    """What has to be known of a score file before its first row is written."""

    rows: int
    widths: Mapping[str, int]
    """Longest text in bytes of each field of `ScoreRow` that is one; see `text_widths`."""
    table: TrackTable
    scores: tuple[str, ...]
    dtype: str
    attributes: Mapping[str, Any]
    gene_scores: tuple[str, ...] = ()
    """Names of the scores on genes."""
    formulas: Mapping[str, str] = field(default_factory=dict)
    """What each score is, in words; those that have none here get no attribute."""


@dataclass(frozen=True)
class Derived:
    """A further matrix [rows, tracks], made of a finished one block by block."""

    name: str
    dtype: str
    attributes: Mapping[str, str]
    score: str
    """The matrix that it is made of, the only one in the blocks that `function` gets."""
    function: Callable[[Block], Matrix]


def text_widths(rows: Sequence[ScoreRow]) -> dict[str, int]:
    """Longest text in bytes of each text field."""
    columns = dict(zip(ScoreRow._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    return {name: max(map(_width, set(columns.get(name, ()))), default=0) for name in TEXTS.values()}


def _width(text: str) -> int:
    return len(text) if text.isascii() else len(encoded(text))


def clipped(values: NDArray[Any], dtype: str) -> Matrix:
    """`values` in `dtype`; what float16 cannot hold becomes the largest number that it can, never inf."""
    limit = np.finfo(dtype).max
    narrow: Matrix = np.clip(values, -limit, limit).astype(dtype)
    return narrow


def together(index: Rows) -> slice | Rows:
    """A slice where `index` counts up by one, which is read and taken much faster; `index` itself elsewhere."""
    if len(index) and index[0] >= 0 and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def encoded(text: str) -> bytes:
    """UTF-8; what was no UTF-8 in the VCF becomes the bytes that it was."""
    return text.encode("utf-8", "surrogateescape")


def decoded(text: bytes) -> str:
    """The text that `encoded` was given."""
    return text.decode("utf-8", "surrogateescape")
