"""What a data set holds, track by track, and which tracks look broken; reads every window once and draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.data import store
from distal.data.store import Store
from distal.dna import N
from distal.errors import InputError
from distal.io import tfrecords
from distal.io.tfrecords import Example
from distal.tracks import TrackTable, read_targets

Numbers = NDArray[np.float64]

SAMPLED_BINS, SAMPLED_VALUES = 1 << 15, 1 << 25
"""What is kept for quantiles and correlations, at most (128 MB)."""
FAR = 10.0
"""A mean so many times that of the median track of its assay, or its inverse, is worth a remark."""
ALONE = 0.1
"""So is a track whose correlation with every other one is below this, in absolute value."""
ALIKE = 0.999
"""Two tracks above this are compared value by value."""
COMPARABLE = 3
"""Tracks that there must be for a comparison."""


@dataclass(frozen=True, eq=False)
class Split:
    """One split: where its windows lie, and what its signal is like, [tracks]."""

    intervals: tuple[Interval | None, ...]
    unknown: float
    """Share of its bases that are N."""
    gc: float
    """Share of G and C among the others."""
    bins: int
    """Measured, of all windows."""
    broken: NDArray[np.int64]
    """Bins that hold no finite number; what follows is of the others."""
    low: Numbers
    high: Numbers
    mean: Numbers
    zero: Numbers
    """Share of bins that are exactly 0."""
    silent: Numbers
    """Share of windows in which the track is 0 all over."""
    sample: NDArray[np.float32]
    """Signal of bins at equal distances, [bins, tracks]."""


@dataclass(frozen=True, eq=False)
class Summary:
    """A data set's sizes, its splits, and the window in which each track is strongest."""

    table: TrackTable
    input_bp: int
    bin_bp: int
    bins: int
    splits: Mapping[str, Split]
    peaks: NDArray[np.float32]
    """Signal of that window, [bins, tracks]."""
    places: tuple[Interval | None, ...]
    """Its bases, a window for each track."""

    @cached_property
    def mean(self) -> Numbers:
        """Mean of a bin of each track over all splits, [tracks]."""
        means: Numbers = np.average(
            [split.mean for split in self.splits.values()],
            axis=0,
            weights=[split.bins for split in self.splits.values()],
        )
        return means

    @cached_property
    def range(self) -> tuple[Numbers, Numbers]:
        """Lowest and highest value of each track in all splits, [tracks]; NaN where it has no finite number."""
        splits = self.splits.values()
        return np.fmin.reduce([split.low for split in splits]), np.fmax.reduce([split.high for split in splits])

    @cached_property
    def correlations(self) -> NDArray[np.float32]:
        """Pearson's r of the logarithms (1 + value, signs kept) of sampled bins, [tracks, tracks]; 0 for constants."""
        values = np.concatenate([split.sample for split in self.splits.values()])
        values = np.nan_to_num(np.sign(values) * np.log1p(np.abs(values)), nan=0.0)
        values -= values.mean(axis=0)
        length = np.linalg.norm(values, axis=0)
        values /= np.where(length > 0, length, 1)
        r: NDArray[np.float32] = values.T @ values
        return r

    def quantile(self, share: float) -> Numbers:
        """Of the sampled bins of each track, [tracks]; NaN where a value is."""
        values: Numbers = np.quantile(np.concatenate([split.sample for split in self.splits.values()]), share, axis=0)
        return values


@dataclass(frozen=True)
class Source:
    """A data set folder of either kind."""

    table: TrackTable
    input_bp: int
    bin_bp: int
    bins: int
    counts: Mapping[str, int]
    """Windows of each split that has any."""
    read: Callable[[str], Iterator[Example]]
    """The windows of a split, one at a time."""


def source(folder: str | Path) -> Source:
    """Open a store or a folder of TFRecords. Raises `InputError` where it is neither, or not whole."""
    folder = Path(folder)
    if store.is_store(folder):
        opened = store.open(folder)
        plan = opened.plan
        return Source(plan.table, plan.input_bp, plan.bin_bp, plan.bins, plan.counts, partial(_stored, opened))
    sizes = tfrecords.layout(folder)
    counts = {split: count for split, count in sizes.counts.items() if count}
    table = read_targets(folder / "targets.txt")
    if len(table) != sizes.tracks:
        raise InputError(f"{folder / 'targets.txt'} has {len(table)} tracks, the records have {sizes.tracks}")
    return Source(table, sizes.seq_length, sizes.bin_bp, sizes.bins, counts, partial(tfrecords.read, folder))


def _stored(opened: Store, split: str) -> Iterator[Example]:
    for row, interval in enumerate(opened.windows(split)):
        yield Example(opened.codes(split, row), opened.targets(split, row).astype(np.float32), interval=interval)


def summarise(source: Source, splits: Sequence[str], advance: Callable[[], None] = lambda: None) -> Summary:
    """Read these splits of a data set, all of them; `advance` is called for each window.

    Raises `InputError` where there is no such split.
    """
    missing = [split for split in splits if split not in source.counts]
    if missing or not splits:
        raise InputError(f"the data set has no split {', '.join(missing)}; it has {', '.join(source.counts)}")
    tracks = len(source.table)
    bins = sum(source.counts[split] for split in splits) * source.bins
    step = -(-bins // min(SAMPLED_BINS, SAMPLED_VALUES // tracks))
    strongest, found = _Strongest(source.bins, tracks), {}
    for split in splits:
        tally = _Tally(tracks, step)
        for example in source.read(split):
            tally.add(example)
            strongest.add(example)
            advance()
        found[split] = tally.split()
    peaks, places = strongest.signal, tuple(strongest.places)
    return Summary(source.table, source.input_bp, source.bin_bp, source.bins, found, peaks, places)


class _Tally:
    """Sums over the windows of one split."""

    def __init__(self, tracks: int, step: int) -> None:
        self._step = step
        self._intervals: list[Interval | None] = []
        self._bases = np.zeros(N + 1, np.int64)
        self._bins = 0
        self._sums = {name: np.zeros(tracks) for name in ("count", "total", "zero", "silent")}
        self._low, self._high = np.full(tracks, np.inf), np.full(tracks, -np.inf)
        self._sample: list[NDArray[np.float32]] = []

    def add(self, example: Example) -> None:
        """One more window."""
        values = example.targets
        known = np.isfinite(values)
        zeros = (values == 0).sum(axis=0)
        self._intervals.append(example.interval)
        self._bases += np.bincount(example.codes, minlength=N + 1)
        self._sums["count"] += known.sum(axis=0)
        self._sums["total"] += values.sum(axis=0, where=known, dtype=np.float64)
        self._sums["zero"] += zeros
        self._sums["silent"] += zeros == len(values)
        self._low = np.minimum(self._low, values.min(axis=0, where=known, initial=np.inf))
        self._high = np.maximum(self._high, values.max(axis=0, where=known, initial=-np.inf))
        self._sample.append(values[-self._bins % self._step :: self._step])
        self._bins += len(values)

    def split(self) -> Split:
        """What the windows were like; NaN where a track has no finite number."""
        count = self._sums["count"]
        nothing = count == 0
        some = np.where(nothing, 1, count)
        known = self._bases[:N]
        return Split(
            intervals=tuple(self._intervals),
            unknown=float(self._bases[N] / self._bases.sum()),
            gc=float(known[1:3].sum() / max(known.sum(), 1)),
            bins=self._bins,
            broken=(self._bins - count).astype(np.int64),
            low=np.where(nothing, np.nan, self._low),
            high=np.where(nothing, np.nan, self._high),
            mean=np.where(nothing, np.nan, self._sums["total"] / some),
            zero=self._sums["zero"] / some,
            silent=self._sums["silent"] / len(self._intervals),
            sample=np.concatenate(self._sample),
        )


class _Strongest:
    """The window in which each track has the greatest sum."""

    def __init__(self, bins: int, tracks: int) -> None:
        self.signal = np.zeros((bins, tracks), np.float32)
        self.places: list[Interval | None] = [None] * tracks
        self._sums = np.full(tracks, -np.inf)

    def add(self, example: Example) -> None:
        """One more window."""
        sums = np.nan_to_num(example.targets.sum(axis=0, dtype=np.float64), nan=-np.inf)
        better = np.flatnonzero(sums > self._sums)
        self._sums[better] = sums[better]
        self.signal[:, better] = example.targets[:, better]
        for track in better.tolist():
            self.places[track] = example.interval


def remarks(summary: Summary) -> list[list[str]]:
    """What looks broken about each track, in words; nothing for most."""
    found: list[list[str]] = [[] for _ in summary.table]
    for look in (_numbers, _changes, _scales, _relations):
        for track, remark in look(summary):
            found[track].append(remark)
    return found


Remarks = Iterator[tuple[int, str]]


def _numbers(summary: Summary) -> Remarks:
    for name, split in summary.splits.items():
        for track in np.flatnonzero(split.broken).tolist():
            yield track, f"no number in {split.broken[track]:,} of {split.bins:,} bins of {name}"


def _changes(summary: Summary) -> Remarks:
    constant = {name: split.low == split.high for name, split in summary.splits.items()}
    for track in range(len(summary.table)):
        where = [name for name, never in constant.items() if never[track]]
        if where:
            yield track, "never changes" + ("" if len(where) == len(constant) else f" in {' and '.join(where)}")


def _scales(summary: Summary) -> Remarks:
    assays = np.array([track.assay for track in summary.table])
    for assay in dict.fromkeys(assays.tolist()):
        of_assay = np.flatnonzero((assays == assay) & (summary.mean > 0))
        if len(of_assay) < COMPARABLE:
            continue
        times = summary.mean[of_assay] / np.median(summary.mean[of_assay])
        for track, ratio in zip(of_assay.tolist(), times.tolist(), strict=True):
            if not 1 / FAR <= ratio <= FAR:
                yield track, f"its mean is {ratio:.3g} times that of the median {assay or 'other'} track"


def _relations(summary: Summary) -> Remarks:
    if len(summary.table) < COMPARABLE:
        return
    r = np.abs(summary.correlations)
    varies = r.diagonal() > 0
    np.fill_diagonal(r, 0)
    values = np.concatenate([split.sample for split in summary.splits.values()])
    for track in np.flatnonzero(varies).tolist():
        other = int(r[track].argmax())
        name, best = summary.table.names[other], r[track, other]
        if best < ALONE:
            yield track, f"correlates with no other track (|r| up to {best:.2f}, with {name})"
        elif best > ALIKE and np.array_equal(values[:, track], values[:, other]):
            yield track, f"has the same values as {name}"
