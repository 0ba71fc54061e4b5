"""What a variant does to each track near it: REF's and ALT's signal over some bases; knows passes and sequences.

Knows no benchmark. Published protocols count bins of 128 bp. A model with finer bins is asked for the bins that cover
the same bases, so that the numbers of all models mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.dna import Codes
from distal.errors import InputError
from distal.predictor import Reading, readings

if TYPE_CHECKING:
    from distal.incremental import Pass

Floats = NDArray[np.float64]
PUBLISHED_BIN_BP = 128
Span = Callable[[int], tuple[int, int]]
"""Index of the variant in what the model reads -> bases `[first, end)` of the input to be summed."""
Place = Callable[[Variant], Interval]
"""The input that a variant is read in."""


class Bases(Protocol):
    """Letters at positions, such as a `Genome`."""

    def codes(self, interval: Interval) -> Codes:
        """Codes uint8 [width], 4 where no base is known."""
        ...


@dataclass(frozen=True, eq=False)
class Signals:
    """REF's and ALT's signal near each variant, summed over bins, averaged over members: float64 [variants, tracks]."""

    ref: Floats
    alt: Floats

    @property
    def difference(self) -> Floats:
        """ALT - REF, [variants, tracks]."""
        return self.alt - self.ref

    def log2_fold(self, columns: Sequence[int]) -> Floats:
        """log2(1 + ALT) - log2(1 + REF) of the mean over some tracks, the logarithm taken last: [variants]."""
        ref, alt = (side[:, columns].mean(axis=1) for side in (self.ref, self.alt))
        fold: Floats = np.log1p((alt - ref) / (1 + ref)) / np.log(2)
        return fold


def nearest_four(index: int) -> tuple[int, int]:
    """The four published bins nearest to a base: 256 bp on either side of the boundary of bins that it is nearest to.

    Of a variant at index L/2 - 1, or L/2 on the other strand, these are the two bins on either side of the middle.
    """
    edge = round((index + 0.5) / PUBLISHED_BIN_BP) * PUBLISHED_BIN_BP
    return edge - 2 * PUBLISHED_BIN_BP, edge + 2 * PUBLISHED_BIN_BP


def five_around(index: int) -> tuple[int, int]:
    """The published bin that has a base, and two on either side."""
    start = index // PUBLISHED_BIN_BP * PUBLISHED_BIN_BP
    return start - 2 * PUBLISHED_BIN_BP, start + 3 * PUBLISHED_BIN_BP


def own_window(window: Window) -> Place:
    """Every variant at index L/2 of a window of its own: forward and reverse members then mirror each other."""

    def place(variant: Variant) -> Interval:
        start = variant.start - window.input_bp // 2
        return Interval(variant.chrom, start, start + window.input_bp)

    return place


def one_window(window: Window, variants: Sequence[Variant]) -> Place:
    """All variants in the window around their middle, so that REF is predicted once. They must lie close together."""
    chrom = variants[0].chrom
    whole = Interval(chrom, min(v.start for v in variants), max(v.end for v in variants))
    input = window.input_around(whole)
    return lambda variant: input


def holds_ref(bases: Bases, variant: Variant) -> bool:
    """Whether the sequence has REF there."""
    return bases.codes(variant.interval).tobytes() == dna.encode(variant.ref).tobytes()


def signals(
    pass_: Pass,
    bases: Bases,
    variants: Sequence[Variant],
    spans: Sequence[Span],
    place: Place,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    progress: Callable[[int], object] = lambda n: None,
) -> list[Signals]:
    """For each span REF's and ALT's signal of every track of the predictor, variants in their order.

    Each member (shift, strand) is summed over the bins where the variant lies in what that member read. Neighbours
    that are read in the same window share REF's prediction. `progress` hears of variants that are done. Raises
    `InputError` for an indel, and where the sequence hasn't got REF.
    """
    tracks = len(pass_.predictor.tracks)
    sums = np.empty((len(spans), 2, len(variants), tracks))
    for i, (ref, alt, index) in enumerate(_predictions(pass_, bases, variants, place, rc, shifts)):
        for j, span in enumerate(spans):
            sums[j, 0, i], sums[j, 1, i] = (_summed(pass_, side, span, index, rc, shifts) for side in (ref, alt))
        progress(1)
    return [Signals(ref, alt) for ref, alt in sums]


def _predictions(
    pass_: Pass, bases: Bases, variants: Sequence[Variant], place: Place, rc: bool, shifts: Sequence[int]
) -> Iterator[tuple[list[Tensor], list[Tensor], int]]:
    """The members of REF's and of ALT's prediction of each variant, and its index in its window."""
    for input, group in groupby(variants, key=place):
        here = list(group)
        ref = bases.codes(input)
        pass_.forget()
        predictions = pass_.members(chain([ref], (_changed(ref, input, one) for one in here)), rc, shifts)
        known = next(predictions)
        for one, alt in zip(here, predictions, strict=True):
            yield known, alt, one.start - input.start


def _changed(ref: Codes, input: Interval, variant: Variant) -> Codes:
    if variant.is_indel:
        raise InputError(f"{variant} changes the length of the sequence; give substitutions only")
    at = slice(variant.start - input.start, variant.end - input.start)
    if ref[at].tobytes() != dna.encode(variant.ref).tobytes():
        raise InputError(f"{variant}: the sequence has {dna.decode(ref[at])} there; give the genome build of the data")
    alt = ref.copy()
    alt[at] = dna.encode(variant.alt)
    return alt


def _summed(pass_: Pass, members: Sequence[Tensor], span: Span, index: int, rc: bool, shifts: Sequence[int]) -> Floats:
    """Mean over members of the sums over the variant's bins, [tracks]."""
    window = pass_.predictor.window
    ways = readings(rc, shifts)
    chosen = (member[bins_of(window, span, index, way)] for member, way in zip(members, ways, strict=True))
    summed = torch.stack([values.sum(0, dtype=torch.float64) for values in chosen])
    mean: Floats = summed.mean(0).cpu().numpy()
    return mean


def bins_of(window: Window, span: Span, index: int, way: Reading) -> slice:
    """The bins, in the order of the forward strand, that `span` covers in what one member read.

    `index` is the variant's in the window on the forward strand. Raises `InputError` where the span leaves the output.
    """
    at = (window.input_bp - 1 - index if way.reverse else index) + way.shift
    first, end = (base - window.crop_bp for base in span(at))
    low, high = first // window.bin_bp, -(-end // window.bin_bp)
    if low < 0 or high > window.bins:
        raise InputError(f"a variant at base {at} of the window has no bins around it; the output is too short")
    return slice(window.bins - high, window.bins - low) if way.reverse else slice(low, high)
