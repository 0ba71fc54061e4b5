"""The deterministic inputs of the reference outputs (shared/goldens/recipe.py, restated)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal import dna


def recipe_dna(length: int, seed: int) -> NDArray[np.uint8]:
    """About 1 % N, plus a run of 37 N right of the centre."""
    random = np.random.RandomState(seed)
    codes = random.randint(0, 4, size=length).astype(np.uint8)
    codes[random.rand(length) < 0.01] = dna.N
    codes[length // 2 + 5 : length // 2 + 42] = dna.N
    return codes


def one_hot(*codes: NDArray[np.integer]) -> Tensor:
    """float32 [n, L, 4]."""
    return torch.from_numpy(dna.one_hot(np.stack(codes).astype(np.uint8)))
