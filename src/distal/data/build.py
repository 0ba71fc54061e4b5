"""From a genome and files of signal to a data set, on many workers; knows the order of work, not formats or recipes.

The work has three rounds. Each is shared out by an `Engine` and leaves files, so a run that was killed goes on where it
was:

1. each file that cannot be read at random is turned into steps (`coverage.prepare`);
2. targets of one track over some hundred windows, a file each: a worker has one input open at a time;
3. pieces of the data set: the bases of some windows, and the targets of all tracks over them (`store`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import product
from pathlib import Path

import numpy as np

from distal.coords import Interval, Window, spellings
from distal.data import coverage, targets
from distal.data.coverage import InPlace, Prepared, Signal, Source
from distal.data.steps import Bases, Steps
from distal.data.store import Piece, Store, Writer
from distal.data.targets import Half, Measured
from distal.engine import Engine
from distal.errors import InputError
from distal.files import contested
from distal.io.fasta import Genome

_ROWS = 512
"""Windows of a file of the second round, at most."""
_SCRATCH = ".signal"

Report = Callable[[int], object]
"""Called with the amount of work that is done since the last call, as `Job.left` counts it."""


@dataclass(frozen=True)
class Signals:
    """Where the tracks of a data set come from, and what is done to them."""

    sources: tuple[Source, ...]
    """Of each track."""
    recipe: str
    interpolate: bool
    """Whether gaps are filled linearly before the recipe sees them."""
    black: Mapping[str, Steps]
    """Chromosome -> 1 where it is blacklisted, else 0."""
    unmappable: Mapping[str, Steps]
    """Chromosome -> 1 where reads cannot be mapped to, else 0."""
    unmappable_quantile: float
    """Of all bins of a window: unmappable ones are cut there."""


@dataclass(frozen=True)
class Job:
    """A data set that is being built."""

    writer: Writer
    genome: Genome
    signals: Signals

    @property
    def scratch(self) -> Path:
        """Folder of what the first two rounds leave; it goes when the data set is whole."""
        return self.writer.folder / _SCRATCH

    @cached_property
    def window(self) -> Window:
        """What a row of the data set is."""
        plan = self.writer.plan
        return Window(plan.input_bp, plan.bin_bp, plan.bins)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The chromosomes that windows lie on, by the genome's names, and their lengths in bases."""
        windows = (window for rows in self.writer.pieces for window in self.windows(rows))
        return {window.chrom: self.genome.sizes[window.chrom] for window in windows}

    @cached_property
    def stretches(self) -> list[Piece]:
        """Some hundred rows of one split each, whole pieces: the rows that one worker measures at once."""
        found: list[Piece] = []
        for piece in self.writer.pieces:
            if found and found[-1].split == piece.split and piece.last - found[-1].first <= _ROWS:
                found[-1] = replace(found[-1], last=piece.last)
            else:
                found.append(piece)
        return found

    @property
    def missing(self) -> list[tuple[int, Piece]]:
        """What the second round has still to do: tracks over stretches."""
        items = product(range(len(self.signals.sources)), self.stretches)
        return [(track, rows) for track, rows in items if not self.part(track, rows).exists()]

    @property
    def left(self) -> int:
        """Windows still to be measured, counted once a track, and to be written, counted as one track more."""
        if not self.writer.missing:
            return 0
        return sum(rows.last - rows.first for rows in (*(rows for _, rows in self.missing), *self.writer.missing))

    def windows(self, rows: Piece) -> tuple[Interval, ...]:
        """The windows of some rows."""
        return tuple(filter(None, self.writer.plan.windows[rows.split][rows.first : rows.last]))

    def part(self, track: int, rows: Piece) -> Path:
        """The file of a stretch's targets of one track."""
        return self.scratch / f"track-{track}" / f"{rows.split}-{rows.first}.npy"

    def steps(self, source: Source) -> Path:
        """The folder of what a source was turned into."""
        return self.scratch / f"steps-{self._numbers[source.text]}"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {source.text: i for i, source in enumerate(self.signals.sources)}

    def signal(self, track: int) -> Signal:
        """What a track is read from."""
        source = self.signals.sources[track]
        return InPlace(source.path) if source.in_place else Prepared(self.steps(source))


@dataclass(frozen=True, eq=False)
class Built:
    """A data set that is whole."""

    store: Store
    absent: Mapping[str, Sequence[str]]
    """Track -> chromosomes of windows that its file has nothing on: it is 0 there."""


def build(job: Job, engine: Engine, report: Report = lambda done: None) -> Built:
    """Do all that is missing of a data set, and open it.

    Raises `InputError` where a file is damaged, or has something that the recipe cannot take.
    """
    missing = job.writer.missing
    absent: Mapping[str, Sequence[str]] = {}
    if missing:
        _prepare(job, engine)
        absent = _absent(job)
        _measure(job, engine, report)
        for piece, _ in engine.map(partial(_stacking, job, _limits(job, engine)), missing):
            report(piece.last - piece.first)
    finished = job.writer.finish()
    shutil.rmtree(job.scratch, ignore_errors=True)
    return Built(finished, absent)


def _prepare(job: Job, engine: Engine) -> None:
    """The first round."""
    folders = {job.steps(source): source for source in job.signals.sources if not source.in_place}
    missing = [(source, folder) for folder, source in folders.items() if not folder.exists()]
    for _ in engine.map(partial(_preparing, job.genome.path, job.sizes), missing):
        pass


def _preparing(genome: Path, sizes: Mapping[str, int], _: int) -> Callable[[tuple[Source, Path]], None]:
    return lambda item: coverage.prepare(item[0], genome, sizes, item[1])


def _absent(job: Job) -> dict[str, list[str]]:
    """As `Built.absent`. Raises `InputError` where a track's file is of another assembly, or has nothing on any."""
    found: dict[str, list[str]] = {}
    for i, track in enumerate(job.writer.plan.table):
        coverage.check_sizes(job.signals.sources[i], job.sizes)
        there = set(job.signal(i).chroms)
        missing = [chrom for chrom in job.sizes if there.isdisjoint(spellings(chrom))]
        if len(missing) == len(job.sizes):
            raise InputError(f"track {track.name}: {track.file} has nothing on any chromosome of the windows")
        if missing:
            found[track.name] = missing
    return found


def _measure(job: Job, engine: Engine, report: Report) -> None:
    """The second round."""
    for (_, rows), _ in engine.map(partial(_measuring, job), job.missing):
        report(rows.last - rows.first)


def _measuring(job: Job, _: int) -> Callable[[tuple[int, Piece]], None]:
    signal = lru_cache(maxsize=1)(job.signal)

    def measure(item: tuple[int, Piece]) -> None:
        track, rows = item
        made = np.stack([targets_of(job, track, signal(track), window) for window in job.windows(rows)])
        path = job.part(track, rows)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contested(path) as temporary, temporary.open("wb") as file:
            np.save(file, made)

    return measure


def targets_of(job: Job, track: int, signal: Signal, window: Interval) -> Half:
    """Targets of one track over one window, float16 [bins], before the ceiling that only all windows know."""
    bases = signal.bases(window)
    bases = targets.interpolated(bases) if job.signals.interpolate else bases
    plan = job.writer.plan
    measured = Measured(bases, _inside(job.signals.black, window) > 0, plan.table.rows[track], job.window)
    try:
        bins = targets.recipe(job.signals.recipe).bins(measured)
    except InputError as error:
        raise InputError(f"track {measured.track.name} at {window!r}: {error}") from None
    lost = _inside(job.signals.unmappable, job.window.output_of(window)).reshape(plan.bins, plan.bin_bp).mean(axis=1)
    return targets.half(targets.capped(bins, lost, job.signals.unmappable_quantile))


def _inside(regions: Mapping[str, Steps], place: Interval) -> Bases:
    """1 for each base of `place` that is in the regions, else 0."""
    steps = regions.get(place.chrom)
    return np.zeros(place.width) if steps is None else steps.bases(place.start, place.end)


def _limits(job: Job, engine: Engine) -> Half:
    """The size that no target of each track may pass, [tracks]."""
    tracks = range(len(job.signals.sources))
    ceiling = targets.recipe(job.signals.recipe).ceiling
    if ceiling is None:
        return np.full(len(tracks), targets.HALF_MAX, np.float16)
    found = dict(engine.map(partial(_limiting, job, ceiling), tracks))
    return targets.half(np.array([found[track] for track in tracks]))


def _limiting(job: Job, ceiling: float, _: int) -> Callable[[int], float]:
    def limit(track: int) -> float:
        every = np.concatenate([np.load(job.part(track, rows)).ravel() for rows in job.stretches])
        return float(np.quantile(np.abs(every).astype(np.float64), ceiling))

    return limit


def _stacking(job: Job, limits: Half, _: int) -> Callable[[Piece], None]:
    """The third round."""

    def stack(piece: Piece) -> None:
        rows = next(rows for rows in job.stretches if rows.split == piece.split and piece.last <= rows.last)
        own = slice(piece.first - rows.first, piece.last - rows.first)
        parts = [np.load(job.part(track, rows), mmap_mode="r")[own] for track in range(len(limits))]
        codes = np.stack([job.genome.codes(window) for window in job.windows(piece)])
        job.writer.write(piece, codes, np.clip(np.stack(parts, axis=2), -limits, limits))

    return stack
