"""A prediction beside its truth: the row that every benchmark gives, its estimate, and two models' rows compared.

Knows columns of numbers and statistics by name, not where either comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.evals import statistics
from distal.evals.statistics import Difference, Estimate
from distal.train.metrics import Floats

OURS, PUBLISHED = "our protocol", "as published"


def _mean(truth: Floats, scores: Floats) -> float:
    """Mean of the scores; the truth is not looked at."""
    return float(np.mean(scores)) if len(scores) else math.nan


def concordance(truth: Floats, scores: Floats) -> float:
    """Share of rows whose score has the truth's sign; rows where either is 0 count half."""
    return float(np.mean((np.sign(truth) * np.sign(scores) + 1) / 2)) if len(truth) else math.nan


def _pearson(truth: Floats, scores: Floats) -> float:
    return statistics.pearson(scores, truth)


def _spearman(truth: Floats, scores: Floats) -> float:
    return statistics.spearman(scores, truth)


def _auroc(truth: Floats, scores: Floats) -> float:
    return statistics.auroc(truth > 0, scores)


def _auprc(truth: Floats, scores: Floats) -> float:
    return statistics.auprc(truth > 0, scores)


STATISTICS = {
    "pearson": _pearson,
    "spearman": _spearman,
    "auroc": _auroc,
    "auprc": _auprc,
    "concordance": concordance,
    "mean": _mean,
}
"""(truth [n], scores [n]) -> number. Of auroc and auprc a positive's truth is above 0; `mean` is of scores alone,
which are then numbers per unit (tracks, genes, tissues) that were estimated before."""


@dataclass(frozen=True, eq=False)
class Case:
    """What one model says of one question of a benchmark."""

    task: str
    name: str
    """Which question: the element, the assay, the tissue, with the method."""
    statistic: str
    """One of `STATISTICS`."""
    truth: Floats
    """[n]."""
    scores: Floats
    """[n]."""
    groups: NDArray[Any] | None = None
    """[n]: rows of a group aren't independent, and are drawn together; None: every row stands alone."""
    protocol: str = OURS
    published: str = ""
    """What is known from elsewhere, in words: of other models, of replicates, or that there is nothing."""
    notes: str = ""
    units: tuple[str, ...] = field(default=())
    """What the rows are called; two models are compared on those that both have. Empty: all rows, in their order."""

    def __post_init__(self) -> None:
        rows = len(self.truth)
        if self.statistic not in STATISTICS:
            raise ValueError(f"{self.statistic!r} is not one of {', '.join(STATISTICS)}")
        if self.scores.shape != (rows,) or (self.groups is not None and len(self.groups) != rows):
            raise ValueError(f"{self.task} {self.name}: {rows} rows of truth, {len(self.scores)} of scores")
        if self.units and len(set(self.units)) != rows:
            raise ValueError(f"{self.task} {self.name}: {rows} rows have {len(set(self.units))} names")

    @property
    def key(self) -> tuple[str, str, str]:
        """What two models' cases have in common."""
        return self.task, self.name, self.statistic

    def estimate(self, seed: int = 0, draws: int = statistics.DRAWS) -> Estimate:
        """The statistic with its bootstrap interval."""
        statistic = STATISTICS[self.statistic]
        return statistics.bootstrap(statistic, self.truth, self.scores, groups=self.groups, seed=seed, draws=draws)

    def row(self, seed: int = 0, draws: int = statistics.DRAWS) -> dict[str, Any]:
        """The case as a line of a table."""
        found = self.estimate(seed, draws)
        return {
            "name": self.name,
            "statistic": self.statistic,
            "n": len(self.truth),
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "protocol": self.protocol,
            "published": self.published,
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on one case."""

    task: str
    name: str
    statistic: str
    n: int
    difference: Difference
    """The first model's value less the second's."""
    test: str


def compare(first: Case, second: Case, seed: int = 0, draws: int = statistics.DRAWS) -> Comparison:
    """The difference of two models on the same rows.

    Rows that stand alone: DeLong's test of two AUROCs, Steiger's of two Pearson correlations, Wilcoxon's signed ranks
    of numbers per unit. Otherwise, and for all other statistics, a paired bootstrap (of whole groups).
    """
    truth, scores, others, groups = _shared(first, second)
    statistic = STATISTICS[first.statistic]
    found = statistics.paired_bootstrap(statistic, truth, scores, others, groups=groups, seed=seed, draws=draws)
    test = "paired bootstrap"
    if groups is None and first.statistic == "auroc":
        found, test = statistics.delong(truth > 0, scores, others), "DeLong"
    elif groups is None and first.statistic == "pearson":
        found, test = statistics.steiger(truth, scores, others), "Steiger"
    elif groups is None and first.statistic == "mean":
        p = statistics.wilcoxon(scores, others)
        found, test = Difference(found.value, found.low, found.high, p), "Wilcoxon"
    return Comparison(first.task, first.name, first.statistic, len(truth), found, test)


def _shared(first: Case, second: Case) -> tuple[Floats, Floats, Floats, NDArray[Any] | None]:
    """Truth, the scores of both, and the groups, on the rows that both have."""
    if first.key != second.key:
        raise ValueError(f"{first.key} and {second.key} are different questions")
    if not first.units:
        if len(first.truth) != len(second.truth) or not np.array_equal(first.truth, second.truth):
            raise ValueError(f"the two cases of {first.key} have different rows")
        return first.truth, first.scores, second.scores, first.groups
    place = {unit: i for i, unit in enumerate(second.units)}
    mine = [i for i, unit in enumerate(first.units) if unit in place]
    theirs = [place[first.units[i]] for i in mine]
    groups = None if first.groups is None else first.groups[mine]
    return first.truth[mine], first.scores[mine], second.scores[theirs], groups


def paired(ours: Iterable[Case], theirs: Iterable[Case]) -> list[tuple[Case, Case]]:
    """The questions that both models were asked, in the first one's order."""
    known = {case.key: case for case in theirs}
    return [(case, known[case.key]) for case in ours if case.key in known]


def table(cases: Sequence[Case], seed: int = 0) -> list[dict[str, Any]]:
    """A line per case."""
    return [case.row(seed) for case in cases]
