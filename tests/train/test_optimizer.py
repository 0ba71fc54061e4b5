"""Clipping and SGD by worked numbers, against Keras's own formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from distal.train import optimizer
from distal.train.config import OptimizerSection


class Two(nn.Module):
    """A matrix and a bias with gradients of norm 5 and 0.1, together 5.001."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 2))
        self.bias = nn.Parameter(torch.ones(1))
        self.unused = nn.Parameter(torch.ones(1))
        self.weight.grad, self.bias.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([0.1])


def test_clipping_together_shortens_every_gradient_alike() -> None:
    model, norm = Two(), (25 + 0.01) ** 0.5
    assert optimizer.clip(OptimizerSection(clip=1.0), model.parameters()) == pytest.approx(norm)
    assert model.weight.grad.flatten().tolist() == pytest.approx([3 / norm, 4 / norm], rel=1e-5)
    assert model.bias.grad.item() == pytest.approx(0.1 / norm, rel=1e-5)


def test_clipping_by_tensor_leaves_short_gradients_alone() -> None:
    model = Two()
    assert optimizer.clip(OptimizerSection(clip=2.0, clip_by="tensor"), model.parameters()) == pytest.approx(25.01**0.5)
    # 2 / 5 of (3, 4); 0.1 is short
    assert model.weight.grad.flatten().tolist() == pytest.approx([1.2, 1.6])
    assert model.bias.grad.item() == pytest.approx(0.1)
    assert model.unused.grad is None


@pytest.mark.parametrize("clip_by", ["model", "tensor"])
def test_a_gradient_that_is_no_number_is_told(clip_by: str) -> None:
    model = Two()
    model.bias.grad = torch.tensor([float("nan")])
    assert not optimizer.clip(OptimizerSection(clip=2.0, clip_by=clip_by), model.parameters()) < float("inf")


def test_sgd_moves_as_keras_does() -> None:
    # v = 0.5 v - 0.1 g, w += v: with g = (3, 4) twice, v = (-0.3, -0.4), then (-0.45, -0.6); w = (-0.75, -1)
    model = Two()
    sgd = optimizer.build(OptimizerSection(kind="sgd", lr=0.1, momentum=0.5), model)
    sgd.step()
    assert model.weight.flatten().tolist() == pytest.approx([-0.3, -0.4])
    sgd.step()
    assert model.weight.flatten().tolist() == pytest.approx([-0.75, -1.0])


def test_weight_decay_spares_biases_and_what_is_frozen_is_left_out() -> None:
    model = Two()
    model.unused.requires_grad_(False)
    adam = optimizer.build(OptimizerSection(weight_decay=0.1), model)
    decays = {id(p): group["weight_decay"] for group in adam.param_groups for p in group["params"]}
    assert decays == {id(model.weight): 0.1, id(model.bias): 0.0}
