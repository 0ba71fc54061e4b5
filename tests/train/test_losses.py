"""The Poisson loss by worked numbers."""

from __future__ import annotations

import math

import pytest
import torch

from distal.train.losses import poisson


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
