"""Predictions on one grid per chromosome, computed when first looked at; knows a predictor and a cache, no HTTP.

A genome is cut into tiles of as many bases as the model says, counted from each chromosome's first base. Each tile is
predicted once, in the window that is centred on it, with all tracks. So wherever a user looks from, a bin has the same
value, and panning costs one prediction a tile. `distal predict` cuts a region from its own start instead: its values
agree with these closely, not to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.predictor import Predictor, averaged, on_genome
from distal.web.cache import Cache

Values = NDArray[np.float32]
_ALL = 1 << 62
"""More points than there are bins: none are joined."""


@dataclass(frozen=True, eq=False)
class Signal:
    """Values [tracks, bins] over an interval, bins of `bin_bp`; the last bin may pass the chromosome's end."""

    interval: Interval
    bin_bp: int
    values: Values

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] * self.bin_bp != self.interval.width:
            raise ValueError(f"values {self.values.shape} in bins of {self.bin_bp} bp do not fill {self.interval!r}")


@dataclass(frozen=True, eq=False)
class Grid:
    """The tiles of a genome as a model sees it."""

    predictor: Predictor
    genome: Genome
    cache: Cache
    rc: bool
    """Whether both strands are averaged."""
    label: str
    """What decides the values besides the place: model, weights, genome."""

    @property
    def tile_bp(self) -> int:
        """Bases of a tile."""
        return self.predictor.window.output_bp

    def checked(self, region: Interval, most_bp: int) -> Interval:
        """The region under the genome's name. Raises `InputError` where it leaves its chromosome or is too wide."""
        region = on_genome(region, self.genome)
        if region.width > most_bp:
            raise InputError(
                f"region {region.to_ucsc()} has {region.width:,} bp, more than {most_bp:,} bp at once; zoom in"
            )
        return region

    def tiles(self, region: Interval) -> range:
        """The numbers of the tiles that a region touches."""
        return range(region.start // self.tile_bp, -(-region.end // self.tile_bp))

    def missing(self, region: Interval, points: int = _ALL) -> list[int]:
        """Those of the tiles that `signal` needs which nobody has looked at yet."""
        there, _ = self._joined(region, points)
        return [tile for tile in self.tiles(there) if self.cache.get(self._key(region.chrom, tile)) is None]

    def compute(self, chrom: str, tiles: Sequence[int], progress: Callable[[], object] = lambda: None) -> None:
        """Predict tiles that are not in the cache, and keep them."""
        for tile in tiles:
            key = self._key(chrom, tile)
            if self.cache.get(key) is None:
                self.cache.put(key, self._predicted(chrom, tile))
            progress()

    def signal(self, region: Interval, channels: NDArray[np.int64], points: int) -> Signal | None:
        """What a region's tiles say on some channels, as means of neighbours where it has more than `points` bins.

        Joined bins begin at multiples of their width, so they don't change as a view moves. The last one of a
        chromosome is the mean of what there is. None where a tile is missing.
        """
        there, together = self._joined(region, points)
        pieces = list(self._pieces(there, channels))
        if any(piece is None for piece in pieces):
            return None
        values = np.concatenate([piece for piece in pieces if piece is not None], axis=1)
        if together > 1:
            edges = np.arange(0, values.shape[1], together)
            counts = np.diff(np.append(edges, values.shape[1]))
            values = (np.add.reduceat(values, edges, axis=1, dtype=np.float64) / counts).astype(np.float32)
        wide = together * self.predictor.window.bin_bp
        return Signal(Interval(region.chrom, there.start, there.start + values.shape[1] * wide), wide, values)

    def _joined(self, region: Interval, points: int) -> tuple[Interval, int]:
        """Where the joined bins lie that cover a region, as far as there are bins, and how many are joined."""
        bin_bp = self.predictor.window.bin_bp
        bins = -(-region.width // bin_bp)
        together = -(-bins // points)
        wide = bin_bp * together
        start, end = region.start // wide * wide, -(-region.end // wide) * wide
        size = self.genome.sizes[region.chrom]
        return Interval(region.chrom, start, min(end, -(-size // bin_bp) * bin_bp)), together

    def _pieces(self, there: Interval, channels: NDArray[np.int64]) -> Iterator[Values | None]:
        bin_bp = self.predictor.window.bin_bp
        for tile in self.tiles(there):
            whole = self.cache.get(self._key(there.chrom, tile))
            first = max(there.start - tile * self.tile_bp, 0) // bin_bp
            last = min(there.end - tile * self.tile_bp, self.tile_bp) // bin_bp
            yield None if whole is None else np.asarray(whole[channels, first:last])

    def _predicted(self, chrom: str, tile: int) -> Values:
        """All channels of a tile, [tracks, bins]: a few of them are read without the others."""
        window = self.predictor.window
        output = Interval(chrom, tile * self.tile_bp, (tile + 1) * self.tile_bp)
        codes = self.genome.codes(window.input_of(output))
        values = averaged(self.predictor, codes[None], self.rc)[0]
        return np.ascontiguousarray(values.float().cpu().numpy().T)

    def _key(self, chrom: str, tile: int) -> str:
        return f"{self.label}\ttile\t{chrom}\t{tile}"
