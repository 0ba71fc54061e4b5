"""Which parts of the input some bins of the output attend to; knows transformers, no genome and no file.

Attention is not contribution: it says where a layer looks, not what it makes of it. Three readings of it are in use,
and all are means over the bins asked for, distributions that sum to 1 over the positions of the input:

- every layer's and head's weights (`weights`);
- their mean over heads and layers (`mean`), with which Enformer's authors scored enhancers (Avsec et al. 2021);
- the roll-out (Abnar & Zuidema 2020): heads averaged, every layer half its attention and half the residual connection,
  and the layers multiplied from the last one down, so that what passes through other bins is followed to its source.

A position is as wide as the transformer's, 128 bp; Borzoi's bins are narrower, and the four in one share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Window
from distal.dna import Codes
from distal.errors import InputError
from distal.interpret.gradients import Mask, exact, letters
from distal.models.layers import RelativeAttention
from distal.predictor import Predictor, readings


@dataclass(frozen=True, eq=False)
class Attention:
    """Where the bins that were asked for look, in the input's order from its first base on.

    `weights` float32 [layers, heads, positions], mean over the bins; `rollout` float32 [positions]. Each row sums to 1.
    """

    weights: NDArray[np.float32]
    rollout: NDArray[np.float32]
    position_bp: int

    def __post_init__(self) -> None:
        if self.weights.ndim != 3 or self.rollout.shape != self.weights.shape[2:]:
            shapes = f"{list(self.weights.shape)} and {list(self.rollout.shape)}"
            raise ValueError(f"weights and rollout must be [layers, heads, positions] and [positions], not {shapes}")

    def mean(self) -> NDArray[np.float32]:
        """Mean over heads and layers, [positions]."""
        return _mean(self.weights.reshape(-1, len(self.rollout)))


def attention(
    predictor: Predictor, codes: Codes, bins: NDArray[np.int64], rc: bool = False, shifts: Sequence[int] = (0,)
) -> Attention:
    """What the output's `bins` attend to in a sequence, uint8 [input_bp], averaged over strands and shifts.

    Raises `InputError` for a model without attention. In float32, whatever the predictor's precision.
    """
    mask = Mask(bins, np.zeros(1, dtype=np.int64))
    mask.check(predictor)
    found: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for way in readings(rc, shifts):
        weights, rollout = _watched(predictor, way.read(codes), mask.read(way, predictor).bins)
        found.append((weights[..., ::-1], rollout[::-1]) if way.reverse else (weights, rollout))
    by_head, rolled = zip(*found, strict=True)
    return Attention(_mean(by_head), _mean(rolled), predictor.window.input_bp // len(rolled[0]))


@torch.inference_mode()
def _watched(
    predictor: Predictor, codes: Codes, bins: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights [layers, heads, positions] from some bins, mean over them, and their roll-out [positions], one strand."""
    window = predictor.window
    modules = [module for module in predictor.module.modules() if isinstance(module, RelativeAttention)]
    if not modules:
        raise InputError(f"{predictor.spec.name} has no attention; ask for another method")
    bases = torch.from_numpy(window.crop_bp + bins * window.bin_bp).to(predictor.device)
    from_bins: list[Tensor] = []
    layers: list[Tensor] = []

    def watch(module: RelativeAttention, inputs: tuple[Tensor, Tensor]) -> None:
        weights = torch.softmax(module.logits(*inputs)[0], dim=-1)
        from_bins.append(weights[:, _positions(bases, window, weights)].mean(1))
        layers.append(weights.mean(0))

    with ExitStack() as stack, exact(predictor.device):
        for module in modules:
            stack.callback(module.register_forward_pre_hook(watch).remove)
        predictor.module(letters(predictor, codes)[None], predictor.head)
    identity = torch.eye(len(layers[0]), dtype=layers[0].dtype, device=layers[0].device)
    reached = identity[_positions(bases, window, identity)].mean(0)
    for layer in reversed(layers):
        reached = (reached + reached @ layer) / 2
    return _array(torch.stack(from_bins)), _array(reached)


def _positions(bases: Tensor, window: Window, per_position: Tensor) -> Tensor:
    """The transformer's positions that bases of the input lie in; the last axis of `per_position` has them all."""
    return bases // (window.input_bp // per_position.shape[-1])


def _mean(parts: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float64] = np.mean(np.asarray(parts), axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def _array(x: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = x.float().numpy(force=True)
    return array
