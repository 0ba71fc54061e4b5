"""What is computed bin by bin: linear layers, activations and chains of them, for REF and for a change of it.

Each has a call, x [..., inputs] -> [..., outputs], and `difference(x, delta)`: what the call gives at x + delta, less
what it gives at x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distal.models.inference import differences
from distal.models.inference.arithmetic import Arithmetic
from distal.models.layers import GELUS, BatchNorm


class Map(Protocol):
    """A function of a bin's channels."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        ...

    def difference(self, x: Tensor, delta: Tensor, /) -> Tensor:
        """Of the call at `x`, for a change of x by `delta`: [..., inputs] -> [..., outputs]."""
        ...


class Linear:
    """x·Wᵀ + b for REF, δ·Wᵀ for a difference, each in its own arithmetic. W is [outputs, inputs]."""

    def __init__(self, weight: Tensor, bias: Tensor | None, plain: Arithmetic, carried: Arithmetic) -> None:
        self._weight = plain.narrow(weight)
        self._carried_weight = self._weight if carried is plain else carried.narrow(weight)
        self._bias = bias
        self._plain, self._carried = plain, carried

    @classmethod
    def of(cls, linear: nn.Linear | nn.Conv1d, plain: Arithmetic, carried: Arithmetic) -> Linear:
        """With the weights of torch's; a convolution's kernel must be 1."""
        return cls(linear.weight.flatten(1), linear.bias, plain, carried)

    def __call__(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        y = self._plain.matmul(x, self._weight.t())
        return y if self._bias is None else y.add_(self._bias)

    def carry(self, delta: Tensor, loud: Tensor | None = None) -> Tensor:
        """A change [..., inputs] to that of the output [..., outputs].

        The positions `loud` [n, k] of a change [n, T, inputs] are not rounded: they are multiplied as REF is.
        """
        y = self._carried.matmul(delta, self._carried_weight.t())
        if loud is None:
            return y
        few = delta.gather(1, loud[..., None].expand(-1, -1, delta.shape[2]))
        few = self._plain.matmul(few, self._weight.t())
        return y.scatter_(1, loud[..., None].expand_as(few), few)

    def difference(self, _: Tensor, delta: Tensor) -> Tensor:
        """The same for any x: `carry`."""
        return self.carry(delta)


@dataclass(frozen=True, eq=False)
class Affine:
    """scale·x + shift, channel by channel."""

    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, norm: BatchNorm) -> Affine:
        """Batch normalisation with its running statistics."""
        assert norm.running_var is not None
        assert norm.running_mean is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return cls(scale, norm.bias - norm.running_mean * scale)

    def __call__(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        return torch.addcmul(self.shift, x, self.scale)

    def difference(self, _: Tensor, delta: Tensor) -> Tensor:
        """The same for any x."""
        return delta * self.scale


@dataclass(frozen=True)
class Gelu:
    """One of the GELUs of `layers.GELUS`."""

    kind: str

    def __call__(self, x: Tensor) -> Tensor:
        """Any shape."""
        return F.silu(1.702 * x) / 1.702 if self.kind == "sigmoid" else GELUS[self.kind](x)

    def difference(self, x: Tensor, delta: Tensor) -> Tensor:
        """Any shapes that broadcast."""
        return differences.gelu(self.kind, x, delta)


class Softplus:
    """log(1 + e^x)."""

    def __call__(self, x: Tensor) -> Tensor:
        """Any shape."""
        return F.softplus(x)

    def difference(self, x: Tensor, delta: Tensor) -> Tensor:
        """Any shapes that broadcast."""
        return differences.softplus(x, delta)


@dataclass(frozen=True, eq=False)
class Select:
    """Some of the channels, in an order of their own."""

    channels: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., len(channels)]."""
        return x.index_select(-1, self.channels)

    def difference(self, _: Tensor, delta: Tensor) -> Tensor:
        """The same for any x."""
        return self(delta)


class Chain:
    """One map after the other."""

    def __init__(self, *maps: Map) -> None:
        self._maps = maps

    def __call__(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[..., inputs] -> [..., outputs], and what each map was given."""
        given = []
        for each in self._maps:
            given.append(x)
            x = each(x)
        return x, given

    def difference(self, given: Sequence[Tensor], delta: Tensor) -> Tensor:
        """A change [..., inputs] to that of the output, [..., outputs]."""
        for each, x in zip(self._maps, given, strict=True):
            delta = each.difference(x, delta)
        return delta
