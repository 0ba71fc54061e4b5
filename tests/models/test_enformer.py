"""Enformer's numbers: parameters, widths, position features, shapes; and its forward pass against the naive oracle."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.models.parity import error
from tests.models.small import ENFORMER, arrays, perturbed, sequence
from tests.oracles import models as oracle

from distal.coords import Window
from distal.errors import InputError
from distal.models import borzoi, enformer
from distal.models.enformer import Enformer, EnformerConfig, position_features


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def published() -> Enformer:
    with torch.device("meta"):
        return Enformer(EnformerConfig())


def test_parameter_counts_are_the_papers(published: Enformer) -> None:
    stem, tower, final = (parameters(getattr(published, name)) for name in ("stem", "tower", "final"))
    assert stem == 46_848 + 592_128 + 589_824 == 1_228_800
    blocks = [parameters(block) for block in published.tower]
    assert blocks == [4_133_376, 5_051_392, 6_690_560, 8_559_104, 10_657_024, 14_557_696]
    assert {parameters(block) for block in published.transformer} == {15_840_256}
    assert final == 4_724_736
    assert stem + tower + 11 * 15_840_256 + final == 229_845_504
    assert parameters(published.heads["human"]) == 16_326_849
    assert parameters(published.heads["mouse"]) == 5_048_939
    assert parameters(published) == 251_221_292
    running = [b.numel() for name, b in published.named_buffers() if "running" in name]
    assert (len(running) // 2, sum(running)) == (14, 29_696)


def test_tower_widths_and_window() -> None:
    """768·2^(i/5)/128 = 6, 6.89, 7.92, 9.09, 10.45, 12, rounded."""
    assert EnformerConfig().tower_widths == [768, 896, 1024, 1152, 1280, 1536]
    assert EnformerConfig().window == Window(196_608, 128, 896)
    assert EnformerConfig().position_features == 192


def test_shapes_of_the_published_model(published: Enformer) -> None:
    x = torch.empty(1, 196_608, 4, device="meta")
    tower = published.tower(published.stem(x.transpose(1, 2)))
    assert tower.shape == (1, 1536, 1536)
    published.eval()
    assert published(x, "human").shape == (1, 896, 5313)
    assert published(x, "mouse").shape == (1, 896, 1643)


def test_position_features_at_known_distances() -> None:
    """Exponential and gamma values of the definition in float64, T = 1536 (exp 0, exp 31, gamma 0, gamma 31)."""
    known = {
        0: (1, 1, 5.35614e-07, 6.01733e-07, 12),
        1: (0.917004043, 0.999548834, 3.96617065e-04, 6.01733e-07, 11),
        2: (0.840896415, 0.999097872, 2.91583583e-03, 6.01733e-07, 11),
        10: (0.420448208, 0.995497490, 0.187096165, 6.01733e-07, 9),
        100: (1.72633e-04, 0.955876298, 0.103480204, 6.01733e-07, 6),
        1000: (2.35e-38, 0.636820345, 5.35614e-07, 6.01733e-07, 3),
        1535: (0.0, 0.500225685, 5.35614e-07, 1, 2),
    }
    table = position_features(1536, 192).double().numpy()
    assert table.shape == (3071, 192)
    for distance, (exp0, exp31, gamma0, gamma31, inside) in known.items():
        for sign in (1, -1):
            row = table[sign * distance + 1535]
            np.testing.assert_allclose(row[[0, 31]], [exp0, exp31], rtol=5e-6, atol=1e-37)
            assert row[32:44].sum() == inside
            assert row[44:64].sum() == 20
            np.testing.assert_allclose(row[[64, 95]], [gamma0, gamma31], rtol=2e-6)
            np.testing.assert_array_equal(row[96:], np.sign(sign * distance) * row[:96])


def test_position_features_sum_to_the_definitions_sums() -> None:
    table = position_features(1536, 192).double().numpy()
    assert table[:, :32].sum() == pytest.approx(20_915.5750472, abs=1e-3)
    assert table[:, 32:64].sum() == 71_624
    assert table[:, 64:96].sum() == pytest.approx(3_765.7864195, abs=1e-3)


@pytest.mark.parametrize(("length", "n"), [(10, 2), (16, 1), (7, 3)])
def test_position_features_equal_the_oracles(length: int, n: int) -> None:
    expected = [oracle.enformer_features(d, length, n) for d in range(-(length - 1), length)]
    np.testing.assert_allclose(position_features(length, 6 * n).numpy(), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("head", ["human", "mouse"])
def test_forward_equals_the_naive_oracle(head: str) -> None:
    model = perturbed(Enformer(ENFORMER)).double()
    x = sequence(ENFORMER.input_bp)
    with torch.no_grad():
        ours = model(x.double(), head)[0]
    expected = oracle.enformer(arrays(model), x[0].double().numpy(), heads=2, layers=2, bins=6, head=head)
    assert error(ours, expected) < 1e-6  # position features are rounded to float32
    with torch.no_grad():
        assert error(perturbed(Enformer(ENFORMER))(x, head)[0], expected) < 1e-5


def test_every_parameter_matters() -> None:
    model = perturbed(Enformer(ENFORMER))
    x = sequence(ENFORMER.input_bp)
    loss = model(x, "human").square().sum() + model(x, "mouse").square().sum()
    loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert silent == []


def test_fresh_transformer_blocks_pass_attention_by() -> None:
    """The output projection starts at zero, so what a block adds at first comes from its MLP alone."""
    model = Enformer(ENFORMER).eval()
    for block in model.transformer:
        assert block.attention.output.weight.abs().max() == 0
        assert block.attention(torch.randn(1, 4, 24), torch.randn(7, 12)).abs().max() == 0
        assert block.attention.query.weight.std() > 0


def test_max_pooling_is_another_model_of_the_same_shape() -> None:
    config = EnformerConfig.from_json({**ENFORMER.to_json(), "pooling": "max"})
    model = perturbed(Enformer(config))
    assert not any("logits" in name for name in model.state_dict())
    with torch.no_grad():
        assert model(sequence(config.input_bp), "human").shape == (1, 6, 5)


def test_config_survives_json() -> None:
    for config in (EnformerConfig(), ENFORMER):
        assert EnformerConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": 25}, "multiple of"),
        ({"channels": 16}, "multiple of 6"),
        ({"divisible_by": 128}, "multiple of divisible_by"),
        ({"pooling": "mean"}, "pooling 'mean'"),
        ({"bins": 7}, "same whole number of bins"),
    ],
)
def test_impossible_configs_are_named(change: dict[str, object], words: str) -> None:
    with pytest.raises((ValueError, InputError), match=words):
        EnformerConfig.from_json({**ENFORMER.to_json(), **change})


@pytest.mark.parametrize("features", [enformer.position_features, borzoi.position_features])
def test_position_features_made_while_predicting_serve_training_too(features) -> None:  # type: ignore[no-untyped-def]
    features.cache_clear()
    with torch.inference_mode():
        kept = features(16, 12)
    assert not kept.is_inference()
