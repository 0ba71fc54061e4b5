"""Agreement of two matrices: worked numbers, scipy as the oracle, and blocks that must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distal.scoring import agreement
from distal.scoring.agreement import ByColumn, pearson, ranks, same_sign, spearman

stats = pytest.importorskip("scipy.stats")


def test_worked_numbers() -> None:
    a = np.array([[1.0, -2.0, 0.0, 4.0]])
    b = np.array([[3.0, 1.0, 5.0, 2.0]])
    # The third pair has a zero; of the other three the first and the last have the same sign.
    assert same_sign(a, b).tolist() == pytest.approx([2 / 3])
    # a has mean 0.75, b 2.75: deviations (0.25, -2.75, -0.75, 3.25) and (0.25, -1.75, 2.25, -0.75); products sum to
    # 0.0625 + 4.8125 - 1.6875 - 2.4375 = 0.75; squares to 18.75 and 8.75.
    assert pearson(a, b).tolist() == pytest.approx([0.75 / np.sqrt(18.75 * 8.75)])
    assert ranks(np.array([[3.0, 1.0, 3.0, 3.0, 0.0]])).tolist() == [[3.0, 1.0, 3.0, 3.0, 0.0]]  # 2, 3, 4 share 3


@given(arrays(np.float64, (2, 3, 9), elements=st.integers(-4, 4).map(float)))
def test_rows_as_scipy_has_them(values: np.ndarray) -> None:
    a, b = values
    for i in range(len(a)):
        np.testing.assert_array_equal(ranks(a)[i], stats.rankdata(a[i]) - 1)
        if len(set(a[i])) > 1 and len(set(b[i])) > 1:
            assert pearson(a, b)[i] == pytest.approx(stats.pearsonr(a[i], b[i]).statistic, abs=1e-12)
            assert spearman(a, b)[i] == pytest.approx(stats.spearmanr(a[i], b[i]).statistic, abs=1e-12)
        else:
            assert np.isnan(pearson(a, b)[i])
            assert np.isnan(spearman(a, b)[i])
    known = (a != 0) & (b != 0)
    found = same_sign(a, b)
    assert np.isnan(found).tolist() == (~known.any(axis=1)).tolist()
    assert ((found >= 0) & (found <= 1))[known.any(axis=1)].all()


@pytest.mark.parametrize("block", [1, 7, 500])
def test_columns_over_rows_in_blocks(block: int) -> None:
    draw = np.random.default_rng(5)
    a = 1e4 + draw.standard_normal((500, 4))  # far from 0: sums of squares must not lose the digits
    b = a + draw.standard_normal((500, 4))
    a[:, 3] = 7.1  # a constant column
    columns = ByColumn(4)
    for start in range(0, 500, block):
        columns.add(a[start : start + block], b[start : start + block])
    columns.add(a[:0], b[:0])
    assert columns.sampled == 500
    for j in range(3):
        assert columns.pearson()[j] == pytest.approx(stats.pearsonr(a[:, j], b[:, j]).statistic, abs=1e-9)
        assert columns.spearman()[j] == pytest.approx(
            stats.spearmanr(a[:, j].astype(np.float32), b[:, j].astype(np.float32)).statistic, abs=1e-9
        )
    assert np.isnan([columns.pearson()[3], columns.spearman()[3]]).all()
    assert columns.same_sign().tolist() == [1.0] * 4


@pytest.mark.parametrize("block", [3, 1000])
def test_the_sample_is_every_so_manyth_row(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "SAMPLE_ROWS", 100)
    draw = np.random.default_rng(6)
    a, b = draw.standard_normal((2, 1000, 3))
    columns = ByColumn(3)
    for start in range(0, 1000, block):
        columns.add(a[start : start + block], b[start : start + block])
    assert columns.sampled == 63  # every 16th of 1,000: every 8th would be 125
    expected = [stats.spearmanr(a[::16, j], b[::16, j]).statistic for j in range(3)]
    np.testing.assert_allclose(columns.spearman(), expected, atol=1e-6)
    np.testing.assert_allclose(columns.pearson(), [np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(3)], atol=1e-12)


def test_nothing_gives_nan() -> None:
    columns = ByColumn(2)
    assert columns.sampled == 0
    for found in (columns.pearson(), columns.spearman(), columns.same_sign()):
        assert np.isnan(found).all()
