"""What the server has opened: a model, a genome and, if given, genes and scores; knows no HTTP.

Everything is opened once, before the first request, by the names that the user gave on the command line. No request
names a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.predictor import Predictor
from distal.tracks import TrackTable
from distal.web.cache import Cache
from distal.web.equivalent import Called
from distal.web.jobs import Queue
from distal.web.limits import Limits
from distal.web.search import Found, search
from distal.web.tiles import Grid

START_BP = 60_000
"""Bases that are shown first where nothing is asked for."""


@dataclass(frozen=True, eq=False)
class Served:
    """A model on a genome, and what goes with them."""

    predictor: Predictor
    genome: Genome
    cache: Cache
    called: Called
    """The names that stand for model and files in the command lines and snippets that are given out."""
    genes: Genes | None = None
    scores: Path | None = None
    limits: Limits = Limits()  # noqa: RUF009 (it is frozen)
    rc: bool = False
    """Whether tracks are averaged over both strands as one pans."""
    start: str = ""
    """What is shown first: anything that can be searched for."""

    def __post_init__(self) -> None:
        if self.rc:
            _ = self.predictor.tracks.partners  # says what is wrong with the track table before anybody looks
        _ = self.first

    @cached_property
    def queue(self) -> Queue:
        """Who computes, one thing at a time; looking at tracks goes before long work."""
        return Queue(self.limits, first=("signal",))

    @cached_property
    def label(self) -> str:
        """What decides every number besides the question: 16 hexadecimal digits."""
        facts = self.predictor.facts(self.genome) | {"rc": self.rc, "fasta": _stamp(self.genome.path)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def grid(self) -> Grid:
        """Tracks as one pans."""
        return Grid(self.predictor, self.genome, self.cache, self.rc, self.label)

    @cached_property
    def first(self) -> Found:
        """The place that is shown first: `start`, or the middle of the first long sequence."""
        if self.start:
            return self.search(self.start)
        chrom, size = max(self.genome.sizes.items(), key=lambda item: item[1])
        region = Interval(chrom, size // 2, size // 2 + 1).resize(START_BP).clip(0, size)
        return Found("region", region.to_ucsc(), region)

    def search(self, text: str) -> Found:
        """See `search.search`."""
        return search(text, self.genome, self.genes, self.scores)

    def region(self, text: str, most_bp: int) -> Interval:
        """A region that a client names, on the genome. Raises `InputError` where it is wrong or too wide."""
        return self.grid.checked(Interval.from_ucsc(text), most_bp)

    def table(self, channels: Sequence[int]) -> TrackTable:
        """The tracks of some output channels, in that order. Raises `InputError` for one that there isn't."""
        if len(channels) > self.limits.tracks:
            raise InputError(f"{len(channels)} tracks are more than {self.limits.tracks} at once; choose fewer")
        place = {row.index: i for i, row in enumerate(self.predictor.tracks)}
        for channel in channels:
            if channel not in place:
                raise InputError(f"track {channel} is not there; /api/tracks lists {len(place)} from 0")
        return self.predictor.tracks.take(place[channel] for channel in channels)

    def variant(self, text: str) -> Variant:
        """A variant that a client names. Raises `InputError` where it is not one, or too long."""
        variant = Variant.parse(text)
        with suppress(InputError):
            return Variant(self.genome.resolve(variant.chrom), variant.start, variant.ref, variant.alt)
        return variant

    def close(self) -> None:
        """End all work."""
        if "queue" in self.__dict__:
            self.queue.close()


def _stamp(path: Path) -> str:
    """A file's size and time of change: another file under the same name has other tiles."""
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns}"
