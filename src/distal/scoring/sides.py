"""A variant's two alleles as tracks that can be laid over each other; knows passes and bins, draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from distal.errors import InputError
from distal.io.vcf import VcfRow
from distal.predictor import mean
from distal.scoring.alleles import OUT_OF_RANGE, REF_FLIPPED, REF_MISMATCH, Haplotypes, haplotypes, judge
from distal.scoring.scorers import named
from distal.tracks import Tracks, TrackTable

if TYPE_CHECKING:
    from distal.coords import Variant, Window
    from distal.incremental import Pass
    from distal.io.fasta import Genome

_WHY = {
    REF_MISMATCH: "the genome has neither allele there; is it on the build that the variant was called on?",
    REF_FLIPPED: "the genome has ALT there; write the alleles the other way round",
    OUT_OF_RANGE: "the genome has no such bases; is the contig, and the build, the right one?",
}


def accepted(genome: Genome, window: Window, variant: Variant) -> Haplotypes:
    """What is read of a variant. Raises `InputError` for one that `distal score` would not score, and says why."""
    row = VcfRow(0, 0, variant.chrom, variant.pos, variant.name, variant.ref, variant.alt)
    found = judge(genome, window, row)
    if found.variant is None:
        why = _WHY.get(found.status, "an allele is longer than half the model's output, or has other letters than ACGT")
        raise InputError(f"{variant} cannot be predicted: {why}")
    return haplotypes(genome, window, found)


class Sides(NamedTuple):
    """REF's and ALT's signal over the same bins, and what is made of them before either is rounded to float32."""

    ref: Tracks
    alt: Tracks
    difference: Tracks
    """ALT - REF."""
    scores: dict[str, NDArray[np.float64]]
    """Scores over the whole output by name, [tracks], as `distal score` gives them."""


def both_alleles(
    pass_: Pass,
    genome: Genome,
    variant: Variant,
    table: TrackTable,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    scores: Sequence[str] = ("SAD", "SAR"),
) -> Sides:
    """REF's and ALT's signal in the window around a variant, over the same bases on REF's bins, on some tracks.

    An indel is realigned (`scoring.realignment`), so that behind it nothing differs but what the model says. `table`
    is a part of the predictor's; `scores` are names without genes, as for `distal score`. Raises `InputError` as
    `accepted`.
    """
    predictor = pass_.predictor
    made = accepted(genome, predictor.window, variant)
    output = predictor.window.output_of(made.interval)
    pass_.forget()
    with torch.inference_mode():
        members = pass_.members(made.sequences, rc, shifts, table.channels)
        ref, alt = made.compared(*(mean(each, rc) for each in members))
        numbers = {
            one.name: one(ref, alt, one.bins(predictor.window, output, made.variant)).cpu().numpy()
            for one in named(scores)
        }
        values = [side.float().cpu().numpy() for side in (ref, alt, alt - ref)]
    first, second, change = (Tracks(side, table, output, predictor.window.bin_bp) for side in values)
    return Sides(first, second, change, numbers)
