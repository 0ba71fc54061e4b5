"""Principal components of variant scores as DeepMind published them; knows score files, not how a score is made.

RobustScaler, TruncatedSVD, RobustScaler (scikit-learn's names): each track is centred on its median and divided by its
interquartile range; the scaled scores are projected on the leading right singular vectors, without centring; each
component is then scaled like the tracks were. Medians and quartiles are exact (`distal.quantiles`); the vectors come
from the Gram matrix (`moments`). A component's sign is arbitrary: its largest loading is made positive.

The files are read some thousand rows at a time, several times: to count (twice for float16, three times for float32),
to sum products, and to project. Memory: a few [tracks, tracks] matrices, whatever the number of variants; the projected
scores, 8 bytes each, pass through a temporary file (TMPDIR says where).

The transform is saved as safetensors; components of two files can be compared only if one transform made both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.engine import Engine, LocalEngine
from distal.errors import InputError
from distal.io import described
from distal.io.score_tables import write_tsv
from distal.io.scores import Matrix, ScoreRow, Scores, files
from distal.quantiles import Blocks, column_quantiles
from distal.scoring.moments import Moments, Units
from distal.scoring.stack import BLOCK_ROWS, Progress, Stack, stacked

Array = NDArray[np.float64]

PUBLISHED = 20
"""How many components DeepMind published."""
_FORMAT = "distal-components-2"


@dataclass(frozen=True)
class Scaling:
    """Subtract `median`, divide by `iqr` (1 where the quartiles are equal), feature by feature."""

    median: Array
    iqr: Array

    def __call__(self, values: Matrix) -> Array:
        """[n, features] to [n, features]."""
        scaled: Array = values - self.median
        scaled /= self.iqr
        return scaled

    @classmethod
    def of(cls, blocks: Blocks, columns: int) -> Scaling:
        """The scaling that the numbers themselves give, counted (see `distal.quantiles`)."""
        low, median, high = column_quantiles(blocks, columns, (0.25, 0.5, 0.75))
        spread = high - low
        return cls(median, np.where(spread < 10 * np.finfo(np.float64).eps, 1.0, spread))


@dataclass(frozen=True)
class Components:
    """A fitted transform from one score of `tracks` to k components."""

    score: str
    tracks: tuple[str, ...]
    labels: tuple[str, ...]
    """What the tracks are, in words."""
    first: Scaling
    vectors: Array
    """Right singular vectors, [k, tracks]."""
    variance: Array
    """Variance of each component before the second scaling, [k]."""
    total_variance: float
    """Summed variance of the scaled tracks."""
    second: Scaling
    variants: int
    """How many variants it was fitted on."""

    @property
    def names(self) -> tuple[str, ...]:
        """PC1, PC2, ..."""
        return tuple(f"PC{i}" for i in range(1, len(self.vectors) + 1))

    def __call__(self, values: Matrix) -> Array:
        """Scores [n, tracks] to components [n, k]; NaN where a score is."""
        return self.second(self.first(values) @ self.vectors.T)

    @property
    def ratios(self) -> Array:
        """Share of the scaled tracks' variance that each component has, [k]."""
        ratios: Array = self.variance / self.total_variance
        return ratios

    def top(self, component: int, n: int) -> list[tuple[int, float]]:
        """The `n` tracks that weigh most in a component (0 is PC1): (number of the track, loading), largest first."""
        loadings = self.vectors[component]
        order = np.argsort(-np.abs(loadings), kind="stable")[:n].tolist()
        return [(i, float(loadings[i])) for i in order]

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
        about = {
            "format": _FORMAT,
            "score": self.score,
            "tracks": self.tracks,
            "labels": self.labels,
            "total_variance": self.total_variance,
            "variants": self.variants,
        }
        described.write(path, tensors, about)

    @classmethod
    def load(cls, path: str | Path) -> Components:
        """Read what `save` wrote. Raises `InputError` for anything else."""
        with described.opened(path, _FORMAT, "components", "distal pcs fit") as (about, stored):
            tensors = {name: tensor.astype(np.float64) for name, tensor in stored.items()}
            return cls(
                about["score"],
                tuple(about["tracks"]),
                tuple(about["labels"]),
                Scaling(tensors["median"], tensors["iqr"]),
                tensors["components"],
                tensors["explained_variance"],
                about["total_variance"],
                Scaling(tensors["second_median"], tensors["second_iqr"]),
                about["variants"],
            )


class TooFewVariantsError(InputError):
    """There are not enough scored variants to fit the components asked for."""


def fit(
    paths: Sequence[str | Path],
    score: str = "SAD",
    n: int = PUBLISHED,
    engine: Engine | None = None,
    progress: Progress = lambda n: None,
) -> Components:
    """Fit `n` components (at most as many as there are tracks) to one score of all files in `paths`.

    `paths` are score files or folders of them, with the same tracks. Rows with a score that is not finite are left
    out. The workers of `engine` (this process when None) sum the products, each of some files, which they must see
    under the same paths. `progress` hears of rows that were read, several times of each. Raises `TooFewVariantsError`
    where no more variants than components remain.
    """
    if n < 1:
        raise InputError(f"{n} components cannot be fitted; ask for at least one")
    with stacked(paths, progress) as stack:
        variants, low, high = _extent(stack, score)
        k = min(n, len(stack.table))
        if variants <= k:
            raise TooFewVariantsError(
                f"{variants} scored variants are too few for {k} components; {k + 1} are needed, and hundreds "
                "are better: fit to more scores, ask for fewer components, or use a transform fitted elsewhere (--pcs)"
            )
        first = Scaling.of(partial(stack.finite, score), len(stack.table))
        units = Units(np.abs(first(np.stack([low, high]))).max(axis=0), variants)
        summed = (engine or LocalEngine()).map(_Summing(score, first, units), stack.paths)
        moments = reduce(Moments.__add__, _heard(summed, progress))
        return _fitted(stack, score, first, moments, k)


def _extent(stack: Stack, score: str) -> tuple[int, Array, Array]:
    """How many rows there are, and the smallest and largest score of each track."""
    variants = 0
    low, high = np.full(len(stack.table), np.inf), np.full(len(stack.table), -np.inf)
    for block in stack.finite(score):
        variants += len(block)
        np.minimum(low, block.min(axis=0, initial=np.inf), out=low)
        np.maximum(high, block.max(axis=0, initial=-np.inf), out=high)
    return variants, low, high


def _heard(summed: Iterable[tuple[Path, Moments]], progress: Progress) -> Iterator[Moments]:
    for _, moments in summed:
        progress(moments.variants)
        yield moments


@dataclass(frozen=True)
class _Summing:
    """What a worker does: the moments of a file's scaled scores."""

    score: str
    first: Scaling
    units: Units

    def __call__(self, worker: int) -> Callable[[Path], Moments]:
        return self._moments

    def _moments(self, path: Path) -> Moments:
        with stacked([path]) as stack:
            return Moments.of((self.first(block) for block in stack.finite(self.score)), self.units)


def _fitted(stack: Stack, score: str, first: Scaling, moments: Moments, k: int) -> Components:
    """The leading `k` components, once the products are summed."""
    gram, n = moments.gram, moments.variants
    vectors = _leading(gram, k)
    variance = ((vectors @ gram) * vectors).sum(axis=1) / n - (vectors @ moments.means) ** 2
    second = _spread((first(block) @ vectors.T for block in stack.finite(score)), k)
    labels = tuple(track.description for track in stack.table)
    total = float(moments.variances.sum())
    return Components(score, stack.table.names, labels, first, vectors, variance, total, second, n)


def _spread(blocks: Iterable[Array], k: int) -> Scaling:
    """The scaling that projected scores [n, k] give; they pass through a temporary file."""
    with tempfile.TemporaryFile() as file:
        for block in blocks:
            file.write(block.tobytes())

        def again(columns: slice) -> Iterator[Array]:
            file.seek(0)
            while read := file.read(8 * k * BLOCK_ROWS):
                yield np.frombuffer(read, dtype=np.float64).reshape(-1, k)[:, columns]

        return Scaling.of(again, k)


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
    for start in range(0, len(order), BLOCK_ROWS):
        block = scores.read(order[start : start + BLOCK_ROWS], (components.score,))
        values = block.values[components.score]
        kept = np.flatnonzero(np.isfinite(values).all(axis=1)).tolist()
        yield [block.rows[i] for i in kept], components(values[kept])
