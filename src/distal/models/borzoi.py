"""Borzoi (Linder et al. 2025, Nature Genetics 57:949), top to bottom, at any size; knows no file or genome.

Convolutions bring one-hot DNA to coarse bins, a transformer with relative positions lets the bins see each other, and
a U-net brings the result back to finer bins, adding at each step what the convolutions saw at that resolution.
"""

from __future__ import annotations

import dataclasses
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
    GELUS,
    Activation,
    BatchNorm,
    RelativeAttention,
    TransformerBlock,
    crop,
    truncated_normal_,
)

EPS = 1e-3  # of Keras's batch and layer normalisation


@dataclass(frozen=True)
class BorzoiConfig:
    """The numbers that make a model of the family; the defaults are Calico's mini Borzoi (32-bp bins).

    `tower` are the widths of the convolutions behind the stem; each halves the length, as the stem does. The last is
    the transformer's width. `upsamplings` counts the U-net's steps back, each doubling the length.
    """

    stem: int = 64
    stem_kernel: int = 7
    tower: tuple[int, ...] = (80, 88, 96, 104, 120, 128)
    tower_kernel: int = 5
    layers: int = 2
    attention_heads: int = 2
    key_size: int = 32
    position_features: int = 32
    upsamplings: int = 2
    unet_kernel: int = 3
    input_bp: int = 131_072
    bins: int = 2048
    gelu: str = "tanh"
    heads: Mapping[str, int] = field(default_factory=lambda: {"human": 74})
    dropout: float = 0.2
    attention_dropout: float = 0.05
    position_dropout: float = 0.01

    def __post_init__(self) -> None:
        if self.gelu not in GELUS:
            raise ValueError(f"gelu {self.gelu!r} is not one of {', '.join(GELUS)}")
        if not 0 <= self.upsamplings <= len(self.tower) or not self.tower:
            raise ValueError(f"a tower of {len(self.tower)} convolutions cannot give {self.upsamplings} U-net steps")
        if self.channels % self.attention_heads:
            raise ValueError(f"channels ({self.channels}) must be a multiple of the heads ({self.attention_heads})")
        if self.position_features % 2:
            raise ValueError(f"position_features ({self.position_features}) must be even")
        if self.input_bp % self.transformer_bp:
            raise ValueError(f"input_bp ({self.input_bp}) must be a multiple of {self.transformer_bp}")
        _ = self.window

    @property
    def channels(self) -> int:
        """Width of the transformer and of what the heads read."""
        return self.tower[-1]

    @property
    def transformer_bp(self) -> int:
        """Bases per position of the transformer."""
        return int(2 ** (len(self.tower) + 1))

    @property
    def window(self) -> Window:
        """Input length, bin size and number of bins."""
        return Window(self.input_bp, self.transformer_bp // 2**self.upsamplings, self.bins)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for config.json."""
        return {**dataclasses.asdict(self), "heads": dict(self.heads), "tower": list(self.tower)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BorzoiConfig:
        """The inverse of `to_json`. Raises `TypeError` for unknown names, `ValueError` for impossible numbers."""
        return cls(**{**values, "tower": tuple(values["tower"])})


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept must serve training too
def position_features(length: int, features: int) -> Tensor:
    """Features of the distances −(T−1) … T−1 for T = `length` bins: float32 [2T−1, features].

    The first half is 1 where |d| < (T+1)^(k/n) − 1, k = 1 … n = features/2; the second half is the first times sign(d).
    """
    distance = torch.arange(-(length - 1), length, dtype=torch.float64)[:, None]
    size = features // 2
    exponent = torch.arange(1, size + 1, dtype=torch.float64) / size
    inside = ((length + 1.0) ** exponent - 1.0 > distance.abs()).double()
    return torch.cat([inside, torch.sign(distance) * inside], dim=1).float()


class ConvBlock(Checkpointed):
    """Batch norm → GELU → convolution: the activation comes first."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gelu: Activation) -> None:
        super().__init__()
        self.norm = BatchNorm(inputs, eps=EPS)
        self.gelu = gelu
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, L] -> [B, outputs, L]."""
        if self.checkpointed:
            return convolve_again(self.conv, self._activated, x, self.norm.parameters())
        y: Tensor = self.conv(self._activated(x))
        return y

    def _activated(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        return self.gelu(self.norm(x, channels))


class UnetStep(nn.Module):
    """Double the length and add the convolutional tower's view of that length; then a separable convolution."""

    def __init__(self, channels: int, skipped: int, kernel: int, gelu: Activation) -> None:
        super().__init__()
        self.coarse = ConvBlock(channels, channels, 1, gelu)
        self.fine = ConvBlock(skipped, channels, 1, gelu)
        self.depthwise = nn.Conv1d(channels, channels, kernel, padding="same", groups=channels, bias=False)
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """[B, channels, L] and [B, skipped, 2L] -> [B, channels, 2L]."""
        y: Tensor = self.pointwise(self.depthwise(F.interpolate(self.coarse(x), scale_factor=2) + self.fine(skip)))
        return y


class Borzoi(nn.Module):
    """One-hot DNA [B, input_bp, 4] to tracks [B, bins, tracks]."""

    def __init__(self, config: BorzoiConfig) -> None:
        super().__init__()
        self.config = config
        self.gelu = GELUS[config.gelu]
        widths, channels = [config.stem, *config.tower], config.channels
        self.stem = nn.Conv1d(4, config.stem, config.stem_kernel, padding="same")
        self.tower = nn.ModuleList(
            ConvBlock(inputs, width, config.tower_kernel, self.gelu) for inputs, width in pairwise(widths)
        )
        self.transformer = nn.ModuleList(TransformerBlock(config, eps=EPS) for _ in range(config.layers))
        self.unet = nn.ModuleList(
            UnetStep(channels, config.tower[-1 - step], config.unet_kernel, self.gelu)
            for step in range(config.upsamplings)
        )
        self.heads = nn.ModuleDict({name: nn.Linear(channels, n) for name, n in config.heads.items()})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as Calico does: LeCun-normal outside, He-normal inside the transformer, attention outputs at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                truncated_normal_(module.weight, 1.0, module.weight[0].numel(), corrected=True)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.transformer.modules():
            if isinstance(module, nn.Linear):
                truncated_normal_(module.weight, 2.0, module.in_features, corrected=True)
        for module in self.modules():
            if isinstance(module, RelativeAttention):
                for bias in (module.content_bias, module.position_bias):
                    truncated_normal_(bias, 2.0, bias.shape[0], corrected=True)
                nn.init.zeros_(module.output.weight)

    def trunk(self, x: Tensor) -> Tensor:
        """One-hot [B, L, 4] -> [B, bins, channels], what the heads read."""
        x = self.stem(x.transpose(1, 2))
        skips = []
        for block in self.tower:
            x = block(F.max_pool1d(x, 2))
            skips.append(x)
        x = F.max_pool1d(x, 2).transpose(1, 2)
        exact = torch.promote_types(x.dtype, torch.float32)
        features = position_features(x.shape[1], self.config.position_features).to(x.device, exact)
        for block in self.transformer:
            x = block(x, features)
        x = x.transpose(1, 2)
        for step in self.unet:
            x = step(x, skips.pop())
        return self.gelu(crop(x.transpose(1, 2), self.config.bins))

    def forward(self, x: Tensor, head: str) -> Tensor:
        """One-hot [B, L, 4] -> predicted coverage per bin [B, bins, tracks], never negative."""
        return F.softplus(self.heads[head](self.trunk(x)))
