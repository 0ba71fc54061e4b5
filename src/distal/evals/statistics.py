"""Agreement of two columns, with intervals and paired tests: knows numbers and labels only.

Everything is float64 and seeded. A statistic that has no value (one class only, a constant measurement) is NaN, and
resamples in which it is NaN are left out. Checked against scikit-learn and scipy in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distal.data.chance import generator
from distal.train.metrics import Floats, PearsonR, ranks
from distal.train.metrics import spearman as spearman_by_track

Statistic = Callable[..., float]
"""Columns of equal length to one number, such as `auprc(labels, scores)` or `pearson(predicted, measured)`."""
DRAWS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its percentile bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What the first of two predictors has more than the second, its interval, and the two-sided p-value of none."""

    value: float
    low: float
    high: float
    p: float


def pearson(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Pearson's r of two columns [n]; 0 where the prediction is constant, NaN where the measurement is."""
    moments = PearsonR(1)
    moments.update(_column(predicted), _column(measured))
    return float(moments.pearson()[0])


def spearman(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Spearman's rho of two columns [n], equal values sharing their mean rank; 0 and NaN as `pearson`."""
    return float(spearman_by_track(_column(predicted), _column(measured))[0])


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counting half.

    `labels` bool [n], `scores` [n], larger meaning positive. NaN where a class is missing.
    """
    positive = np.asarray(labels, dtype=np.bool_)
    places = ranks(_column(scores))[:, 0]
    ones, zeros = np.count_nonzero(positive), np.count_nonzero(~positive)
    if not ones or not zeros:
        return math.nan
    return float((places[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auprc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Average precision: Σ (recall step) · precision over the thresholds, equal scores passing together.

    `labels` bool [n], `scores` [n], larger meaning positive. NaN where there is no positive.
    """
    recall, precision = precision_recall(labels, scores)
    return float(np.diff(recall, prepend=0.0) @ precision) if len(recall) else math.nan


def precision_recall(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Recall and precision at each threshold from the highest score down, [thresholds] each; empty without positives.

    No point is added at recall 0.
    """
    hits, calls = _called(labels, scores)
    if not len(hits) or hits[-1] == 0:
        return np.empty(0), np.empty(0)
    return hits / hits[-1], hits / calls


def roc(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """False and true positive rate at each threshold from the highest score down, beginning at (0, 0).

    Empty where a class is missing.
    """
    hits, calls = _called(labels, scores)
    if not len(hits) or hits[-1] in (0, calls[-1]):
        return np.empty(0), np.empty(0)
    wrong = calls - hits
    return np.concatenate([[0.0], wrong / wrong[-1]]), np.concatenate([[0.0], hits / hits[-1]])


def _called(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """(positives, all) at or above each different score, from the highest down."""
    positive, values = np.asarray(labels, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    if positive.shape != values.shape or np.isnan(values).any():
        raise ValueError("labels and scores must be of one length, and no score NaN")
    order = np.argsort(-values, kind="stable")
    last = np.append(np.diff(values[order]) != 0, True)[: len(values)]
    return np.cumsum(positive[order])[last].astype(np.float64), (np.flatnonzero(last) + 1).astype(np.float64)


def bootstrap(
    statistic: Statistic,
    *columns: ArrayLike,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
    groups: ArrayLike | None = None,
) -> Estimate:
    """`statistic(*columns)` with a percentile interval over resampled rows.

    With `groups` [n] whole groups are drawn, for rows that aren't independent (variants of a locus, pairs of a gene).
    One group says nothing of others: its interval is NaN.
    """
    arrays = [np.asarray(column) for column in columns]
    values = [statistic(*(array[rows] for array in arrays)) for rows in _resamples(arrays, seed, draws, groups)]
    return Estimate(statistic(*arrays), *_interval(np.array(values), level))


def paired_bootstrap(
    statistic: Statistic,
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
    groups: ArrayLike | None = None,
) -> Difference:
    """`statistic(truth, first) - statistic(truth, second)` over rows that are resampled together.

    The p-value is twice the smaller share of draws on one side of 0, counting one more on either side, at most 1.
    For a statistic that takes the prediction before the measurement, truth may be either: Pearson's r is symmetric.
    Interval and p-value are NaN where all rows are of one group.
    """
    columns = [np.asarray(column) for column in (truth, first, second)]

    def difference(rows: NDArray[np.int64]) -> float:
        known, one, other = (column[rows] for column in columns)
        return statistic(known, one) - statistic(known, other)

    found = np.array([difference(rows) for rows in _resamples(columns, seed, draws, groups)])
    seen = found[~np.isnan(found)]
    fewer = int(min(np.count_nonzero(seen <= 0), np.count_nonzero(seen >= 0)))
    p = min(1.0, 2 * (fewer + 1) / (len(seen) + 1)) if len(seen) else math.nan
    return Difference(difference(np.arange(len(columns[0]))), *_interval(found, level), p)


def delong(labels: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> Difference:
    """AUROC of `first` minus that of `second` on the same rows, by DeLong, DeLong and Clarke-Pearson (1988).

    `labels` bool [n], scores [n]. NaN interval and p-value where a class has fewer than two rows.
    """
    positive = np.asarray(labels, dtype=np.bool_)
    ones, zeros = np.count_nonzero(positive), np.count_nonzero(~positive)
    value = auroc(positive, first) - auroc(positive, second)
    if ones < 2 or zeros < 2:
        return Difference(value, math.nan, math.nan, math.nan)
    of_ones, of_zeros = zip(*(_placements(positive, np.asarray(scores)) for scores in (first, second)), strict=True)
    variance = np.var(of_ones[0] - of_ones[1], ddof=1) / ones + np.var(of_zeros[0] - of_zeros[1], ddof=1) / zeros
    return _normal(value, math.sqrt(variance), level)


def _placements(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Of each positive the share of negatives below it, of each negative the share of positives above it."""
    places = ranks(_column(scores))[:, 0]
    above_ones = places[positive] - ranks(_column(scores[positive]))[:, 0]
    above_zeros = places[~positive] - ranks(_column(scores[~positive]))[:, 0]
    return above_ones / np.count_nonzero(~positive), 1 - above_zeros / np.count_nonzero(positive)


def steiger(truth: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> Difference:
    """Pearson's r of `first` with `truth` minus that of `second`: dependent correlations that share a variable.

    The p-value is Steiger's (1980) z of the Fisher-transformed correlations with the pooled covariance; the interval
    is Zou's (2007). NaN where fewer than four rows or a constant column leave nothing to test.
    """
    one, other, between = pearson(first, truth), pearson(second, truth), pearson(first, second)
    rows, value = len(np.asarray(truth)), one - other
    if rows < 4 or math.isnan(value) or not max(abs(one), abs(other)) < 1:
        return Difference(value, math.nan, math.nan, math.nan)
    mean = (one + other) / 2
    covariance = _shared(mean, mean, between)
    spread = math.sqrt(max(0.0, 2 - 2 * covariance) / (rows - 3))
    p = _two_sided((math.atanh(one) - math.atanh(other)) / spread) if spread > 0 else 1.0
    wide = _quantile(level) / math.sqrt(rows - 3)
    (low1, high1), (low2, high2) = (
        (math.tanh(math.atanh(r) - wide), math.tanh(math.atanh(r) + wide)) for r in (one, other)
    )
    together = _shared(one, other, between)
    down, up = (one - low1, high2 - other), (high1 - one, other - low2)
    below, above = (math.sqrt(max(0.0, a * a + b * b - 2 * together * a * b)) for a, b in (down, up))
    return Difference(value, value - below, value + above, p)


def _shared(one: float, other: float, between: float) -> float:
    """Correlation of two sample correlations that share a variable (Pearson and Filon 1898)."""
    left = between * (1 - one**2 - other**2) - 0.5 * one * other * (1 - one**2 - other**2 - between**2)
    return left / ((1 - one**2) * (1 - other**2))


def wilcoxon(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed ranks of paired numbers [n]; pairs that are equal are left out.

    Exact up to 25 pairs without equal differences, beyond it by the normal approximation, ties counted. 1 where all
    pairs are equal, NaN where there is none.
    """
    apart = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    pairs, apart = len(apart), apart[apart != 0]
    n = len(apart)
    if not n:
        return 1.0 if pairs else math.nan
    places = ranks(_column(np.abs(apart)))[:, 0]
    less = min(places[apart > 0].sum(), places[apart < 0].sum())
    _, counts = np.unique(places, return_counts=True)
    if n <= 25 and counts.max() == 1:
        ways = np.zeros(n * (n + 1) // 2 + 1)
        ways[0] = 1
        for place in range(1, n + 1):
            ways[place:] += ways[: len(ways) - place].copy()
        return min(1.0, float(2 * ways[: int(less) + 1].sum() / 2**n))
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((counts**3 - counts).sum()) / 48
    return _two_sided((less - n * (n + 1) / 4) / math.sqrt(variance))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """False discovery rate at which each test of [n] is called, as step-up q-values; NaNs stay and don't count."""
    values = np.asarray(p, dtype=np.float64)
    q = np.full_like(values, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    raised = values[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return q


def _resamples(
    columns: list[NDArray[np.generic]], seed: int, draws: int, groups: ArrayLike | None
) -> list[NDArray[np.int64]]:
    """Rows of each draw. Draw i depends on the seed, the number of rows and i alone."""
    rows = len(columns[0])
    if any(len(column) != rows for column in columns) or (groups is not None and len(np.asarray(groups)) != rows):
        raise ValueError(f"columns differ in length: {[len(column) for column in columns]}")
    random = generator("bootstrap", seed)
    if groups is None:
        return [random.integers(0, rows, rows) if rows else np.empty(0, np.int64) for _ in range(draws)]
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(group == i) for i in range(group.max(initial=-1) + 1)]
    chosen = (random.integers(0, len(members), len(members)) for _ in range(draws if len(members) > 1 else 0))
    return [np.concatenate([members[i] for i in picks]) for picks in chosen]


def _interval(values: Floats, level: float) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _normal(value: float, error: float, level: float) -> Difference:
    """A difference whose error is normal; of no error and no difference p is 1."""
    wide = _quantile(level) * error
    p = _two_sided(value / error) if error > 0 else float(value == 0)
    return Difference(value, value - wide, value + wide, p)


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))


def _quantile(level: float) -> float:
    """How many standard errors hold `level` of a normal distribution on both sides."""
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)


def _column(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)
