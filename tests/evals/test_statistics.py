"""Agreement, intervals and paired tests: by hand, against scipy and scikit-learn, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from distal.evals.statistics import (
    auprc,
    auroc,
    benjamini_hochberg,
    bootstrap,
    delong,
    paired_bootstrap,
    pearson,
    precision_recall,
    roc,
    spearman,
    steiger,
    wilcoxon,
)

SEEDS = st.integers(0, 2**32 - 1)


def labelled(seed: int, rows: int, levels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Both classes, and scores with ties that tell them apart a little."""
    random = np.random.default_rng(seed)
    labels = random.random(rows) < 0.3
    labels[:2] = True, False
    return labels, (random.integers(0, levels, rows) + labels * random.integers(0, 2, rows)).astype(np.float64)


def test_worked_numbers() -> None:
    # scores 4 3 3 1, positives at 4 and one 3: pairs (4>3, 4>1, 3=3, 3>1) = 3.5 of 4
    labels, scores = [True, True, False, False], [4, 3, 3, 1]
    assert auroc(labels, scores) == 3.5 / 4
    # thresholds 4, 3, 1: recall .5 1 1, precision 1 2/3 1/2
    recall, precision = precision_recall(labels, scores)
    assert recall.tolist() == [0.5, 1, 1]
    assert precision.tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    assert auprc(labels, scores) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert [axis.tolist() for axis in roc(labels, scores)] == [[0, 0, 0.5, 1], [0, 0.5, 1, 1]]
    # p .01 .04 .03 .5: .04, and .03 · 4/2 = .06 is held to .04 · 4/3, and .5
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


@settings(max_examples=25)
@given(SEEDS, st.integers(4, 60), st.integers(1, 50))
def test_areas_are_scikit_learns(seed: int, rows: int, levels: int) -> None:
    labels, scores = labelled(seed, rows, levels)
    assert auroc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)
    assert auprc(labels, scores) == pytest.approx(metrics.average_precision_score(labels, scores), abs=1e-12)
    wrong, right, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc(labels, scores), (wrong, right), atol=1e-12)


@settings(max_examples=25)
@given(SEEDS)
def test_correlations_are_scipys(seed: int) -> None:
    _, scores = labelled(seed, 30)
    other = np.random.default_rng(seed).normal(size=30) + scores
    assert pearson(scores, other) == pytest.approx(stats.pearsonr(scores, other).statistic, abs=1e-12)
    assert spearman(scores, other) == pytest.approx(stats.spearmanr(scores, other).statistic, abs=1e-12)
    q = np.random.default_rng(seed).random(9) ** 3
    np.testing.assert_allclose(benjamini_hochberg(q), stats.false_discovery_control(q), rtol=1e-12)


@settings(max_examples=25)
@given(SEEDS)
def test_areas_look_at_order_alone(seed: int) -> None:
    labels, scores = labelled(seed, 30)
    for area in (auroc, auprc):
        assert area(labels, np.exp(scores) - 7) == area(labels, scores)
        order = np.random.default_rng(seed).permutation(30)
        assert area(labels[order], scores[order]) == pytest.approx(area(labels, scores), abs=1e-15)
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores))


def test_what_cannot_be_said_is_nan() -> None:
    assert math.isnan(auroc([True, True], [1, 2]))
    assert math.isnan(auprc([False, False], [1, 2]))
    assert math.isnan(auprc([], []))
    assert [len(axis) for axis in (*precision_recall([False], [1]), *roc([True], [1]))] == [0] * 4
    assert math.isnan(pearson([1, 2, 3], [1, 1, 1]))
    assert pearson([1, 1, 1], [1, 2, 3]) == 0
    assert np.isnan(benjamini_hochberg([0.5, np.nan])).tolist() == [False, True]
    for apart in (delong([True, False], [2, 1], [1, 2]), steiger([1, 2, 3], [1, 2, 3], [3, 1, 2])):
        assert math.isnan(apart.p)
    nothing = bootstrap(auroc, [True, True], [1, 2], draws=5)
    assert all(math.isnan(value) for value in (nothing.value, nothing.low, nothing.high))
    with pytest.raises(ValueError, match="no score NaN"):
        auprc([True, False], [1, np.nan])


def test_a_bootstrap_covers_its_truth_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(0), 0
    for seed in range(100):
        first = random.normal(size=60)
        second = 0.5 * first + math.sqrt(0.75) * random.normal(size=60)
        found = bootstrap(pearson, first, second, seed=seed, draws=60)
        covered += found.low <= 0.5 <= found.high
    assert 0.85 <= covered / 100 <= 0.99


def test_a_bootstrap_is_its_seeds_and_draws_whole_groups() -> None:
    labels, scores = labelled(1, 40)
    first, again, other = (bootstrap(auroc, labels, scores, seed=seed, draws=50) for seed in (3, 3, 4))
    assert first == again != other
    assert bootstrap(auroc, labels, scores, draws=50, level=0.5).high < first.high
    # groups of one row are rows, in another order of drawing; one group says nothing of others
    alone = bootstrap(auroc, labels, scores, draws=20, groups=np.zeros(40))
    assert alone.value == auroc(labels, scores)
    assert np.isnan([alone.low, alone.high]).all()
    less = paired_bootstrap(auroc, labels, scores, -scores, draws=20, groups=np.zeros(40))
    assert np.isnan([less.low, less.high, less.p]).all()
    twice = bootstrap(np.mean, [0.0, 1, 0, 1], draws=300, groups=["a", "a", "b", "b"])
    assert (twice.low, twice.value, twice.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="length"):
        bootstrap(auroc, labels, scores[:-1])


def test_paired_tests_agree_and_turn_round() -> None:
    random = np.random.default_rng(2)
    truth = random.normal(size=200)
    good, poor = truth + random.normal(size=200), truth + 3 * random.normal(size=200)
    for test, known in ((delong, truth > 0), (steiger, truth)):
        better, worse, same = test(known, good, poor), test(known, poor, good), test(known, good, good)
        statistic = auroc if test is delong else pearson
        drawn = paired_bootstrap(statistic, known, good, poor)
        assert better.p < 0.01
        assert drawn.p < 0.01
        assert 0 < better.low < better.value < better.high
        assert (better.low, better.high) == (pytest.approx(drawn.low, abs=0.02), pytest.approx(drawn.high, abs=0.02))
        assert (worse.value, worse.low, worse.high) == pytest.approx((-better.value, -better.high, -better.low))
        assert worse.p == pytest.approx(better.p)
        assert (same.value, same.p) == (0, 1)
    assert paired_bootstrap(pearson, truth, good, good, draws=20).p == 1


@settings(max_examples=20)
@given(SEEDS)
def test_delong_is_its_covariance_by_pairs(seed: int) -> None:
    # the structural components of the paper, by every pair of a positive and a negative
    labels, first = labelled(seed, 25)
    labels[2:4] = True, False
    second = first + np.random.default_rng(seed).normal(size=25)
    kernels = [(s[labels][:, None] > s[~labels]) + 0.5 * (s[labels][:, None] == s[~labels]) for s in (first, second)]
    of_ones, of_zeros = ([kernel.mean(axis=axis) for kernel in kernels] for axis in (1, 0))
    covariance = np.cov(of_ones) / labels.sum() + np.cov(of_zeros) / (~labels).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = delong(labels, first, second)
    value = kernels[0].mean() - kernels[1].mean()
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(value) / math.sqrt(variance)), rel=1e-9)


@pytest.mark.parametrize(("test", "binary"), [(delong, True), (steiger, False)])
def test_p_values_of_no_difference_are_uniform(test, binary) -> None:
    random = np.random.default_rng(5)
    found = []
    for _ in range(200):
        truth = random.normal(size=100)
        shared = truth + random.normal(size=100)
        first, second = shared + random.normal(size=(2, 100))
        found.append(test(truth > 0 if binary else truth, first, second).p)
    assert stats.kstest(found, "uniform").pvalue > 0.01


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 40), st.booleans())
def test_signed_ranks_are_scipys(seed: int, pairs: int, whole: bool) -> None:
    first, second = np.random.default_rng(seed).normal(1, 3, size=(2, pairs))
    if whole:
        first, second = first.round(), second.round()
        first[0] = second[0] + 1
    apart = first[first != second] - second[first != second]
    exact = len(apart) <= 25 and len(set(np.abs(apart))) == len(apart)
    method = "exact" if exact else "approx"
    assert wilcoxon(first, second) == pytest.approx(stats.wilcoxon(apart, method=method, correction=False).pvalue)
    assert wilcoxon(second, first) == pytest.approx(wilcoxon(first, second))
    assert wilcoxon(first, first) == 1
    assert math.isnan(wilcoxon([], []))
