"""Variant scores in HDF5, a file per chromosome; knows the published layout, not what a score means.

The layout is DeepMind's for its 1000 Genomes scores, with a status added (n variants in the VCF's order, T tracks):

======================  ===================  ======================================================================
``snp``                 bytes [n]            ID; ``.`` where there is none
``chr`` ``ref`` ``alt`` bytes [n]            as the VCF has them, one ALT allele a row
``pos``                 uint32 [n]           1-based (what uint32 cannot hold is out of range, and its largest number)
``status``              bytes [n]            what became of the row; absent from files that others published
``target_ids``          bytes [T]            track identifiers
``target_labels``       bytes [T]            track descriptions
``SAD``, ``SAR``, ...   float16/32 [n, T]    one matrix per score; NaN in rows that were not scored
======================  ===================  ======================================================================

Texts have a fixed length (the longest one's); a column with a text above 256 bytes is of variable length instead, since
one long allele would otherwise widen every row. float16 keeps three digits: what lies below 6e-5 loses more of them,
what lies beyond 65,504 is written as 65,504. Root attributes say which model, genome and formulas made the file.
Basenji's own files (``ref_allele``, ``alt_allele``) are read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, spellings
from distal.errors import InputError
from distal.files import replacing
from distal.tracks import Track, TrackTable

Matrix = NDArray[np.floating[Any]]
DTYPES = ("float16", "float32")

_TEXTS = {"snp": "name", "chr": "chrom", "ref": "ref", "alt": "alt", "status": "status"}
"""Dataset -> field of `ScoreRow`."""
_LONGEST_FIXED = 256
_SCAN = 1 << 16
_CHUNK_BYTES = 1 << 20


class ScoreRow(NamedTuple):
    """One ALT allele of a VCF and what became of it. `pos` is 1-based, as in the VCF."""

    chrom: str
    pos: int
    name: str
    ref: str
    alt: str
    status: str


@dataclass(frozen=True)
class Block:
    """Some consecutive rows and their scores: name -> [rows, tracks]."""

    rows: Sequence[ScoreRow]
    values: Mapping[str, Matrix]

    def take(self, index: Sequence[int]) -> Block:
        """The rows at `index`, in that order."""
        return Block([self.rows[i] for i in index], {name: values[index] for name, values in self.values.items()})


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


def text_widths(rows: Sequence[ScoreRow]) -> dict[str, int]:
    """Longest text in bytes of each text field."""
    return {field: max((len(_bytes(getattr(row, field))) for row in rows), default=0) for field in _TEXTS.values()}


def clipped(values: NDArray[Any], dtype: str) -> Matrix:
    """`values` in `dtype`; what float16 cannot hold becomes the largest number that it can, never inf."""
    limit = np.finfo(dtype).max
    narrow: Matrix = np.clip(values, -limit, limit).astype(dtype)
    return narrow


class Writer:
    """An open score file: takes the rows in order, block by block."""

    def __init__(self, file: h5py.File, layout: Layout) -> None:
        self._file = file
        self._layout = layout
        self._next = 0
        file.attrs.update(layout.attributes)
        for dataset, field in _TEXTS.items():
            file.create_dataset(dataset, (layout.rows,), _text_type(layout.widths[field]))
        file.create_dataset("pos", (layout.rows,), "uint32")
        file["target_ids"] = _texts(layout.table.names)
        file["target_labels"] = _texts([track.description for track in layout.table.rows])
        shape = (layout.rows, len(layout.table))
        height = np.clip(_CHUNK_BYTES // (shape[1] * np.dtype(layout.dtype).itemsize), 64, 256)
        for score in layout.scores:
            file.create_dataset(score, shape, layout.dtype, chunks=(min(int(height), shape[0]), shape[1]))

    def append(self, block: Block) -> int:
        """Write the next rows; returns the index of the first."""
        start, end = self._next, self._next + len(block.rows)
        for dataset, field in _TEXTS.items():
            self._file[dataset][start:end] = _texts([getattr(row, field) for row in block.rows])
        self._file["pos"][start:end] = np.minimum([row.pos for row in block.rows], np.iinfo("uint32").max)
        for score in self._layout.scores:
            self._file[score][start:end] = clipped(block.values[score], self._layout.dtype)
        self._next = end
        return start

    def copy_scores(self, source: int, row: int) -> None:
        """Give row `row` the scores of row `source`; both have been written."""
        for score in self._layout.scores:
            self._file[score][row] = self._file[score][source]

    def status(self, row: int) -> str:
        """The status that was written for `row`."""
        return _str(self._file["status"][row])

    def set_status(self, row: int, status: str) -> None:
        """Replace the status of `row` by one that is not longer than the longest."""
        self._file["status"][row] = _bytes(status)

    @property
    def complete(self) -> bool:
        """Whether every row has been written."""
        return self._next == self._layout.rows


@contextmanager
def write(path: Path, layout: Layout) -> Iterator[Writer]:
    """Write a score file; it takes its name only once it is whole."""
    with replacing(path) as temporary:
        with h5py.File(temporary, "w") as file:
            writer = Writer(file, layout)
            yield writer
        if not writer.complete:
            raise ValueError(f"{path}: not all of the {layout.rows} rows were written")


class Scores:
    """A score file to read: ours, DeepMind's or Basenji's. Use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path)
        except OSError as error:
            raise InputError(f"{self.path} cannot be opened as HDF5: {error}") from None
        self._names = {field: _either(self._file, dataset) for dataset, field in _TEXTS.items()}
        missing = [name for name in ("snp", "chr", "pos", "target_ids", "target_labels") if name not in self._file]
        missing += [name for name in ("ref", "alt") if not self._names[name]]
        if missing:
            self._file.close()
            raise InputError(f"{self.path} is not a file of variant scores: it has no {', '.join(missing)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self._file.close()

    def __len__(self) -> int:
        return len(self._file["pos"])

    @cached_property
    def table(self) -> TrackTable:
        """The tracks, numbered by column."""
        texts = zip(self._file["target_ids"][:], self._file["target_labels"][:], strict=True)
        return TrackTable(tuple(Track(i, _str(name), _str(label)) for i, (name, label) in enumerate(texts)))

    @cached_property
    def scores(self) -> tuple[str, ...]:
        """Names of the score matrices."""
        shape = (len(self), len(self._file["target_ids"]))
        return tuple(name for name, data in self._file.items() if data.shape == shape and data.dtype.kind == "f")

    @property
    def attributes(self) -> dict[str, Any]:
        """The facts about the run that made the file; empty for files that others published."""
        return dict(self._file.attrs)

    def read(self, where: slice | NDArray[np.int64], scores: Sequence[str] | None = None) -> Block:
        """The rows at `where` (a slice, or indices in any order) with all their scores, or those named."""
        if isinstance(where, slice):
            return self._read(where, scores)
        index, back = np.unique(where, return_inverse=True)
        together = len(index) > 0 and index[-1] - index[0] < len(index)  # a slice is read much faster
        return self._read(slice(index[0], index[-1] + 1) if together else index, scores).take(back.tolist())

    def blocks(self, rows: int, scores: Sequence[str] | None = None) -> Iterator[Block]:
        """The whole file, `rows` rows at a time."""
        for start in range(0, len(self), rows):
            yield self.read(slice(start, start + rows), scores)

    def columns(self, score: str, columns: slice, rows: int = 4096) -> NDArray[np.float32]:
        """Some columns of one score over all variants, float32 [n, columns]; read `rows` rows at a time."""
        dataset = self._score(score)
        taken = range(*columns.indices(len(self.table)))
        values = np.empty((len(self), len(taken)), dtype=np.float32)
        for start in range(0, len(self), rows):
            values[start : start + rows] = dataset[start : start + rows, taken.start : taken.stop]
        return values

    def named(self, name: str) -> NDArray[np.int64]:
        """Indices of the rows whose ID is `name`, or has it among several separated by ``;``."""
        wanted = _bytes(name)
        return self._where(lambda start, end: [wanted in text.split(b";") for text in self._file["snp"][start:end]])

    def within(self, region: Interval) -> NDArray[np.int64]:
        """Indices of the rows whose POS lies in `region` (0-based, half-open; chr20 and 20 are the same)."""
        names = _texts(spellings(region.chrom))

        def inside(start: int, end: int) -> NDArray[np.bool_]:
            pos = self._file["pos"][start:end]  # counted from 1, so POS lies in [start, end) when start < pos <= end
            found: NDArray[np.bool_] = np.isin(self._file["chr"][start:end], names)
            found &= (pos > region.start) & (pos <= region.end)
            return found

        return self._where(inside)

    def order(self) -> NDArray[np.int64]:
        """Indices that sort the rows by chromosome and POS; rows at one place keep their order."""
        _, chrom = np.unique(self._file["chr"][:], return_inverse=True)
        return np.lexsort((self._file["pos"][:], chrom))

    def _where(self, test: Any) -> NDArray[np.int64]:
        ends = range(0, len(self), _SCAN)
        found = [start + np.flatnonzero(test(start, start + _SCAN)) for start in ends]
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)

    def _score(self, name: str) -> Any:
        if name not in self.scores:
            raise InputError(f"{self.path} has no score {name!r}; it has {', '.join(self.scores)}")
        return self._file[name]

    def _read(self, where: Any, scores: Sequence[str] | None) -> Block:
        texts = {field: self._text(field, where) for field in _TEXTS.values()}
        pos = self._file["pos"][where].tolist()
        columns = zip(texts["chrom"], pos, texts["name"], texts["ref"], texts["alt"], texts["status"], strict=True)
        names = self.scores if scores is None else scores
        return Block([ScoreRow(*row) for row in columns], {name: self._score(name)[where] for name in names})

    def _text(self, field: str, where: Any) -> list[str]:
        name = self._names[field]
        if not name:  # published files have no status: every row of theirs is a scored one
            return ["scored"] * len(self._file["pos"][where])
        return [_str(text) for text in self._file[name][where]]


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


_SPLIT = re.compile(r"(\d+)")


def _either(file: h5py.File, name: str) -> str:
    """The name that `file` has for a dataset: Basenji says ref_allele where others say ref."""
    return next((found for found in (name, f"{name}_allele") if found in file), "")


def _text_type(width: int) -> Any:
    return h5py.string_dtype() if width > _LONGEST_FIXED else f"S{max(width, 1)}"


def _texts(texts: Sequence[str]) -> NDArray[Any]:
    return np.array([_bytes(text) for text in texts], dtype="S" if texts else "S1")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _str(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
