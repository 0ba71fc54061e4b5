"""Batch normalisation over the batches of several processes as if they were one; knows no layer.

``torch.nn.SyncBatchNorm`` does this on GPUs alone, and not where activations are made again in the backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable


def normalise(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: distributed.ProcessGroup
) -> tuple[Tensor, Tensor, Tensor]:
    """Standardise x [B, C, L] by mean and variance over all of the group's x, scale and move it; and these two, [C].

    Every process must give as many positions. The variance is the biased one. Gradients are exact: that of x tells what
    x does to the losses of all processes, those of weight and bias are this process's share, to be summed by whoever
    sums gradients.
    """
    y, mean, variance = _Normalised.apply(x, weight, bias, eps, group)  # type: ignore[no-untyped-call]
    return y, mean, variance


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: distributed.ProcessGroup
    ) -> tuple[Tensor, Tensor, Tensor]:
        wide = _wide(x)
        mean, squares = _means(group, wide, wide.square())
        variance = (squares - mean**2).clamp_min(0)
        scale = (variance + eps).rsqrt()
        mean, variance, scale = (values.to(weight.dtype) for values in (mean, variance, scale))
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.group = group
        ctx.mark_non_differentiable(mean, variance)
        slope = weight * scale
        y = torch.addcmul((bias - mean * slope)[:, None], wide, slope[:, None])
        return y.to(x.dtype), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """With c = x − mean: ∂x = weight · scale · (∂y − mean(∂y) − c · scale² · mean(c · ∂y)), means over all."""
        x, weight, mean, scale = ctx.saved_tensors
        gradient, centred = _wide(gradient), _wide(x) - mean[:, None]
        product = gradient * centred
        of_weight, of_bias = product.sum((0, 2)) * scale, gradient.sum((0, 2))
        along, level = (values.to(weight.dtype) for values in _means(ctx.group, product, gradient))
        of_x = gradient - level[:, None] - centred * (along * scale**2)[:, None]
        return (of_x * (weight * scale)[:, None]).to(x.dtype), of_weight, of_bias, None, None


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _means(group: distributed.ProcessGroup, *values: Tensor) -> Tensor:
    """Mean of each channel of each of `values` [B, C, L] over all processes, float64 [values, C].

    In float64 the mean of means is the mean of all: how the batch was shared leaves no trace in float32.
    """
    means = torch.stack([value.mean((0, 2), dtype=torch.float64) for value in values])
    distributed.all_reduce(means, group=group)
    return means / group.size()
