"""bf16 training lowers matrix products, and nothing that needs the digits: what arrives where, by dtype."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.train import small
from torch import Tensor, nn

from distal.models.layers import BatchNorm, RelativeAttention
from distal.train import loop
from distal.train.run import start


@pytest.mark.parametrize("checkpointing", [False, True])
def test_fp32_islands(tmp_path: Path, checkpointing: bool) -> None:
    data = small.data(tmp_path / "data")
    run = start(
        small.config(tmp_path / "out", model=small.ENFORMER, precision="bf16", activation_checkpointing=checkpointing),
        data,
    )
    seen: dict[str, set[torch.dtype]] = {}

    def watch(name: str, module: nn.Module, outgoing: bool) -> None:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            seen.setdefault(name, set()).add((output if outgoing else inputs[0]).dtype)

        module.register_forward_hook(hook)

    for module in run.model.modules():
        if isinstance(module, RelativeAttention):
            watch("softmax", module.weights_dropout, False)
            watch("positions", module.positions, True)
            watch("query", module.query, True)
        elif isinstance(module, nn.Conv1d):
            watch("convolution", module, True)
    line = loop.step(run, 1)
    assert seen["softmax"] == seen["positions"] == {torch.float32}
    assert seen["query"] == {torch.bfloat16}
    assert torch.bfloat16 in seen["convolution"]
    assert isinstance(line["loss"], float)
    for name, parameter in run.model.named_parameters():
        assert parameter.dtype == torch.float32, name
        assert parameter.grad is None or parameter.grad.dtype == torch.float32, name
    norms = [module for module in run.model.modules() if isinstance(module, BatchNorm)]
    assert {norm.running_mean.dtype for norm in norms if norm.running_mean is not None} == {torch.float32}


def test_neighbouring_distances_differ_in_bf16_training() -> None:
    """0.9995 and 0.9991, what the longest half-life makes of 1 and 2 bins, are both 1 in bf16."""
    attention = RelativeAttention(8, 2, 4, 4, 1)
    features = torch.tensor([[0.9991], [0.9995], [1.0], [0.9995], [0.9991]])
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        attention.content_bias.zero_()
        attention.position_bias.fill_(1.0)
        attention.positions.weight.fill_(1.0)
        distance = attention.positions(features)
        assert len(distance.unique()) == 1  # as a linear layer is by itself
        found: list[Tensor] = []
        attention.positions.register_forward_hook(lambda *call: found.append(call[2]))
        attention.logits(torch.zeros(1, 3, 8), features)
    assert len(found[0][:, 0].unique()) == 3
