"""The shared layers: worked numbers, invariances, and batch norm's running statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from distal.models.enformer import EnformerConfig
from distal.models.layers import (
    GELUS,
    BatchNorm,
    RelativeAttention,
    Residual,
    SoftmaxPool,
    TransformerBlock,
    crop,
    relative_shift,
    round_half_even,
    truncated_normal_,
)


@pytest.mark.parametrize(("form", "at_one"), [("sigmoid", 0.845796), ("tanh", 0.841192), ("erf", 0.841345)])
def test_three_gelus(form: str, at_one: float) -> None:
    """1/(1+e^-1.702) = 0.845796; 0.5(1+tanh(0.797885·1.044715)) = 0.841192; 0.5(1+erf(0.707107)) = 0.841345."""
    assert GELUS[form](torch.tensor(1.0)).item() == pytest.approx(at_one, abs=1e-6)
    assert GELUS[form](torch.tensor(0.0)).item() == 0


def test_the_sigmoid_and_tanh_forms_are_furthest_apart_near_2_29() -> None:
    x = torch.linspace(-5, 5, 10_001, dtype=torch.float64)
    gap = (GELUS["sigmoid"](x) - GELUS["tanh"](x)).abs()
    assert gap.max().item() == pytest.approx(0.0207, abs=1e-4)
    assert abs(x[gap.argmax()].item()) == pytest.approx(2.29, abs=0.01)


def test_batch_norm_keeps_the_biased_variance() -> None:
    """Values 0, 2, 4: mean 2, biased variance 8/3; after one step from (0, 1): 0.2 and 0.9 + 0.8/3 = 1.166667."""
    norm = BatchNorm(1, eps=0.5).train()
    y = norm(torch.tensor([[[0.0, 2.0, 4.0]]]))
    expected = [-2 / math.sqrt(8 / 3 + 0.5), 0, 2 / math.sqrt(8 / 3 + 0.5)]
    np.testing.assert_allclose(y.detach().numpy()[0, 0], expected, rtol=1e-6)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.running_mean.item() == pytest.approx(0.2)
    assert norm.running_var.item() == pytest.approx(0.9 + 0.1 * 8 / 3)
    assert norm.num_batches_tracked is not None
    assert norm.num_batches_tracked.item() == 1


def test_batch_norm_in_evaluation_uses_and_keeps_its_statistics() -> None:
    norm = BatchNorm(2, eps=1e-3)
    reference = nn.BatchNorm1d(2, eps=1e-3)
    for module in (norm, reference):
        module.load_state_dict({**module.state_dict(), "running_mean": torch.tensor([1.0, -2.0])})
        module.eval()
    x = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(norm(x), reference(x))
    assert norm.running_mean is not None
    assert norm.running_mean.tolist() == [1.0, -2.0]


def test_batch_norm_gradients_are_torchs() -> None:
    x = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    gradients = []
    for module in (BatchNorm(2), nn.BatchNorm1d(2)):
        y = x.clone().requires_grad_()
        (module.train()(y) ** 3).sum().backward()
        gradients.append(y.grad)
    torch.testing.assert_close(*gradients)


def test_softmax_pool_is_the_published_softmax() -> None:
    """x1 + sigmoid((x0 − x1)W)·(x0 − x1) equals the softmax over the pair, channel by channel."""
    pool = SoftmaxPool(3).double()
    nn.init.normal_(pool.logits.weight, generator=torch.Generator().manual_seed(1))
    x = torch.randn(2, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    pairs = x.unflatten(-1, (4, 2))
    weights = torch.softmax(pool.logits(x).unflatten(-1, (4, 2)), dim=-1)
    torch.testing.assert_close(pool(x), (weights * pairs).sum(-1))


def test_a_fresh_softmax_pool_prefers_the_larger() -> None:
    """W = 2I: the weights of the pair (1, 0) are softmax(2, 0) = 0.880797, 0.119203."""
    y = SoftmaxPool(1)(torch.tensor([[[1.0, 0.0, 3.0, 3.0]]]))
    np.testing.assert_allclose(y.detach().numpy(), [[[0.880797, 3.0]]], rtol=1e-6)
    with pytest.raises(ValueError, match="3 is odd"):
        SoftmaxPool(1)(torch.zeros(1, 1, 3))


@given(length=st.integers(1, 9), batch=st.integers(1, 3))
def test_relative_shift_picks_the_distance_key_minus_query(length: int, batch: int) -> None:
    x = torch.randn(batch, length, 2 * length - 1)
    shifted = relative_shift(x)
    assert shifted.shape == (batch, length, length)
    for i in range(length):
        for j in range(length):
            assert torch.equal(shifted[:, i, j], x[:, i, j - i + length - 1])


@pytest.mark.parametrize("distance", [-3, 0, 2])
def test_a_one_hot_distance_reaches_exactly_its_pairs(distance: int) -> None:
    """r_k that answers to one distance alone: logit[i, j] is (q_i + w)·1 where j − i is that distance, else 0."""
    length, features = 5, torch.eye(9)
    attention = RelativeAttention(4, heads=1, key=1, value=4, features=9)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.positions.weight[0, distance + length - 1] = 1.0
        attention.position_bias.fill_(3.0)
        logits = attention.logits(torch.randn(1, length, 4), features)[0, 0]
    for i in range(length):
        for j in range(length):
            assert logits[i, j].item() == (3.0 if j - i == distance else 0.0)


def test_queries_are_scaled_before_the_biases_are_added() -> None:
    """One position, key 4, q = k = 1 in each place: (1·4^-0.5 + 2)·1·4 = 10 and not (1 + 2)·4·4^-0.5 = 6."""
    attention = RelativeAttention(1, heads=1, key=4, value=1, features=1)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.query.weight.fill_(1.0)
        attention.keys.weight.fill_(1.0)
        attention.content_bias.fill_(2.0)
        assert attention.logits(torch.ones(1, 1, 1), torch.zeros(1, 1)).item() == 10.0


def test_a_block_with_zero_outputs_is_the_identity() -> None:
    block = TransformerBlock(EnformerConfig(channels=24, attention_heads=2, key_size=3, divisible_by=4), eps=1e-5)
    with torch.no_grad():
        block.attention.content_bias.normal_()
        block.attention.position_bias.normal_()
        for linear in (block.attention.output, block.mlp[4]):
            linear.weight.zero_()
            linear.bias.zero_()
    x = torch.randn(2, 6, 24)
    torch.testing.assert_close(block.eval()(x, torch.randn(11, 12)), x, rtol=0, atol=0)


def test_residual_adds_its_input() -> None:
    torch.testing.assert_close(
        Residual(nn.ReLU(), nn.Flatten())(torch.tensor([[-1.0, 2.0]])), torch.tensor([[-1.0, 4.0]])
    )


def test_crop_is_central_or_an_error() -> None:
    x = torch.arange(10.0)[None, :, None]
    assert crop(x, 4)[0, :, 0].tolist() == [3, 4, 5, 6]
    assert crop(x, 10) is not None
    for bins in (3, 12):
        with pytest.raises(ValueError, match=f"{bins} bins cannot be cut from the middle of 10"):
            crop(x, bins)


@pytest.mark.parametrize(("corrected", "spread"), [(True, 1.0), (False, 0.87962566)])
def test_truncated_normal(corrected: bool, spread: float) -> None:
    """σ = √(2/8) = 0.5; the correction makes 0.5 the standard deviation after the cut at two σ."""
    torch.manual_seed(0)
    weight = torch.empty(200_000)
    truncated_normal_(weight, 2.0, 8, corrected=corrected)
    assert weight.std().item() == pytest.approx(0.5 * spread, rel=0.01)
    assert weight.abs().max().item() <= 2 * 0.5 / (0.87962566 if corrected else 1.0)


@pytest.mark.parametrize(("x", "divisor", "rounded"), [(2.5, 1, 2), (3.5, 1, 4), (1337.2, 128, 1280), (20.0, 8, 16)])
def test_round_half_even(x: float, divisor: int, rounded: int) -> None:
    assert round_half_even(x, divisor) == rounded
