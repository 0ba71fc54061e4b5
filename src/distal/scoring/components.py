"""Principal components of variant scores as DeepMind published them; knows score files, not how a score is made.

RobustScaler, TruncatedSVD, RobustScaler (scikit-learn's names): each track is centred on its median and divided by its
interquartile range; the scaled scores are projected on the leading right singular vectors, without centring; each
component is then scaled like the tracks were. Medians and quartiles are exact, read in blocks of columns; the vectors
come from the Gram matrix, summed in float64. Memory: a block of columns over all variants, or a [tracks, tracks]
matrix, whichever is larger. A component's sign is arbitrary: its largest loading is made positive.

The transform is saved as safetensors; components of two files can be compared only if one transform made both.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from distal.errors import InputError
from distal.files import replacing
from distal.io.score_tables import write_tsv
from distal.io.scores import Matrix, ScoreRow, Scores, files

Array = NDArray[np.float64]

PUBLISHED = 20
"""How many components DeepMind published."""
_FORMAT = "distal-components-1"
_BLOCK_ROWS = 4096
_COLUMN_BYTES = 1 << 27


@dataclass(frozen=True)
class Scaling:
    """Subtract `median`, divide by `iqr` (1 where the quartiles are equal), feature by feature."""

    median: Array
    iqr: Array

    def __call__(self, values: Array) -> Array:
        """[n, features] to [n, features]."""
        return (values - self.median) / self.iqr

    @classmethod
    def of(cls, columns: Array) -> Scaling:
        """The scaling that [n, features] themselves give."""
        low, median, high = np.percentile(columns, (25, 50, 75), axis=0)
        spread = high - low
        return cls(median, np.where(spread < 10 * np.finfo(np.float64).eps, 1.0, spread))


@dataclass(frozen=True)
class Components:
    """A fitted transform from one score of `tracks` to k components."""

    score: str
    tracks: tuple[str, ...]
    first: Scaling
    vectors: Array
    """Right singular vectors, [k, tracks]."""
    variance: Array
    """Variance of each component before the second scaling, [k]."""
    second: Scaling
    variants: int
    """How many variants it was fitted on."""

    @property
    def names(self) -> tuple[str, ...]:
        """PC1, PC2, ..."""
        return tuple(f"PC{i}" for i in range(1, len(self.vectors) + 1))

    def __call__(self, values: Matrix) -> Array:
        """Scores [n, tracks] to components [n, k]; NaN where a score is."""
        return self.second(self.first(values.astype(np.float64)) @ self.vectors.T)

    def save(self, path: Path) -> None:
        """Write a safetensors file; it appears whole or not at all."""
        tensors = {
            "median": self.first.median,
            "iqr": self.first.iqr,
            "components": np.ascontiguousarray(self.vectors),
            "explained_variance": self.variance,
            "second_median": self.second.median,
            "second_iqr": self.second.iqr,
        }
        about = {"format": _FORMAT, "score": self.score, "tracks": self.tracks, "variants": self.variants}
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata={"distal": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> Components:
        """Read what `save` wrote. Raises `InputError` for anything else."""
        try:
            with safe_open(str(path), framework="numpy") as file:
                about = json.loads((file.metadata() or {}).get("distal", "{}"))
                tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
            if about.get("format") != _FORMAT:
                raise InputError(f"{path} is not a transform that `distal pcs fit` wrote")
            return cls(
                about["score"],
                tuple(about["tracks"]),
                Scaling(tensors["median"], tensors["iqr"]),
                tensors["components"],
                tensors["explained_variance"],
                Scaling(tensors["second_median"], tensors["second_iqr"]),
                about["variants"],
            )
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} cannot be read as components: {error}; `distal pcs fit` makes them") from None


class TooFewVariantsError(InputError):
    """There are not enough scored variants to fit the components asked for."""


def fit(paths: Sequence[str | Path], score: str = "SAD", n: int = PUBLISHED) -> Components:
    """Fit `n` components (at most as many as there are tracks) to one score of all files in `paths`.

    `paths` are score files or folders of them, with the same tracks. Rows with a score that is not finite are left
    out. Raises `TooFewVariantsError` where no more variants than components remain.
    """
    if n < 1:
        raise InputError(f"{n} components cannot be fitted; ask for at least one")
    with ExitStack() as stack:
        opened = [stack.enter_context(Scores(file)) for path in paths for file in files(path)]
        data = _Data(opened, score)
        k = min(n, len(data.names))
        if data.variants <= k:
            raise TooFewVariantsError(
                f"{data.variants} scored variants are too few for {k} components; {k + 1} are needed, and hundreds "
                "are better: fit to more scores, ask for fewer components, or use a transform fitted elsewhere (--pcs)"
            )
        first = data.scaling()
        vectors = _leading(data.gram(first), k)
        variance, second = data.spread(lambda values: first(values) @ vectors.T, k)
        return Components(score, data.names, first, vectors, variance, second, data.variants)


class _Data:
    """One score of several files as a single matrix [variants, tracks] that is never in memory as a whole."""

    def __init__(self, opened: Sequence[Scores], score: str) -> None:
        self._opened = opened
        self._score = score
        self.names = opened[0].table.names
        for scores in opened[1:]:
            if scores.table.names != self.names:
                raise InputError(f"{scores.path} has other tracks than {opened[0].path}; fit to files of one kind")
        self._kept = [
            np.concatenate([np.isfinite(block).all(axis=1) for block in self._read(scores)]) for scores in opened
        ]
        self.variants = int(sum(kept.sum() for kept in self._kept))

    def _read(self, scores: Scores) -> Iterator[Matrix]:
        return (block.values[self._score] for block in scores.blocks(_BLOCK_ROWS, (self._score,)))

    def _blocks(self) -> Iterator[Array]:
        """Rows that are finite, some thousand at a time."""
        for scores, kept in zip(self._opened, self._kept, strict=True):
            for i, block in enumerate(self._read(scores)):
                yield block[kept[i * _BLOCK_ROWS :][: len(block)]].astype(np.float64)

    def scaling(self) -> Scaling:
        """Exact median and interquartile range of each track."""
        width = max(1, _COLUMN_BYTES // (8 * self.variants))
        blocks = [self._columns(slice(i, i + width)) for i in range(0, len(self.names), width)]
        return Scaling(*(np.concatenate([getattr(block, name) for block in blocks]) for name in ("median", "iqr")))

    def _columns(self, columns: slice) -> Scaling:
        pairs = zip(self._opened, self._kept, strict=True)
        return Scaling.of(
            np.concatenate([scores.columns(self._score, columns)[kept] for scores, kept in pairs], dtype=np.float64)
        )

    def gram(self, scaling: Scaling) -> Array:
        """Sum over variants of the outer product of the scaled scores, [tracks, tracks]."""
        total = np.zeros((len(self.names), len(self.names)))
        for block in self._blocks():
            scaled = scaling(block)
            total += scaled.T @ scaled
        return total

    def spread(self, project: Callable[[Array], Array], k: int) -> tuple[Array, Scaling]:
        """Variance of each of `k` projections, and the scaling that they give; they pass through a temporary file."""
        with tempfile.TemporaryFile() as file:
            columns: Any = np.memmap(file, np.float64, "w+", shape=(k, self.variants))
            start = 0
            for block in self._blocks():
                columns[:, start : start + len(block)] = project(block).T
                start += len(block)
            scalings = [Scaling.of(np.asarray(column)[:, None]) for column in columns]
            variance = np.array([np.var(column) for column in columns])
        median, iqr = (np.concatenate([getattr(scaling, name) for scaling in scalings]) for name in ("median", "iqr"))
        return variance, Scaling(median, iqr)


def _leading(gram: Array, k: int) -> Array:
    """The `k` eigenvectors of the largest eigenvalues, [k, tracks], each with its largest loading positive."""
    vectors = np.linalg.eigh(gram).eigenvectors[:, ::-1][:, :k].T
    largest = np.abs(vectors).argmax(axis=1)
    turned: Array = vectors * np.sign(vectors[np.arange(k), largest])[:, None]
    return turned


def write_tables(folder: Path, components: Components) -> dict[str, int]:
    """Write ``pcs/<chromosome>.tsv.gz`` (tabix-indexed) for every score file of `folder`; returns rows of each.

    Rows without scores are left out. Raises `InputError` where the tracks are not those of `components`.
    """
    written = {}
    for path in files(folder):
        with Scores(path) as scores:
            if scores.table.names != components.tracks:
                raise InputError(f"{path} has other tracks than the components; fit them to scores of the same tracks")
            (folder / "pcs").mkdir(exist_ok=True)
            target = folder / "pcs" / f"{path.stem}.tsv.gz"
            written[path.stem] = write_tsv(target, components.names, _projected(scores, components))
    return written


def _projected(scores: Scores, components: Components) -> Iterator[tuple[list[ScoreRow], Array]]:
    order = scores.order()
    for start in range(0, len(order), _BLOCK_ROWS):
        block = scores.read(order[start : start + _BLOCK_ROWS], (components.score,))
        values = block.values[components.score]
        kept = np.flatnonzero(np.isfinite(values).all(axis=1)).tolist()
        yield [block.rows[i] for i in kept], components(values[kept])
