"""Rows of benchmarks: their statistics by hand, and which test two models get."""

from __future__ import annotations

import numpy as np
import pytest

from distal.evals.cases import STATISTICS, Case, compare, concordance, paired, table

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.normal(size=60)
GOOD, POOR = TRUTH + RANDOM.normal(size=60), TRUTH + 4 * RANDOM.normal(size=60)


def case(statistic: str = "pearson", scores: np.ndarray = GOOD, **more: object) -> Case:
    return Case("task", "name", statistic, TRUTH, scores, **more)


def test_worked_statistics() -> None:
    truth, scores = np.array([1.0, -2, 0, 3]), np.array([0.5, 1, 1, 0])
    assert concordance(truth, scores) == (1 + 0 + 0.5 + 0.5) / 4
    assert STATISTICS["mean"](truth, scores) == 0.625
    assert STATISTICS["auroc"](truth, scores) == 0  # positives 0.5 and 0 below negatives 1 and 1


def test_a_row_says_what_was_measured() -> None:
    (row,) = table([case(published="0.9 by others", notes="small")])
    assert row["low"] < row["value"] < row["high"]
    assert (row["n"], row["published"], row["protocol"], row["notes"]) == (60, "0.9 by others", "our protocol", "small")


@pytest.mark.parametrize(
    ("statistic", "grouped", "test"),
    [
        ("pearson", False, "Steiger"),
        ("pearson", True, "paired bootstrap"),
        ("auroc", False, "DeLong"),
        ("auroc", True, "paired bootstrap"),
        ("mean", False, "Wilcoxon"),
        ("spearman", False, "paired bootstrap"),
        ("auprc", False, "paired bootstrap"),
        ("concordance", False, "paired bootstrap"),
    ],
)
def test_each_statistic_has_its_test(statistic: str, grouped: bool, test: str) -> None:
    groups = np.arange(60) // 2 if grouped else None
    found = compare(case(statistic, groups=groups), case(statistic, POOR, groups=groups), draws=200)
    assert found.test == test
    assert found.n == 60
    assert found.difference.low <= found.difference.value <= found.difference.high
    if statistic != "mean":
        assert found.difference.value > 0.05
        assert found.difference.p < 0.1
    same = compare(case(statistic, groups=groups), case(statistic, groups=groups), draws=50)
    assert (same.difference.value, same.difference.p) == (0, 1)


def test_units_are_matched_by_name() -> None:
    units = tuple(f"t{i}" for i in range(60))
    ours = case("mean", units=units)
    theirs = Case("task", "name", "mean", TRUTH[::-1][:40], GOOD[::-1][:40], units=units[::-1][:40])
    found = compare(ours, theirs)
    assert (found.n, found.difference.value, found.difference.p) == (40, 0, 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of"):
        case("r2")
    with pytest.raises(ValueError, match="rows of truth"):
        case(scores=GOOD[:-1])
    with pytest.raises(ValueError, match="names"):
        case(units=("a",) * 60)
    with pytest.raises(ValueError, match="different questions"):
        compare(case(), case("spearman"))
    with pytest.raises(ValueError, match="different rows"):
        compare(case(), Case("task", "name", "pearson", -TRUTH, GOOD))
    assert paired([case(), case("auroc")], [case("auroc")])[0][0].statistic == "auroc"
