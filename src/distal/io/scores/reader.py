"""Score files to read, whoever wrote them: ours, DeepMind's, Basenji's; writes nothing."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from distal import markup
from distal.coords import Interval, Variant, spellings
from distal.errors import InputError
from distal.io.scores.blocks import (
    TEXTS,
    Block,
    GeneAt,
    GeneScores,
    Matrix,
    Rows,
    ScoreRow,
    decoded,
    encoded,
    together,
)
from distal.tracks import Track, TrackTable

_SCAN = 1 << 16
_DENSE = 4
"""Rows between those wanted are read too as long as they are not more than three each: a jump costs more than they."""
_ABSENT = {"status": "scored", "alt": "."}
"""What stands for the columns that others' files may lack: they have scored rows only, the earliest no ALT."""
_SPLIT = re.compile(r"(\d+)")


class Scores:
    """A score file to read: ours, DeepMind's or Basenji's. Use it as a context manager.

    `file` is the file itself where it is open already.
    """

    def __init__(self, path: str | Path, file: h5py.File | None = None) -> None:
        self.path = Path(path)
        self._file = _open(self.path) if file is None else file
        names = {field: _either(self._file, dataset) for dataset, field in TEXTS.items()}
        missing = [name for name in ("snp", "chr", "pos", "target_ids", "target_labels") if name not in self._file]
        missing += [] if names["ref"] else ["ref"]
        if missing:
            self._file.close()
            raise InputError(f"{self.path} is not a file of variant scores: it has no {', '.join(missing)}")
        self._texts = {field: self._file[name] for field, name in names.items() if name}
        self._pos = self._file["pos"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self._file.close()

    def __len__(self) -> int:
        return len(self._pos)

    def __repr__(self) -> str:
        if not self._file:
            return f"Scores({self.path.name}, closed)"
        return f"Scores({self.path.name}: {len(self):,} variants, {len(self.table):,} tracks, {' '.join(self.scores)})"

    def _repr_html_(self) -> str:
        if not self._file:
            return markup.card(f"{self.path.name}, closed", {})
        facts = {"variants": len(self), "tracks": len(self.table)}
        formulas = {name: self.formula(name) for name in self.scores}
        first = self.read(slice(0, markup.SHOWN), self.scores)
        body = markup.facts(formulas) + first.html(self.table) + markup.rest(len(self))
        return markup.card(self.path.name, facts, body)

    @cached_property
    def table(self) -> TrackTable:
        """The tracks, numbered by column."""
        texts = zip(self._file["target_ids"][:], self._file["target_labels"][:], strict=True)
        return TrackTable(tuple(Track(i, decoded(name), decoded(label)) for i, (name, label) in enumerate(texts)))

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the score matrices."""
        return tuple(self._matrices)

    @cached_property
    def _matrices(self) -> dict[str, h5py.Dataset]:
        found = _matrices(self._file, len(self), len(self._file["target_ids"]))
        if "percentiles" in self._file:  # those of a score have its shape where there are 279 tracks and variants
            found = {name: data for name, data in found.items() if name.removesuffix("_pct") not in {*found} - {name}}
        return found

    @property
    def gene_scores(self) -> tuple[str, ...]:
        """Names of the matrices of scores on genes; empty for files without them."""
        return tuple(self._gene_matrices)

    @cached_property
    def _gene_matrices(self) -> dict[str, h5py.Dataset]:
        group = self._file.get("genes")
        return {} if group is None else _matrices(group, len(group["row"]), len(self._file["target_ids"]))

    @property
    def attributes(self) -> dict[str, Any]:
        """The facts about the run that made the file; empty for files that others published."""
        return dict(self._file.attrs)

    def formula(self, score: str) -> str:
        """What a score is, in words; empty for files that don't say."""
        return str(self._score(score).attrs.get("formula", ""))

    def read(self, where: slice | Rows, scores: Sequence[str] | None = None) -> Block:
        """The rows at `where` (a slice, or indices in any order) with all their scores, or those named.

        The block has scores on genes where the file has any and all scores are asked for, or one of them is named.
        """
        if isinstance(where, slice):
            return self._read(where, np.arange(*where.indices(len(self))), scores)
        index, back = np.unique(where, return_inverse=True)
        if len(index) > 0 and index[-1] - index[0] < _DENSE * len(index):
            return self.read(slice(index[0], index[-1] + 1), scores).take((where - index[0]).tolist())
        return self._read(index, index, scores).take(back.tolist())

    def blocks(self, rows: int, scores: Sequence[str] | None = None) -> Iterator[Block]:
        """The whole file, `rows` rows at a time."""
        for start in range(0, len(self), rows):
            yield self.read(slice(start, start + rows), scores)

    def matrices(self, score: str, columns: slice = slice(None), rows: int = 4096) -> Iterator[Matrix]:
        """Some columns of one score over all variants, [up to `rows`, columns] at a time, as they are stored."""
        dataset = self._score(score)
        for start in range(0, len(self), rows):
            yield dataset[start : start + rows, columns]

    def columns(self, score: str, columns: slice, rows: int = 4096) -> NDArray[np.float32]:
        """Some columns of one score over all variants, float32 [n, columns]; read `rows` rows at a time."""
        taken = range(*columns.indices(len(self.table)))
        values = np.empty((len(self), len(taken)), dtype=np.float32)
        for i, matrix in enumerate(self.matrices(score, slice(taken.start, taken.stop), rows)):
            values[i * rows :][: len(matrix)] = matrix
        return values

    def named(self, name: str) -> Rows:
        """Indices of the rows whose ID is `name`, or has it among several separated by ``;``."""
        wanted = encoded(name)
        return self._where(lambda start, end: [wanted in text.split(b";") for text in self._texts["name"][start:end]])

    def on_gene(self, gene: str) -> Rows:
        """Indices of the rows with scores on the gene of that name, or identifier (its version may be left out)."""
        if not self.gene_scores:
            return np.empty(0, dtype=np.int64)
        group, wanted = self._file["genes"], encoded(gene)
        named = [wanted == name for name in group["gene_name"][:]]
        known = [wanted in (id, id.partition(b".")[0]) for id in group["gene_id"][:]]
        found: Rows = np.unique(group["row"][:][np.logical_or(named, known)])
        return found

    def within(self, region: Interval) -> Rows:
        """Indices of the rows whose POS lies in `region` (0-based, half-open; chr20 and 20 are the same)."""
        names = np.array([encoded(name) for name in spellings(region.chrom)])

        def inside(start: int, end: int) -> NDArray[np.bool_]:
            pos = self._pos[start:end]  # counted from 1, so POS lies in [start, end) when start < pos <= end
            found: NDArray[np.bool_] = np.isin(self._texts["chrom"][start:end], names)
            found &= (pos > region.start) & (pos <= region.end)
            return found

        return self._where(inside)

    def carrying(self, variant: Variant) -> Rows:
        """Indices of the rows at a variant's POS that have its two alleles, in either order."""
        there = self.within(Interval(variant.chrom, variant.start, variant.start + 1))
        rows = self.read(there, ()).rows
        return there[[{row.ref, row.alt} == {variant.ref, variant.alt} for row in rows]]

    def order(self) -> Rows:
        """Indices that sort the rows by chromosome and POS; rows at one place keep their order."""
        _, chrom = np.unique(self._texts["chrom"][:], return_inverse=True)
        return np.lexsort((self._pos[:], chrom))

    def _where(self, test: Any) -> Rows:
        ends = range(0, len(self), _SCAN)
        found = [start + np.flatnonzero(test(start, start + _SCAN)) for start in ends]
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)

    def _score(self, name: str) -> Any:
        if name not in self._matrices:
            known = ", ".join((*self.scores, *self.gene_scores))
            raise InputError(f"{self.path} has no score {name!r}; it has {known}")
        return self._matrices[name]

    def _read(self, where: slice | Rows, index: Rows, scores: Sequence[str] | None) -> Block:
        """The rows at `where`, which are those at `index`, ascending."""
        pos = self._pos[where].tolist()
        texts = {field: self._text(field, where, len(pos)) for field in TEXTS.values()}
        columns = zip(texts["chrom"], pos, texts["name"], texts["ref"], texts["alt"], texts["status"], strict=True)
        names = (*self.scores, *self.gene_scores) if scores is None else scores
        on_genes = tuple(name for name in names if name in self._gene_matrices)
        values = {name: self._score(name)[where] for name in names if name not in on_genes}
        genes = self._genes(index, on_genes) if on_genes else None
        return Block(list(map(ScoreRow._make, columns)), values, genes)

    def _genes(self, index: Rows, scores: Sequence[str]) -> GeneScores:
        """The scores on genes of the rows at `index`, ascending."""
        group = self._file["genes"]
        first, end = (
            (bisect_left(group["row"], int(row)) for row in (index[0], index[-1] + 1)) if len(index) else (0, 0)
        )
        rows = group["row"][first:end]
        kept = np.flatnonzero(np.isin(rows, index))
        where = together(first + kept)
        ids, names, strands = (
            [decoded(text) for text in group[key][where]] for key in ("gene_id", "gene_name", "strand")
        )
        genes = list(map(GeneAt, ids, names, strands, group["tss_distance"][where].tolist()))
        return GeneScores(
            np.searchsorted(index, rows[kept]), genes, {name: self._gene_matrices[name][where] for name in scores}
        )

    def _text(self, field: str, where: slice | Rows, rows: int) -> list[str]:
        if field not in self._texts:
            return [_ABSENT[field]] * rows
        return list(map(decoded, self._texts[field][where].tolist()))


def files(path: str | Path) -> list[Path]:
    """The score files that `path` stands for: itself, or those in the folder (a run's, or its ``scores``), by name.

    Raises `InputError` when there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = sorted((path / "scores").glob("*.h5")) or sorted(path.glob("*.h5"))
    if not found:
        raise InputError(f"{path} holds no score files (scores/<chromosome>.h5); `distal score` makes them")
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in _SPLIT.split(file.stem)])


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path)
    except OSError as error:
        raise InputError(f"{path} cannot be opened as HDF5: {error}") from None


def _either(file: h5py.File, name: str) -> str:
    """The name that `file` has for a data set: Basenji says ref_allele where others say ref."""
    return next((found for found in (name, f"{name}_allele") if found in file), "")


def _matrices(group: h5py.Group, rows: int, tracks: int) -> dict[str, h5py.Dataset]:
    """The data sets of floats that have a row for every variant and a column for every track."""
    found = ((name, data) for name, data in group.items() if isinstance(data, h5py.Dataset))
    return {name: data for name, data in found if data.shape == (rows, tracks) and data.dtype.kind == "f"}
