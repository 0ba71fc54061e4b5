"""All scored variants of some files, which of them a list names, and facts about each; reads no score.

Variants are found by chromosome (chr20 = 20), position and alleles, in either order, where the list has alleles; else
by position; else by ID. A place or ID that several variants share names all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from distal.coords import Interval, spellings
from distal.errors import InputError
from distal.io.genes import Genes
from distal.io.named import Named
from distal.io.scores import Matrix, ScoreRow, Scores, files
from distal.scoring.alleles import REF_FLIPPED, SCORED
from distal.tracks import TrackTable

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
_BLOCK = 1 << 14
WITH_SCORES = (SCORED, REF_FLIPPED)
"""Statuses of variants with scores, the latter in a run that was asked to swap alleles; duplicates are left out."""
FARTHEST = 10_000_000
"""Distance to the nearest start site, in bp, that stands for a contig without any."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Variants that have scores, n of them, in the order of the files."""

    paths: tuple[Path, ...]
    table: TrackTable
    frame: pl.DataFrame
    """Columns: place (0 to n - 1), file, row, chrom (its shortest spelling), pos (1-based), id, low, high (alleles)."""

    @classmethod
    def of(cls, path: str | Path, statuses: Sequence[str] = WITH_SCORES) -> Pool:
        """The variants of a folder of score files, or of one, whose status is one of `statuses`.

        Raises `InputError` where the files' tracks differ or no variant has scores.
        """
        paths, frames, tables = tuple(files(path)), [], []
        for number, each in enumerate(paths):
            with Scores(each) as scores:
                tables.append(scores.table)
                first = 0
                for block in scores.blocks(_BLOCK, ()):
                    frames.append(_frame(block.rows, number, first, statuses))
                    first += len(block.rows)
        if any(table.names != tables[0].names for table in tables):
            raise InputError(f"the score files of {path} have different tracks; give files of one kind")
        frame = pl.concat(frames) if frames else _frame([], 0, 0, ())
        if not len(frame):
            raise InputError(f"{path} has no variant with scores")
        return cls(paths, tables[0], frame.with_row_index("place").with_columns(pl.col("place").cast(pl.Int64)))

    def __len__(self) -> int:
        return len(self.frame)

    def found(self, listed: Sequence[Named]) -> tuple[Rows, Rows]:
        """(place in the pool, index in `listed`) of every variant that the list names, ascending by index."""
        columns = {"item": pl.Int64, "chrom": pl.String, "pos": pl.Int64, "id": pl.String}
        columns |= {"low": pl.String, "high": pl.String}
        rows = [(i, _bare(one.chrom), one.pos, one.name, *sorted((one.ref, one.alt))) for i, one in enumerate(listed)]
        frame = pl.DataFrame(rows, schema=columns, orient="row")
        alleles, placed = frame["high"] != "", frame["pos"] > 0
        ways = (
            (alleles & placed, ("chrom", "pos", "low", "high")),
            (~alleles & placed, ("chrom", "pos")),
            (~placed, ("id",)),
        )
        empty = pl.DataFrame(schema={"place": pl.Int64, "item": pl.Int64})
        joined = [self._joined(frame.filter(chosen), keys) for chosen, keys in ways if chosen.any()]
        both = pl.concat([empty, *joined]).sort("item", "place")
        return both["place"].to_numpy(), both["item"].to_numpy()

    def _joined(self, listed: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
        return self.frame.join(listed.select("item", *keys), on=list(keys)).select("place", "item")

    def numbers(self, listed: Iterable[Named], column: int = 0) -> Floats:
        """What a list says of each variant, [n]; NaN where it says nothing, the first where it says several things."""
        values = np.full(len(self), np.nan)
        items_left = iter(listed)
        while some := list(islice(items_left, 1 << 18)):
            said = np.array([one.number(column) for one in some])
            places, items = self.found(some)
            open_places = np.isnan(values[places])
            places, items = places[open_places][::-1], items[open_places][::-1]
            values[places] = said[items]
        return values

    def tss_distances(self, genes: Genes) -> Floats:
        """Bases to the nearest start site, [n], without sign; `FARTHEST` on a contig without any."""
        places = zip(self.frame["chrom"].to_list(), self.frame["pos"].to_list(), strict=True)
        bases = (Interval.from_one_based(chrom, pos, pos) for chrom, pos in places)
        found = (genes.tss_distance(base.chrom, base.start) for base in bases)
        return np.array([FARTHEST if nearest is None else abs(nearest[0]) for nearest in found], dtype=np.float64)

    def rows(self, places: Rows) -> list[ScoreRow]:
        """The rows at `places`, in that order."""
        return [row for _, rows, _ in self._read(places, None) for row in rows]

    def scores(self, places: Rows, score: str, channels: Rows) -> NDArray[np.float32]:
        """One score of the variants at `places` (ascending) in some tracks, float32 [places, channels]."""
        values = np.empty((len(places), len(channels)), dtype=np.float32)
        for where, _, matrix in self._read(places, score):
            values[where] = matrix[:, channels]
        return values

    def by_file(self, places: Rows) -> Iterator[tuple[Path, slice, Rows]]:
        """For every file that has some of `places` (ascending): its path, which of them, and their rows in it."""
        file, row = (self.frame[name].to_numpy()[places] for name in ("file", "row"))
        for number in np.unique(file).tolist():
            first, end = np.searchsorted(file, (number, number + 1)).tolist()
            yield self.paths[number], slice(first, end), row[first:end]

    def _read(self, places: Rows, score: str | None) -> Iterable[tuple[slice, Sequence[ScoreRow], Matrix]]:
        if (np.diff(places) < 0).any():
            raise ValueError("places must ascend")
        for path, part, rows in self.by_file(places):
            with Scores(path) as scores:
                for start in range(0, len(rows), 256):
                    some = rows[start : start + 256]
                    block = scores.read(some, () if score is None else (score,))
                    where = slice(part.start + start, part.start + start + len(some))
                    yield where, block.rows, np.empty((0, 0), np.float32) if score is None else block.values[score]


def _frame(rows: Sequence[ScoreRow], file: int, first: int, statuses: Sequence[str]) -> pl.DataFrame:
    kept = [
        (file, first + i, _bare(row.chrom), row.pos, row.name, *sorted((row.ref, row.alt)))
        for i, row in enumerate(rows)
        if row.status in statuses
    ]
    schema: dict[str, Any] = {"file": pl.Int64, "row": pl.Int64, "chrom": pl.String, "pos": pl.Int64}
    schema |= {"id": pl.String, "low": pl.String, "high": pl.String}
    return pl.DataFrame(kept, schema=schema, orient="row")


def _bare(chrom: str) -> str:
    return min(spellings(chrom), key=len) if chrom else ""
