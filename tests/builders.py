"""Small real things that several tests need: models of every family with random weights, a genome, a track table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from distal.io.fasta import Genome
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.enformer import Enformer, EnformerConfig
from distal.models.zoo import Spec
from distal.predictor import Predictor
from distal.tracks import Track, TrackTable

TABLE = TrackTable(
    (
        Track(0, "cage+", "CAGE:liver", strand_pair=1),
        Track(1, "cage-", "CAGE:liver", strand_pair=0),
        Track(2, "dnase", "DNASE:HepG2", strand_pair=2),
        Track(3, "atac", "ATAC:HepG2"),
        Track(4, "rna-", "RNA:brain", strand_pair=5),
        Track(5, "rna+", "RNA:brain", strand_pair=4),
    )
)
ENFORMER = EnformerConfig(
    channels=24, layers=2, attention_heads=2, key_size=8, divisible_by=4, input_bp=2048, bins=8, heads={"human": 6}
)
BASENJI2 = Basenji2Config(
    stem=8, tower=(8, 8, 8, 8, 8, 8), dilated_layers=3, dilated=8, final=12, input_bp=2048, bins=8, heads={"human": 6}
)
BORZOI = BorzoiConfig(
    stem=8,
    tower=(8, 8, 8, 8, 8, 8),
    key_size=8,
    position_features=8,
    input_bp=2048,
    bins=32,
    heads={"human": 6},
)


def perturbed(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter and running statistic moved: fresh models have branches that are switched off."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator) * 0.1
                tensor.add_(noise.abs() if name.endswith("var") else noise)
    return module.eval()


def predictor(family: str = "enformer", batch_size: int = 4, precision: str = "fp32", n: float = 0.0) -> Predictor:
    """A tiny model that reads 2,048 bp and says 1,024 of them, in bins of 128 (Borzoi 32) bp, for `TABLE`'s tracks."""
    torch.manual_seed(1)
    families = {
        "enformer": lambda: Enformer(ENFORMER),
        "basenji2": lambda: Basenji2(BASENJI2),
        "borzoi": lambda: Borzoi(BORZOI),
    }
    module = families[family]()
    spec = Spec(f"tiny-{family}", family, module.config, "Apache-2.0")
    return Predictor(perturbed(module), spec, TABLE, "human", torch.device("cpu"), precision, batch_size, n)


def genome(folder: Path, bases: int = 6000, name: str = "chr1", seed: int = 3) -> Genome:
    """One chromosome of random letters, some of them soft-masked or N, on lines of 70."""
    letters = np.random.default_rng(seed).choice(list("ACGTacgtN"), size=bases, p=[0.23] * 4 + [0.015] * 4 + [0.02])
    text = "".join(letters)
    path = folder / f"{name}.fa"
    path.write_text(f">{name}\n" + "\n".join(text[i : i + 70] for i in range(0, bases, 70)) + "\n")
    return Genome(path)
