"""Streaming correlation against numpy on the whole, however the bins are cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.train.metrics import PearsonR, mean_by, ranks, spearman


def streamed(predictions: np.ndarray, targets: np.ndarray, cuts: list[int]) -> PearsonR:
    pearson = PearsonR(predictions.shape[-1])
    for p, t in zip(np.split(predictions, cuts), np.split(targets, cuts), strict=True):
        pearson.update(p, t)
    return pearson


def test_worked_number() -> None:
    # p = 1 2 3, t = 1 3 2: deviations -1 0 1 and -1 1 0, r = 1 / sqrt(2 * 2) = 0.5
    # residuals 0, -1, 1: R2 = 1 - 2 / 2 = 0
    pearson = PearsonR(1)
    pearson.update([[1], [2], [3]], [[1], [3], [2]])
    assert pearson.pearson().tolist() == pytest.approx([0.5])
    assert pearson.r2().tolist() == pytest.approx([0.0])


@given(st.integers(2, 60), st.lists(st.integers(0, 60), max_size=5), st.integers(0, 2**32 - 1))
def test_it_is_numpys_however_the_bins_are_cut(bins: int, cuts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    p, t = random.gamma(0.5, size=(2, bins, 3)).astype(np.float32)
    pearson = streamed(p, t, sorted(min(cut, bins) for cut in cuts))
    p64, t64 = p.astype(np.float64), t.astype(np.float64)
    wanted = [np.corrcoef(p64[:, i], t64[:, i])[0, 1] for i in range(3)]
    explained = 1 - ((t64 - p64) ** 2).sum(axis=0) / ((t64 - t64.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(pearson.pearson(), wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(pearson.r2(), explained, rtol=1e-9)
    assert pearson.count == bins


def test_large_values_cost_no_digits() -> None:
    # sums of squares of values near 1e8 that differ by 1: plain float64 sums are off by whole units
    random = np.random.default_rng(0)
    noise = random.normal(size=(2, 10_000, 1))
    exact = np.corrcoef(noise[0, :, 0], noise[1, :, 0])[0, 1]
    shifted = streamed(noise[0] + 1e8, noise[1] + 1e8, list(range(100, 10_000, 100)))
    assert shifted.pearson()[0] == pytest.approx(exact, abs=1e-7)


def test_merging_workers_is_one_stream() -> None:
    p, t = np.random.default_rng(1).gamma(1.0, size=(2, 40, 2))
    whole = streamed(p, t, [])
    left, right = streamed(p[:13], t[:13], [5]), streamed(p[13:], t[13:], [])
    left.merge(right)
    empty = PearsonR(2)
    empty.merge(PearsonR(2))
    empty.merge(left)
    np.testing.assert_allclose(empty.pearson(), whole.pearson(), rtol=1e-12)
    np.testing.assert_allclose(empty.r2(), whole.r2(), rtol=1e-12)
    assert empty.count == 40


def test_batches_and_positions_count_alike() -> None:
    p, t = np.random.default_rng(2).gamma(1.0, size=(2, 4, 10, 3))
    flat = streamed(p.reshape(40, 3), t.reshape(40, 3), [])
    np.testing.assert_allclose(streamed(p, t, [1]).pearson(), flat.pearson(), rtol=1e-12)


def test_a_constant_prediction_scores_zero_and_a_constant_measurement_nothing() -> None:
    varied = np.random.default_rng(3).gamma(1.0, size=50)
    constant = np.full(50, np.float32(0.1))  # its mean in float64 is not exactly itself
    p = np.stack([constant, varied, constant, varied], axis=1)
    t = np.stack([varied, constant, constant, varied], axis=1)
    pearson = streamed(p, t, [7, 20])
    r, r2 = pearson.pearson(), pearson.r2()
    assert r[0] == 0
    assert np.isnan(r).tolist() == np.isnan(r2).tolist() == [False, True, True, False]
    assert (r[3], r2[3]) == (pytest.approx(1), pytest.approx(1))
    assert r2[0] <= 0


def test_nothing_seen_is_no_correlation() -> None:
    pearson = PearsonR(2)
    pearson.update(np.empty((0, 2)), np.empty((0, 2)))
    assert np.isnan(pearson.pearson()).all()


def test_means_by_group_leave_nan_out() -> None:
    values = np.array([0.2, np.nan, 0.4, np.nan])
    means = mean_by(["CAGE", "CAGE", "CAGE", "RNA"], values)
    assert list(means) == ["CAGE", "RNA"]
    assert means["CAGE"] == pytest.approx(0.3)
    assert math.isnan(means["RNA"])


def test_worked_rank_correlation() -> None:
    # p = 5 1 1 9 has ranks 3 1.5 1.5 4, t = 2 1 3 4 its own: deviations .5 -1 -1 1.5 and -.5 -1.5 .5 1.5
    # products -.25 + 1.5 - .5 + 2.25 = 3, squares 4.5 and 5: rho = 3 / sqrt(22.5)
    assert ranks(np.array([[5.0], [1], [1], [9]])).T.tolist() == [[3, 1.5, 1.5, 4]]
    assert spearman([[5], [1], [1], [9]], [[2], [1], [3], [4]]).tolist() == pytest.approx([3 / math.sqrt(22.5)])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_a_rank_is_how_many_are_smaller_and_half_of_the_equal(values: list[int]) -> None:
    column = np.array(values, dtype=np.float64)[:, None]
    counted = [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]
    assert ranks(column)[:, 0].tolist() == counted


@given(st.integers(0, 2**32 - 1))
def test_rank_correlation_looks_at_order_alone(seed: int) -> None:
    p, t = np.random.default_rng(seed).normal(size=(2, 20, 2))
    np.testing.assert_allclose(spearman(np.exp(p), t**3), spearman(p, t), rtol=1e-12)
    np.testing.assert_allclose(spearman(-p, t), -spearman(p, t), rtol=1e-12)


def test_rank_correlation_of_constants_follows_pearsons() -> None:
    varied = np.arange(5.0)
    p, t = np.stack([varied * 0, varied], axis=1), np.stack([varied, varied * 0], axis=1)
    assert spearman(p, t)[0] == 0
    assert np.isnan(spearman(p, t)[1])
