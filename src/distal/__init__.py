"""distal: gene expression and chromatin tracks from DNA with Enformer and Basenji2. The public names, nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "Interval": "distal.coords",
    "Variant": "distal.coords",
    "Window": "distal.coords",
    "Genome": "distal.io.fasta",
    "Tracks": "distal.tracks",
    "TrackTable": "distal.tracks",
    "InputError": "distal.errors",
    "load": "distal.predictor",
    "predict": "distal.predictor",
    "score_variants": "distal.scoring.variants",
    "fit": "distal.train.loop",
    "evaluate": "distal.evals.run",
}
__all__ = sorted(_WHERE)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Public names arrive when they are first used, so `import distal` stays cheap."""
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'distal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
