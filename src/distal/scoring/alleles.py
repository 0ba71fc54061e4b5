"""One alternative allele over a window: REF and ALT codes, and how ALT's bins go back to REF's; knows no model.

**Coordinates.** Both alleles are read in a window whose left edge is the same base of the genome, with the first base
of REF at index `input_bp // 2 - 1`. An insertion pushes everything behind it to the right and off the window's end; a
deletion pulls it to the left and the window is refilled from the genome. So behind an indel ALT's bins lie over other
bases than REF's, and a difference taken bin by bin would mostly measure that displacement. `Realignment` undoes it:

- an ALT bin's value is spread evenly over its bases, and every ALT base is mapped to a REF base;
- inserted bases have no REF base of their own: their signal goes to the base before them;
- deleted REF bases receive 0;
- REF bases that ALT's output doesn't reach (the last ones, behind an insertion) keep REF's value, a difference of 0.

The sums per REF bin are what is compared. For alleles of equal length the map is the identity. The place of an indel
inside its alleles is the leftmost one that the two texts allow (the shared suffix is kept first). The window
stays centred on the row's POS: the same indel written at another POS of a repeat is read in another window, as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.io.fasta import Genome
    from distal.io.vcf import VcfRow

SCORED = "scored"
REF_MISMATCH = "ref_mismatch"
REF_FLIPPED = "ref_flipped"
OUT_OF_RANGE = "out_of_range"
UNSUPPORTED = "unsupported_allele"
DUPLICATE = "duplicate"
FAILED = "failed"
STATUSES = (SCORED, REF_MISMATCH, REF_FLIPPED, OUT_OF_RANGE, UNSUPPORTED, DUPLICATE, FAILED)
"""What can become of a row. `scored` and `duplicate` (of a scored one) have scores, the others NaN.

`ref_mismatch`: the genome has neither allele there. `ref_flipped`: it has ALT where the row says REF (as in files that
went through plink's major/minor): not scored, since a score would belong to the other direction. `out_of_range`: the
genome lacks the contig, or it ends before the allele does. `unsupported_allele`: symbolic, `*`, `.`, letters other than
ACGT, or longer than half the model's output. `failed`: the model's answer is not finite.
"""


def judge(genome: Genome, window: Window, row: VcfRow) -> str:
    """Which of `STATUSES` a row has before any model sees it (never `duplicate` or `failed`)."""
    if not _scorable(row.ref, window) or not _scorable(row.alt, window):
        return UNSUPPORTED
    try:
        size = genome.sizes[genome.resolve(row.chrom)]
    except InputError:
        return OUT_OF_RANGE
    if row.pos < 1 or row.variant().end > size:
        return OUT_OF_RANGE
    variant = row.variant()
    if genome.fetch(variant.interval) == row.ref:
        return SCORED
    carries_alt = genome.fetch(Interval(variant.chrom, variant.start, variant.start + len(row.alt))) == row.alt
    return REF_FLIPPED if carries_alt else REF_MISMATCH


def _scorable(allele: str, window: Window) -> bool:
    return 0 < len(allele) <= window.output_bp // 2 and not set(allele) - set("ACGT")


@dataclass(frozen=True)
class Realignment:
    """ALT bins to REF bins, as sparse weights in deterministic passes: within a pass every REF bin occurs once.

    REF bin `rows[i]` receives `weights[i]` of ALT bin `columns[i]`. Bins before `first` are ALT's as they are;
    `unreached[j]` is the part of REF bin `first + j` that ALT's output doesn't reach.
    """

    first: int
    passes: tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]], ...]
    unreached: NDArray[np.float32]

    def __call__(self, alt: Tensor, ref: Tensor) -> Tensor:
        """ALT's prediction float[bins, tracks] over REF's bins; `ref` [bins, tracks] fills what ALT doesn't reach."""
        if not self.unreached.size:
            return alt
        device = alt.device
        mapped = alt.clone()
        mapped[self.first :] = torch.from_numpy(self.unreached).to(device)[:, None] * ref[self.first :]
        for rows, columns, weights in self.passes:
            place = torch.from_numpy(rows).to(device)
            part = torch.from_numpy(weights).to(device)[:, None] * alt[torch.from_numpy(columns).to(device)]
            mapped[place] = mapped[place] + part
        return mapped


IDENTITY = Realignment(0, (), np.empty(0, dtype=np.float32))
"""For alleles of equal length."""


@dataclass(frozen=True)
class Haplotypes:
    """REF and ALT codes uint8 [input_bp] of one variant over `interval`, and how ALT's bins go back to REF's."""

    variant: Variant
    interval: Interval
    ref: dna.Codes
    alt: dna.Codes
    realign: Realignment


def haplotypes(genome: Genome, window: Window, variant: Variant) -> Haplotypes:
    """Both alleles of `variant` in the window around it; N beyond the chromosome's ends.

    Raises `InputError` where the genome has another base than REF says; `judge` tells beforehand.
    """
    interval = window.input_around(variant)
    growth = len(variant.alt) - len(variant.ref)
    bases = genome.codes(Interval(interval.chrom, interval.start, interval.end + max(0, -growth)))
    left, right = variant.start - interval.start, variant.end - interval.start
    if not np.array_equal(bases[left:right], dna.encode(variant.ref)):
        raise InputError(
            f"{variant}: the genome has {dna.decode(bases[left:right])} there, not {variant.ref}; "
            "is this the FASTA of the genome build that the variants were called on?"
        )
    alt = np.concatenate([bases[:left], dna.encode(variant.alt), bases[right:]])[: window.input_bp]
    return Haplotypes(variant, interval, bases[: window.input_bp], alt, realignment(window, variant))


def realignment(window: Window, variant: Variant) -> Realignment:
    """How ALT's output bins over `window.input_around(variant)` go back to REF's (see the top of this file)."""
    growth = len(variant.alt) - len(variant.ref)
    if growth == 0:
        return IDENTITY
    output = window.output_of(window.input_around(variant))
    return _realign(window.bins, window.bin_bp, variant.start - output.start + edit_offset(variant), growth)


def edit_offset(variant: Variant) -> int:
    """Bases from an indel's start to the first one inserted or deleted: what the alleles share at their ends is kept.

    The shared suffix goes first, so in a repeat it is the leftmost place that the two texts allow.
    """
    pairs = zip(reversed(variant.ref), reversed(variant.alt), strict=False)
    suffix = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return min(len(variant.ref), len(variant.alt)) - suffix


def _realign(bins: int, bin_bp: int, edit: int, growth: int) -> Realignment:
    """`growth` bases appear (negative: disappear) in front of REF base `edit`, counted from the output's first base.

    REF's bin edges are carried over to ALT, where a bin becomes a stretch; its overlaps with ALT's bins are weights.
    """
    width = bins * bin_bp
    first = (edit - (growth > 0)) // bin_bp
    edges = np.arange(first, bins + 1, dtype=np.int64) * bin_bp
    # An edge that lies right at an insertion has the inserted bases on its left: they belong to the base before it.
    behind = edges >= edit if growth > 0 else edges > edit
    carried = np.minimum(np.where(behind, np.maximum(edges + growth, edit), edges), width)
    first_unreached = max(edit, width - growth) if growth > 0 else width
    unreached = np.diff(np.maximum(edges, first_unreached)) / bin_bp
    found: dict[int, list[tuple[int, int, float]]] = {}
    for row, (start, end) in enumerate(pairwise(carried.tolist()), start=first):
        for rank, column in enumerate(range(start // bin_bp, -(-end // bin_bp)) if end > start else ()):
            overlap = min(end, (column + 1) * bin_bp) - max(start, column * bin_bp)
            found.setdefault(rank, []).append((row, column, overlap / bin_bp))
    return Realignment(first, tuple(map(_arrays, found.values())), unreached.astype(np.float32))


def _arrays(entries: list[tuple[int, int, float]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    rows, columns, weights = zip(*entries, strict=True)
    return np.array(rows), np.array(columns), np.array(weights, dtype=np.float32)
