"""Basenji2 (Kelley 2020, PLoS Comput Biol 16:e1008050), top to bottom; knows no file or genome.

Convolutions bring one-hot DNA to 128-bp bins, eleven dilated residual convolutions share information over about
±27 kb, a pointwise layer and one linear head per species read the tracks off the central bins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from distal.coords import Window
from distal.models.checkpointing import Checkpointed, convolve_again, repeatable
from distal.models.layers import GELUS, Activation, BatchNorm, crop, round_half_even, truncated_normal_

TOWER_BLOCKS = 6
BIN_BP = 2 ** (TOWER_BLOCKS + 1)
EPS = 1e-3  # of Keras's batch normalisation


@dataclass(frozen=True)
class Basenji2Config:
    """The numbers that make a Basenji2; the defaults are `params_human.json` of the paper.

    `gelu` is "sigmoid" for the released weights, "tanh" for models trained with Basenji after April 2022, "erf" for
    the community's torch port. `bins` 1024 is the released file without its crop.
    """

    stem: int = 288
    tower_first: int = 339
    tower_growth: float = 1.1776
    dilated_layers: int = 11
    dilated: int = 384
    dilation_growth: float = 1.5
    final: int = 1536
    input_bp: int = 131_072
    bins: int = 896
    gelu: str = "sigmoid"
    heads: Mapping[str, int] = field(default_factory=lambda: {"human": 5313})
    dropout: float = 0.3
    final_dropout: float = 0.05
    tower: tuple[int, ...] | None = None
    """The tower's widths, where they don't follow `tower_first` · `tower_growth`^i."""

    def __post_init__(self) -> None:
        if self.gelu not in GELUS:
            raise ValueError(f"gelu {self.gelu!r} is not one of {', '.join(GELUS)}")
        if self.tower is not None and len(self.tower) != TOWER_BLOCKS:
            raise ValueError(f"the tower has {TOWER_BLOCKS} blocks, {len(self.tower)} widths were given")
        _ = self.window

    @property
    def tower_widths(self) -> list[int]:
        """Filters of the six tower blocks: 339 399 470 554 652 768."""
        if self.tower is not None:
            return list(self.tower)
        return [round_half_even(self.tower_first * self.tower_growth**i) for i in range(TOWER_BLOCKS)]

    @property
    def dilations(self) -> list[int]:
        """1 2 3 4 6 9 14 21 32 48 72: each half again the one before, rounded half to even *before* it grows on."""
        dilations, dilation = [], 1.0
        for _ in range(self.dilated_layers):
            dilations.append(int(dilation))
            dilation = round_half_even(dilation * self.dilation_growth)
        return dilations

    @property
    def window(self) -> Window:
        """Input length, bin size and number of bins."""
        return Window(self.input_bp, BIN_BP, self.bins)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for config.json."""
        return {**dataclasses.asdict(self), "heads": dict(self.heads)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Basenji2Config:
        """The inverse of `to_json`. Raises `TypeError` for unknown names, `ValueError` for impossible numbers."""
        tower = values.get("tower")
        return cls(**{**values, "tower": None if tower is None else tuple(tower)})


class ConvBlock(Checkpointed):
    """GELU → convolution without bias → batch norm → pooling. The first block's GELU meets the one-hot."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, gelu: Activation, dilation: int = 1, pool: int = 1
    ) -> None:
        super().__init__()
        self.gelu = gelu
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding="same", dilation=dilation, bias=False)
        self.norm = BatchNorm(outputs, eps=EPS)
        self.pool = nn.MaxPool1d(pool) if pool > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, L] -> [B, outputs, L / pool]."""
        if self.checkpointed:
            return repeatable(self._pooled, convolve_again(self.conv, lambda x, _: self.gelu(x), x))
        return self._pooled(self.conv(self.gelu(x)))

    def _pooled(self, x: Tensor) -> Tensor:
        y: Tensor = self.pool(self.norm(x))
        return y


class DilatedResidual(nn.Module):
    """A residual branch: narrow dilated convolution → pointwise convolution back to the width of x → dropout."""

    def __init__(self, width: int, config: Basenji2Config, dilation: int) -> None:
        super().__init__()
        gelu = GELUS[config.gelu]
        self.dilated = ConvBlock(width, config.dilated, 3, gelu, dilation=dilation)
        self.pointwise = ConvBlock(config.dilated, width, 1, gelu)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> the same."""
        y: Tensor = self.dropout(self.pointwise(self.dilated(x)))
        return x + y


class Basenji2(nn.Module):
    """One-hot DNA [B, input_bp, 4] to tracks [B, bins, tracks]."""

    def __init__(self, config: Basenji2Config) -> None:
        super().__init__()
        self.config = config
        gelu = GELUS[config.gelu]
        widths = [config.stem, *config.tower_widths]
        self.stem = ConvBlock(4, config.stem, 15, gelu, pool=2)
        self.tower = nn.Sequential(*(ConvBlock(inputs, width, 5, gelu, pool=2) for inputs, width in pairwise(widths)))
        self.dilated = nn.Sequential(*(DilatedResidual(widths[-1], config, d) for d in config.dilations))
        self.final = ConvBlock(widths[-1], config.final, 1, gelu)
        self.final_dropout = nn.Dropout(config.final_dropout)
        self.gelu = gelu
        self.heads = nn.ModuleDict({name: nn.Linear(config.final, n) for name, n in config.heads.items()})
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the paper does: He-normal convolutions, residual branches switched off by a zero scale."""
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                truncated_normal_(module.weight, 2.0, module.weight[0].numel(), corrected=True)
            elif isinstance(module, DilatedResidual):
                nn.init.zeros_(module.pointwise.norm.weight)
            elif isinstance(module, nn.Linear):
                truncated_normal_(module.weight, 2.0, module.in_features, corrected=True)
                nn.init.zeros_(module.bias)

    def read(self, x: Tensor) -> Tensor:
        """What the tower says of all bins [B, T, channels] -> [B, bins, final], what the heads read."""
        x = self.dilated(x.transpose(1, 2))
        x = self.final(crop(x.transpose(1, 2), self.config.bins).transpose(1, 2))
        return self.gelu(self.final_dropout(x)).transpose(1, 2)

    def trunk(self, x: Tensor) -> Tensor:
        """One-hot [B, L, 4] -> [B, bins, final], what the heads read."""
        return self.read(self.tower(self.stem(x.transpose(1, 2))).transpose(1, 2))

    def forward(self, x: Tensor, head: str) -> Tensor:
        """One-hot [B, L, 4] -> predicted coverage per bin [B, bins, tracks], never negative."""
        return F.softplus(self.heads[head](self.trunk(x)))
