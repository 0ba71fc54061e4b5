"""Predictions over an indel's two alleles, brought to the same bases; knows positions and weights, no sequence.

An indel moves what is behind it, so that ALT's bins lie over other bases than REF's, and a difference taken bin by bin
would mostly measure that displacement. Two things undo it:

- *Realignment.* A bin's value is spread evenly over its bases, every ALT base is mapped to a REF base, and the sums per
  REF bin are compared.
- *The same phase.* The spread is coarse: a peak that the bin grid cuts at another place has other sums. So behind the
  edit ALT is compared with `shifted`, REF's own sequence moved by the length difference, whose bins are cut where ALT's
  are. It goes to REF's bins by the weights that ALT goes by. Where the model sees no difference, there is none.

What the sums on REF's bins are made of, base by base:

=================================== =======  ===============
base                                ALT      REF
=================================== =======  ===============
in front of the edit                ALT's    REF's
inserted, given to the base before  ALT's    0
deleted                             0        REF's
behind the edit                     ALT's    that of `shifted`
not reached by ALT (the last ones)  REF's    REF's
=================================== =======  ===============

The place of an indel inside its alleles is the leftmost one that the two texts allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Interval, Variant, Window

Weights = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Realignment:
    """Predictions over an indel's REF, ALT and `shifted` REF to two sums over the same bases, on REF's bins.

    Bins before `first` stay as they are. The weights, one for each REF bin from `first` on, are parts of that bin and
    add up to 1.
    """

    first: int
    front: Weights
    """In front of the edit: the same bin of both."""
    behind: tuple[tuple[NDArray[np.int64], Weights], tuple[NDArray[np.int64], Weights]]
    """Behind it: the two bins of ALT, and of `shifted`, over which the REF bin's bases lie."""
    deleted: Weights
    unreached: Weights
    inserted: tuple[slice, Weights]
    """ALT's bins with inserted bases, and the parts of them that go to REF bin `first`."""

    def __call__(self, ref: Tensor, alt: Tensor, shifted: Tensor) -> tuple[Tensor, Tensor]:
        """Three predictions float[bins, tracks] to (REF, ALT), comparable bin by bin; the arguments stay untouched."""
        own = ref[self.first :]
        kept = _column(self.unreached, ref) * own
        reference = _column(self.front + self.deleted, ref) * own + self._moved(shifted) + kept
        changed = _column(self.front, alt) * alt[self.first :] + self._moved(alt) + kept
        columns, weights = self.inserted
        changed[0] += (_column(weights, alt) * alt[columns]).sum(0)
        return torch.cat([ref[: self.first], reference]), torch.cat([alt[: self.first], changed])

    def _moved(self, values: Tensor) -> Tensor:
        near, far = (
            _column(weights, values) * values.index_select(0, torch.from_numpy(columns).to(values.device))
            for columns, weights in self.behind
        )
        return near + far


def _column(weights: Weights, like: Tensor) -> Tensor:
    return torch.from_numpy(weights).to(like.device)[:, None]


def realignment(window: Window, variant: Variant, input: Interval) -> Realignment:
    """How predictions over an indel's window `input` come to the same bases (see the top of this file).

    Both alleles lie in the output, and so does the base before an insertion.
    """
    output = window.output_of(input)
    edit = variant.start - output.start + edit_offset(variant)
    return _realign(window.bins, window.bin_bp, edit, len(variant.alt) - len(variant.ref))


def edit_offset(variant: Variant) -> int:
    """Bases from an indel's start to the first one inserted or deleted: what the alleles share at their ends is kept.

    The shared suffix goes first, so in a repeat it is the leftmost place that the two texts allow.
    """
    pairs = zip(reversed(variant.ref), reversed(variant.alt), strict=False)
    suffix = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return min(len(variant.ref), len(variant.alt)) - suffix


def _realign(bins: int, bin_bp: int, edit: int, growth: int) -> Realignment:
    """`growth` bases appear (negative: disappear) in front of REF base `edit`, counted from the output's first base.

    REF base x behind them is base x + growth of ALT. With growth = step x bin_bp + rest, the first bin_bp - rest bases
    of REF bin r lie in bin r + step of ALT, the others in the next one.
    """
    first = (edit - (growth > 0)) // bin_bp
    rows = np.arange(first, bins)
    step, rest = divmod(growth, bin_bp)
    start, end = rows * bin_bp, (rows + 1) * bin_bp
    cut = end - rest
    back = edit + max(0, -growth)  # the first base behind the edit
    reached = bins * bin_bp - max(0, growth)  # the first one that ALT's output doesn't reach

    def part(low: NDArray[np.int64] | int, high: NDArray[np.int64] | int) -> Weights:
        """The part of each bin that lies in [low, high)."""
        inside = np.minimum(end, high) - np.maximum(start, low)
        return (inside.clip(0) / bin_bp).astype(np.float32)

    near = rows + step
    return Realignment(
        first=first,
        front=part(0, edit),
        behind=(
            (near.clip(0, bins - 1), part(back, np.minimum(cut, reached))),
            ((near + 1).clip(0, bins - 1), part(np.maximum(cut, back), reached)),
        ),
        deleted=part(edit, back),
        unreached=part(reached, bins * bin_bp),
        inserted=_inserted(bin_bp, edit, max(0, growth)),
    )


def _inserted(bin_bp: int, edit: int, length: int) -> tuple[slice, Weights]:
    """The bins of ALT that have some of `length` bases from `edit` on, and which part of each is theirs."""
    columns = np.arange(edit // bin_bp, -(-(edit + length) // bin_bp))
    inside = np.minimum((columns + 1) * bin_bp, edit + length) - np.maximum(columns * bin_bp, edit)
    return slice(edit // bin_bp, edit // bin_bp + len(columns)), (inside / bin_bp).astype(np.float32)
