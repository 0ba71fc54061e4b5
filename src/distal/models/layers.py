"""Layers that Enformer, Basenji2 and Borzoi share: activations, batch norm, pooling, relative attention.

Knows no architecture. Convolutional layers take and give [batch, channels, length], attention
[batch, length, channels].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from distal.models.checkpointing import Checkpointed, repeatable, repeating
from distal.models.replicas import normalise

Activation = Callable[[Tensor], Tensor]


class _QuickGelu(torch.autograd.Function):
    """x · sigmoid(1.702 x) is silu(1.702 x) / 1.702, so its slope is silu's at 1.702 x: it keeps x and nothing else."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (1.702 * x).sigmoid_().mul_(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = torch.ops.aten.silu_backward(gradient, 1.702 * x)
        return slope


def quick_gelu(x: Tensor) -> Tensor:
    """The GELU x · sigmoid(1.702 x) of Enformer and the released Basenji2 (Hendrycks & Gimpel 2016, section 2)."""
    y: Tensor = _QuickGelu.apply(x)  # type: ignore[no-untyped-call]
    return y


GELUS: dict[str, Activation] = {
    "sigmoid": quick_gelu,
    "tanh": partial(F.gelu, approximate="tanh"),
    "erf": F.gelu,
}
"""The three GELUs in circulation: they differ by up to 0.02 (spec of each model says which one its weights know)."""


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation over batch and length, [B, C, L], whose running variance is the biased batch variance.

    Sonnet and Keras store the biased variance, torch the unbiased one; inference is the same.
    """

    replicas: distributed.ProcessGroup | None = None
    """The processes whose batches count as one, if there are several."""

    def forward(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        """[B, C, L] -> [B, C, L]; in training mode with the batch's statistics, updating the running ones.

        With `channels`, x and the result are those channels alone.
        """
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        weight, bias = self.weight[channels], self.bias[channels]
        running_mean, running_var = self.running_mean[channels], self.running_var[channels]
        if not self.training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, False, 0.0, self.eps)
        y, mean, variance = self._normalised(x, weight, bias)
        if repeating():
            return y
        with torch.no_grad():
            running_mean.lerp_(mean, self.momentum)
            running_var.lerp_(variance, self.momentum)
            self.num_batches_tracked += not channels.start  # the first channels of a batch, or all of them
        return y

    def _normalised(self, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The result, and the batch's mean and biased variance, [C]."""
        if self.replicas is not None:
            return normalise(x, weight, bias, self.eps, self.replicas)
        mean, unbiased = torch.zeros_like(bias), torch.ones_like(bias)
        y = F.batch_norm(x, mean, unbiased, weight, bias, True, 1.0, self.eps)
        count = x.numel() // x.shape[1]
        return y, mean, unbiased * ((count - 1) / count)


def across_replicas(model: nn.Module, group: distributed.ProcessGroup | None) -> None:
    """Make every batch norm of `model` take its statistics over the batches of a group's processes; None: alone."""
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.replicas = group


def freeze_statistics(model: nn.Module) -> None:
    """Make every batch norm of a model in training mode use its running statistics, and leave them alone.

    ``model.train()`` undoes it. Scales and offsets still learn.
    """
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.eval()


class Residual(nn.Sequential):
    """x + f(x), where f is the sequence of modules."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape that f keeps."""
        y = x
        for module in self:
            y = module(y)
        return x + y


class SoftmaxPool(nn.Module):
    """Attention pooling over neighbouring pairs of positions (Enformer, Methods): [B, C, L] -> [B, C, L/2].

    The two positions are weighted by the softmax, channel by channel, of x·W at each of them. A softmax over two is
    a sigmoid of the difference, so with d = x0 − x1 the pooled value is exactly x1 + sigmoid(d·W)·d.
    W starts as 2·I, which prefers the larger of the two.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.logits = nn.Conv1d(channels, channels, 1, bias=False)
        with torch.no_grad():
            self.logits.weight.copy_(2.0 * torch.eye(channels)[:, :, None])

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, L] -> [B, C, L/2]; L must be even."""
        if x.shape[-1] % 2:
            raise ValueError(f"pooling halves the length, {x.shape[-1]} is odd")
        first, second = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
        difference = first - second
        y: Tensor = second + torch.sigmoid(self.logits(difference)) * difference
        return y


def relative_shift(x: Tensor) -> Tensor:
    """Logits per distance to logits per key: [..., T, 2T−1] -> [..., T, T] with out[i, j] = x[i, (j − i) + T − 1].

    The last axis of `x` holds the distances key − query = −(T−1) … T−1 (Transformer-XL, appendix B). Nothing is copied:
    a row of the result starts one place earlier in its row of `x` than the row above, which is a stride of 2T−2.
    """
    *_, queries, distances = x.shape
    x = x.contiguous()
    return x.as_strided(
        (*x.shape[:-1], queries), (*x.stride()[:-2], distances - 1, 1), x.storage_offset() + queries - 1
    )


class RelativeAttention(nn.Module):
    """Multi-head attention whose logits add a term for the distance between query and key (Enformer, Methods).

    logits[i, j] = (q_i + u)·k_j + (q_i + w)·r_{j−i}, with q scaled by 1/√key before the biases u, w are added and
    r = features of the distance times a learned matrix. Channels are ordered head by head.
    """

    def __init__(self, channels: int, heads: int, key: int, value: int, features: int) -> None:
        super().__init__()
        self.heads, self.key = heads, key
        self.query = nn.Linear(channels, heads * key, bias=False)
        self.keys = nn.Linear(channels, heads * key, bias=False)
        self.values = nn.Linear(channels, heads * value, bias=False)
        self.positions = nn.Linear(features, heads * key, bias=False)
        self.content_bias = nn.Parameter(torch.empty(heads, 1, key))
        self.position_bias = nn.Parameter(torch.empty(heads, 1, key))
        self.output = nn.Linear(heads * value, channels)
        self.weights_dropout = nn.Dropout(0.0)

    def logits(self, x: Tensor, features: Tensor) -> Tensor:
        """Attention logits [B, heads, T, T] for x [B, T, C] and features [2T−1, F] of the distances −(T−1) … T−1."""
        query = self._split(self.query(x)) * self.key**-0.5
        content = (query + self.content_bias) @ self._split(self.keys(x)).transpose(-1, -2)
        with torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False):  # neighbours are equal in bf16
            distance = self._split(self.positions(features)).transpose(-1, -2)  # [heads, key, 2T−1]
        logits: Tensor = content + relative_shift((query + self.position_bias) @ distance)
        return logits

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """[B, T, C], [2T−1, F] -> [B, T, C]."""
        at_least_float32 = torch.promote_types(x.dtype, torch.float32)
        weights = torch.softmax(self.logits(x, features), dim=-1, dtype=at_least_float32)
        attended = self.weights_dropout(weights).to(x.dtype) @ self._split(self.values(x))
        y: Tensor = self.output(attended.transpose(1, 2).flatten(-2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        """[..., T, heads·size] -> [..., heads, T, size]."""
        split: Tensor = x.reshape(*x.shape[:-1], self.heads, -1)
        return split.transpose(-2, -3)


class _TransformerConfig(Protocol):
    """The numbers of a model's config that make its transformer; a head's value size is channels / attention_heads."""

    @property
    def channels(self) -> int: ...
    @property
    def attention_heads(self) -> int: ...
    @property
    def key_size(self) -> int: ...
    @property
    def position_features(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def attention_dropout(self) -> float: ...
    @property
    def position_dropout(self) -> float: ...


class TransformerBlock(Checkpointed):
    """Attention, then an MLP: x + attention(norm(x)), x + MLP(norm(x)); each ends in dropout (Enformer)."""

    def __init__(self, config: _TransformerConfig, eps: float) -> None:
        super().__init__()
        channels, heads, dropout = config.channels, config.attention_heads, config.dropout
        self.attention_norm = nn.LayerNorm(channels, eps=eps)
        self.attention = RelativeAttention(
            channels, heads, config.key_size, channels // heads, config.position_features
        )
        self.attention.weights_dropout.p = config.attention_dropout
        self.attention_dropout = nn.Dropout(dropout)
        self.position_dropout = nn.Dropout(config.position_dropout)
        self.mlp = Residual(
            nn.LayerNorm(channels, eps=eps),
            nn.Linear(channels, 2 * channels),
            nn.Dropout(dropout),
            nn.ReLU(),
            nn.Linear(2 * channels, channels),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """[B, T, C] and [2T−1, F] position features -> [B, T, C]."""
        return repeatable(self._forward, x, features) if self.checkpointed else self._forward(x, features)

    def _forward(self, x: Tensor, features: Tensor) -> Tensor:
        attended = self.attention(self.attention_norm(x), self.position_dropout(features))
        y: Tensor = self.mlp(x + self.attention_dropout(attended))
        return y


def crop(x: Tensor, bins: int) -> Tensor:
    """The `bins` central positions of [B, T, C], the same number left out on both sides."""
    left_over = x.shape[1] - bins
    if left_over < 0 or left_over % 2:
        raise ValueError(f"{bins} bins cannot be cut from the middle of {x.shape[1]}")
    return x[:, left_over // 2 : x.shape[1] - left_over // 2]


def truncated_normal_(weight: Tensor, gain: float, fan_in: int, *, corrected: bool) -> None:
    """Fill with a normal cut at two standard deviations, σ = √(gain/fan_in), as Sonnet and Keras initialise.

    `corrected` divides σ by 0.8796, the standard deviation of the cut normal (VarianceScaling does, Sonnet's default
    initialiser of convolutions and linear layers does not).
    """
    sigma = math.sqrt(gain / fan_in)
    if corrected:
        sigma /= 0.87962566103423978
    nn.init.trunc_normal_(weight, std=sigma, a=-2 * sigma, b=2 * sigma)


def round_half_even(x: float, divisible_by: int = 1) -> int:
    """`x` as the nearest multiple of `divisible_by`; halves go to the even multiple, as in numpy and Python."""
    return round(x / divisible_by) * divisible_by
