"""Positions on a genome: the only file that converts coordinate systems; knows no sequence, file or model.

Numbers inside distal are 0-based and half-open, `[start, end)`. One-based closed numbers enter through
`Interval.from_one_based` and `Variant.from_vcf`; text such as ``chr1:1,001-2,000`` (UCSC and samtools write it
one-based and closed) enters through `from_ucsc` and leaves through `to_ucsc`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from distal.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UCSC = re.compile(r"(?P<chrom>\S+):(?P<start>[0-9][0-9,]*)(?:-(?P<end>[0-9][0-9,]*))?")
_VARIANT = re.compile(r"(?P<chrom>\S+):(?P<pos>[0-9][0-9,]*):(?P<ref>[A-Za-z]+)[>:](?P<alt>[A-Za-z]+)")
_STRANDS = ("+", "-", ".")
_TURNED = {"+": "-", "-": "+", ".": "."}


def spellings(chrom: str) -> tuple[str, ...]:
    """The names that files may have for `chrom`, the given one first: chr20 and 20; chrM, chrMT, M and MT."""
    bare = chrom.removeprefix("chr") or chrom
    bares = ("M", "MT") if bare in ("M", "MT") else (bare,)
    return tuple(dict.fromkeys((chrom, *(f"chr{name}" for name in bares), *bares)))


def single_bases(positions: NDArray[np.int64], first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """0-based starts and ends of many single bases whose positions count from `first`, 0 or 1."""
    starts = positions - first
    return starts, starts + 1


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one chromosome, 0-based and half-open: `[start, end)`.

    `start` may be negative and `end` may pass the chromosome's end: windows near the ends of a chromosome are
    intervals too, and the genome pads them with N. `end` is never below `start`.
    """

    chrom: str
    start: int
    end: int
    strand: str = "."

    def __post_init__(self) -> None:
        if not self.chrom:
            raise InputError("an interval needs a chromosome name")
        if self.end < self.start:
            raise InputError(f"interval end {self.end} lies before its start {self.start} on {self.chrom}")
        if self.strand not in _STRANDS:
            raise InputError(f"strand {self.strand!r} is not one of + - .")

    @classmethod
    def from_one_based(cls, chrom: str, first: int, last: int, strand: str = ".") -> Interval:
        """The interval whose first and last base are `first` and `last`, counted from 1 (VCF, GTF, UCSC text)."""
        return cls(chrom, first - 1, last, strand)

    @classmethod
    def from_ucsc(cls, text: str) -> Interval:
        """``chr20:42,984,160-42,984,444`` or a single base ``chr20:42,984,160``; one-based, closed."""
        match = _UCSC.fullmatch(text.strip())
        if match is None:
            raise InputError(f"region {text!r} is not understood; write chr20:42,984,160-42,984,444")
        first = int(match["start"].replace(",", ""))
        last = int(match["end"].replace(",", "")) if match["end"] else first
        if first < 1 or last < first:
            raise InputError(f"region {text!r} is empty or starts before base 1; write first-last, counted from 1")
        return cls.from_one_based(match["chrom"], first, last)

    def to_ucsc(self) -> str:
        """One-based closed text, with thousands separators: ``chr20:42,984,160-42,984,444``."""
        return f"{self.chrom}:{self.start + 1:,}-{self.end:,}"

    @property
    def width(self) -> int:
        """Number of bases."""
        return self.end - self.start

    @property
    def center(self) -> int:
        """0-based position of the first base of the right half: `(start + end) // 2`."""
        return (self.start + self.end) // 2

    def resize(self, width: int) -> Interval:
        """`width` bases such that the base at `center` has index `width // 2`."""
        start = self.center - width // 2
        return replace(self, start=start, end=start + width)

    def shift(self, bases: int) -> Interval:
        """The same width, `bases` to the right (negative: to the left)."""
        return replace(self, start=self.start + bases, end=self.end + bases)

    def mirrored(self, size: int) -> Interval:
        """The same bases counted from the other end of a chromosome of `size` bases; the strand is turned."""
        return replace(self, start=size - self.end, end=size - self.start, strand=_TURNED[self.strand])

    def clip(self, start: int, end: int) -> Interval:
        """The part inside `[start, end)`; empty, at the nearer edge, when there is none."""
        low = min(max(self.start, start), end)
        return replace(self, start=low, end=max(min(self.end, end), low))

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share at least one base. Strand plays no part."""
        return self.chrom == other.chrom and max(self.start, other.start) < min(self.end, other.end)

    def contains(self, other: Interval) -> bool:
        """Whether every base of `other` lies in this interval. Strand plays no part."""
        return self.chrom == other.chrom and self.start <= other.start and other.end <= self.end

    def intersect(self, other: Interval) -> Interval:
        """The shared bases, with this interval's strand. Raises `InputError` when there are none."""
        if not self.overlaps(other):
            raise InputError(f"{self!r} and {other!r} share no base")
        return replace(self, start=max(self.start, other.start), end=min(self.end, other.end))

    def __repr__(self) -> str:
        return f"{self.chrom}:[{self.start}, {self.end}){'' if self.strand == '.' else self.strand}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One alternative allele at one place: REF and ALT as they stand in a VCF, `start` 0-based.

    Alleles are upper-cased A, C, G, T or N, at least one base each (VCF anchors indels with the base before).
    """

    chrom: str
    start: int
    ref: str
    alt: str
    name: str = "."

    def __post_init__(self) -> None:
        for allele, text in (("REF", self.ref), ("ALT", self.alt)):
            if not text or text.strip("ACGTN"):  # what is left would start with another letter
                raise InputError(f"{allele} {text!r} at {self.chrom}:{self.pos} is not a sequence of A, C, G, T, N")
        if self.start < 0:
            raise InputError(f"variant position {self.pos} on {self.chrom} lies before base 1")

    @classmethod
    def from_vcf(cls, chrom: str, pos: int, ref: str, alt: str, name: str = ".") -> Variant:
        """From VCF columns: `pos` counts from 1; alleles are upper-cased."""
        return cls(chrom, pos - 1, ref.upper(), alt.upper(), name or ".")

    @classmethod
    def parse(cls, text: str) -> Variant:
        """``chr20:42984264:C>T`` (position counted from 1, as in a VCF)."""
        match = _VARIANT.fullmatch(text.strip())
        if match is None:
            raise InputError(f"variant {text!r} is not understood; write chr20:42984264:C>T")
        return cls.from_vcf(match["chrom"], int(match["pos"].replace(",", "")), match["ref"], match["alt"])

    @property
    def pos(self) -> int:
        """VCF POS: the first base of REF, counted from 1."""
        return self.start + 1

    @property
    def end(self) -> int:
        """0-based end of the REF allele, exclusive."""
        return self.start + len(self.ref)

    @property
    def interval(self) -> Interval:
        """The bases of REF."""
        return Interval(self.chrom, self.start, self.end)

    @property
    def is_indel(self) -> bool:
        """Whether REF and ALT differ in length."""
        return len(self.ref) != len(self.alt)

    def __str__(self) -> str:
        return f"{self.chrom}:{self.pos}:{self.ref}>{self.alt}"


@dataclass(frozen=True, slots=True)
class Window:
    """What a model sees and says: `input_bp` bases in, `bins` bins of `bin_bp` bases out, centred.

    Enformer is `Window(196_608, 128, 896)`, Basenji2 `Window(131_072, 128, 896)`.
    """

    input_bp: int
    bin_bp: int
    bins: int

    def __post_init__(self) -> None:
        if min(self.input_bp, self.bin_bp, self.bins) <= 0:
            raise InputError(f"{self!r}: every size must be positive")
        if self.input_bp % self.bin_bp:
            raise InputError(f"{self!r}: the input is not a whole number of bins")
        if self.input_bp < self.output_bp or (self.input_bp - self.output_bp) % (2 * self.bin_bp):
            raise InputError(
                f"{self!r}: the output must leave the same whole number of bins of the input on both sides"
            )

    def __str__(self) -> str:
        return f"{self.input_bp:,} bp to {self.bins:,} bins of {self.bin_bp} bp"

    @property
    def output_bp(self) -> int:
        """Bases that the output covers."""
        return self.bins * self.bin_bp

    @property
    def crop_bp(self) -> int:
        """Bases of input on each side that get no output."""
        return (self.input_bp - self.output_bp) // 2

    def input_around(self, x: Interval | Variant) -> Interval:
        """The input interval centred on `x`.

        An interval's `center` gets index `input_bp // 2` (for one base, the first base of the right middle bin). The
        first base of a variant gets index `input_bp // 2 - 1`, as in Basenji's and DeepMind's published scores
        (the last base of the left middle bin when `bins` is even).
        """
        middle = x.start + 1 if isinstance(x, Variant) else x.center  # first base of the window's right half
        start = middle - self.input_bp // 2
        return Interval(x.chrom, start, start + self.input_bp)

    def input_of_cell(self, x: Variant, cell_bp: int) -> Interval:
        """The input interval that all variants of one cell share; the one around `x` where `cell_bp` is 0.

        A chromosome is cut into cells of `cell_bp` bases from its first base on, and the input is centred on the cell
        that has the first base of REF. All such inputs lie on one bin grid, a whole number of bins apart. An allele
        that might leave the output (longer than `longest_shared`) gets an input of its own, around `x`. Raises
        `InputError` as `check_cell` does.
        """
        self.check_cell(cell_bp)
        if not cell_bp or max(len(x.ref), len(x.alt)) > self.longest_shared(cell_bp):
            return self.input_around(x)
        start = x.start // cell_bp * cell_bp
        return self.input_around(Interval(x.chrom, start, start + cell_bp))

    def longest_shared(self, cell_bp: int) -> int:
        """The longest allele, in bases, that lies within the output wherever in its cell it begins."""
        return self.output_bp // 2 - cell_bp // 2

    def check_cell(self, cell_bp: int) -> None:
        """Raise `InputError` where `cell_bp` is no whole number of bins, or more than half of the output.

        So the first base of every REF lies in the middle half of the output.
        """
        if cell_bp < 0 or cell_bp % self.bin_bp or 2 * cell_bp > self.output_bp:
            most = self.output_bp // 2 // self.bin_bp * self.bin_bp
            raise InputError(
                f"windows cannot be shared by the variants of {cell_bp:,} bp; the model's bins have {self.bin_bp} bp, "
                f"so give a multiple of that, at most {most:,} (half of its output), or 0 for windows of their own"
            )

    def output_of(self, input: Interval) -> Interval:
        """The interval that the output bins cover when the model reads `input`."""
        if input.width != self.input_bp:
            raise InputError(f"the model reads {self.input_bp} bp, {input!r} has {input.width}")
        return replace(input, start=input.start + self.crop_bp, end=input.end - self.crop_bp)

    def input_of(self, output: Interval) -> Interval:
        """The input interval whose output is `output`; the inverse of `output_of`."""
        if output.width != self.output_bp:
            raise InputError(f"the model's output has {self.output_bp} bp, {output!r} has {output.width}")
        return replace(output, start=output.start - self.crop_bp, end=output.end + self.crop_bp)

    def bins_over(self, region: Interval, output: Interval) -> slice:
        """The bins of `output` that `region` is made of.

        Raises `InputError` where `region` leaves `output` or does not start and end on its bin grid: never rounds.
        """
        return bins_over(region, output, self.bin_bp)

    def bins_touching(self, region: Interval, output: Interval) -> slice:
        """The bins of `output` that share at least one base with `region`; empty when none does."""
        inside = region.clip(output.start, output.end) if region.chrom == output.chrom else None
        if inside is None or inside.width == 0:
            return slice(0, 0)
        first, last = inside.start - output.start, inside.end - output.start - 1
        return slice(first // self.bin_bp, last // self.bin_bp + 1)


def bins_over(region: Interval, whole: Interval, bin_bp: int) -> slice:
    """The bins that `region` is made of, where `whole` is cut into bins of `bin_bp` from its start.

    Raises `InputError` where `region` leaves `whole` or does not start and end on its bin grid: never rounds.
    """
    if not whole.contains(region):
        raise InputError(f"{region!r} is not inside {whole!r}")
    left, right = region.start - whole.start, region.end - whole.start
    if left % bin_bp or right % bin_bp:
        raise InputError(f"{region!r} is off the {bin_bp}-bp grid of {whole!r}")
    return slice(left // bin_bp, right // bin_bp)
