"""Low-rank adapters (LoRA; Hu et al. 2022, arXiv:2106.09685): small trainable changes of frozen weights.

Knows weights as matrices, no architecture and no training. An adapter adds ``alpha / rank · up · down`` to a weight
that stays as it was. It is a parametrization of that weight, so whatever reads ``module.weight`` (a convolution that is
repeated in the backward pass, for one) reads the sum, and the merged model computes what the adapted one did, bit for
bit. A kernel [out, in, k] counts as the matrix [out, in · k].
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """``weight + alpha / rank · up · down``, which is `weight` until `up` has moved from zero."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        outputs, inputs = weight.shape[0], weight[0].numel()
        self.scale = alpha / rank
        rank = min(rank, outputs, inputs)  # more is no freedom
        self.down = nn.Parameter(weight.new_empty(rank, inputs).uniform_(-1, 1) * inputs**-0.5)
        self.up = nn.Parameter(weight.new_zeros(outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """[out, in, ...] -> the same; never lowered by autocast, or the merged weights would be others."""
        with torch.autocast(weight.device.type, enabled=False):
            return weight + self.scale * (self.up @ self.down).view_as(weight)


def adapt(module: nn.Module, rank: int, alpha: float) -> None:
    """Freeze `module`, and give the weight of every linear and convolutional layer in it an adapter to be trained.

    Attention's projections are such layers. Raises `ValueError` where there is nothing to adapt, or an adapter already.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv1d)]
    if not layers or any(map(parametrize.is_parametrized, layers)):
        raise ValueError(f"{type(module).__name__} has no linear layer or convolution, or has adapters already")
    module.requires_grad_(False)
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank, alpha))


def adapted(module: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv1d]]:
    """Name and module of every layer with an adapter."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv1d) and parametrize.is_parametrized(layer, "weight"):
            yield name, layer


@torch.no_grad()
def merged_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict of `module` as if it had never been adapted, with adapters added to their weights.

    Without adapters it is `module.state_dict()`. Keys are those of the plain module, in an order of their own.
    """
    state: dict[str, Tensor] = module.state_dict()
    for name, layer in adapted(module):
        prefix = f"{name}." if name else ""
        state = {key: tensor for key, tensor in state.items() if not key.startswith(f"{prefix}parametrizations.")}
        state[f"{prefix}weight"] = layer.weight
    return state


def merge(module: nn.Module) -> None:
    """Add every adapter to its weight and remove it; the module computes the same as before."""
    for _, layer in list(adapted(module)):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
