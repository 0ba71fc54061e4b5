"""Rows of scores that were written before, by place or name, filtered and ordered; knows files, no HTTP.

A row is one variant in one track. Files are read some variants at a time, and only what is shown becomes a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.io.scores import Scores, files

_VARIANTS = 256
"""Variants that are read at once: of 5,313 tracks and two scores 5 MB."""


@dataclass(frozen=True)
class Wanted:
    """Which rows. Exactly one of `region`, `id` and `variant` is given."""

    region: Interval | None = None
    id: str = ""
    variant: Variant | None = None
    tracks: str = ""
    """A track query."""
    score: str = ""
    """What `at_least` and the order go by; the file's first score when left out."""
    at_least: float = 0.0
    """Size of that score, whatever its sign."""
    order: Literal["position", "size"] = "position"
    """By the order of the file, or the largest first."""
    offset: int = 0
    limit: int = 100

    def __post_init__(self) -> None:
        if sum((self.region is not None, bool(self.id), self.variant is not None)) != 1:
            raise InputError("give one of region, id and variant")
        if min(self.offset, self.limit) < 0 or not self.at_least >= 0:
            raise InputError("offset, limit and at_least are 0 or more")


@dataclass(frozen=True)
class Rows:
    """Some of the rows that match, and how many do."""

    total: int
    scores: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


def rows(scores: Path, wanted: Wanted) -> Rows:
    """The rows of all files of a folder that match. Raises `InputError` for a score or track that isn't there."""
    names: tuple[str, ...] = ()
    found: list[tuple[float, int, dict[str, Any]]] = []
    total = 0
    last = wanted.offset + wanted.limit
    for path in files(scores):
        with Scores(path) as opened:
            names = names or opened.scores
            for values, make in _blocks(opened, wanted):
                there = np.flatnonzero(np.abs(values) >= wanted.at_least) if wanted.at_least else np.arange(values.size)
                sizes = np.nan_to_num(np.abs(values.ravel()[there]), nan=-1.0)
                if wanted.order == "size":
                    kept = np.argsort(-sizes, kind="stable")[:last]
                else:
                    kept = np.arange(max(0, min(len(there), last - total)))
                found += [(-float(sizes[i]), total + int(i), make(int(there[i]))) for i in kept]
                total += len(there)
                if wanted.order == "size":
                    found = sorted(found, key=lambda item: item[:2])[:last]
    return Rows(total, names, tuple(row for _, _, row in found[wanted.offset : last]))


def _blocks(opened: Scores, wanted: Wanted) -> Iterator[tuple[NDArray[np.float32], Any]]:
    """Values [variants, tracks] of the score that decides, and a function from an index of theirs to a row."""
    where = _where(opened, wanted)
    table = opened.table.select(wanted.tracks)
    score = wanted.score or opened.scores[0]
    if score not in opened.scores:
        raise InputError(f"there is no score {score!r}; there are {', '.join(opened.scores)}")
    for start in range(0, len(where), _VARIANTS):
        block = opened.read(where[start : start + _VARIANTS], opened.scores)
        values = {name: matrix[:, table.channels].astype(np.float32) for name, matrix in block.values.items()}

        def make(index: int, block: Any = block, values: Any = values) -> dict[str, Any]:
            i, j = divmod(index, len(table))
            row, track = block.rows[i], table.rows[j]
            about = {"chrom": row.chrom, "pos": row.pos, "id": row.name, "ref": row.ref, "alt": row.alt}
            about |= {"status": row.status, "track": track.name, "description": track.description}
            return about | {name: _number(matrix[i, j]) for name, matrix in values.items()}

        yield values[score], make


def _where(opened: Scores, wanted: Wanted) -> NDArray[np.int64]:
    if wanted.id:
        return opened.named(wanted.id)
    if wanted.region is not None:
        return opened.within(wanted.region)
    assert wanted.variant is not None
    return opened.carrying(wanted.variant)


def _number(value: np.float32) -> float | None:
    return float(value) if np.isfinite(value) else None
