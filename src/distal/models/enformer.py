"""Enformer (Avsec et al. 2021, Nature Methods 18:1196), top to bottom (Extended Data Fig. 1); knows no file or genome.

Convolutions bring one-hot DNA to 128-bp bins, a transformer with relative positions lets the bins see each other
across 196,608 bp, a pointwise layer and one linear head per species read the tracks off the 896 central bins.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distal.coords import Window
from distal.models.checkpointing import Checkpointed, convolve_again
from distal.models.layers import (
    BatchNorm,
    RelativeAttention,
    Residual,
    SoftmaxPool,
    TransformerBlock,
    crop,
    quick_gelu,
    round_half_even,
    truncated_normal_,
)

TOWER_BLOCKS = 6
BIN_BP = 2 ** (TOWER_BLOCKS + 1)
BASES_OF_DISTANCE = 3  # exponential, central mask, gamma; each once symmetric and once with the distance's sign


@dataclass(frozen=True)
class EnformerConfig:
    """The numbers that make an Enformer; the defaults are the published model's.

    `position_features` defaults to channels / heads. `divisible_by` rounds the tower's widths. `pooling` is
    "attention" (the paper) or "max" (the demonstration notebook). The dropout rates are the paper's.
    """

    channels: int = 1536
    layers: int = 11
    attention_heads: int = 8
    key_size: int = 64
    divisible_by: int = 128
    input_bp: int = 196_608
    bins: int = 896
    pooling: str = "attention"
    heads: Mapping[str, int] = field(default_factory=lambda: {"human": 5313, "mouse": 1643})
    dropout: float = 0.4
    attention_dropout: float = 0.05
    position_dropout: float = 0.01

    def __post_init__(self) -> None:
        if self.channels % (2 * self.attention_heads):
            raise ValueError(f"channels ({self.channels}) must be a multiple of 2 x {self.attention_heads} heads")
        if self.position_features % (2 * BASES_OF_DISTANCE):
            raise ValueError(f"channels / heads = {self.position_features} must be a multiple of 6")
        if self.tower_widths[-1] != self.channels:
            raise ValueError(f"channels ({self.channels}) must be a multiple of divisible_by ({self.divisible_by})")
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling {self.pooling!r} is not one of {', '.join(POOLINGS)}")
        _ = self.window

    @property
    def position_features(self) -> int:
        """Features per distance, and value size of a head: channels / heads."""
        return self.channels // self.attention_heads

    @property
    def tower_widths(self) -> list[int]:
        """Channels of the six tower blocks, growing geometrically from C/2 to C: 768 896 1024 1152 1280 1536."""
        first, last = self.channels // 2, self.channels
        step = math.log(last / first) / (TOWER_BLOCKS - 1)
        return [round_half_even(first * math.exp(step * i), self.divisible_by) for i in range(TOWER_BLOCKS)]

    @property
    def window(self) -> Window:
        """Input length, bin size and number of bins."""
        return Window(self.input_bp, BIN_BP, self.bins)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for config.json."""
        return {**dataclasses.asdict(self), "heads": dict(self.heads)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EnformerConfig:
        """The inverse of `to_json`. Raises `TypeError` for unknown names, `ValueError` for impossible numbers."""
        return cls(**values)


def exponential_features(distance: Tensor, features: int, length: int) -> Tensor:
    """2^(−|d|/h) with half-lives h from 2³ to `length` in geometric steps: [D] -> [D, features]."""
    half_life = 2.0 ** torch.linspace(3.0, math.log2(length), features, dtype=distance.dtype)
    return 2.0 ** (-distance[:, None] / half_life)


def central_mask_features(distance: Tensor, features: int) -> Tensor:
    """1 where |d| < 2^k − 1, k = 1 … features: [D] -> [D, features]."""
    width = 2.0 ** torch.arange(1, features + 1, dtype=distance.dtype) - 1.0
    return (width > distance[:, None]).to(distance.dtype)


def gamma_features(distance: Tensor, features: int, length: int) -> Tensor:
    """Gamma densities at |d| with means from length/features to `length`: [D] -> [D, features].

    σ = length / (2·features); 1e-8 is added, then each feature is divided by its maximum over the *distances*.
    """
    mean = torch.linspace(length / features, length, features, dtype=distance.dtype)
    sigma = length / (2 * features)
    concentration, rate = (mean / sigma) ** 2, mean / sigma**2
    log_density = torch.xlogy(concentration - 1, distance[:, None]) - rate * distance[:, None]
    log_normaliser = torch.lgamma(concentration) - concentration * torch.log(rate)
    density = torch.exp(log_density - log_normaliser) + 1e-8
    return density / density.amax(dim=0)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept must serve training too
def position_features(length: int, features: int) -> Tensor:
    """Features of the distances −(T−1) … T−1 for T = `length` bins: float32 [2T−1, features].

    Computed in float64 and rounded once: in float32 the gamma densities lose three digits. The first half of the
    features is symmetric in d, the second half is the first times sign(d).
    """
    distance = torch.arange(-(length - 1), length, dtype=torch.float64)
    size = features // (2 * BASES_OF_DISTANCE)
    absolute = distance.abs()
    symmetric = torch.cat(
        [
            exponential_features(absolute, size, length),
            central_mask_features(absolute, size),
            gamma_features(absolute, size, length),
        ],
        dim=1,
    )
    return torch.cat([symmetric, torch.sign(distance)[:, None] * symmetric], dim=1).float()


class ConvBlock(Checkpointed):
    """Batch norm → GELU → convolution: the activation comes first."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.norm = BatchNorm(inputs, eps=1e-5)
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, L] -> [B, outputs, L]."""
        if self.checkpointed:
            return convolve_again(self.conv, self._activated, x, self.norm.parameters())
        y: Tensor = self.conv(self._activated(x))
        return y

    def _activated(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        return quick_gelu(self.norm(x, channels))


class MaxPool(nn.MaxPool1d):
    """Maximum of neighbouring pairs; used by DeepMind's training notebook instead of `SoftmaxPool`."""

    def __init__(self, channels: int) -> None:
        super().__init__(2)


POOLINGS: dict[str, type[nn.Module]] = {"attention": SoftmaxPool, "max": MaxPool}


class Enformer(nn.Module):
    """One-hot DNA [B, input_bp, 4] to tracks [B, bins, tracks]."""

    def __init__(self, config: EnformerConfig) -> None:
        super().__init__()
        self.config = config
        channels, pool = config.channels, POOLINGS[config.pooling]
        half = channels // 2
        self.stem = nn.Sequential(
            nn.Conv1d(4, half, 15, padding="same"),
            Residual(ConvBlock(half, half, 1)),
            pool(half),
        )
        widths = [half, *config.tower_widths]
        self.tower = nn.Sequential(
            *(
                nn.Sequential(ConvBlock(inputs, width, 5), Residual(ConvBlock(width, width, 1)), pool(width))
                for inputs, width in pairwise(widths)
            )
        )
        self.transformer = nn.ModuleList(TransformerBlock(config, eps=1e-5) for _ in range(config.layers))
        self.final = ConvBlock(channels, 2 * channels, 1)
        self.final_dropout = nn.Dropout(config.dropout / 8)
        self.heads = nn.ModuleDict({name: nn.Linear(2 * channels, n) for name, n in config.heads.items()})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the paper does: Sonnet's initialisers; attention outputs at zero make each block an identity."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
                truncated_normal_(module.weight, 1.0, module.weight[0].numel(), corrected=False)
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, RelativeAttention):
                for linear in (module.query, module.keys, module.values, module.positions):
                    truncated_normal_(linear.weight, 2.0, linear.in_features, corrected=True)
                for bias in (module.content_bias, module.position_bias):
                    truncated_normal_(bias, 2.0, bias.shape[0], corrected=True)
                nn.init.zeros_(module.output.weight)

    def transformed(self, x: Tensor) -> Tensor:
        """What the tower says of all bins [B, T, channels] -> what the transformer says of the predicted ones."""
        exact = torch.promote_types(x.dtype, torch.float32)
        features = position_features(x.shape[1], self.config.position_features).to(x.device, exact)
        for block in self.transformer:
            x = block(x, features)
        return crop(x, self.config.bins)

    def read(self, x: Tensor) -> Tensor:
        """What `transformed` gives -> [B, bins, 2·channels], what the heads read."""
        x = self.final(x.transpose(1, 2)).transpose(1, 2)
        return quick_gelu(self.final_dropout(x))

    def trunk(self, x: Tensor) -> Tensor:
        """One-hot [B, L, 4] -> [B, bins, 2·channels], what the heads read."""
        return self.read(self.transformed(self.tower(self.stem(x.transpose(1, 2))).transpose(1, 2)))

    def forward(self, x: Tensor, head: str) -> Tensor:
        """One-hot [B, L, 4] -> predicted coverage per bin [B, bins, tracks], never negative."""
        return F.softplus(self.heads[head](self.trunk(x)))
