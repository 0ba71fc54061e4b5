"""The one way to write a variant, leftmost and shortest, on a genome; knows no file of variants and no model.

The same insertion or deletion in a repeat can stand at any of its copies, and any allele can be written with more bases
on either side than it needs. Tan, Abecasis and Kang (2015, doi:10.1093/bioinformatics/btv112) define the normal form:
as far left as the genome allows, and no base that all alleles begin or end with, but for the anchor that VCF asks for.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING

import numpy as np

from distal.coords import Interval, Variant
from distal.dna import Codes, decode, encode

if TYPE_CHECKING:
    from distal.io.fasta import Genome

_STRIDE = 1_000
"""Bases of genome that are looked at together on the way to the left."""


def normalised(variant: Variant, genome: Genome) -> Variant:
    """`variant` left-aligned and parsimonious, as `bcftools norm -f` writes a biallelic record.

    Insertions and deletions go through the whole repeat, however long it is, and are anchored with the base before
    them; at the first base of a chromosome with the base behind them. Substitutions lose the bases that they don't
    change. `chrom` and `name` stay as they are, and so does a variant whose alleles are equal. REF must be what the
    genome has. Where the genome has R or Y or the like it is read as N, the letter that the models see; bcftools takes
    one of the bases that it stands for. `InputError` where the genome lacks the chromosome.
    """
    ref, alt = variant.ref, variant.alt
    if len(ref) == len(alt) == 1 or ref == alt:
        return variant
    behind = _common(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - behind], alt[: len(alt) - behind]
    before = _common(ref, alt)
    ref, alt, start = ref[before:], alt[before:], variant.start + before
    if not (ref and alt):
        rolled = _room(genome, variant.chrom, start, encode(ref or alt))
        ref, alt, start = _turned(ref, rolled), _turned(alt, rolled), start - rolled
        ref, alt, start = _anchored(genome, variant.chrom, start, ref, alt)
    return replace(variant, start=start, ref=ref, alt=alt)


def _common(first: str, second: str) -> int:
    """How many letters both texts begin with."""
    return sum(takewhile(bool, map(eq, first, second)))


def _room(genome: Genome, chrom: str, start: int, bases: Codes) -> int:
    """How far to the left `bases`, inserted or deleted in front of base `start`, can go without changing the result.

    Each step puts the last of them first, so the genome to the left must repeat them, read backwards.
    """
    width = max(_STRIDE, len(bases)) // len(bases) * len(bases)
    backwards = np.tile(bases[::-1], width // len(bases))
    for end in range(start, 0, -width):
        left = genome.codes(Interval(chrom, max(0, end - width), end))[::-1]
        differ = left != backwards[: len(left)]
        if differ.any():
            return start - end + int(differ.argmax())
    return start


def _turned(bases: str, steps: int) -> str:
    """`bases` after its last letter was put first `steps` times."""
    cut = len(bases) - steps % len(bases) if bases else 0
    return bases[cut:] + bases[:cut]


def _anchored(genome: Genome, chrom: str, start: int, ref: str, alt: str) -> tuple[str, str, int]:
    """REF, ALT and start with the base before them, or, where there is none, with the base behind."""
    place = start - 1 if start else len(ref)
    base = decode(genome.codes(Interval(chrom, place, place + 1)))
    return (base + ref, base + alt, place) if start else (ref + base, alt + base, start)
