"""What each base of a sequence adds to a model's output; knows passes and sequences, no file and no figure.

In-silico mutagenesis: every base of a region is replaced by each of the other three, one at a time, and, on request,
taken out; the change of one number per track is recorded. That number is read off the output by an `Objective`.

**What a deletion's effect means.** Without one base everything behind it moves one base to the left, and the window is
refilled from the genome, as in `distal score`. The model's bins stay where they are, so behind the deletion they lie
one base further on, and a difference from REF's bins would mostly measure that displacement. Two things undo it:

- *The same bases.* ALT's bins are compared with REF's predictions over the very bases that they lie over: in front of
  the deletion with REF's own, behind it with those of REF's sequence moved by one base (`shifted`, the same for all
  deletions of a region). The one bin that holds the deletion is a mean of both, in the proportion in which it lies in
  front and behind; a bin's signal is taken to be spread evenly over it. What a model cannot see has no effect, whatever
  the phase of the bins. The deleted base's own signal is in neither sum (`scoring.realignment` counts it as lost).
- *Several phases.* Models pool neighbouring positions, so what one says of a bin also depends on the phase, to that
  pooling, of everything around, and a deletion changes it for all that is behind: much the same for all deletions of a
  region, and more than most of them do. Over consecutive phases these changes cancel, because one's end is the next
  one's beginning. So deletions are averaged over `PHASES`. Over chr20:42,984,160-42,984,310 (hg19, HNF4A's promoter,
  CAGE tracks) basenji2-mini's deletions are -0.032 on average in one phase, with a standard deviation of 0.028, and
  correlate with those in sixteen phases (0.008, 0.022) at 0.70; in four phases it is 0.006, 0.022 and 0.95.

Whichever base of a run of equal letters is deleted, the sequence is the same, and so is the effect: the place is the
leftmost one, as in a normalised VCF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Interval, Window
from distal.dna import Codes
from distal.errors import InputError
from distal.predictor import on_genome, readings
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.incremental import Pass
    from distal.io.edited import Reference

LETTERS = 4


@dataclass(frozen=True)
class Statistic:
    """How REF's and ALT's bins become one number per track, and the formula that says so in words."""

    name: str
    formula: str
    of: Callable[[Tensor, Tensor], Tensor]
    """(REF [..., bins, tracks], ALT [..., bins, tracks]) -> float64 [..., tracks]"""


def _log2_fold(ref: Tensor, alt: Tensor) -> Tensor:
    return torch.log2(alt.double().sum(-2) + 1) - torch.log2(ref.double().sum(-2) + 1)


def _difference(ref: Tensor, alt: Tensor) -> Tensor:
    return (alt.double() - ref.double()).sum(-2)


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
    """Effects of every single-base substitution in `interval` and, where they were asked for, deletion.

    `values` float32 [width, 4, tracks]: effect of putting A, C, G, T at each base, 0 for the base that is there.
    `codes` uint8 [width] is the sequence; `target` is what the bins that were summed cover. `deletions` float32
    [width, tracks]: effect of taking each base out.
    """

    values: NDArray[np.float32]
    codes: Codes
    interval: Interval
    target: Interval
    table: TrackTable
    formula: str
    deletions: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        width, tracks = self.interval.width, len(self.table)
        if self.values.shape != (width, LETTERS, tracks) or self.codes.shape != (width,):
            shapes = f"{self.values.shape} (codes {self.codes.shape})"
            raise ValueError(f"values must be {(width, LETTERS, tracks)}, not {shapes}")
        if self.deletions is not None and self.deletions.shape != (width, tracks):
            raise ValueError(f"deletions must be {(width, tracks)}, not {self.deletions.shape}")

    def __repr__(self) -> str:
        what = "substitutions" if self.deletions is None else "substitutions, deletions"
        return f"Ism({what}, {self.interval!r} to {self.target!r}, {self.table!r})"

    def over_tracks(self) -> NDArray[np.float32]:
        """Effects of substitutions averaged over the tracks, [width, 4]."""
        mean: NDArray[np.float32] = self.values.mean(axis=2)
        return mean

    def deletions_over_tracks(self) -> NDArray[np.float32] | None:
        """Effects of deletions averaged over the tracks, [width]."""
        return None if self.deletions is None else self.deletions.mean(axis=1)

    def importance(self) -> NDArray[np.float32]:
        """What the base that is there adds: minus the mean effect of replacing it, averaged over tracks, [width]."""
        changes = np.where(self.codes < LETTERS, LETTERS - 1, LETTERS)
        lost: NDArray[np.float32] = (-self.over_tracks().sum(axis=1) / changes).astype(np.float32)
        return lost


def ism(
    pass_: Pass,
    genome: Reference,
    region: Interval,
    objective: Objective | None = None,
    rc: bool = False,
    deletions: bool = False,
    progress: Callable[[int], None] = lambda done: None,
    read: Interval | None = None,
) -> Ism:
    """In-silico mutagenesis of `region`: a prediction for each of its 3 x width substitutions, and width deletions.

    All sequences are read in the one window centred on `region`, or in the window `read`, so no effect is mixed with a
    change of window. An N in the reference has four substitutions. `progress` is called with the number of mutants just
    done. Sequences and predictions are held as many at a time as `pass_` takes together. Raises `InputError` when the
    region or the target is not inside that window's output; in a window that is given, the region may be anywhere.
    """
    objective, shape = objective or Objective(), pass_.predictor.window
    region = on_genome(region, genome)
    target, bins = _target(shape, genome, region, objective, read)
    table, effect = pass_.predictor.tracks.select(objective.query), objective.statistic.of
    around, reading = _Around.of(shape, genome, region, read), _Reading(pass_, bins, table.channels, rc)
    ref, replaced = _substitutions(around, reading)
    values = np.zeros((region.width, LETTERS, len(table)), dtype=np.float32)
    for change, alt in replaced:
        values[change] = _array(effect(ref, alt))
        progress(1)
    lost = np.zeros((region.width, len(table)), dtype=np.float32) if deletions else None
    if lost is not None:
        for positions, same, alt in _deletions(around, reading):
            lost[positions] = _array(effect(same, alt))
            progress(len(positions))
    return Ism(values, around.here, region, target, table, objective.statistic.formula, lost)


def substitutions(codes: Codes) -> int:
    """How many single-base substitutions a sequence has: 3 for each of its bases, 4 for an N."""
    return int(np.where(codes < LETTERS, LETTERS - 1, LETTERS).sum())


def _array(effects: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = effects.float().numpy(force=True)
    return array


# --- sequences and predictions


@dataclass(frozen=True, eq=False)
class _Around:
    """The genome over the window and one base behind it, uint8 [input_bp + 1]; the region begins at index `start`."""

    codes: Codes
    start: int
    width: int
    shape: Window

    @classmethod
    def of(cls, shape: Window, genome: Reference, region: Interval, read: Interval | None) -> _Around:
        read = read or shape.input_around(region)
        codes = genome.codes(Interval(read.chrom, read.start, read.end + 1))
        return cls(codes, region.start - read.start, region.width, shape)

    @property
    def ref(self) -> Codes:
        return self.codes[:-1]

    @property
    def shifted(self) -> Codes:
        """REF moved by one base: what is behind a deletion lies where ALT has it."""
        return self.codes[1:]

    @property
    def here(self) -> Codes:
        return self.codes[self.start : self.start + self.width]

    def replaced(self, position: int, new: int) -> Codes:
        """REF with another base, `position` counted from the region's start."""
        mutant = self.ref.copy()
        mutant[self.start + position] = new
        return mutant

    def without(self, place: int) -> Codes:
        """REF without the base at index `place` of the window."""
        return np.delete(self.codes, place)

    def leftmost(self, position: int) -> int:
        """The index in the window of the first of the equal letters that end at `position` of the region."""
        place = self.start + position
        others = np.flatnonzero(self.codes[:place] != self.codes[place])
        return int(others[-1]) + 1 if len(others) else 0


@dataclass(frozen=True, eq=False)
class _Reading:
    """Which bins and channels of which strands are read."""

    pass_: Pass
    bins: slice
    channels: NDArray[np.int64]
    rc: bool

    def members(self, sequences: Iterable[Codes], shifts: Sequence[int] = (0,)) -> Iterator[Tensor]:
        """Of each sequence float64 [readings, bins, channels], readings in their order; the first is the reference."""
        for members in self.pass_.members(sequences, self.rc, shifts, self.channels):
            yield torch.stack([member[self.bins] for member in members]).double()


# --- edits

Place = tuple[int, int]
"""A base of the region and its new letter's code."""


def _substitutions(around: _Around, reading: _Reading) -> tuple[Tensor, Iterator[tuple[Place, Tensor]]]:
    """REF [bins, tracks], and of each substitution its place and ALT [bins, tracks], in order."""
    places = [(i, new) for i, old in enumerate(around.here) for new in range(LETTERS) if new != old]
    sequences = chain([around.ref], (around.replaced(*place) for place in places))
    predictions = (members.mean(0) for members in reading.members(sequences))
    return next(predictions), zip(places, predictions, strict=True)


PHASES = (-1, 0, 1, 2)
"""The shifts over which deletions are averaged; see the top of this file."""
NEIGHBOURS_BP = 128
"""Deletions this near go through the model together, as differences from the one in their middle: the sequences of two
deletions differ only between them, while each differs from REF in everything behind it."""


def _deletions(around: _Around, reading: _Reading) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Of each distinct deletion the positions in the region, REF over ALT's bases, and ALT, [bins, tracks]."""
    ref, shifted = reading.members([around.ref, around.shifted], PHASES)
    bin_bp = around.shape.bin_bp
    first = around.shape.crop_bp + reading.bins.start * bin_bp
    moved = np.array([-way.shift if way.reverse else way.shift for way in readings(reading.rc, PHASES)])
    runs = [(place, list(run)) for place, run in groupby(range(around.width), key=around.leftmost)]
    for _, group in groupby(runs, key=lambda run: run[0] // NEIGHBOURS_BP):
        near = list(group)
        near.insert(0, near.pop(len(near) // 2))  # the reference
        predictions = reading.members((around.without(place) for place, _ in near), PHASES)
        for (place, positions), alt in zip(near, predictions, strict=True):
            yield positions, _over_same_bases(ref, shifted, place - first + moved, bin_bp).mean(0), alt.mean(0)


def _over_same_bases(ref: Tensor, shifted: Tensor, places: NDArray[np.int64], bin_bp: int) -> Tensor:
    """REF's signal over the bases of the bins of a sequence without one base: float64 [readings, bins, tracks].

    `ref` and `shifted` are of that shape; `places` int64 [readings] is where each reading has the base that is missing,
    counted from the first bin's start. Bins in front of it are exactly those of `ref`, bins behind it those of
    `shifted`, and where the two are equal so is the result.
    """
    starts = np.arange(ref.shape[1]) * bin_bp
    in_front = ((places[:, None] - starts) / bin_bp).clip(0, 1)
    return torch.lerp(shifted, ref, torch.from_numpy(in_front).to(ref.device)[:, :, None])


# --- the target


def _target(
    shape: Window, genome: Reference, region: Interval, objective: Objective, read: Interval | None
) -> tuple[Interval, slice]:
    """The interval that the summed bins cover, and those bins."""
    output = shape.output_of(read or shape.input_around(region))
    wanted = objective.target
    if wanted is None:
        wanted = region.resize(region.width + 2 * FLANK * shape.bin_bp).clip(output.start, output.end)
    wanted = Interval(genome.resolve(wanted.chrom), wanted.start, wanted.end)
    if read is not None and not read.contains(region):
        raise InputError(f"region {region!r} is not inside {read!r}, the window that is read; ask for a part of it")
    for name, interval in (("region", wanted if read else region), ("target", wanted)):
        if not output.contains(interval):
            raise InputError(
                f"{name} {interval!r} is not inside {output!r}, the output of the window centred on the region; "
                f"the model says {shape.output_bp:,} bp, ask for less"
            )
    bins = shape.bins_touching(wanted, output)
    first, last = (output.start + edge * shape.bin_bp for edge in (bins.start, bins.stop))
    return Interval(wanted.chrom, first, last), bins
