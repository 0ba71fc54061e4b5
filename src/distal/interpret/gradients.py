"""How steeply one number of a model's output rises with every letter of its input; knows modules, no genome or file.

The number is a `Mask`'s: predictions summed over bins and averaged over channels. The gradient is that of the module as
it was trained, by automatic differentiation, in float32 whatever the predictor's precision: contributions of distant
bases are a small part of the largest, and in half precision they drown. Cheap activations are computed again in the
backward pass instead of being kept (`models.checkpointing`), so that Enformer's 196,608 bp need a fraction of the
memory, and the predictor's module stays as it was: a copy that shares its weights is differentiated.

**Averages over strands and shifts** are those of the prediction. Each `Reading` is differentiated where it reads: on
the other strand the bins are counted from the other end and the channels are the partners'. Its gradient is then moved
back, base by base, and complemented, so that it lies where the letters are; what a shift has pushed out of the window
has none. The mean of these is the gradient of the averaged prediction, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from distal.dna import Codes
from distal.errors import InputError
from distal.models.checkpointing import checkpoint_activations
from distal.models.letters import alphabet, one_hot
from distal.predictor import Predictor, Reading, readings


@dataclass(frozen=True, eq=False)
class Mask:
    """One number of a prediction [bins, channels]: the sum over these bins of the mean over these channels.

    Both are distinct indices of the output, in any order, int64.
    """

    bins: NDArray[np.int64]
    channels: NDArray[np.int64]

    def __post_init__(self) -> None:
        for what, indices in (("bins", self.bins), ("channels", self.channels)):
            if indices.ndim != 1 or indices.dtype != np.int64:
                raise ValueError(f"{what} must be int64 [n], not {indices.dtype} {list(indices.shape)}")
            if not len(indices):
                raise InputError(f"a mask without {what} has no value; name at least one")
            if indices.min() < 0 or len(np.unique(indices)) < len(indices):
                raise ValueError(f"{what} must be distinct and not negative")

    def value(self, prediction: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Predictions [..., bins, all channels of the head] to float64 [...]."""
        chosen = np.take(np.take(prediction, self.bins, axis=-2), self.channels, axis=-1)
        value: NDArray[np.float64] = chosen.astype(np.float64).sum(axis=-2).mean(axis=-1)
        return value

    def read(self, way: Reading, predictor: Predictor) -> Mask:
        """The same mask of what the model says under a reading."""
        if not way.reverse:
            return self
        return Mask(predictor.window.bins - 1 - self.bins, way.channels(predictor.tracks, self.channels))

    def check(self, predictor: Predictor) -> None:
        """Raise `InputError` where the model's output lacks one of the bins or channels."""
        limits = (("bin", self.bins, predictor.window.bins), ("channel", self.channels, predictor.chosen(None).numel()))
        for what, indices, size in limits:
            if indices.max() >= size:
                raise InputError(f"{what} {indices.max()} is not in the output of {predictor.spec.name}, it has {size}")


class Slope(NamedTuple):
    """A mask's value at a sequence, and how it changes with each of the four channels at every base."""

    value: float
    gradient: NDArray[np.floating[Any]]
    """[input_bp, 4], float32 as the weights are, forward strand."""


def gradient(
    predictor: Predictor, codes: Codes, mask: Mask, rc: bool = False, shifts: Sequence[int] = (0,)
) -> NDArray[np.floating[Any]]:
    """Raw gradient of the mask's value with respect to the one-hot letters, uint8 [input_bp] to float32 [input_bp, 4].

    It lies on the forward strand, as `codes` do, also where predictions are averaged over strands and shifts.
    """
    return slope(predictor, letters(predictor, codes), mask, rc, shifts).gradient


def letters(predictor: Predictor, codes: Codes) -> Tensor:
    """Codes uint8 [input_bp] as the model reads them: [input_bp, 4] on its device, in its weights' dtype."""
    if codes.shape != (predictor.window.input_bp,):
        raise ValueError(f"codes must be [{predictor.window.input_bp}], not {list(codes.shape)}")
    weights = next(predictor.module.parameters())
    return one_hot(codes[None], alphabet(predictor.n).to(weights.device, weights.dtype))[0]


def slope(predictor: Predictor, x: Tensor, mask: Mask, rc: bool = False, shifts: Sequence[int] = (0,)) -> Slope:
    """Value and gradient at any point of the letters' space, x [input_bp, 4], one-hot or between sequences."""
    module = differentiable(predictor.module)
    ways = readings(rc, shifts)
    value, total = 0.0, torch.zeros_like(x)
    for way in ways:
        read = _read(x, way, predictor.n).detach().requires_grad_()
        with exact(predictor.device):
            chosen = _chosen(module, predictor, read, mask, way)
            weights = torch.full_like(chosen, 1 / chosen.shape[1])
            (found,) = torch.autograd.grad(chosen, read, weights)
        value += _sum(chosen)
        total += _unread(found, way)
    return Slope(value / len(ways), (total / len(ways)).numpy(force=True))


@torch.no_grad()
def value(predictor: Predictor, x: Tensor, mask: Mask, rc: bool = False, shifts: Sequence[int] = (0,)) -> float:
    """The mask's value at a point x [input_bp, 4], by the module that is differentiated."""
    ways = readings(rc, shifts)
    with exact(predictor.device):
        read = (_chosen(predictor.module, predictor, _read(x, way, predictor.n), mask, way) for way in ways)
        return sum(map(_sum, read)) / len(ways)


def _chosen(module: nn.Module, predictor: Predictor, read: Tensor, mask: Mask, way: Reading) -> Tensor:
    """The mask's part of what the model says of letters [L, 4] that were read one way, [bins, channels]."""
    mask.check(predictor)
    there = mask.read(way, predictor)
    prediction: Tensor = module(read[None], predictor.head)[0]
    bins, channels = (torch.from_numpy(indices).to(prediction.device) for indices in (there.bins, there.channels))
    return prediction.index_select(0, bins).index_select(1, channels)


def _sum(chosen: Tensor) -> float:
    """Sum over bins, mean over channels, in float64."""
    return float(chosen.detach().cpu().double().sum(0).mean())


def differentiable(module: nn.Module) -> nn.Module:
    """A module of the same weights, not copied, that no gradient reaches, and that keeps little for the backward pass.

    Without gradients of their own the weights cost no memory in the backward pass, and no time.
    """
    shared: dict[int, Any] = {id(tensor): tensor.detach() for tensor in chain(module.parameters(), module.buffers())}
    frozen = deepcopy(module, shared)
    checkpoint_activations(frozen)
    return frozen


def exact(device: torch.device) -> AbstractContextManager[object]:
    """float32 means float32, forwards and backwards: cuDNN would otherwise round convolutions to TF32."""
    if device.type == "cuda":
        return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    return nullcontext()


def _read(x: Tensor, way: Reading, n: float) -> Tensor:
    """What `Reading.read` does to codes, to letters [L, 4]: the other strand, then the shift, N for what is vacated."""
    x = x.flip(0, 1) if way.reverse else x
    return _moved(x, way.shift, n)


def _unread(found: Tensor, way: Reading) -> Tensor:
    """A gradient [L, 4] of what was read as one of what there is: moved back, then complemented back."""
    found = _moved(found, -way.shift, 0.0)
    return found.flip(0, 1) if way.reverse else found


def _moved(x: Tensor, bases: int, vacated: float) -> Tensor:
    if not bases:
        return x
    moved = torch.full_like(x, vacated)
    width = len(x)
    if abs(bases) < width:
        moved[max(bases, 0) : width + min(bases, 0)] = x[max(-bases, 0) : width - max(bases, 0)]
    return moved
