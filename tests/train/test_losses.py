"""The losses by worked numbers and by plain loops over their published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distal.train.config import LossSection
from distal.train.losses import mse, multinomial_basenji, multinomial_baskerville, poisson, position_weights
from distal.train.run import loss as named


def test_worked_number() -> None:
    # (1 - 0 ln 1) = 1 and (2 - 3 ln 2) = 2 - 2.0794415 = -0.0794415; their mean is 0.4602792
    loss = poisson(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[0.0, 3.0]]]))
    assert loss.item() == pytest.approx(0.4602792, abs=1e-6)


def test_the_epsilon_stands_inside_the_logarithm() -> None:
    # 0 - 1 ln(0 + 1e-7) = 16.118096
    assert poisson(torch.tensor([0.0]), torch.tensor([1.0])).item() == pytest.approx(16.118096, abs=1e-5)
    assert poisson(torch.tensor([0.0]), torch.tensor([0.0])).item() == 0.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_it_is_computed_in_float32_whatever_comes(dtype: torch.dtype) -> None:
    predictions = torch.tensor([1e-3, 0.3, 7.0]).to(dtype)
    targets = torch.tensor([0.1, 0.2, 9.0])
    exact = [p - t * math.log(p + 1e-7) for p, t in zip(predictions.tolist(), targets.tolist(), strict=True)]
    loss = poisson(predictions, targets)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(sum(exact) / 3, rel=1e-6)


def test_its_gradient_vanishes_where_the_prediction_is_right() -> None:
    predictions = torch.tensor([0.5, 2.0, 4.0], requires_grad=True)
    poisson(predictions, torch.tensor([0.5, 2.0, 2.0])).backward()
    # (1 - t / p) / 3: 0, 0 and (1 - 0.5) / 3
    assert predictions.grad is not None
    assert predictions.grad.tolist() == pytest.approx([0, 0, 1 / 6], abs=1e-6)


def test_squared_error_by_a_worked_number() -> None:
    # (1 + 4 + 0) / 3
    assert mse(torch.tensor([1.0, 4.0, 2.0]), torch.tensor([0.0, 2.0, 2.0])).item() == pytest.approx(5 / 3)
    assert mse(torch.ones(2, dtype=torch.bfloat16), torch.zeros(2)).dtype == torch.float32


def test_multinomials_by_a_worked_number() -> None:
    # one window and track, p = (1, 3), t = (2, 2): S_p = S_t = 4, spread = -2 ln(1/4) - 2 ln(3/4) = 3.3479529,
    # total = 4 - 4 ln 4 = -1.5451774; over two bins (3.3479529 - 1.5451774) / 2 = 0.9013878, with a weight of 1/5
    # (3.3479529 - 0.3090355) / 2 = 1.5194587, and rescaled by 2 / 1.2 that is 2.5324312
    p, t = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[2.0], [2.0]]])
    for loss in (multinomial_basenji, multinomial_baskerville):
        assert loss(p, t).item() == pytest.approx(0.9013878, abs=1e-5)
        assert loss(p, t, total_weight=0.2).item() == pytest.approx(1.5194587, abs=1e-5)
        assert loss(p, t, total_weight=0.2, rescale=True).item() == pytest.approx(2.5324312, abs=1e-5)


def test_the_epsilons_of_the_two_multinomials_differ() -> None:
    # nothing is predicted in the only bin that has signal, p = (0, 1), t = (1, 0):
    # Basenji -(1 + 1e-6) ln(1e-6 / (1 + 2e-6)) + ..., Baskerville -(1 + 1e-7) ln(1e-7 / 1) + ..., total 1 - ln 1 = 1
    p, t = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[1.0], [0.0]]])
    assert multinomial_basenji(p, t).item() == pytest.approx((6 * math.log(10) + 1) / 2, abs=1e-4)
    assert multinomial_baskerville(p, t).item() == pytest.approx((7 * math.log(10) + 1) / 2, abs=1e-4)


def basenji_by_loops(p: np.ndarray, t: np.ndarray, weight: float) -> float:
    losses = []
    for sample in range(p.shape[0]):
        for track in range(p.shape[2]):
            q, u = p[sample, :, track] + 1e-6, t[sample, :, track] + 1e-6
            spread = -sum(u[i] * math.log(q[i] / q.sum()) for i in range(len(q)))
            losses.append((spread + weight * (q.sum() - u.sum() * math.log(q.sum() + 1e-7))) / len(q))
    return float(np.mean(losses))


def baskerville_by_loops(p: np.ndarray, t: np.ndarray, weight: float, w: np.ndarray) -> float:
    losses = []
    for sample in range(p.shape[0]):
        for track in range(p.shape[2]):
            q, u = p[sample, :, track] * w, t[sample, :, track] * w
            spread = -sum((u[i] + 1e-7) * math.log((q[i] + 1e-7) / q.sum()) for i in range(len(q)))
            losses.append((spread + weight * (q.sum() - u.sum() * math.log(q.sum() + 1e-7))) / w.sum())
    return float(np.mean(losses))


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(2, 9), st.sampled_from([0.2, 1.0, 5.0]))
def test_multinomials_against_loops(seed: int, tracks: int, bins: int, weight: float) -> None:
    random = np.random.default_rng(seed)
    p, t = random.gamma(0.5, 2, (2, 2, bins, tracks)) + 1e-3
    w = position_weights(bins, 5.0, 4).double().numpy()
    a, b = torch.from_numpy(p), torch.from_numpy(t)
    assert multinomial_basenji(a, b, weight).item() == pytest.approx(basenji_by_loops(p, t, weight), rel=1e-4)
    loss = multinomial_baskerville(a, b, weight, weight_range=5.0)
    assert loss.item() == pytest.approx(baskerville_by_loops(p, t, weight, w), rel=1e-4)


def test_position_weights_by_worked_numbers() -> None:
    # 4 bins at -1.5, -0.5, 0.5, 1.5; at the rim exp(-ln 16) = 1/16, at a third of the way exp(-ln 16 / 9) = 0.7349,
    # the largest, by which all are divided
    inner = math.exp(-math.log(16) / 9)
    expected = [1 / 16 / inner, 1, 1, 1 / 16 / inner]
    assert position_weights(4, 16.0, 2).tolist() == pytest.approx(expected, rel=1e-6)
    assert position_weights(3, 1.0, 4).tolist() == [1, 1, 1]


def test_a_config_names_its_loss() -> None:
    p, t = torch.rand(2, 5, 3) + 0.1, torch.rand(2, 5, 3)
    cases = {
        "poisson": poisson(p, t),
        "mse": mse(p, t),
        "multinomial-basenji": multinomial_basenji(p, t, 0.2, True),
        "multinomial-baskerville": multinomial_baskerville(p, t, 0.2, True, 3.0, 2),
    }
    for kind, value in cases.items():
        chosen = LossSection(kind=kind, total_weight=0.2, rescale=True, weight_range=3.0, weight_exp=2)
        assert named(chosen)(p, t) == value
