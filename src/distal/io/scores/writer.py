"""Score files to write: whole or not there, row after row, then what is made of the finished rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from distal.files import replacing
from distal.io.scores.blocks import TEXTS, Block, Derived, GeneScores, Layout, Matrix, ScoreRow, clipped, encoded
from distal.io.scores.reader import Scores
from distal.quantiles import column_quantiles

PERCENTILES = np.concatenate([np.arange(1, 100) / 1000, np.arange(10, 90) / 100, np.arange(900, 1000) / 1000])
"""The quantiles that Basenji's files have of every track."""

_FLOAT16 = "float16: three digits, fewer below 6e-5; what lies beyond 65504 on either side is written as 65504"
_LONGEST_FIXED = 256
_CHUNK_BYTES = 1 << 20
_BLOCK_ROWS = 256
_PENDING = 4096
"""Rows whose texts are written together: a write costs the same for one text and for thousands."""
_SOURCE = "derived_from"
"""Attribute of a derived matrix: the score that it was made of. Only such a matrix is ever replaced."""
_GENE_TEXTS = {"gene_id": "id", "gene_name": "name", "strand": "strand"}


class Writer:
    """An open score file that takes its rows in order, block by block, and then what is made of them.

    `write` and `extended` make one; `scores` and `gene_scores` are the matrices that `append` fills.
    """

    def __init__(
        self, path: Path, file: h5py.File, scores: Sequence[str] = (), gene_scores: Sequence[str] = ()
    ) -> None:
        self._file = file
        self._done = Scores(path, file)
        self._matrices = {score: file[score] for score in scores}
        self._genes = {name: file["genes"][name] for name in file["genes"]} if gene_scores else {}
        self._gene_scores = tuple(gene_scores)
        self._next = 0
        self._pending: list[ScoreRow] = []

    def append(self, block: Block) -> int:
        """Write the next rows; returns the index of the first.

        Matrices that have the file's dtype are written as they are, others are clipped to what it can hold.
        """
        start, end = self._next, self._next + len(block.rows)
        for score, dataset in self._matrices.items():
            dataset[start:end] = _narrow(block.values[score], dataset.dtype)
        if block.genes is not None and self._gene_scores:
            self._append_genes(start, block.genes)
        self._pending += block.rows
        self._next = end
        if len(self._pending) >= _PENDING:
            self.flush()
        return start

    def _append_genes(self, first: int, genes: GeneScores) -> None:
        start, end = len(self._genes["row"]), len(self._genes["row"]) + len(genes.rows)
        columns: dict[str, Any] = {score: genes.values[score] for score in self._gene_scores}
        columns |= {
            name: [encoded(getattr(gene, field)) for gene in genes.genes] for name, field in _GENE_TEXTS.items()
        }
        columns |= {"row": first + genes.rows, "tss_distance": [gene.tss_distance for gene in genes.genes]}
        for name, values in columns.items():
            dataset = self._genes[name]
            dataset.resize(end, axis=0)
            dataset[start:end] = _narrow(values, dataset.dtype) if name in self._gene_scores else values

    def flush(self) -> None:
        """Write the texts of the rows that were appended since the last time."""
        start, rows = self._next - len(self._pending), self._pending
        self._pending = []
        if not rows:
            return
        for name, field in TEXTS.items():
            dataset, texts = self._file[name], _texts([getattr(row, field) for row in rows])
            if dataset.dtype.kind == "S" and dataset.dtype.itemsize < texts.dtype.itemsize:
                raise ValueError(f"a {field} has {texts.dtype.itemsize} bytes, more than the layout says")
            dataset[start : self._next] = texts
        self._file["pos"][start : self._next] = np.minimum([row.pos for row in rows], np.iinfo("uint32").max)

    def written(self, row: int) -> Block:
        """Row `row`, which was appended before, with all its scores."""
        self.flush()
        return self._done.read(slice(row, row + 1))

    def derive(self, derived: Derived) -> None:
        """Add a matrix that is made of a finished one; it takes the place of an earlier one of the same name."""
        self.flush()
        if derived.name in self._file:
            if _SOURCE not in self._file[derived.name].attrs:
                raise ValueError(f"{derived.name} is not derived; what is made of {derived.score} needs another name")
            del self._file[derived.name]
        dataset = _matrix(self._file, derived.name, len(self._done), len(self._done.table), derived.dtype)
        dataset.attrs.update({**derived.attributes, _SOURCE: derived.score})
        start = 0
        for block in self._done.blocks(_BLOCK_ROWS, (derived.score,)):
            end = start + len(block.rows)
            dataset[start:end] = _narrow(derived.function(block), dataset.dtype)
            start = end
        self._done = Scores(self._done.path, self._file)  # one that knows the new matrix

    def percentiles(self, scores: Iterable[str]) -> None:
        """Add ``percentiles`` and, of each score, its quantiles in every track over the rows that were scored."""
        self.flush()
        _put(self._file, "percentiles", PERCENTILES)
        for score in scores:
            read = partial(self._done.matrices, score)
            found = column_quantiles(read, len(self._done.table), PERCENTILES.tolist())
            _put(self._file, f"{score}_pct", clipped(found.T, "float16"))

    @property
    def complete(self) -> bool:
        """Whether every row has been written."""
        return self._next == len(self._done) and not self._pending


@contextmanager
def write(path: Path, layout: Layout) -> Iterator[Writer]:
    """Write a score file; it takes its name only once it is whole."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _prepare(file, layout)
        writer = Writer(path, file, layout.scores, layout.gene_scores)
        yield writer
        writer.flush()
        if not writer.complete:
            raise ValueError(f"{path}: not all of the {layout.rows} rows were written")


@contextmanager
def extended(path: Path) -> Iterator[Writer]:
    """Add matrices to a finished score file: a copy is extended, which takes its place once it is whole.

    Nothing that is there changes. Raises `InputError` where `path` is no score file.
    """
    Scores(path).close()  # says what is wrong before anything is copied
    with replacing(path) as temporary:
        shutil.copyfile(path, temporary)
        with h5py.File(temporary, "r+") as file:
            yield Writer(path, file)


def _prepare(file: h5py.File, layout: Layout) -> None:
    """Everything of a file but its rows."""
    file.attrs.update(layout.attributes)
    for dataset, field in TEXTS.items():
        file.create_dataset(dataset, (layout.rows,), _text_type(layout.widths[field]))
    for name in ("ref", "alt"):
        file[f"{name}_allele"] = file[name]
    file.create_dataset("pos", (layout.rows,), "uint32")
    file["target_ids"] = _texts(layout.table.names)
    file["target_labels"] = _texts([track.description for track in layout.table.rows])
    made = [_matrix(file, score, layout.rows, len(layout.table), layout.dtype) for score in layout.scores]
    if layout.gene_scores:
        made += _prepare_genes(file.create_group("genes"), layout)
    for score, dataset in zip((*layout.scores, *layout.gene_scores), made, strict=True):
        if score in layout.formulas:
            dataset.attrs["formula"] = layout.formulas[score]
        if dataset.dtype == np.float16:
            dataset.attrs["precision"] = _FLOAT16


def _prepare_genes(group: h5py.Group, layout: Layout) -> list[h5py.Dataset]:
    """The columns of the scores on genes, without entries: how many there will be is not known. Returns the scores."""
    types = {"row": "int64", "gene_id": h5py.string_dtype(), "gene_name": h5py.string_dtype()}
    for name, dtype in {**types, "strand": "S1", "tss_distance": "int32"}.items():
        group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(_PENDING,))
    tracks = len(layout.table)
    chunks = (_height(tracks, layout.dtype), tracks)
    return [
        group.create_dataset(score, (0, tracks), layout.dtype, maxshape=(None, tracks), chunks=chunks)
        for score in layout.gene_scores
    ]


def _matrix(file: h5py.File, name: str, rows: int, tracks: int, dtype: str) -> h5py.Dataset:
    chunks = (min(_height(tracks, dtype), rows), tracks) if rows else None
    return file.create_dataset(name, (rows, tracks), dtype, chunks=chunks)


def _height(tracks: int, dtype: str) -> int:
    """Rows in a chunk of a matrix."""
    return int(np.clip(_CHUNK_BYTES // (tracks * np.dtype(dtype).itemsize) // 64 * 64, 64, 256))


def _put(file: h5py.File, name: str, values: NDArray[Any]) -> None:
    """Write a data set in the place of an earlier one of the same name."""
    file.pop(name, None)
    file[name] = values


def _narrow(values: NDArray[Any], dtype: np.dtype[Any]) -> Matrix:
    return values if values.dtype == dtype else clipped(values, dtype.name)


def _text_type(width: int) -> Any:
    return h5py.string_dtype() if width > _LONGEST_FIXED else f"S{max(width, 1)}"


def _texts(texts: Sequence[str]) -> NDArray[Any]:
    try:
        return np.array(texts, dtype="S" if texts else "S1")
    except UnicodeEncodeError:  # numpy takes ASCII only
        return np.array([encoded(text) for text in texts])
