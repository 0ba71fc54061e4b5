"""Memory that is used again; knows no layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Scratch:
    """Memory for the large intermediate signals of one network, used again for each tile.

    Fresh memory for every signal costs a CPU about a tenth of a pass: the kernel hands it out page by page.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def take(self, name: str, shape: Sequence[int], like: Tensor) -> Tensor:
        """An uninitialised tensor; whatever was taken under this name before is overwritten."""
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or kept.numel() < size or kept.device != like.device or kept.dtype != like.dtype:
            self._kept[name] = kept = torch.empty(size, dtype=like.dtype, device=like.device)
        return kept[:size].view(*shape)

    def forget(self) -> None:
        """Give the memory back."""
        self._kept.clear()
