"""Small training runs: a config over two small data sets that takes a second or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.data import tiny

from distal.train.config import Config

BASENJI2 = {
    "family": "basenji2",
    "architecture": {
        "stem": 8,
        "tower": [8, 8, 8, 8, 8, 8],
        "dilated_layers": 2,
        "dilated": 8,
        "final": 12,
        "input_bp": 2048,
        "bins": 8,
    },
}
ENFORMER = {
    "family": "enformer",
    "architecture": {
        "channels": 24,
        "layers": 1,
        "attention_heads": 2,
        "key_size": 4,
        "divisible_by": 4,
        "input_bp": 2048,
        "bins": 8,
    },
}


def data(folder: Path) -> Path:
    """Two data sets, `hg` and `mm`, of different windows."""
    tiny.folder(folder / "hg", train=5)
    tiny.folder(folder / "mm", train=3, seed=1000)
    return folder


def config(out: Path, **changes: Any) -> Config:
    """Six steps of two examples, the species in turn."""
    values: dict[str, Any] = {
        "name": "tiny",
        "out": str(out),
        "model": BASENJI2,
        "data": {"human": "hg", "mouse": "mm"},
        "steps": 6,
        "batch": 2,
        "checkpoint_every": 3,
        "optimizer": {"lr": 1e-2, "warmup": 2},
        "validation": {"every": 2},
    }
    return Config.model_validate({**values, **changes})
