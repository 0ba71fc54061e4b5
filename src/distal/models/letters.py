"""Letters as a network reads them: codes to one-hot rows on its device; knows no network and no genome."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distal import dna


def alphabet(n: float = 0.0) -> Tensor:
    """One-hot rows of A, C, G, T, N, float32 [5, 4]; `n` is the value of all four channels at an N."""
    return torch.from_numpy(dna.one_hot(np.arange(5, dtype=np.uint8), n=n))


def one_hot(codes: dna.Codes, alphabet: Tensor) -> Tensor:
    """Codes uint8 [n, L] to [n, L, 4] in the dtype and on the device of `alphabet`; only the codes travel there."""
    indices = torch.from_numpy(np.array(codes)).to(alphabet.device).flatten().int()
    return alphabet.index_select(0, indices).view(*codes.shape, 4)
