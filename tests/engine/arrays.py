"""Functions for workers whose items or results are arrays; not in `jobs`, where each new process would import torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Large:
    """An array of `megabytes` that holds the item's sum: more than a pipe takes at once, in both directions."""

    megabytes: int

    def __call__(self, worker: int) -> Callable[[np.ndarray], np.ndarray]:
        return self._array

    def _array(self, item: np.ndarray) -> np.ndarray:
        return np.full(self.megabytes << 17, item.sum())


@dataclass(frozen=True)
class Holding:
    """The sum of a tensor that it holds, as a tensor, times the item."""

    tensor: torch.Tensor

    def __call__(self, worker: int) -> Callable[[int], torch.Tensor]:
        return self._product

    def _product(self, item: int) -> torch.Tensor:
        time.sleep(0.01)
        return self.tensor.sum() * item
