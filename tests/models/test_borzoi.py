"""Borzoi's numbers and its forward pass against the naive oracle."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.parity import error
from tests.models.small import BORZOI, arrays, perturbed, sequence
from tests.oracles import models as oracle

from distal.coords import Window
from distal.models.borzoi import Borzoi, BorzoiConfig, position_features


def test_the_mini_models_size() -> None:
    """642,994 values in the file; ours add the ten batch norms' update counters."""
    with torch.device("meta"):
        model = Borzoi(BorzoiConfig())
    values = sum(v.numel() for name, v in model.state_dict().items() if "num_batches" not in name)
    assert values == 642_994
    assert BorzoiConfig().window == Window(131_072, 32, 2048)
    assert model.eval()(torch.empty(1, 131_072, 4, device="meta"), "human").shape == (1, 2048, 74)


def test_position_features_are_central_masks() -> None:
    """T = 8, 2 masks: widths 9^(1/2) − 1 = 2 and 9 − 1 = 8, so |d| < 2 and |d| < 8."""
    features = position_features(8, 4).numpy()
    assert features.shape == (15, 4)
    np.testing.assert_array_equal(features[7], [1, 1, 0, 0])
    np.testing.assert_array_equal(features[8], [1, 1, 1, 1])
    np.testing.assert_array_equal(features[5], [0, 1, 0, -1])
    np.testing.assert_array_equal(features[0], [0, 1, 0, -1])


@pytest.mark.parametrize("head", ["human", "mouse"])
@pytest.mark.parametrize("upsamplings", [0, 2])
def test_forward_equals_the_naive_oracle(head: str, upsamplings: int) -> None:
    config = replace(BORZOI, upsamplings=upsamplings, bins=12 << upsamplings)
    model = perturbed(Borzoi(config)).double()
    x = sequence(config.input_bp)
    with torch.no_grad():
        ours = model(x.double(), head)[0]
    sizes = (3, 2, 2, upsamplings)
    expected = oracle.borzoi(arrays(model), x[0].double().numpy(), sizes, features=6, bins=config.bins, head=head)
    assert error(ours, expected) < 1e-12
    with torch.no_grad():
        assert error(perturbed(Borzoi(config))(x, head)[0], expected) < 1e-5


def test_every_parameter_matters() -> None:
    model = perturbed(Borzoi(BORZOI))
    x = sequence(BORZOI.input_bp)
    (model(x, "human").square().sum() + model(x, "mouse").square().sum()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_fresh_attention_adds_nothing() -> None:
    model = Borzoi(BORZOI)
    assert all(block.attention.output.weight.abs().max() == 0 for block in model.transformer)
    assert all(p.isfinite().all() for p in model.parameters())


def test_config_survives_json() -> None:
    for config in (BorzoiConfig(), BORZOI):
        assert BorzoiConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gelu": "relu"}, "gelu 'relu'"),
        ({"upsamplings": 4}, "cannot give 4 U-net steps"),
        ({"tower": ()}, "tower of 0"),
        ({"attention_heads": 3}, "multiple of the heads"),
        ({"position_features": 5}, "must be even"),
        ({"input_bp": 250}, "multiple of 16"),
        ({"bins": 47}, "same whole number of bins"),
    ],
)
def test_impossible_configs_are_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BorzoiConfig.from_json({**BORZOI.to_json(), **change})
