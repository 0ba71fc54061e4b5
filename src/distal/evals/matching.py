"""Controls for cases: variants that are alike in what large effects go with anyway; knows numbers only, no score.

Variants are alike that lie in one cell: every fact about them (allele frequency, distance to the nearest start site, LD
score) is cut into classes, and a cell is a combination of classes. Controls are drawn from the cell of their case,
each for one case only. So within a case and its controls each is as likely as the others to be the case, if cases are
no different from others like them: what the tests in `enrichment` rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.data.chance import generator

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

FREQUENCIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Minor allele frequencies at which a class ends and the next begins."""
DISTANCES = (500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
"""The same for the distance to the nearest start site, in bp."""
DECILES = np.arange(0.1, 0.95, 0.1)


@dataclass(frozen=True, eq=False)
class Fact:
    """A number for every variant [n], NaN where it isn't known, and where its classes are cut."""

    name: str
    values: Floats
    edges: tuple[float, ...]

    @classmethod
    def by_deciles(cls, name: str, values: Floats) -> Fact:
        """Ten classes of the same size."""
        known = values[np.isfinite(values)]
        return cls(name, values, tuple(np.unique(np.quantile(known, DECILES)).tolist()) if len(known) else ())


@dataclass(frozen=True, eq=False)
class Matched:
    """Sets of a case and its controls, s of them."""

    members: Rows
    """The case and then its controls, [s, 1 + most controls]; -1 where a case has fewer."""
    left_out: Rows
    """Cases that lack a fact, or a control."""

    @property
    def cases(self) -> Rows:
        """[s]."""
        return self.members[:, 0]

    @property
    def sizes(self) -> Rows:
        """Members of each set, the case included, [s]."""
        counted: Rows = (self.members >= 0).sum(axis=1)
        return counted


@dataclass(frozen=True, slots=True)
class Balance:
    """How alike cases and controls are in one fact."""

    fact: str
    cases: float
    """Mean over cases."""
    controls: float
    """Mean over sets of the mean over controls."""
    difference: float
    """Cases minus controls in standard deviations of the pool; below 0.1 in size is usually called balanced."""


def match(
    cases: Rows, facts: Sequence[Fact], n: int, controls: int, seed: int = 0, barred: Rows | None = None
) -> Matched:
    """Up to `controls` controls for each of `cases` (places among `n` variants, ascending, no two the same).

    Where a cell has too few, its cases share them evenly. Variants at `barred` are never controls.
    """
    cell, known = _cells(facts, n)
    free = known.copy()
    free[cases] = False
    free[barred if barred is not None else []] = False
    random = generator("controls", seed)
    kept = cases[known[cases]]
    members = np.full((len(kept), 1 + controls), -1, dtype=np.int64)
    members[:, 0] = kept
    open_places = np.flatnonzero(free)
    by_cell = open_places[np.argsort(cell[open_places], kind="stable")]
    limits = np.searchsorted(cell[by_cell], np.arange(cell.max(initial=-1) + 2))
    for one in np.unique(cell[kept]).tolist():
        sets = np.flatnonzero(cell[kept] == one)
        there = by_cell[limits[one] : limits[one + 1]]
        each = min(controls, len(there) // len(sets))
        drawn = random.choice(there, (len(sets), each), replace=False) if each else np.empty((len(sets), 0), np.int64)
        members[sets, 1 : 1 + each] = drawn
    alone = members[:, 1] < 0 if controls else np.full(len(kept), True)
    return Matched(members[~alone], np.sort(np.concatenate([cases[~known[cases]], kept[alone]])))


def _cells(facts: Sequence[Fact], n: int) -> tuple[Rows, NDArray[np.bool_]]:
    """The number of each variant's cell, counted from 0 without gaps, and whether all facts are known, [n] each."""
    classes = np.zeros((n, len(facts)), dtype=np.int64)
    known = np.ones(n, dtype=np.bool_)
    for i, fact in enumerate(facts):
        classes[:, i] = np.searchsorted(fact.edges, fact.values, side="right")
        known &= np.isfinite(fact.values)
    if not facts:
        return np.zeros(n, dtype=np.int64), known
    _, cell = np.unique(classes, axis=0, return_inverse=True)
    return cell.reshape(n), known


def balance(matched: Matched, facts: Sequence[Fact]) -> list[Balance]:
    """How alike cases and controls turned out to be."""
    found = []
    for fact in facts:
        controls = np.where(matched.members[:, 1:] >= 0, fact.values[matched.members[:, 1:]], np.nan)
        case, control = fact.values[matched.cases].mean(), np.nanmean(controls, axis=1).mean()
        spread = np.nanstd(fact.values)
        found.append(
            Balance(fact.name, float(case), float(control), float((case - control) / spread) if spread else 0.0)
        )
    return found
