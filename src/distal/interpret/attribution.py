"""What each base of a sequence adds to a model's output; knows predictors and sequences, no file and no figure.

In-silico mutagenesis: every base of a region is replaced by each of the other three, one at a time, and the change of
one number per track is recorded. That number is read off the output by an `Objective`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Interval
from distal.dna import Codes
from distal.errors import InputError
from distal.predictor import Predictor, averaged, on_genome
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.io.fasta import Genome

LETTERS = 4


@dataclass(frozen=True)
class Statistic:
    """How REF's and ALT's bins become one number per track, and the formula that says so in words."""

    name: str
    formula: str
    of: Callable[[Tensor, Tensor], Tensor]
    """(REF [bins, tracks], ALT [n, bins, tracks]) -> [n, tracks]"""


def _log2_fold(ref: Tensor, alt: Tensor) -> Tensor:
    return torch.log2(alt.double().sum(1) + 1) - torch.log2(ref.double().sum(0) + 1)


def _difference(ref: Tensor, alt: Tensor) -> Tensor:
    return (alt.double() - ref.double()).sum(1)


LOG2_FOLD = Statistic("log2_fold", "log2(sum over bins of ALT + 1) - log2(sum over bins of REF + 1)", _log2_fold)
DIFFERENCE = Statistic("difference", "sum over bins of (ALT - REF)", _difference)
STATISTICS = {statistic.name: statistic for statistic in (LOG2_FOLD, DIFFERENCE)}


@dataclass(frozen=True)
class Objective:
    """What is read off the output: which tracks, the bins that touch which interval, and which statistic of them."""

    query: str = ""
    target: Interval | None = None
    """None: the mutated region with `FLANK` bins on either side."""
    statistic: Statistic = LOG2_FOLD


FLANK = 2


@dataclass(frozen=True)
class Ism:
    """Effects of every single-base substitution in `interval`.

    `values` float32 [width, 4, tracks]: effect of putting A, C, G, T at each base, 0 for the base that is there.
    `codes` uint8 [width] is the sequence; `target` is what the bins that were summed cover.
    """

    values: NDArray[np.float32]
    codes: Codes
    interval: Interval
    target: Interval
    table: TrackTable
    formula: str

    def __post_init__(self) -> None:
        expected = (self.interval.width, LETTERS, len(self.table))
        if self.values.shape != expected or self.codes.shape != expected[:1]:
            raise ValueError(f"values must be {expected}, not {self.values.shape} (codes {self.codes.shape})")

    def over_tracks(self) -> NDArray[np.float32]:
        """Effects averaged over the tracks, [width, 4]."""
        mean: NDArray[np.float32] = self.values.mean(axis=2)
        return mean

    def importance(self) -> NDArray[np.float32]:
        """What the base that is there adds: minus the mean effect of replacing it, averaged over tracks, [width]."""
        changes = np.where(self.codes < LETTERS, LETTERS - 1, LETTERS)
        lost: NDArray[np.float32] = (-self.over_tracks().sum(axis=1) / changes).astype(np.float32)
        return lost


def ism(
    predictor: Predictor,
    genome: Genome,
    region: Interval,
    objective: Objective | None = None,
    rc: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Ism:
    """In-silico mutagenesis of `region`, by a full prediction for each of its 3 x width substitutions.

    All sequences are read in the one window centred on `region`, so no effect is mixed with a change of window. An N
    in the reference has four substitutions. `progress` is called with the number of substitutions just done. Raises
    `InputError` when the region or the target is not inside that window's output.
    """
    objective = objective or Objective()
    region = on_genome(region, genome)
    window = predictor.window.input_around(region)
    target, bins = _target(predictor, genome, region, objective)
    table = predictor.tracks.select(objective.query)
    codes = genome.codes(window)
    here = codes[region.start - window.start : region.end - window.start]
    ref = averaged(predictor, codes[None], rc, channels=table.channels)[0, bins]
    values = np.zeros((region.width, LETTERS, len(table)), dtype=np.float32)
    work = _substitutions(here)
    while batch := list(islice(work, predictor.batch_size)):
        mutants = _mutants(codes, region.start - window.start, batch)
        alt = averaged(predictor, mutants, rc, channels=table.channels)[:, bins]
        values[tuple(zip(*batch, strict=True))] = objective.statistic.of(ref, alt).float().cpu().numpy()
        if progress:
            progress(len(batch))
    return Ism(values, here, region, target, table, objective.statistic.formula)


def substitutions(codes: Codes) -> int:
    """How many single-base substitutions a sequence has: 3 for each of its bases, 4 for an N."""
    return int(np.where(codes < LETTERS, LETTERS - 1, LETTERS).sum())


def _substitutions(codes: Codes) -> Iterator[tuple[int, int]]:
    """(position, new code) of each, in order."""
    return ((i, new) for i, old in enumerate(codes) for new in range(LETTERS) if new != old)


def _mutants(codes: Codes, offset: int, batch: list[tuple[int, int]]) -> Codes:
    """One sequence a substitution, [n, input_bp]; `offset` is the region's place in the window."""
    mutants = np.tile(codes, (len(batch), 1))
    for row, (position, new) in zip(mutants, batch, strict=True):
        row[offset + position] = new
    return mutants


def _target(predictor: Predictor, genome: Genome, region: Interval, objective: Objective) -> tuple[Interval, slice]:
    """The bins that are summed, and the interval that they cover."""
    shape = predictor.window
    output = shape.output_of(shape.input_around(region))
    wanted = objective.target
    if wanted is None:
        wanted = region.resize(region.width + 2 * FLANK * shape.bin_bp).clip(output.start, output.end)
    wanted = Interval(genome.resolve(wanted.chrom), wanted.start, wanted.end)
    for name, interval in (("region", region), ("target", wanted)):
        if not output.contains(interval):
            raise InputError(
                f"{name} {interval!r} is not inside {output!r}, the output of the window centred on the region; "
                f"the model says {shape.output_bp:,} bp, ask for less"
            )
    bins = shape.bins_touching(wanted, output)
    first, last = (output.start + edge * shape.bin_bp for edge in (bins.start, bins.stop))
    return Interval(wanted.chrom, first, last), bins
