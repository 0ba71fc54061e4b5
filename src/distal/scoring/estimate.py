"""What a scoring run would cost before it is begun: counts, time, disk and memory; writes nothing.

Counts are exact: every row is judged as in the run. Time is what the first variants of the file take as the run scores
them (with strands, shifts, scores; see `probe`): so much for REF of a window, so much for every other sequence, times
how many of each there are, shared out among the processes. It is right as far as the first variants are like the
others. Reading, writing and merging go on beside the model and are left out. Disk is arithmetic for score files and
parts; other formats are compressed, so theirs is what such files usually take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from distal.predictor import Precision
from distal.scoring.alleles import STATUSES
from distal.scoring.components import PUBLISHED
from distal.scoring.parts import Part, Shapes
from distal.scoring.probe import SECONDS, Measured, Sequences, measure, sequences
from distal.scoring.recipe import Recipe
from distal.scoring.run import Columns

if TYPE_CHECKING:
    from distal.io.vcf import VcfRow

_FILE_BYTES = 16_384
_QUANTILES = 279
_TABLE_NUMBER = 5.0
"""Bytes of a number with six digits in a bgzipped table."""
_TABLE_NUMBERS = {"tsv": 2, "vep": 4, "vcf": 6}
"""What a variant has in one besides components and scores, as so many numbers."""
_PARQUET_NUMBER = {"float16": 2.7, "float32": 3.9}
"""Bytes of a score in a Parquet file, by how exact it is."""


@dataclass(frozen=True)
class Census:
    """What the rows of a run are, and what has to be computed for them."""

    statuses: Mapping[str, int]
    chromosomes: int
    text_bytes: int
    """Of the texts and positions of all rows in score files, where every text takes the room of the longest."""
    variants: int
    """Variants to be scored: duplicates are one."""
    sequences: Sequences
    """What the model has to read for them."""

    @property
    def rows(self) -> int:
        """Rows that go in."""
        return sum(self.statuses.values())


@dataclass(frozen=True)
class Disk:
    """Bytes on the disk: score files, parts (deleted when the score files are whole), other formats."""

    scores: int
    parts: int
    others: int

    @property
    def end(self) -> int:
        """When the run is done."""
        return self.scores + self.others

    @property
    def most(self) -> int:
        """When it is most."""
        return self.scores + max(self.parts, self.others)


@dataclass(frozen=True)
class Estimate:
    """What a run will take. Time and memory are 0 where there is nothing to score."""

    n_in: int
    statuses: Mapping[str, int]
    n_to_score: int
    windows: int
    processes: int
    precision: str
    seconds: float = 0.0
    """With the precision that is asked for."""
    disk_bytes: int = 0
    disk_most_bytes: int = 0
    """While the run is merged, when parts and score files are both there."""
    memory_bytes: int = 0
    """Of one process."""
    gpu_memory_bytes: int = 0
    recommended_precision: str = ""
    recommended_seconds: float = 0.0


def estimate(
    recipe: Recipe,
    rows: Iterable[VcfRow],
    columns: Columns,
    formats: Sequence[str] = (),
    processes: int = 1,
    seconds: float = SECONDS,
) -> Estimate:
    """Count `rows`, measure `recipe` on the first of them for about `seconds`, and say what the run will take.

    `columns` are the run's matrices, `formats` what is made of them, `processes` how many share the work (workers
    times shards).
    """
    census, first = count(recipe, rows)
    measured = measure(recipe, first, seconds) if first else None
    return concluded(census, measured, disk(census, columns, formats), processes, recipe.predictor.precision)


def count(recipe: Recipe, rows: Iterable[VcfRow]) -> tuple[Census, Part | None]:
    """Judge every row as the run will; also returns the first part with variants to be scored, None without any.

    Memory is flat in the number of rows.
    """
    statuses, shapes = Counter[str](), Shapes()
    first: Part | None = None
    variants, read = 0, Sequences(0, 0)
    for part in recipe.parts(rows):
        statuses.update(part.statuses)
        shapes.add(part)
        variants += len(part.wanted)
        read += sequences(recipe, part)
        first = first or (part if part.wanted else None)
    texts = sum(shape.rows * (4 + shape.widths.total()) for shape in shapes.of.values())
    counted = {status: statuses[status] for status in STATUSES}
    return Census(counted, len(shapes.of), texts, variants, read), first


def disk(census: Census, columns: Columns, formats: Sequence[str] = ()) -> Disk:
    """What a run will write. Scores per gene aren't counted: how many there will be depends on the genes.

    Score files and parts hold their matrices as they are. A file has some kilobytes more, for its attributes and track
    names, and at most one unused chunk of 1 MB a matrix.
    """
    tracks, size = len(columns.table), np.dtype(columns.dtype).itemsize
    cells = census.rows * tracks
    parts = census.text_bytes + cells * size * len(columns.scores)
    derived = cells * sum(np.dtype(matrix.dtype).itemsize for matrix in columns.derived)
    percentiles = len(columns.percentiles) * tracks * _QUANTILES * np.dtype("float16").itemsize
    names = sum(len(track.name) + len(track.description) for track in columns.table)
    scores = parts + derived + census.chromosomes * (_FILE_BYTES + names + percentiles)
    return Disk(scores, parts, sum(_other(census, columns, name) for name in formats))


def _other(census: Census, columns: Columns, name: str) -> int:
    if name == "parquet":
        return int(census.rows * len(columns.table) * len(columns.scores) * _PARQUET_NUMBER[columns.dtype])
    if name not in _TABLE_NUMBERS:
        return 0
    components = min(PUBLISHED, len(columns.table))
    scores = 2 * len(columns.scores) if name == "vcf" else 0  # each with the name of its track
    return int(census.rows * _TABLE_NUMBER * (_TABLE_NUMBERS[name] + components + scores))


def concluded(census: Census, measured: Measured | None, disk: Disk, processes: int, precision: Precision) -> Estimate:
    """The arithmetic: sequences times seconds for each, over `processes` that are equally fast."""
    found = Estimate(
        n_in=census.rows,
        statuses=census.statuses,
        n_to_score=census.variants,
        windows=census.sequences.total,
        processes=processes,
        precision=precision,
        disk_bytes=disk.end,
        disk_most_bytes=disk.most,
    )
    if measured is None:
        return found
    best = measured.recommended(census.sequences)
    return replace(
        found,
        seconds=measured.probes[0].expected(census.sequences) / processes,
        memory_bytes=measured.memory,
        gpu_memory_bytes=measured.gpu_memory,
        recommended_precision=best.precision,
        recommended_seconds=best.expected(census.sequences) / processes,
    )
