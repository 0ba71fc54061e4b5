"""distal: gene expression and chromatin tracks from DNA with Enformer and Basenji2. The public names, nothing else."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

# On a CPU, torch's oneDNN keeps what it prepared for each layer and number of windows: 1,024 of them unless it is told
# otherwise before torch is loaded, and a long run meets new ones late. 64 hold the layers of a model, and memory stays.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

_WHERE = {
    "Interval": "distal.coords",
    "Variant": "distal.coords",
    "Window": "distal.coords",
    "Genome": "distal.io.fasta",
    "Genes": "distal.io.genes",
    "Tracks": "distal.tracks",
    "TrackTable": "distal.tracks",
    "InputError": "distal.errors",
    "load": "distal.predictor",
    "predict": "distal.predictor",
    "score_variants": "distal.scoring.variants",
    "contributions": "distal.interpret.contributions",
    "link_enhancers": "distal.interpret.linking",
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
