"""Score files as others' programs open them: Basenji's interface to sad.h5 and Ensembl's VEP plugin for Enformer.

Written from what those programs ask of a file (which keys, which types, which order), without our own readers.

Sources: basenji/sad5.py and bin/basenji_sad_table.py of https://github.com/calico/basenji, Enformer.pm of
https://github.com/Ensembl/VEP_plugins
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pysam
from numpy.typing import NDArray


class Sad:
    """A sad.h5 as Basenji's scripts read it: keys that are there, bytes that decode, matrices of two dimensions."""

    def __init__(self, path: Path, score: str = "SAD") -> None:
        with h5py.File(path, "r") as file:
            self.matrix = file[score][:]
            self.variants, self.tracks = file[score].shape
            for key in ("snp", "chr", "ref", "ref_allele", "alt", "alt_allele", "target_ids", "target_labels"):
                setattr(self, key, [text.decode("UTF-8") for text in file[key]])
            self.pos: NDArray[Any] = file["pos"][:]
            self.steps = np.around(file["percentiles"], 3)
            self.quantiles = file[f"{score}_pct"][:]

    def quantile(self, variant: int) -> NDArray[np.float64]:
        """The place of a variant's score among all, track by track: the step before which it would be sorted in."""
        beyond = np.append(self.steps, self.steps[-1])
        places = zip(self.quantiles, self.matrix[variant], strict=True)
        return beyond[[int(np.searchsorted(quantiles, value)) for quantiles, value in places]]


class VepScores(NamedTuple):
    """What the plugin has of a line."""

    chrom: str
    start: int
    ref: str
    alt: str
    components: str
    sad: str
    sar: str


def vep(path: Path, chrom: str, start: int, end: int) -> list[VepScores]:
    """The lines over the bases `start` to `end` (1-based, both included), taken apart as the plugin takes them."""
    with pysam.TabixFile(str(path)) as file:
        lines = [line.split("\t") for line in file.fetch(chrom, start - 1, end)]
    found = []
    for chrom_text, pos, _, ref, alt, _, _, info in lines:
        components, scores = info.split("SAD")[:2]
        sad, sar = scores.split(";")[:2]
        name = chrom_text.split("chr", 1)[1]
        found.append(VepScores(name, int(pos), ref, alt, components, sad.replace("=", "", 1), sar.split("=")[-1]))
    return found
