"""Adapters: a product of two thin matrices beside a frozen weight, and nothing is left of them once merged."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests import builders
from torch import nn

from distal.models import adapters
from distal.models.checkpointing import checkpoint_activations

BASES = torch.nn.functional.one_hot(torch.arange(2 * 2048) % 7 % 4, 4).float().view(2, 2048, 4)


def moved(module: nn.Module) -> nn.Module:
    """Every adapter away from its start."""
    torch.manual_seed(7)
    for _, layer in adapters.adapted(module):
        layer.parametrizations.weight[0].up.data.normal_(0, 0.1)
    return module


def test_worked_number() -> None:
    # 2 x 2 identity + 6/1 · (1, 2)ᵀ (10, 100) = [[1 + 60, 600], [120, 1 + 1200]]
    layer = nn.Linear(2, 2)
    layer.weight.data = torch.eye(2)
    adapters.adapt(layer, rank=1, alpha=6)
    change = layer.parametrizations.weight[0]
    change.up.data, change.down.data = torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0, 100.0]])
    assert layer.weight.tolist() == [[61, 600], [120, 1201]]


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5]), st.integers(1, 12))
def test_a_kernel_changes_by_a_matrix_of_at_most_that_rank(outputs: int, inputs: int, kernel: int, rank: int) -> None:
    layer = nn.Conv1d(inputs, outputs, kernel, padding="same").double()
    before = layer.weight.detach().clone()
    adapters.adapt(layer, rank, 1.0)
    assert torch.equal(layer.weight, before)
    change = (moved(layer).weight - before).reshape(outputs, inputs * kernel)
    assert 0 < torch.linalg.matrix_rank(change, rtol=1e-9) <= rank
    assert layer.parametrizations.weight[0].up.shape[1] == min(rank, outputs, inputs * kernel)


@pytest.mark.parametrize("family", ["enformer", "basenji2"])
def test_a_model_starts_as_it_was_and_is_the_same_merged(family: str) -> None:
    module = builders.predictor(family).module
    plain = deepcopy(module)
    for part in (module.tower, module.final, module.stem):
        adapters.adapt(part, rank=2, alpha=4)
    if family == "enformer":
        adapters.adapt(module.transformer, rank=2, alpha=4)
    assert torch.equal(module(BASES, "human"), plain(BASES, "human"))
    adapted = moved(module)(BASES, "human")
    assert (adapted - plain(BASES, "human")).abs().max() > 1e-3
    state = adapters.merged_state(module)
    plain.load_state_dict(state, strict=True)
    assert torch.equal(plain(BASES, "human"), adapted)
    adapters.merge(module)
    assert torch.equal(module(BASES, "human"), adapted)
    assert module.state_dict().keys() == plain.state_dict().keys() == state.keys()
    assert list(adapters.adapted(module)) == []


def test_the_merged_state_of_a_plain_module_is_its_own() -> None:
    module = builders.predictor("basenji2").module
    state = adapters.merged_state(module)
    assert all(torch.equal(state[name], tensor) for name, tensor in module.state_dict().items())


def test_a_layer_alone_has_no_name_in_its_state() -> None:
    layer = nn.Linear(3, 2)
    adapters.adapt(layer, 1, 1)
    assert sorted(adapters.merged_state(moved(layer))) == ["bias", "weight"]


@pytest.mark.parametrize("family", ["enformer", "basenji2"])
@pytest.mark.parametrize("repeated", [False, True])
def test_only_adapters_learn_and_their_gradient_is_the_weights(family: str, repeated: bool) -> None:
    """dL/d up = scale · dL/dW downᵀ, where dL/dW is the plain module's gradient at the merged weights."""
    module = builders.predictor(family).module
    checkpoint_activations(module, repeated)
    plain = deepcopy(module)
    adapters.adapt(module.tower, rank=2, alpha=3)
    plain.load_state_dict(adapters.merged_state(moved(module)))
    for model in (module, plain):
        model(BASES, "human").square().mean().backward()
    trained = {name for name, p in module.tower.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in module.tower.named_parameters() if p.grad is not None}
    assert {name.rpartition(".")[2] for name in trained} == {"up", "down"}
    gradients = {name: layer.weight.grad for name, layer in plain.tower.named_modules() if hasattr(layer, "weight")}
    for name, layer in adapters.adapted(module.tower):
        change = layer.parametrizations.weight[0]
        torch.testing.assert_close(
            change.up.grad, 1.5 * gradients[name].flatten(1) @ change.down.T, rtol=1e-4, atol=1e-7
        )


def test_autocast_leaves_the_weight_in_float32() -> None:
    layer = nn.Linear(64, 64)
    adapters.adapt(layer, 4, 4)
    exact = moved(layer).weight
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer.weight, exact)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Sequential()])
def test_what_cannot_be_adapted_is_refused(module: nn.Module) -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        adapters.adapt(module, 1, 1)
    layer = nn.Linear(2, 2)
    adapters.adapt(layer, 1, 1)
    with pytest.raises(ValueError, match="adapters already"):
        adapters.adapt(nn.Sequential(layer), 1, 1)
