"""Compares a model's activations with a reference layer by layer, and names the first layer that diverges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.floating]
_EVERY = re.compile(r"_every(\d+)$")


@dataclass(frozen=True)
class Tap:
    """Where the reference array `golden` (``…_every8`` holds each eighth position) is seen in our model."""

    golden: str
    module: str
    side: Literal["input", "output"] = "output"
    channels_first: bool = True

    def cut(self, x: Tensor) -> Array:
        """[B, positions, C] of what was seen, at the reference's positions."""
        x = x.transpose(1, 2) if self.channels_first else x
        every = _EVERY.search(self.golden)
        return x.detach()[:, :: int(every[1]) if every else 1].numpy()


def record(model: nn.Module, taps: Iterable[Tap], run: Callable[[], Tensor]) -> dict[str, Array]:
    """What each tap sees while `run` runs."""
    seen: dict[str, Array] = {}

    def watch(tap: Tap) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen[tap.golden] = tap.cut(inputs[0] if tap.side == "input" else output)

        return model.get_submodule(tap.module).register_forward_hook(hook)

    handles = [watch(tap) for tap in taps]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return seen


def error(ours: Array | Tensor, reference: Array) -> float:
    """max|difference| / max|reference|, computed in float64."""
    mine = np.asarray(ours.detach() if isinstance(ours, Tensor) else ours, dtype=np.float64)
    reference = np.asarray(reference, dtype=np.float64)
    assert mine.shape == reference.shape, f"{mine.shape} against {reference.shape}"
    return float(np.abs(mine - reference).max() / np.abs(reference).max())


def check(seen: Mapping[str, Array | Tensor], golden: Mapping[str, Array], tolerance: float, prefix: str = "") -> None:
    """Fail at the first entry of `seen`, in its order, that is further than `tolerance` from the reference."""
    errors = {name: error(value, golden[prefix + name]) for name, value in seen.items()}
    for name, value in errors.items():
        if not value <= tolerance:
            listing = "\n".join(f"  {e:9.2e}  {n}" for n, e in errors.items())
            pytest.fail(f"first divergent layer: {name} ({value:.2e} > {tolerance:.0e})\n{listing}")
