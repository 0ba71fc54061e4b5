"""Several data sets as one stream of training examples, each with its share; knows nothing of what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distal.coords import Window
from distal.data import dataset
from distal.data.chance import generator
from distal.data.dataset import Draw, Examples, Targets
from distal.dna import Codes
from distal.errors import InputError
from distal.tracks import TrackTable

ROUND = 1000
"""Positions in which every source has its exact share, rounded to whole examples."""


class Drawn(NamedTuple):
    """One training example of a mixture."""

    source: int
    draw: Draw


@dataclass(frozen=True, eq=False)
class Mixture:
    """The data sets that a head learns from, with the same tracks; `weights` are what each counts for, of any sum.

    Of every `ROUND` positions a source gets its share, in an order shuffled by (seed, head, round), and each source
    counts its own positions: it shows every window once an epoch of its own, as if it were alone. A single source is
    that source, draw by draw.
    """

    sources: tuple[Examples, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        first, *others = (_channels(source.table) for source in self.sources)
        if any(other != first for other in others):
            raise InputError("the data sets that are mixed for a head have other tracks, or in another order")
        if min(_shares(self.weights)) == 0:
            raise InputError(f"of weights {list(self.weights)} the least is below a {ROUND}th of all; leave it out")

    @property
    def table(self) -> TrackTable:
        """The tracks of all sources."""
        return self.sources[0].table

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean signal of a bin of each track over what is drawn, [tracks]."""
        of_sources = np.stack([source.means for source in self.sources])
        means: NDArray[np.float64] = np.average(of_sources, axis=0, weights=_shares(self.weights))
        return means

    def draw(self, window: Window, stream: tuple[int, str], position: int) -> Drawn:
        """The `position`-th training example of `stream` = (seed, head); see `dataset.draw`."""
        lap, place = divmod(position, ROUND)
        source, before = _round(self.weights, stream, lap)[place]
        own = lap * _shares(self.weights)[source] + before
        return Drawn(source, dataset.draw(self.sources[source], window, stream, own))

    def batch(self, window: Window, drawn: Sequence[Drawn]) -> tuple[Codes, Targets]:
        """Codes [n, input_bp] and targets [n, bins, tracks] of several training examples."""
        pairs = [dataset.take(self.sources[source], window, draw) for source, draw in drawn]
        return np.stack([codes for codes, _ in pairs]), np.stack([targets for _, targets in pairs])


def _channels(table: TrackTable) -> list[tuple[str, int]]:
    return [(row.name, int(partner)) for row, partner in zip(table.rows, table.partners, strict=True)]


@lru_cache(maxsize=64)
def _shares(weights: tuple[float, ...]) -> tuple[int, ...]:
    """How many of `ROUND` positions each source gets; they add up."""
    edges = np.rint(np.cumsum((0.0, *weights)) * (ROUND / sum(weights))).astype(int)
    return tuple(np.diff(edges).tolist())


@lru_cache(maxsize=64)
def _round(weights: tuple[float, ...], stream: tuple[int, str], lap: int) -> list[tuple[int, int]]:
    """For each position of a round: its source, and how many positions of the round that source had before."""
    order = np.repeat(np.arange(len(weights)), _shares(weights))
    generator(*stream, lap).shuffle(order)
    earlier = np.zeros(ROUND, dtype=int)
    for source in range(len(weights)):
        here = order == source
        earlier[here] = np.arange(here.sum())
    return list(zip(order.tolist(), earlier.tolist(), strict=True))
