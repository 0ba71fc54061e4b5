"""Models small enough for a naive oracle, with every parameter and statistic perturbed: fresh models hide mistakes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from tests.models.goldens import one_hot
from torch import Tensor, nn

from distal.models.basenji2 import Basenji2Config
from distal.models.borzoi import BorzoiConfig
from distal.models.enformer import EnformerConfig

ENFORMER = EnformerConfig(
    channels=24,
    layers=2,
    attention_heads=2,
    key_size=3,
    divisible_by=2,
    input_bp=1280,
    bins=6,
    heads={"human": 5, "mouse": 3},
)
BASENJI2 = Basenji2Config(
    stem=5, tower_first=6, dilated_layers=4, dilated=3, final=9, input_bp=1536, bins=8, heads={"human": 4}
)
BORZOI = BorzoiConfig(
    stem=4,
    stem_kernel=5,
    tower=(5, 6, 8),
    layers=2,
    attention_heads=2,
    key_size=3,
    position_features=6,
    input_bp=256,
    bins=48,
    heads={"human": 4, "mouse": 3},
)


def perturbed(module: nn.Module, seed: int = 0) -> nn.Module:
    """`module` in evaluation mode with random weights of the size that keeps signals alive."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            noise = torch.randn(value.shape, generator=random)
            if name.endswith("num_batches_tracked"):
                continue
            if name.endswith("running_var"):
                value.copy_(torch.exp(0.4 * noise))
            elif value.ndim < 2 or "bias" in name:
                value.copy_(0.3 * noise + (1.0 if name.endswith("norm.weight") or "mlp.0.weight" in name else 0.0))
            else:
                value.copy_(noise * (1.5 / value[0].numel()) ** 0.5)
    return module.eval()


def arrays(module: nn.Module) -> dict[str, NDArray[np.floating]]:
    """The state dict as numpy."""
    return {name: value.numpy() for name, value in module.state_dict().items()}


def sequence(length: int, n: int = 1, seed: int = 3) -> Tensor:
    """Random one-hot DNA with a few N: float32 [n, length, 4]."""
    random = np.random.default_rng(seed)
    return one_hot(*random.choice(5, size=(n, length), p=[0.24, 0.24, 0.24, 0.24, 0.04]))
