"""Training examples by index, and the random crops of them: knows what an example is, not what reads or learns it.

An example is the bases of a window and the measured signal of its centre. What is drawn at random (which window, which
crop, shift, strand) is a pure function of (seed, head, epoch, index): a run that was killed draws the same again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, Window
from distal.data import store
from distal.data.chance import generator
from distal.data.store import Store
from distal.dna import Codes, N, reverse_complement
from distal.errors import InputError
from distal.io import tfrecords
from distal.tracks import TrackTable, read_targets

if TYPE_CHECKING:
    from distal.io.fasta import Genome

Targets = NDArray[np.float32]
MAX_SHIFT = 3
"""Enformer's and Basenji2's training move the input by a uniform -3 … +3 bases."""


class Examples(Protocol):
    """The windows of some splits, by index: bases of whole windows, signal of their centres in bins of `bin_bp`.

    Reading is a pure function of the arguments, and may be done by several threads at once.
    """

    @property
    def input_bp(self) -> int:
        """Bases of a window."""

    @property
    def bin_bp(self) -> int:
        """Bases of a bin."""

    @property
    def crop_bp(self) -> int:
        """Bases on each side of a window that have no signal: bin 0 starts there."""

    @property
    def bins(self) -> int:
        """Measured bins of a window."""

    @property
    def table(self) -> TrackTable:
        """What the tracks are."""

    @property
    def intervals(self) -> tuple[Interval | None, ...]:
        """Where each window's bases lie, when the folder says."""

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean signal of a bin of each track over these windows, [tracks]."""

    def __len__(self) -> int:
        """Number of windows."""

    def codes(self, index: int, start: int, width: int) -> Codes:
        """Bases `[start, start + width)`, counted from the window's first, N where that leaves the window; [width]."""

    def targets(self, index: int, first: int, last: int) -> Targets:
        """Signal of the bins `[first, last)`, [last - first, tracks]."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """`Examples` that are small, or made up."""

    bases: Codes
    """uint8 [n, L]."""
    signal: Targets
    """float32 [n, bins, tracks]."""
    bin_bp: int
    crop_bp: int
    table: TrackTable
    intervals: tuple[Interval | None, ...]

    def __len__(self) -> int:
        return len(self.bases)

    @property
    def input_bp(self) -> int:
        """As in `Examples`, and so below."""
        return int(self.bases.shape[1])

    @property
    def bins(self) -> int:
        """Measured bins of a window."""
        return int(self.signal.shape[1])

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """[tracks]."""
        means: NDArray[np.float64] = self.signal.mean(axis=(0, 1), dtype=np.float64)
        return means

    def codes(self, index: int, start: int, width: int) -> Codes:
        """[width]."""
        return cut(self.bases[index], start, width)

    def targets(self, index: int, first: int, last: int) -> Targets:
        """[last - first, tracks]."""
        return self.signal[index, first:last]


class Stored:
    """`Examples` that stay on disk: splits of a store, one behind the other, read when they are asked for."""

    def __init__(self, opened: Store, splits: Sequence[str], bin_bp: int) -> None:
        self._store, plan = opened, opened.plan
        self._rows = [(split, row) for split in splits for row in range(opened.splits.get(split, 0))]
        if not self._rows:
            raise _no_window(opened.folder, splits)
        self._ratio = _ratio(plan.bins, plan.bin_bp, bin_bp)
        self.input_bp, self.crop_bp, self.bin_bp = plan.input_bp, plan.crop_bp, bin_bp
        self.bins, self.table = plan.bins // self._ratio, opened.table
        self.intervals = tuple(opened.windows(split)[row] for split, row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """As in `Examples`, and so below."""
        counts = Counter(split for split, _ in self._rows)
        sums = [self._store.means(split) * count for split, count in counts.items()]
        means: NDArray[np.float64] = np.sum(sums, axis=0) * (self._ratio / len(self))
        return means

    def codes(self, index: int, start: int, width: int) -> Codes:
        """[width]."""
        return cut(self._store.codes(*self._rows[index]), start, width)

    def targets(self, index: int, first: int, last: int) -> Targets:
        """[last - first, tracks]."""
        half = self._store.targets(*self._rows[index])[first * self._ratio : last * self._ratio]
        return rebin(floats(half), self._store.plan.bin_bp, self.bin_bp)


def tracks(folder: str | Path) -> int:
    """Number of tracks of a data set folder."""
    return len(store.open(folder).table) if store.is_store(folder) else tfrecords.layout(folder).tracks


def load(folder: str | Path, splits: str | Sequence[str], bin_bp: int) -> Examples:
    """A split (or several) of a data set folder, its signal summed to bins of `bin_bp` bases.

    A store is read when it is asked for windows, a folder of TFRecords at once. Raises `InputError` when the folder
    isn't a data set or isn't whole, the splits have no window, or its bins cannot be summed to `bin_bp`.
    """
    chosen = [splits] if isinstance(splits, str) else splits
    return Stored(store.open(folder), chosen, bin_bp) if store.is_store(folder) else _read(Path(folder), chosen, bin_bp)


def _read(folder: Path, splits: Sequence[str], bin_bp: int) -> InMemory:
    """TFRecords. Raises `InputError` also where targets.txt has another number of rows than the records have tracks."""
    sizes = tfrecords.layout(folder)
    table = read_targets(folder / "targets.txt")
    if len(table) != sizes.tracks:
        raise InputError(f"{folder / 'targets.txt'} has {len(table)} tracks, the records have {sizes.tracks}")
    codes: list[Codes] = []
    targets: list[Targets] = []
    intervals: list[Interval | None] = []
    for example in chain.from_iterable(tfrecords.read(folder, split) for split in splits):
        codes.append(example.codes)
        targets.append(rebin(example.targets, sizes.bin_bp, bin_bp))
        intervals.append(example.interval)
    if not codes:
        raise _no_window(folder, splits)
    return InMemory(np.stack(codes), np.stack(targets), bin_bp, sizes.crop_bp, table, tuple(intervals))


def rebin(targets: Targets, from_bp: int, to_bp: int) -> Targets:
    """Sum bins of `from_bp` bases, [bins, tracks], to bins of `to_bp`. Raises `InputError` where they don't fit."""
    bins, tracks = targets.shape
    ratio = _ratio(bins, from_bp, to_bp)
    if ratio == 1:
        return targets
    summed: Targets = targets.reshape(bins // ratio, ratio, tracks).sum(axis=1)
    return summed


def floats(half: NDArray[np.float16]) -> Targets:
    """``half.astype(float32)`` for finite numbers, bit for bit, in a sixth of the time.

    Moved by 13 bits, fraction and exponent lie where float32 has them; the exponent then counts from 127 instead of 15.
    """
    bits = half.view(np.int16).astype(np.int32)  # the sign fills the upper half
    bits <<= 13
    bits &= np.int32(-0x70002000)  # 0x8fffe000: one sign of the four that are left
    values = bits.view(np.float32)
    values *= np.float32(2.0**112)
    return values


def _ratio(bins: int, from_bp: int, to_bp: int) -> int:
    """How many bins of `from_bp` make one of `to_bp`, where that cuts `bins` of them without rest."""
    if to_bp % from_bp or bins % (to_bp // from_bp):
        raise InputError(f"{bins} bins of {from_bp} bp cannot be summed to bins of {to_bp} bp")
    return to_bp // from_bp


def _no_window(folder: Path, splits: Sequence[str]) -> InputError:
    return InputError(f"{folder} has no window in {', '.join(splits)}")


def cut(codes: Codes, start: int, width: int) -> Codes:
    """Bases `[start, start + width)` of a window's codes [L], N where that leaves the window."""
    low, high = max(start, 0), min(start + width, len(codes))
    if high - low == width:
        return codes[low:high]
    piece = np.full(width, N, dtype=np.uint8)
    if high > low:
        piece[low - start : high - start] = codes[low:high]
    return piece


@dataclass(frozen=True, slots=True)
class Draw:
    """Which crop of which window, and how it is turned: the random part of one training example."""

    index: int
    """Window."""
    bin: int
    """First output bin of the crop, counted from the first measured bin."""
    shift: int
    """Bases that the sequence moves to the right, -3 … +3."""
    reverse: bool
    """Whether the other strand is shown."""


def draw(examples: Examples, window: Window, stream: tuple[int, str], position: int) -> Draw:
    """The `position`-th training example of `stream` = (seed, head): every window once an epoch, in shuffled order.

    `window` is what the model sees of it; its output lies inside the measured bins, its input may use the flanks.
    """
    epoch, place = divmod(position, len(examples))
    index = int(_order(len(examples), *stream, epoch)[place])
    chance = generator(*stream, epoch, index)
    return Draw(
        index=index,
        bin=int(chance.integers(places(examples, window))),
        shift=int(chance.integers(-MAX_SHIFT, MAX_SHIFT + 1)),
        reverse=bool(chance.integers(2)),
    )


@lru_cache(maxsize=16)
def _order(count: int, *key: int | str) -> NDArray[np.int64]:
    """The windows of one epoch, shuffled; kept, since every draw of the epoch asks."""
    return generator(*key).permutation(count)


def places(examples: Examples, window: Window) -> int:
    """How many bin-aligned crops a window has whose output is measured. Raises `InputError` when there is none."""
    if window.bin_bp != examples.bin_bp:
        raise InputError(f"the model's bins have {window.bin_bp} bp, the targets' {examples.bin_bp}")
    if window.bins > examples.bins:
        raise InputError(
            f"a training example would have {window.bins} bins, {examples.bins} are measured; give a shorter [crop]"
        )
    if window.crop_bp > examples.crop_bp:
        raise InputError(
            f"the model reads {window.crop_bp:,} bp on each side of its output, the records hold {examples.crop_bp:,}; "
            "give a shorter [crop], or build the data set with longer windows"
        )
    return examples.bins - window.bins + 1


def take(examples: Examples, window: Window, drawn: Draw) -> tuple[Codes, Targets]:
    """Codes [input_bp] and targets [bins, tracks] of one training example.

    A shifted sequence shows its true neighbours where the record has them and N beyond. On the other strand the bins
    are reversed and the tracks of strand pairs change places.
    """
    start = examples.crop_bp + drawn.bin * window.bin_bp - window.crop_bp - drawn.shift
    codes = examples.codes(drawn.index, start, window.input_bp)
    targets = examples.targets(drawn.index, drawn.bin, drawn.bin + window.bins)
    if drawn.reverse:
        return reverse_complement(codes), targets[::-1, examples.table.partners]
    return codes, targets


@dataclass(frozen=True, eq=False, slots=True)
class Tile:
    """What a model reads to predict some of a window's measured bins, and which of its output they are."""

    codes: Codes
    """uint8 [input_bp]."""
    output: slice
    """Bins of the model's output that count."""
    targets: Targets
    """float32 [bins that count, tracks]."""


def tiles(examples: Examples, window: Window, genome: Genome | None = None) -> Iterator[Tile]:
    """Cover every measured bin of every window exactly once with a model's output, window by window.

    A model with a short output reads several tiles a window; one with a long output is centred on the measured bins.
    A model that reads beyond the stored bases gets them from `genome`; without one `InputError` is raised, since
    predictions made on N would be counted against the model.
    """
    starts = _tile_starts(examples.bins, window.bins)
    for index in range(len(examples)):
        done = 0
        for first in starts:
            start = examples.crop_bp + first * window.bin_bp - window.crop_bp
            end = min(first + window.bins, examples.bins)
            codes = _input(examples, index, start, window.input_bp, genome)
            yield Tile(codes, slice(done - first, end - first), examples.targets(index, done, end))
            done = end


def _tile_starts(measured: int, bins: int) -> list[int]:
    """First output bin of each tile, counted from the first measured bin; the last tile ends with the last bin."""
    if bins >= measured:
        return [-((bins - measured) // 2)]
    starts = list(range(0, measured - bins, bins))
    return [*starts, measured - bins]


def _input(examples: Examples, index: int, start: int, width: int, genome: Genome | None) -> Codes:
    """Bases `[start, start + width)` of a window, from the genome where they pass what is stored."""
    stored, interval = examples.input_bp, examples.intervals[index]
    if start >= 0 and start + width <= stored:
        return examples.codes(index, start, width)
    if genome is None or interval is None:
        raise InputError(
            f"the model reads {width:,} bp around the measured bins, the records hold {stored:,} bp; "
            "give the genome of the data set (--fasta), for which its folder needs sequences.bed"
        )
    return genome.codes(Interval(interval.chrom, interval.start + start, interval.start + start + width))
