"""Basenji2's numbers: parameters, widths, dilations, shapes; and its forward pass against the naive oracle."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tests.models.parity import error
from tests.models.small import BASENJI2, arrays, perturbed, sequence
from tests.oracles import models as oracle

from distal.coords import Window
from distal.models.basenji2 import Basenji2, Basenji2Config


@pytest.fixture(scope="module")
def published() -> Basenji2:
    with torch.device("meta"):
        return Basenji2(Basenji2Config())


def test_parameter_counts_are_the_published(published: Basenji2) -> None:
    assert sum(p.numel() for p in published.parameters()) == 30_088_228
    assert sum(b.numel() for name, b in published.named_buffers() if "running" in name) == 35_356


def test_widths_dilations_and_window() -> None:
    """339·1.1776^i = 339, 399.2, 470.1, 553.6, 651.9, 767.7; each dilation 1.5 times the one before, half to even."""
    config = Basenji2Config()
    assert config.tower_widths == [339, 399, 470, 554, 652, 768]
    assert config.dilations == [1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72]
    assert config.window == Window(131_072, 128, 896)
    assert replace(config, bins=1024).window.crop_bp == 0


def test_shapes_of_the_published_model(published: Basenji2) -> None:
    published.eval()
    x = torch.empty(1, 131_072, 4, device="meta")
    assert published.trunk(x).shape == (1, 896, 1536)
    assert published(x, "human").shape == (1, 896, 5313)


@pytest.mark.parametrize("gelu", ["sigmoid", "tanh", "erf"])
def test_forward_equals_the_naive_oracle(gelu: str) -> None:
    config = replace(BASENJI2, gelu=gelu)
    model = perturbed(Basenji2(config)).double()
    x = sequence(config.input_bp)
    with torch.no_grad():
        ours = model(x.double(), "human")[0]
    expected = oracle.basenji2(
        arrays(model), x[0].double().numpy(), oracle.GELUS[gelu], [1, 2, 3, 4], bins=8, head="human"
    )
    assert error(ours, expected) < 1e-12
    with torch.no_grad():
        assert error(perturbed(Basenji2(config))(x, "human")[0], expected) < 1e-5


def test_every_parameter_matters() -> None:
    model = perturbed(Basenji2(BASENJI2))
    model(sequence(BASENJI2.input_bp), "human").square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_fresh_residual_branches_are_switched_off() -> None:
    model = Basenji2(BASENJI2).eval()
    x = torch.randn(1, model.config.tower_widths[-1], 12)
    with torch.no_grad():
        torch.testing.assert_close(model.dilated(x), x, rtol=0, atol=0)


def test_dropout_acts_in_training_only() -> None:
    model = perturbed(Basenji2(replace(BASENJI2, dropout=0.5)))
    x = sequence(BASENJI2.input_bp)
    with torch.no_grad():
        assert torch.equal(model(x, "human"), model(x, "human"))
        model.train()
        assert not torch.equal(model(x, "human"), model(x, "human"))


def test_config_survives_json() -> None:
    for config in (Basenji2Config(), replace(BASENJI2, tower=(6, 7, 8, 9, 10, 11))):
        assert Basenji2Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_impossible_configs_are_named() -> None:
    with pytest.raises(ValueError, match="gelu 'relu' is not one of sigmoid, tanh, erf"):
        replace(BASENJI2, gelu="relu")
    with pytest.raises(ValueError, match="6 blocks, 2 widths"):
        replace(BASENJI2, tower=(6, 7))
