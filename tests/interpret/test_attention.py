"""Attention from bins: rows of the softmax, followed down through the layers."""

import numpy as np
import pytest
import torch
from tests import builders

from distal.errors import InputError
from distal.interpret.attention import Attention, attention
from distal.models.layers import RelativeAttention

CODES = np.random.default_rng(0).integers(0, 4, 2048).astype(np.uint8)
BINS = np.array([2, 5])


@torch.inference_mode()
def layers_of(predictor, codes):
    """Slow oracle: the weights [heads, T, T] of every layer, from the formula of the paper, one pair at a time."""
    seen = []
    modules = [module for module in predictor.module.modules() if isinstance(module, RelativeAttention)]
    handles = [
        module.register_forward_hook(lambda module, inputs, _: seen.append((module, *inputs))) for module in modules
    ]
    predictor.by_module(codes)
    for handle in handles:
        handle.remove()
    layers = []
    for module, x, features in seen:
        length = x.shape[1]
        split = lambda y, heads=module.heads: y.reshape(len(y), heads, -1).double()  # noqa: E731
        query, key = split(module.query(x[0])) / module.key**0.5, split(module.keys(x[0]))
        distance = split(module.positions(features))
        u, w = module.content_bias[:, 0].double(), module.position_bias[:, 0].double()
        logits = torch.empty(module.heads, length, length, dtype=torch.float64)
        for head in range(module.heads):
            for i in range(length):
                for j in range(length):
                    content = (query[i, head] + u[head]) @ key[j, head]
                    logits[head, i, j] = content + (query[i, head] + w[head]) @ distance[j - i + length - 1, head]
        layers.append(torch.softmax(logits, -1).detach().numpy())
    return layers


@pytest.mark.parametrize(("family", "positions"), [("enformer", [6, 9]), ("borzoi", [4, 5])])
def test_weights_and_rollout_are_those_of_the_formula(family, positions):
    """Enformer: 4 bins of 128 bp are cropped, so bins 2, 5 are at 6, 9. Borzoi: 16 of 32 bp; 18 // 4, 21 // 4."""
    predictor = builders.predictor(family)
    found = attention(predictor, CODES, BINS)
    layers = layers_of(predictor, CODES)
    np.testing.assert_allclose(found.weights, [layer[:, positions].mean(1) for layer in layers], rtol=1e-4)
    product = np.eye(16)
    for layer in layers:
        product = (layer.mean(0) + np.eye(16)) / 2 @ product
    np.testing.assert_allclose(found.rollout, product[positions].mean(0), rtol=1e-4)
    np.testing.assert_allclose(found.mean(), found.weights.reshape(-1, 16).mean(0), rtol=1e-6)
    assert found.position_bp == 128


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("shifts", [(0,), (-64, 64)])
def test_attention_is_a_distribution(rc, shifts):
    found = attention(builders.predictor(), CODES, BINS, rc, shifts)
    np.testing.assert_allclose(found.weights.sum(-1), 1, rtol=1e-5)
    assert found.rollout.sum() == pytest.approx(1, rel=1e-5)


def test_both_strands_are_each_other_s_mirror_image():
    here = attention(builders.predictor(), CODES, BINS, rc=True)
    there = attention(builders.predictor(), (3 - CODES)[::-1].copy(), 7 - BINS, rc=True)
    np.testing.assert_allclose(there.weights[..., ::-1], here.weights, rtol=1e-4)
    np.testing.assert_allclose(there.rollout[::-1], here.rollout, rtol=1e-4)


def test_basenji2_has_none():
    with pytest.raises(InputError, match="no attention"):
        attention(builders.predictor("basenji2"), CODES, BINS)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="positions"):
        Attention(np.ones((2, 2, 3), dtype=np.float32), np.ones(4, dtype=np.float32), 128)
