"""A running mean of a model's weights; knows tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from distal.train.distributed import own


@dataclass(frozen=True, eq=False)
class RunningMean:
    """Exponential mean of weights and running statistics, shorter at first: step n counts 1 − min(decay, (1+n)/(10+n)).

    Each process keeps the mean of what it holds of the weights.
    """

    decay: float
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], decay: float) -> RunningMean:
        """A mean that starts at these weights."""
        return cls(decay, {name: tensor.detach().clone() for name, tensor in weights.items()})

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor], number: int) -> None:
        """Move a little towards the weights after step `number`; counts are copied."""
        decay = min(self.decay, (1 + number) / (10 + number))
        for name, mean in self.weights.items():
            if mean.is_floating_point():
                own(mean).lerp_(own(weights[name]), 1 - decay)
            else:
                mean.copy_(weights[name])
