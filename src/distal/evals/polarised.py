"""Effects along a lineage: scores of the derived allele against the ancestral one; knows score files, no genome.

A score is ALT minus REF of its file. Where the ancestral allele is REF it is derived minus ancestral already; where it
is ALT the sign is turned; where it is neither, or not known, the variant can't be polarised. Scores that have no sign
stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.evals.pool import Pool
from distal.evals.statistics import benjamini_hochberg
from distal.io.named import Named
from distal.io.scores import ScoreRow
from distal.scoring.compare import signed

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
KEYS = ("aa", "ancestral", "ancestral_allele")
"""What the ancestral allele may be called, in INFO or above a column."""
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Polarised:
    """Variants whose ancestral allele is known, by chromosome and position."""

    places: Rows
    """In the pool, [n]."""
    derived_is_alt: NDArray[np.bool_]
    """[n]; else REF is the derived allele."""
    listed: int
    unknown: int
    """Of the scored variants that the list names, those whose ancestral allele it doesn't say (or not surely)."""
    neither: int
    """Those whose ancestral allele is neither REF nor ALT."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Which way the derived alleles move one track."""

    track: str
    description: str
    variants: int
    mean: float
    """Mean score, derived minus ancestral."""
    up: float
    """Share of the variants that the derived allele raises, of those that it moves at all."""
    p: float
    """That as many or more move one way: sign test, two-sided, exact. NaN for scores without a sign."""
    q: float
    """Benjamini and Hochberg's false discovery rate over tracks."""


def polarise(pool: Pool, listed: Sequence[Named], sure: bool = False) -> Polarised:
    """Which allele of each scored variant is the derived one, by the first value of the list.

    In the 1000 Genomes' notation ``G|||`` the allele stands before the first bar, and a small letter is unsure: with
    `sure` it counts as unknown.
    """
    places, items = pool.found(listed)
    ancestral = [_ancestral(listed[item].values[0], sure) for item in items.tolist()]
    places, first = np.unique(places, return_index=True)
    rows = pool.rows(places)
    said = [ancestral[i] for i in first.tolist()]
    is_ref = np.array([allele == row.ref for allele, row in zip(said, rows, strict=True)], dtype=np.bool_)
    is_alt = np.array([allele == row.alt for allele, row in zip(said, rows, strict=True)], dtype=np.bool_)
    known = np.array([bool(allele) for allele in said], dtype=np.bool_)
    chosen = np.flatnonzero(is_ref | is_alt)
    order = chosen[np.lexsort((*_by_place([rows[i] for i in chosen.tolist()]),))]
    neither = int((known & ~is_ref & ~is_alt).sum())
    return Polarised(places[order], is_ref[order], len(listed), int((~known).sum()), neither)


def _by_place(rows: Sequence[ScoreRow]) -> tuple[Rows, Rows]:
    """POS, and the rank of the chromosome in order of appearance."""
    ranks = {chrom: i for i, chrom in enumerate(dict.fromkeys(row.chrom for row in rows))}
    return np.array([row.pos for row in rows], np.int64), np.array([ranks[row.chrom] for row in rows], np.int64)


def _ancestral(text: str, sure: bool) -> str:
    allele = text.partition("|")[0].strip()
    if not allele.isalpha() or (sure and not allele.isupper()):
        return ""
    return allele.upper() if not allele.upper().strip("ACGT") else ""


def effects(
    pool: Pool, polarised: Polarised, score: str, channels: Rows
) -> Iterator[tuple[list[ScoreRow], NDArray[np.object_], Floats]]:
    """Some variants at a time: rows, (ancestral, derived) alleles, and derived minus ancestral scores [n, channels].

    Variants without finite scores are left out.
    """
    turns = np.where(polarised.derived_is_alt | (not signed(score)), 1.0, -1.0)
    for start in range(0, len(polarised.places), _BLOCK):
        part = slice(start, start + _BLOCK)
        order = np.argsort(polarised.places[part], kind="stable")
        back = np.argsort(order, kind="stable")
        sorted_places = polarised.places[part][order]
        values = pool.scores(sorted_places, score, channels)[back].astype(np.float64) * turns[part, None]
        rows = [pool.rows(sorted_places)[i] for i in back.tolist()]
        pairs = np.array(
            [
                (row.ref, row.alt) if alt else (row.alt, row.ref)
                for row, alt in zip(rows, polarised.derived_is_alt[part].tolist(), strict=True)
            ],
            dtype=object,
        ).reshape(-1, 2)
        kept = np.flatnonzero(np.isfinite(values).all(axis=1))
        yield [rows[i] for i in kept.tolist()], pairs[kept], values[kept]


class Shifts:
    """Adds up effects, some variants at a time."""

    def __init__(self, tracks: int) -> None:
        self.variants = 0
        self._sum = np.zeros(tracks)
        self._up, self._down = np.zeros((2, tracks), dtype=np.int64)

    def add(self, values: Floats) -> None:
        """Take in scores [n, tracks]."""
        self.variants += len(values)
        self._sum += values.sum(axis=0)
        self._up += (values > 0).sum(axis=0)
        self._down += (values < 0).sum(axis=0)

    def rows(self, pool: Pool, score: str, channels: Rows) -> list[Shift]:
        """A row for each track, in the table's order."""
        moved = self._up + self._down
        ups, downs = self._up.tolist(), self._down.tolist()
        p = [sign_test(*pair) if signed(score) else math.nan for pair in zip(ups, downs, strict=True)]
        q = benjamini_hochberg(p)
        share = np.divide(self._up, moved, out=np.full(len(moved), np.nan), where=moved > 0)
        mean = self._sum / self.variants if self.variants else np.full(len(moved), np.nan)
        tracks = [pool.table.rows[channel] for channel in channels.tolist()]
        columns = zip(tracks, mean.tolist(), share.tolist(), p, q.tolist(), strict=True)
        return [Shift(track.name, track.description, self.variants, *numbers) for track, *numbers in columns]


def sign_test(up: int, down: int) -> float:
    """Probability that fair coins, as many as `up` and `down` together, fall at least as unevenly; 1 for none."""
    n, most = up + down, max(up, down)
    if 2 * most <= n + 1:
        return 1.0
    reach = min(n - most, 50 + 40 * math.isqrt(n))  # further terms are 0 in double precision
    k = np.arange(most, most + reach)
    first = math.lgamma(n + 1) - math.lgamma(most + 1) - math.lgamma(n - most + 1) - n * math.log(2)
    logs = first + np.concatenate([[0.0], np.cumsum(np.log((n - k) / (k + 1)))])
    return min(1.0, 2 * float(np.exp(logs).sum()))
