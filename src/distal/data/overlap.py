"""Whether windows share bases with regions that must not be seen; knows intervals, not why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from distal.coords import Interval, spellings
from distal.data.regions import Regions
from distal.io.bed import BedRow
from distal.io.chain import Chains


@dataclass(frozen=True, slots=True)
class Shared:
    """What one region shares with windows of the same assembly."""

    region: Interval
    name: str
    windows: int
    """How many of them have a base of it."""
    bases: int
    """How many of its bases are in some of them."""


def shared(windows: Sequence[Interval], regions: Iterable[BedRow]) -> Iterator[Shared]:
    """What each region shares with the windows, in order. Chromosomes may be called chr20 or 20."""
    plain = [_plainly(window) for window in windows]
    covered = Regions.of(plain)
    for row in regions:
        region = _plainly(row.interval)
        count = sum(window.overlaps(region) for window in plain)
        yield Shared(row.interval, row.name, count, covered.covered(region))


def lifted(rows: Iterable[BedRow], chains: Chains) -> Iterator[BedRow]:
    """The rows on the other assembly: none, one or several for each, of the same name."""
    for row in rows:
        for interval in chains.lift(row.interval):
            yield replace(row, interval=interval)


def _plainly(interval: Interval) -> Interval:
    return replace(interval, chrom=min(spellings(interval.chrom)))
