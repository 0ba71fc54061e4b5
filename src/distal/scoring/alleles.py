"""One variant over a window: what becomes of its row, and the sequences that a model has to read; knows no model.

Both alleles are read in a window whose left edge is the same base of the genome, with the first base of REF at index
`input_bp // 2 - 1`, or somewhere near it where neighbours share a window. An insertion pushes everything behind it to
the right and off the window's end; a deletion pulls it to the left and the window is refilled from the genome. So
behind an indel ALT's bins lie over other bases than REF's: a third sequence and `realignment` bring them together
again. A variant is normalised before (`normalise`), so however it was written it is read in the same window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.errors import InputError
from distal.scoring.normalise import normalised
from distal.scoring.realignment import Realignment, realignment

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
went through plink's major/minor): not scored unless the caller asks for the row's own direction. `out_of_range`: the
genome lacks the contig, or it ends before the allele does. `unsupported_allele`: symbolic, `*`, `.`, letters other than
ACGT, or longer than half the model's output. `failed`: the model's answer is not finite.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be done with a row."""

    status: str
    """One of `STATUSES`, never `duplicate` or `failed`: those are found out later."""
    variant: Variant | None
    """What is read: normalised, its contig under the genome's name, its REF the genome's bases. None: nothing is."""
    flipped: bool = False
    """The row's REF is the variant's ALT, so that scores turn round to be the row's ALT minus the row's REF."""


def judge(genome: Genome, window: Window, row: VcfRow, swap: bool = False) -> Judged:
    """What is to be done with `row`, before any model sees it.

    With `swap` a row whose ALT is the genome's gets a variant too, from the genome's allele to the row's REF. An indel
    whose shorter allele begins the longer one can't be told to be flipped (the genome always has the shorter one, the
    base that anchors it): where the longer allele isn't the genome's, it is a mismatch.
    """
    if not (_is_bases(row.ref) and _is_bases(row.alt)):
        return Judged(UNSUPPORTED, None)
    written = _on(genome, row)
    if written is None:
        return Judged(OUT_OF_RANGE, None)
    flipped = genome.fetch(written.interval) != written.ref
    if flipped and not _carries_alt(genome, written):
        return Judged(REF_MISMATCH, None)
    turned = Variant(written.chrom, written.start, written.alt, written.ref, written.name) if flipped else written
    variant = normalised(turned, genome)
    if max(len(variant.ref), len(variant.alt)) > window.output_bp // 2:
        return Judged(UNSUPPORTED, None)
    if flipped:
        return Judged(REF_FLIPPED, variant, flipped=True) if swap else Judged(REF_FLIPPED, None)
    return Judged(SCORED, variant)


def _is_bases(allele: str) -> bool:
    return bool(allele) and not allele.strip("ACGT")


def _on(genome: Genome, row: VcfRow) -> Variant | None:
    """The row's alleles under the name that the genome has for the contig; None where the genome has no such bases."""
    try:
        chrom = genome.resolve(row.chrom)
    except InputError:
        return None
    if row.pos < 1:
        return None
    variant = Variant.from_vcf(chrom, row.pos, row.ref, row.alt, row.name)
    return variant if variant.end <= genome.sizes[chrom] else None


def _carries_alt(genome: Genome, variant: Variant) -> bool:
    """Whether the genome has ALT where REF should be, and that says something (see `judge`)."""
    if variant.ref.startswith(variant.alt):
        return False
    return genome.fetch(Interval(variant.chrom, variant.start, variant.start + len(variant.alt))) == variant.alt


@dataclass(frozen=True, eq=False)
class Haplotypes:
    """The sequences of one variant over `interval`, codes uint8 [input_bp] each, and how predictions are compared.

    `ref` and `shifted` are views of the genome's codes; `alt` is made when it is first asked for.
    """

    variant: Variant
    interval: Interval
    flipped: bool
    realign: Realignment | None
    """None for alleles of equal length."""
    around: dna.Codes
    """The genome over the window and, of an indel, `before` bases on its left or what ALT needs on its right."""
    before: int

    @property
    def ref(self) -> dna.Codes:
        """The genome over `interval`, read-only."""
        return self.around[self.before : self.before + self.interval.width]

    @cached_property
    def alt(self) -> dna.Codes:
        """The same with ALT in the place of REF."""
        left = self.before + self.variant.start - self.interval.start
        behind = self.around[left + len(self.variant.ref) :]
        parts = (self.around[self.before : left], dna.encode(self.variant.alt), behind)
        return np.concatenate(parts)[: self.interval.width]

    @property
    def shifted(self) -> dna.Codes | None:
        """Of an indel: REF moved by the length difference, so that the bases behind the edit have ALT's index."""
        if self.realign is None:
            return None
        start = self.before - (len(self.variant.alt) - len(self.variant.ref))
        return self.around[start : start + self.interval.width]

    @property
    def sequences(self) -> tuple[dna.Codes, ...]:
        """What the model has to read, in the order of the arguments of `compared`."""
        return (self.ref, self.alt) if self.shifted is None else (self.ref, self.alt, self.shifted)

    def compared(self, ref: Tensor, alt: Tensor, shifted: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predictions float[bins, tracks] of `sequences` to (REF, ALT) over the same bases, on REF's bins.

        REF and ALT change places where the variant is `flipped`. Equal predictions have a difference of exactly 0.
        """
        if self.realign is not None:
            if shifted is None:
                raise ValueError(f"{self.variant} is an indel: it is compared with the prediction of `shifted` too")
            ref, alt = self.realign(ref, alt, shifted)
        return (alt, ref) if self.flipped else (ref, alt)


def haplotypes(genome: Genome, window: Window, judged: Judged, share_reference: int = 0) -> Haplotypes:
    """The sequences of a judged variant in the window around it; N beyond the chromosome's ends.

    With `share_reference`, in the window that all variants of so many bases share (`Window.input_of_cell`). Raises as
    `within`.
    """
    if judged.variant is None:
        raise ValueError(f"a row with status {judged.status} has no haplotypes")
    return within(genome, window, judged, window.input_of_cell(judged.variant, share_reference))


def within(genome: Genome, window: Window, judged: Judged, interval: Interval) -> Haplotypes:
    """The sequences of a judged variant in a window of the caller's, whose output has both alleles and a base before.

    Raises `InputError` where the genome has another base than REF says, `ValueError` where there is no variant.
    """
    if judged.variant is None:
        raise ValueError(f"a row with status {judged.status} has no haplotypes")
    variant, growth = judged.variant, len(judged.variant.alt) - len(judged.variant.ref)
    before = max(0, growth)  # bases that `shifted` needs on the window's left
    read = Interval(interval.chrom, interval.start - before, interval.end + max(0, -growth)) if growth else interval
    bases = genome.codes(read)
    _check(variant, bases[variant.start - read.start : variant.end - read.start])
    realign = realignment(window, variant, interval) if growth else None
    return Haplotypes(variant, interval, judged.flipped, realign, bases, before)


def _check(variant: Variant, bases: dna.Codes) -> None:
    if bases.tobytes() != dna.encode(variant.ref).tobytes():
        raise InputError(
            f"{variant}: the genome has {dna.decode(bases)} there, not {variant.ref}; "
            "is this the FASTA of the genome build that the variants were called on?"
        )
