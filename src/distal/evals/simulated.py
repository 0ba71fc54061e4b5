"""Simulated loci whose promoters answer to one enhancer of their own kind, near or far; knows no model.

A locus is random sequence with elements in it. For each kind of transcription factor it has one enhancer, 1,024 bp
whose strength is how many copies of the factor's motif each bin of it has, 0 … 3; and promoters of one bin at
2 … 90 kb from it with 1 … 3 copies of the core promoter's motif beside one of the factor's. Tracks are those of real
data: ChIP-seq of each factor shows its motifs, and

    expression of a promoter = SCALE · (copies of the core motif) · (1 + strength of its enhancer),

of which CAGE counts are a Poisson sample. So everything but the enhancer's share can be read from within a bin, and
the enhancer's share from nowhere but the enhancer. Motifs read the same on both strands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal import dna
from distal.data.chance import generator
from distal.data.store import Plan, Store, create
from distal.dna import Codes
from distal.tracks import Track, TrackTable

BIN_BP = 128
MOTIF_BP = 24
CORE = "TATA"
KINDS = ("GGCC", "ACGT")
"""Motifs are these, their own reverse complements, in tandem."""
ENHANCER_BINS = 8
SCALE = 4.0
CHIP_SCALE = 8.0
DISTANCES = (2_000, 5_000, 10_000, 20_000, 40_000, 60_000, 90_000)
"""Bases from enhancer to promoter: limits of the classes, of which each enhancer has equally many promoters."""
_MARGIN, _SPACER = 6, 3
"""Random bases between an element and the bin's ends, at least, and between motifs."""


@dataclass(frozen=True, slots=True)
class Gene:
    """A promoter, and what its expression comes from."""

    bin: int
    kind: int
    promoter: int
    """Copies of the core motif, 1 … 3."""
    enhancer: int
    """Strength of the enhancer, 0 … 3."""
    distance: int
    """Bases between the promoter's bin and the enhancer's middle."""

    @property
    def expression(self) -> float:
        """The truth, before it is counted."""
        return SCALE * self.promoter * (1 + self.enhancer)


@dataclass(frozen=True, eq=False)
class Locus:
    """One window."""

    codes: Codes
    """uint8 [L]."""
    signal: NDArray[np.float32]
    """[L / BIN_BP, tracks]: ChIP-seq of each kind, then CAGE."""
    enhancers: tuple[int, ...]
    """First bin of each kind's enhancer."""
    genes: tuple[Gene, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """How long loci are, and how many promoters an enhancer has in each class of distance that fits."""

    input_bp: int
    promoters: int = 1

    @property
    def bins(self) -> int:
        """Bins of a locus; all are measured."""
        return self.input_bp // BIN_BP

    @property
    def classes(self) -> list[tuple[int, int]]:
        """Limits of the classes of distance, in bases, that any enhancer finds room for on one side of it."""
        room = self.input_bp // 2 - ENHANCER_BINS * BIN_BP
        limits = [limit for limit in DISTANCES if limit <= room]
        return list(pairwise(limits))


def table() -> TrackTable:
    """What the tracks of a locus are."""
    names = [f"CHIP:{kind}:simulated" for kind in KINDS]
    return TrackTable(
        tuple(Track(i, name.replace(":", "-"), name) for i, name in enumerate([*names, "CAGE:simulated"]))
    )


def locus(design: Design, seed: int, split: str, index: int) -> Locus:
    """Locus `index` of a split, a pure function of the arguments."""
    chance = generator(seed, split, index)
    codes = chance.integers(0, 4, design.input_bp, dtype=np.uint8)
    signal = np.zeros((design.bins, len(KINDS) + 1), dtype=np.float32)
    free = np.ones(design.bins, dtype=bool)
    enhancers = [_enhancer(free, chance) for _ in KINDS]
    genes: list[Gene] = []
    for kind, enhancer in enumerate(enhancers):
        strength = int(chance.integers(4))
        for place in range(enhancer, enhancer + ENHANCER_BINS):
            _place(codes, place, [KINDS[kind]] * strength, chance)
            signal[place, kind] = CHIP_SCALE * strength
        for low, high in design.classes * design.promoters:
            place, distance = _promoter(free, enhancer, low, high, chance)
            gene = Gene(place, kind, int(chance.integers(1, 4)), strength, distance)
            _place(codes, place, [CORE] * gene.promoter + [KINDS[kind]], chance)
            signal[place, [kind, -1]] = CHIP_SCALE, chance.poisson(gene.expression)
            genes.append(gene)
    return Locus(codes, signal, tuple(enhancers), tuple(genes))


def erased(locus: Locus, kind: int) -> Codes:
    """The bases of a locus with random ones in place of the enhancer of a kind, [L]."""
    codes, first = locus.codes.copy(), locus.enhancers[kind]
    there = slice(first * BIN_BP, (first + ENHANCER_BINS) * BIN_BP)
    codes[there] = generator(first, kind).integers(0, 4, ENHANCER_BINS * BIN_BP, dtype=np.uint8)
    return codes


def _enhancer(free: NDArray[np.bool_], chance: np.random.Generator) -> int:
    """First of as many free bins as an enhancer has; they are taken."""
    runs = np.lib.stride_tricks.sliding_window_view(free, ENHANCER_BINS).all(axis=1)
    first = int(chance.choice(np.flatnonzero(runs)))
    free[first : first + ENHANCER_BINS] = False
    return first


def _promoter(
    free: NDArray[np.bool_], enhancer: int, low: int, high: int, chance: np.random.Generator
) -> tuple[int, int]:
    """A free bin at `[low, high)` bases from an enhancer's middle, on either side, and the distance; it is taken."""
    distance = np.abs(np.arange(len(free)) - (enhancer + ENHANCER_BINS // 2)) * BIN_BP
    place = int(chance.choice(np.flatnonzero(free & (distance >= low) & (distance < high))))
    free[place] = False
    return place, int(distance[place])


def _place(codes: Codes, place: int, motifs: Sequence[str], chance: np.random.Generator) -> None:
    """Write motifs into bin `place` in random order, a spacer between them, the whole at a random offset."""
    pitch = MOTIF_BP + _SPACER
    slack = BIN_BP - 2 * _MARGIN - len(motifs) * pitch + _SPACER
    start = place * BIN_BP + _MARGIN + int(chance.integers(slack + 1))
    for i, motif in enumerate(chance.permutation(list(motifs)).tolist()):
        tandem = dna.encode(motif * (MOTIF_BP // len(motif)))
        codes[start + i * pitch : start + i * pitch + MOTIF_BP] = tandem


def write(folder: str | Path, design: Design, counts: Mapping[str, int], seed: int) -> Store:
    """Simulate a data set of `counts` loci by split, or what is missing of it.

    Raises `InputError` where the folder holds another data set.
    """
    windows = {split: (None,) * count for split, count in counts.items()}
    recipe = {"simulated": asdict(design), "seed": seed}
    writer = create(folder, Plan(design.input_bp, BIN_BP, design.bins, windows, table(), recipe))
    for piece in writer.missing:
        loci = [locus(design, seed, piece.split, i) for i in range(piece.first, piece.last)]
        writer.write(piece, np.stack([one.codes for one in loci]), np.stack([one.signal for one in loci]))
    return writer.finish()
