"""From a trait's variants to the cell types whose tracks they change: puts scores, facts and tests together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.evals import enrichment, matching
from distal.evals.enrichment import Enriched
from distal.evals.matching import Balance, Fact, Matched
from distal.evals.pool import Pool
from distal.io.named import Named
from distal.tracks import Track, TrackTable

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
By = Literal["track", "experiment", "biosample"]
FEWEST = 5
"""Cases below which nothing is tested."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """The answer for one trait."""

    listed: int
    """Variants of the list."""
    found: int
    """Different variants of the pool that it names."""
    tested: int
    """Of these, those with a weight, scores and a control."""
    controls: int
    """Of all tested cases together."""
    pool: int
    """Variants that controls were drawn from, cases included."""
    score: str
    balance: tuple[Balance, ...]
    groups: tuple[Enriched, ...]
    """Smallest p first."""


@dataclass(frozen=True, eq=False)
class Cases:
    """The variants of the pool that a list names, ascending, and their weights above 0."""

    places: Rows
    weights: Floats
    named: Rows
    """Also those of weight 0: no controls."""
    listed: int

    @classmethod
    def of(cls, pool: Pool, listed: Sequence[Named], weighted: bool) -> Cases:
        """With the weights in the first column of the list, or 1 for all; of several weights the largest counts."""
        weights = np.array([one.number(0) for one in listed]) if weighted else np.ones(len(listed))
        wrong = np.flatnonzero(~(weights >= 0))
        if len(wrong):
            raise InputError(f"{listed[wrong[0]].where}: the weight must be a number, 0 or larger")
        places, items = pool.found(listed)
        largest = np.zeros(len(pool))
        np.maximum.at(largest, places, weights[items])
        chosen = np.flatnonzero(largest)
        return cls(chosen, largest[chosen], np.unique(places), len(listed))


def enrich(
    pool: Pool,
    cases: Cases,
    facts: Sequence[Fact],
    score: str = "SAD",
    query: str = "",
    by: By = "biosample",
    specific: bool = False,
    controls: int = 20,
    permutations: int = 9999,
    seed: int = 0,
) -> Enrichment:
    """Which tracks' scores are larger for `cases` than for controls that are alike in `facts`.

    `specific` takes from each variant what it does to all groups of tracks alike. Raises `InputError` where fewer than
    `FEWEST` cases remain.
    """
    matched = matching.match(cases.places, facts, len(pool), controls, seed, cases.named)
    table = pool.table.select(query)
    matched, sizes = _scored(pool, matched, score, table)
    weights = cases.weights[np.searchsorted(cases.places, matched.cases)]
    if len(weights) < FEWEST:
        raise InputError(
            f"{len(weights)} of {cases.listed} listed variants have scores, all facts and a control; {FEWEST} are "
            "needed: are list and scores on one genome build, and are there variants in the scores that aren't listed?"
        )
    groups = grouped(table, by)
    values = by_group(enrichment.surprise(sizes), list(groups.values()))
    values = enrichment.specific(values) if specific else values
    there = matched.members >= 0
    whole = np.zeros((*there.shape, len(groups)))
    whole[there] = values
    names = [(name, len(columns)) for name, columns in groups.items()]
    found = enrichment.compared(whole, there, weights, names, permutations, seed)
    return Enrichment(
        cases.listed,
        len(cases.named),
        len(weights),
        int(matched.sizes.sum() - len(weights)),
        len(pool),
        score,
        tuple(matching.balance(matched, facts)),
        tuple(found),
    )


def _scored(pool: Pool, matched: Matched, score: str, table: TrackTable) -> tuple[Matched, NDArray[np.float32]]:
    """The sets without members that lack a score, and the absolute scores of all members, [members, tracks]."""
    places = np.unique(matched.members[matched.members >= 0])
    values = np.abs(pool.scores(places, score, table.channels))
    lacking = places[~np.isfinite(values).all(axis=1)]
    members = np.where(np.isin(matched.members, lacking), -1, matched.members)
    whole = (members[:, 0] >= 0) & (members[:, 1:] >= 0).any(axis=1)
    kept = Matched(members[whole], np.union1d(matched.left_out, matched.cases[~whole]))
    there = kept.members[kept.members >= 0]
    return kept, values[np.searchsorted(places, there)]


def grouped(table: TrackTable, by: By) -> dict[str, list[int]]:
    """Name of each group -> its columns, in the order of the table."""
    groups: dict[str, list[int]] = {}
    for column, track in enumerate(table):
        groups.setdefault(_group(track, by), []).append(column)
    return groups


def _group(track: Track, by: By) -> str:
    if by == "track":
        return f"{track.name} {track.description}".strip()
    if by == "biosample":
        return track.biosample or track.name
    return track.description or track.name


def by_group(values: Floats, groups: Sequence[Sequence[int]]) -> Floats:
    """Mean over the columns of each group, [members, tracks] to [members, groups]."""
    return np.stack([values[:, list(columns)].mean(axis=1) for columns in groups], axis=1)
