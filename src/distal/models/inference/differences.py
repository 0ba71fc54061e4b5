"""f(x + δ) − f(x) of the functions in a network, without subtracting two numbers that are nearly the same.

REF's signal is x, ALT's is x + δ. Taken naively the difference of two rounded values loses as many digits as δ is
smaller than x; each formula here has an error relative to δ instead. Every function works elementwise, except those
that say otherwise, and broadcasts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from distal.models.layers import GELUS

_STEEP = 1.0  # beyond this, two values of softplus are far enough apart to be subtracted
_FAR = 16.0  # beyond this, two of a sigmoid; up to it no factor of their difference loses a digit
_TANH = 2.0 * (2.0 / torch.pi) ** 0.5  # gelu_tanh(x) = x · sigmoid(_TANH · (x + 0.044715 x³))
_CUBIC = 0.044715


def sigmoid(x: Tensor, delta: Tensor) -> Tensor:
    """Of σ(x): σ(x + δ) − σ(x) = σ(x) σ(−x − δ) (e^δ − 1)."""
    moved = x + delta
    near = torch.sigmoid(x) * torch.sigmoid(-moved) * torch.expm1(delta.clamp(-_FAR, _FAR))
    return torch.where(delta.abs() < _FAR, near, torch.sigmoid(moved) - torch.sigmoid(x))


def softplus(x: Tensor, delta: Tensor) -> Tensor:
    """Of log(1 + e^x): log(1 + σ(x) (e^δ − 1))."""
    near = torch.log1p(torch.sigmoid(x) * torch.expm1(delta.clamp(-_STEEP, _STEEP)))
    return torch.where(delta.abs() < _STEEP, near, F.softplus(x + delta) - F.softplus(x))


def gelu(kind: str, x: Tensor, delta: Tensor) -> Tensor:
    """Of one of the three GELUs of `layers.GELUS`, x·g(x): δ·g(x + δ) + x·(g(x + δ) − g(x))."""
    if kind == "sigmoid":
        slope, moved, change = 1.702 * x, 1.702 * (x + delta), 1.702 * delta
    elif kind == "tanh":
        slope = _TANH * (x + _CUBIC * x**3)
        change = _TANH * delta * (1.0 + _CUBIC * (3.0 * x * (x + delta) + delta**2))
        moved = slope + change
    else:
        return GELUS[kind](x + delta) - GELUS[kind](x)
    return delta * torch.sigmoid(moved) + x * sigmoid(slope, change)


class Normalised(NamedTuple):
    """Layer norm's state over the last axis: (x − mean) / sd, and 1 / sd, where sd is the root of variance + eps."""

    values: Tensor
    scale: Tensor

    @classmethod
    def of(cls, x: Tensor, eps: float) -> Normalised:
        """[..., C] -> values [..., C], scale [..., 1]."""
        variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        scale = torch.rsqrt(variance + eps)
        return cls((x - mean) * scale, scale)

    def difference(self, delta: Tensor) -> Tensor:
        """Of `values`, for a change of x by `delta` [..., C]."""
        change = (delta - delta.mean(-1, keepdim=True)) * self.scale
        growth = (change * (2.0 * self.values + change)).mean(-1, keepdim=True)  # of the variance, relative
        shrinkage = torch.expm1(-0.5 * torch.log1p(growth))
        return torch.addcmul(change, change + self.values, shrinkage)
