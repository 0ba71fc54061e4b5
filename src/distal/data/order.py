"""What a data set is to be made of, checked before any work begins; knows what the user gave, not how it is built.

Windows come from a BED file whose fourth column is the split. They are as wide as the model's input, or as what is
measured of it, and may pass the ends of a chromosome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distal.coords import Interval, Window
from distal.data import coverage, regions, store, targets
from distal.data.build import Job, Report, Signals
from distal.data.regions import Regions
from distal.data.steps import Steps, inside
from distal.data.store import Input, Plan
from distal.engine import Engine
from distal.errors import InputError
from distal.io import bed
from distal.io.fasta import Genome
from distal.tracks import TrackTable, read_targets

BLACK_FLANK_BP = 20
"""Bases beside a blacklisted region that count as blacklisted, as in Basenji."""


@dataclass(frozen=True)
class Order:
    """What the user asks for."""

    fasta: Path
    table: Path
    """A targets.txt whose `file` column says what each track is read from, as `coverage` explains."""
    splits: Path
    window: Window
    recipe: str = "basenji"
    interpolate: bool = False
    blacklist: Path | None = None
    unmappable: Path | None = None
    unmappable_quantile: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.unmappable_quantile <= 1:
            raise InputError(f"{self.unmappable_quantile} is no quantile; give a number from 0 to 1")

    @property
    def files(self) -> list[Path]:
        """Those that are named, but for the tracks'."""
        return [path for path in (self.fasta, self.table, self.splits, self.blacklist, self.unmappable) if path]

    @property
    def facts(self) -> dict[str, Any]:
        """How signal becomes targets, in what JSON can hold."""
        facts = {"name": self.recipe, "interpolate": self.interpolate, "blacklist": self.blacklist is not None}
        quantile = None if self.unmappable is None else self.unmappable_quantile
        return {**facts, "unmappable_quantile": quantile}


def begin(order: Order, out: Path, engine: Engine, report: Report = lambda done: None, command: str = "") -> Job:
    """Begin or go on with the data set in the folder `out`.

    Every input is read once, for its checksum, and `report` hears of each. Raises `InputError` for whatever cannot be
    as it is asked for, and where `out` holds a data set that is made of other things.
    """
    genome, table = Genome(order.fasta), read_targets(order.table)
    sources = _sources(table, order)
    windows = read_windows(order.splits, order.window, genome)
    black, lost = _regions(order.blacklist, genome, BLACK_FLANK_BP), _regions(order.unmappable, genome, 0)
    signals = Signals(sources, order.recipe, order.interpolate, black, lost, order.unmappable_quantile)
    inputs = _inputs(list(dict.fromkeys([*order.files, *(each.path for each in sources)])), engine, report)
    sizes = (order.window.input_bp, order.window.bin_bp, order.window.bins)
    plan = Plan(*sizes, windows, table, order.facts, inputs, command)
    return Job(store.create(out, plan), genome, signals)


def _sources(table: TrackTable, order: Order) -> tuple[coverage.Source, ...]:
    recipe = targets.recipe(order.recipe)
    for track in table:
        recipe.check(track)
        if not track.file:
            raise InputError(f"{order.table}: track {track.name} has no file; say where it is measured")
    return tuple(coverage.source_of(track.file, order.table.parent) for track in table)


def read_windows(path: Path, window: Window, genome: Genome) -> dict[str, tuple[Interval, ...]]:
    """Split -> its windows in the order of the file, `input_bp` wide, with the genome's names of chromosomes.

    Raises `InputError`, naming the row, for one of another width, without a split, or off its chromosome.
    """
    found: dict[str, list[Interval]] = {}
    for row in bed.read(path):
        found.setdefault(row.name, []).append(_window(row, window, genome, path))
    if not found:
        raise InputError(f"{path} has no window; `distal data splits` writes such a file")
    return {split: tuple(windows) for split, windows in found.items()}


def _window(row: bed.BedRow, window: Window, genome: Genome, path: Path) -> Interval:
    place = replace(row.interval, chrom=genome.resolve(row.interval.chrom), strand=".")
    if row.name == ".":
        raise InputError(f"{path}: {place!r} has no split in the fourth column; give train, valid or test")
    if place.width == window.output_bp != window.input_bp:
        place = window.input_of(place)
    if place.width != window.input_bp:
        widths = f"the model reads {window.input_bp:,} and measures {window.output_bp:,}"
        raise InputError(f"{path}: {place!r} has {place.width:,} bp; {widths}")
    if not window.output_of(place).clip(0, genome.sizes[place.chrom]).width:
        raise InputError(f"{path}: nothing of {place!r} that is measured lies on its chromosome; is it another genome?")
    return place


def _regions(path: Path | None, genome: Genome, flank_bp: int) -> dict[str, Steps]:
    """Chromosome -> 1 within `flank_bp` of a region of a BED file, else 0."""
    if path is None:
        return {}
    grown = (replace(x, start=x.start - flank_bp, end=x.end + flank_bp) for x in regions.read(path, genome))
    return {chrom: inside(edges) for chrom, edges in Regions.of(grown).edges.items()}


def _inputs(paths: Sequence[Path], engine: Engine, report: Report) -> tuple[Input, ...]:
    made: dict[Path, Input] = {}
    for path, summed in engine.map(_summing, paths):
        made[path] = summed
        report(1)
    return tuple(made[path] for path in paths)


def _summing(_: int) -> Callable[[Path], Input]:
    return Input.of
