"""One sequence in two species: predictions over windows that a chain aligns, bin by bin; knows models and chains.

A region of the first genome is read by the first model's head. The chain says where it lies in the second genome: the
second head reads a window around the middle of that. A bin counts where at least half of its bases are aligned, and is
compared with the bin of the other window that has the middle of where they lie. Tracks are compared by what they have
in common, assay or experiment: the mean of log(1 + x) over the tracks of either head, both strands together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, Window
from distal.errors import InputError
from distal.evals.statistics import pearson, spearman
from distal.io.chain import Chains
from distal.io.fasta import Genome
from distal.predictor import Predictor, averaged
from distal.tracks import Track, TrackTable

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
By = Literal["assay", "experiment"]


@dataclass(frozen=True, eq=False)
class Ortholog:
    """Two windows and the bins that they share."""

    region: Interval
    first: Interval
    """What the first model reads."""
    second: Interval
    """What the second reads, on the forward strand of its genome."""
    strand: str
    """``-`` where the two run against each other."""
    bins: Rows
    """(bin of the first output, bin of the second), [n, 2]."""

    @property
    def row(self) -> WindowRow:
        """What is written of the pair."""
        places = (self.region.to_ucsc(), self.first.to_ucsc(), self.second.to_ucsc())
        return WindowRow(*places, self.strand, len(self.bins))


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A pair of windows as a table has it: places count from 1, those beyond a chromosome's start below it."""

    region: str
    first: str
    second: str
    strand: str
    shared_bins: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the two predictions are in one group of tracks, over all shared bins."""

    group: str
    first_tracks: int
    second_tracks: int
    windows: int
    bins: int
    pearson: float
    """First head on the first sequence against second head on the second, log(1 + x)."""
    spearman: float
    same_head: float
    """Pearson's r where the second head reads both sequences: what the change of sequence alone does."""
    mismatched: float
    """Pearson's r of the same bins against the next pair's window; NaN where there is only one pair."""


def pairs(
    chains: Chains, regions: Iterable[Interval], first: tuple[Genome, Window], second: tuple[Genome, Window]
) -> Iterator[Ortholog]:
    """The windows around the middles of `regions` and their counterparts; regions without one are left out."""
    for region in regions:
        genome, window = first
        chrom = genome.resolve(region.chrom)
        input = window.input_around(Interval(chrom, region.start, region.end))
        output = window.output_of(input)
        middle = Interval(chrom, output.center - window.bin_bp // 2, output.center + window.bin_bp // 2)
        chain = chains.best(output)
        whole = None if chain is None else (chain.lift(middle) or chain.lift(output))
        if chain is None or whole is None:
            continue
        other = second[0].resolve(whole.chrom)
        there = second[1].input_around(Interval(other, whole.start, whole.end))
        reached = second[1].output_of(there)
        found = []
        for bin in range(window.bins):
            piece = Interval(chrom, output.start + bin * window.bin_bp, output.start + (bin + 1) * window.bin_bp)
            if 2 * chain.aligned(piece) < window.bin_bp or (lifted := chain.lift(piece)) is None:
                continue
            place = (lifted.center - reached.start) // second[1].bin_bp
            if 0 <= place < second[1].bins:
                found.append((bin, place))
        if found:
            yield Ortholog(region, input, there, whole.strand, np.array(found, dtype=np.int64))


def groups(first: TrackTable, second: TrackTable, by: By) -> dict[str, tuple[list[int], list[int]]]:
    """Name -> columns of the first table and of the second, of all groups that both have. `InputError` for none."""
    sides = [_grouped(table, by) for table in (first, second)]
    both = {name: (columns, sides[1][name]) for name, columns in sides[0].items() if name in sides[1]}
    if not both:
        raise InputError(f"no {by} is in the tracks of both heads; ask for assays, or choose other tracks")
    return both


def _grouped(table: TrackTable, by: By) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for column, track in enumerate(table):
        if name := _name(track, by):
            found.setdefault(name, []).append(column)
    return found


def _name(track: Track, by: By) -> str:
    """What a track has in common with those of another species, in one spelling."""
    if by == "assay":
        return ":".join(filter(None, (track.assay, track.target)))
    return " ".join(track.description.lower().replace(",", " ").split())


def likeness(
    found: Sequence[Ortholog],
    first: tuple[Predictor, Genome],
    second: tuple[Predictor, Genome],
    tables: tuple[TrackTable, TrackTable],
    chosen: dict[str, tuple[list[int], list[int]]],
    rc: bool = False,
    progress: Callable[[int], object] = lambda n: None,
) -> list[Likeness]:
    """How alike the predictions of all pairs are, group by group; `tables` are the tracks that `chosen` counts in."""
    left, right = ([columns[side] for columns in chosen.values()] for side in (0, 1))
    ours, theirs, same = [], [], []
    for each in found:
        ours.append(_by_group(*first, each.first, tables[0], left, rc)[each.bins[:, 0]])
        theirs.append(_by_group(*second, each.second, tables[1], right, rc))
        across = each.first.resize(second[0].window.input_bp)
        values = _by_group(second[0], first[1], across, tables[1], right, rc)
        same.append(values[_same_places(each, first[0].window, second[0].window, across)])
        progress(1)
    shared = [values[each.bins[:, 1]] for each, values in zip(found, theirs, strict=True)]
    others = [theirs[(i + 1) % len(found)][each.bins[:, 1]] for i, each in enumerate(found)]
    x, y, z, other = (np.concatenate(parts) for parts in (ours, shared, same, others))
    return [
        Likeness(
            name,
            len(columns[0]),
            len(columns[1]),
            len(found),
            len(x),
            pearson(x[:, i], y[:, i]),
            spearman(x[:, i], y[:, i]),
            pearson(z[:, i], y[:, i]),
            pearson(x[:, i], other[:, i]) if len(found) > 1 else math.nan,
        )
        for i, (name, columns) in enumerate(chosen.items())
    ]


def _same_places(each: Ortholog, first: Window, second: Window, across: Interval) -> Rows:
    """Bins of the second model's output over `across` that have the middles of the pair's bins of the first.

    Those beyond its ends are its outermost ones.
    """
    start = first.output_of(each.first).start
    middles = start + each.bins[:, 0] * first.bin_bp + first.bin_bp // 2
    return np.clip((middles - second.output_of(across).start) // second.bin_bp, 0, second.bins - 1)


def _by_group(
    predictor: Predictor, genome: Genome, input: Interval, table: TrackTable, groups: Sequence[Sequence[int]], rc: bool
) -> Floats:
    """Mean of log(1 + x) over the tracks of each group, [bins, groups]."""
    values = averaged(predictor, genome.codes(input)[None], rc, (0,), table.channels)[0].cpu().numpy()
    logs = np.log1p(np.maximum(values.astype(np.float64), 0))
    return np.stack([logs[:, list(columns)].mean(axis=1) for columns in groups], axis=1)
