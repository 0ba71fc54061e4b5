"""Activation checkpointing: the same step, from less memory; the gradients of the parts against torch's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.small import BASENJI2, BORZOI, ENFORMER, perturbed, sequence
from torch import Tensor, nn
from torch.nn.grad import conv1d_weight
from torch.utils._python_dispatch import TorchDispatchMode

from distal.models import checkpointing
from distal.models.basenji2 import Basenji2
from distal.models.borzoi import Borzoi
from distal.models.checkpointing import checkpoint_activations, convolve_again, kernel_gradient, repeatable, repeating
from distal.models.enformer import ConvBlock, Enformer
from distal.models.layers import GELUS, BatchNorm, TransformerBlock

MODELS: list[tuple[Callable[[Any], nn.Module], Any]] = [(Enformer, ENFORMER), (Basenji2, BASENJI2), (Borzoi, BORZOI)]
every_model = pytest.mark.parametrize(("architecture", "config"), MODELS, ids=["enformer", "basenji2", "borzoi"])


def built(architecture: Callable[[Any], nn.Module], config: Any, on: bool) -> nn.Module:
    model = perturbed(architecture(config)).train()
    checkpoint_activations(model, on)
    return model


def step(model: nn.Module, x: Tensor, bf16: bool = False) -> dict[str, Tensor]:
    """Prediction, gradients of input and parameters, running statistics after one step; dropout of seed 1."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = model(x, "human")
    y.float().square().mean().backward()
    assert x.grad is not None
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"y": y.detach(), "x": x.grad, **gradients, **{name: b.clone() for name, b in model.named_buffers()}}


def same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Predictions and statistics bit for bit, gradients within a part of the largest one (some are only rounding)."""
    assert found.keys() == expected.keys()
    gradients = [name for name in expected if name != "y" and "running" not in name and "tracked" not in name]
    largest = max(expected[name].abs().max().item() for name in gradients)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        if name in gradients:
            assert (found[name] - value).abs().max().item() <= tolerance * largest, name
        else:
            assert torch.equal(found[name], value), name


@every_model
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_a_step_is_the_same(
    architecture: Callable[[Any], nn.Module], config: Any, training: bool, dtype: torch.dtype, tolerance: float
) -> None:
    """Dropout and batch statistics, or neither; in training each running statistic has moved once."""
    x = sequence(config.input_bp, 2).to(dtype)
    plain, checkpointed = (step(built(architecture, config, on).to(dtype).train(training), x) for on in (False, True))
    same(checkpointed, plain, tolerance)
    assert {value.item() for name, value in checkpointed.items() if "tracked" in name} == {int(training)}


@every_model
def test_the_cache_changes_nothing(
    architecture: Callable[[Any], nn.Module], config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One channel at a time, or several and a rest; statistics are sums over other slices of memory."""
    x = sequence(config.input_bp, 2).double()
    plain = step(built(architecture, config, False).double(), x)
    for cached in (1, 2 * 3 * config.input_bp):
        monkeypatch.setattr(checkpointing, "_CACHED", cached)
        tiled = step(built(architecture, config, True).double(), x)
        assert tiled.keys() == plain.keys()
        for name, value in plain.items():
            torch.testing.assert_close(tiled[name], value, rtol=1e-10, atol=1e-12, msg=name)


@every_model
def test_a_step_with_bf16_products_is_the_same(architecture: Callable[[Any], nn.Module], config: Any) -> None:
    x = sequence(config.input_bp, 2)
    plain, checkpointed = (step(built(architecture, config, on), x, bf16=True) for on in (False, True))
    same(checkpointed, plain, 2e-3)


@every_model
def test_it_can_be_switched_off_and_predicts_without_gradients(
    architecture: Callable[[Any], nn.Module], config: Any
) -> None:
    x = sequence(config.input_bp)
    model = built(architecture, config, True).eval()
    with torch.inference_mode():
        on = model(x, "human")
        checkpoint_activations(model, False)
        assert torch.equal(model(x, "human"), on)
    assert not any(getattr(module, "checkpointed", False) for module in model.modules())


@every_model
def test_frozen_parameters_stay_without_gradients(architecture: Callable[[Any], nn.Module], config: Any) -> None:
    """Batch norms frozen, or all but the head: the rest of the gradients are the same."""
    x = sequence(config.input_bp)
    for frozen in ("norm.", ""):
        found = []
        for on in (False, True):
            model = built(architecture, config, on)
            for name, parameter in model.named_parameters():
                parameter.requires_grad_("heads" in name or frozen not in name)
            torch.manual_seed(1)
            model(x, "human").sum().backward()
            found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
        assert found[0].keys() == found[1].keys()
        assert not any(frozen in name and "heads" not in name for name in found[1])
        largest = max(gradient.abs().max().item() for gradient in found[0].values())
        assert all((found[1][name] - gradient).abs().max() <= 1e-6 * largest for name, gradient in found[0].items())


def kept(run: Callable[[], Tensor]) -> tuple[int, Tensor]:
    """Bytes that wait for the backward pass of what `run` returns, apart from parameters."""
    storages: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        if not isinstance(x, nn.Parameter):
            storages[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        y = run()
    return sum(storages.values()), y


def test_a_block_keeps_its_input_alone() -> None:
    """Plain: the input, its norm, the GELU of that, and a few vectors of batch norm."""
    block = ConvBlock(8, 8, 5).train()
    x = torch.randn(1, 8, 1000, requires_grad=True)
    plain, _y = kept(lambda: block(x))
    checkpoint_activations(block)
    checkpointed, _z = kept(lambda: block(x))
    assert checkpointed == x.numel() * 4
    assert 0 <= plain - 3 * x.numel() * 4 < 200


class Counting(TorchDispatchMode):
    """Counts the operations that really run."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, operation: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[str(operation)] += 1
        return operation(*args, **(kwargs or {}))


def backward_calls(on: bool) -> Counter[str]:
    block = TransformerBlock(ENFORMER, eps=1e-5).train()
    checkpoint_activations(block, on)
    y = block(torch.randn(1, 10, 24, requires_grad=True), torch.randn(19, 12)).sum()
    with Counting() as counting:
        y.backward()
    return counting.calls


def test_a_transformer_block_repeats_its_attention_but_no_linear_layer() -> None:
    """Three products are: q·k, q·r and weights·v."""
    plain, checkpointed = backward_calls(False), backward_calls(True)
    repeated = checkpointed - plain
    assert repeated["aten._softmax.default"] == 1
    assert plain["aten.mm.default"] == checkpointed["aten.mm.default"] > 0
    assert repeated["aten.addmm.default"] == 0
    assert repeated["aten.bmm.default"] == 3


def test_only_a_repetition_is_one() -> None:
    seen = []

    def watched(x: Tensor) -> Tensor:
        seen.append(repeating())
        return x.exp()

    x = torch.zeros(1, 2, 3, requires_grad=True)
    repeatable(watched, x).sum().backward()
    convolve_again(nn.Conv1d(2, 2, 3, padding="same"), lambda x, _: watched(x), x).sum().backward()
    assert seen == [False, True, False, True, True]
    assert not repeating()


@pytest.mark.parametrize("gelu", GELUS)
@pytest.mark.parametrize("dilation", [1, 2])
def test_gradients_of_norm_gelu_and_convolution(gelu: str, dilation: int) -> None:
    """Against finite differences."""
    norm = BatchNorm(2, eps=1e-3).double().train()
    conv = nn.Conv1d(2, 3, 3, padding="same", dilation=dilation).double()
    x = torch.randn(2, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def run(x: Tensor, *_: Tensor) -> Tensor:
        y: Tensor = convolve_again(conv, lambda x, tile: GELUS[gelu](norm(x, tile)), x, norm.parameters())
        return y

    assert torch.autograd.gradcheck(run, (x, *norm.parameters(), *conv.parameters()))


@given(
    batch=st.integers(1, 3),
    inputs=st.sampled_from([1, 31, 32, 40]),
    length=st.integers(1, 9),
    kernel=st.sampled_from([1, 3, 5]),
    dilation=st.integers(1, 6),
)
def test_the_gradient_of_a_kernel_is_torchs(batch: int, inputs: int, length: int, kernel: int, dilation: int) -> None:
    """Kernels that reach beyond both ends included."""
    random = torch.Generator().manual_seed(length)
    gradient = torch.randn(batch, 3, length, dtype=torch.float64, generator=random)
    x = torch.randn(batch, inputs, length, dtype=torch.float64, generator=random)
    expected = conv1d_weight(x, (3, inputs, kernel), gradient, padding=dilation * (kernel // 2), dilation=dilation)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(kernel_gradient(gradient, x, kernel, dilation), expected, rtol=1e-12, atol=1e-12)
