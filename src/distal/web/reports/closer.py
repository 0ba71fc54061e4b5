"""One variant, looked at closely: its alleles' tracks, and its letters; asks a model, and knows what to draw.

Tracks are of the window around the variant, whatever window the run read it in. Letters are by mutagenesis of both
alleles in that window: each base of a few around the variant is replaced by the three others, and the signal of the
one track is summed over the bins near the variant. So REF's letters show what the variant breaks, ALT's what it makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from distal.coords import Interval, Variant
from distal.incremental import Incremental
from distal.interpret import attribution
from distal.io.edited import Edited, Reference
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.io.page import Part, Picture, Text
from distal.io.scores import ScoreRow
from distal.plots import Effects, alleles, differences, svg
from distal.plots import edits as drawn
from distal.plots.panels import Genes as Bodies
from distal.plots.panels import bodies
from distal.predictor import Predictor
from distal.scoring.alleles import REF_FLIPPED
from distal.scoring.sides import Sides, accepted, both_alleles
from distal.tracks import Tracks, TrackTable

NEAR_BP = 12_000
"""Bases whose REF and ALT are drawn over each other."""
FLANK_BP = 15
"""Bases on either side of the variant that are replaced."""
TARGET_BP = 640
"""Bases around the variant over which the signal is summed: five bins of Enformer."""
LONG_BP = 30
"""Alleles longer than this are not looked at letter by letter."""


@dataclass(frozen=True, eq=False)
class Closer:
    """How to look: with which model, on which genome, averaging what the run averaged."""

    predictor: Predictor
    genome: Genome
    genes: Genes | None = None
    rc: bool = False
    shifts: tuple[int, ...] = (0,)

    def look(self, row: ScoreRow, table: TrackTable) -> list[Part]:
        """Pictures of a variant that was scored, on the tracks of `table`, a part of the predictor's.

        The letters are those of its first track.
        """
        variant = Variant.from_vcf(self.genome.resolve(row.chrom), row.pos, row.ref, row.alt)
        flipped = row.status == REF_FLIPPED
        read = Variant(variant.chrom, variant.start, variant.alt, variant.ref) if flipped else variant
        pass_ = Incremental(self.predictor)
        sides = both_alleles(pass_, self.genome, read, table, self.rc, self.shifts)
        parts = self._tracks(_turned(sides) if flipped else sides, variant)
        made = accepted(self.genome, self.predictor.window, read)
        if max(len(made.variant.ref), len(made.variant.alt)) > LONG_BP:
            return [*parts, Text(f"An allele is longer than {LONG_BP} bp: its letters are not shown.", soft=True)]
        return [*parts, self._letters(pass_, made.variant, made.interval, table.take([0]), flipped)]

    def _tracks(self, sides: Sides, variant: Variant) -> list[Part]:
        """The alleles near the variant, and how they differ all over the output."""
        near = _part(sides.ref, variant.interval.resize(NEAR_BP))
        near_genes = bodies_of(self.genes, sides.ref.interval)
        ref, alt, change = (side.over(near) for side in (sides.ref, sides.alt, sides.difference))
        overlay = alleles(ref, alt, variant, "REF and ALT near the variant", near_genes, change)
        whole = differences(sides.difference, variant, near_genes)
        return [
            Picture(svg(overlay), f"predicted signal of {variant} with REF and with ALT near the variant"),
            Picture(
                svg(whole),
                f"difference of ALT from REF for {variant} over all that the model says",
                f"ALT \u2212 REF over all that the model says of this window. {_where(sides.difference, variant)}",
            ),
        ]

    def _letters(
        self, pass_: Incremental, variant: Variant, window: Interval, table: TrackTable, flipped: bool
    ) -> Picture:
        output = self.predictor.window.output_of(window)
        target = Interval(variant.chrom, variant.start, variant.start + 1).resize(TARGET_BP)
        objective = attribution.Objective(f"index={table.rows[0].index}", target.clip(output.start, output.end))
        label = table.rows[0].description or table.rows[0].name

        def effects(letters: Reference, allele: str) -> Effects:
            region = Interval(variant.chrom, variant.start - FLANK_BP, variant.start + len(allele) + FLANK_BP)
            inside = region.clip(0, letters.sizes[variant.chrom])
            found = attribution.ism(pass_, letters, inside, objective, self.rc, read=window)
            return Effects(found.over_tracks(), found.codes, found.interval, "predicted", label)

        there, edited = effects(self.genome, variant.ref), effects(Edited(self.genome, variant), variant.alt)
        ref, alt = (edited, there) if flipped else (there, edited)
        shown = Variant(variant.chrom, variant.start, variant.alt, variant.ref) if flipped else variant
        return Picture(
            svg(drawn.letters(ref, alt, shown, f"{label}, letter by letter")),
            f"logos of {shown} with REF and with ALT, and the effect of every substitution",
            f"Height: minus the mean effect of replacing the letter. Colour: the effect of every substitution of REF. "
            f"Both are log2 of the ratio of the signal over the {TARGET_BP} bp around the variant.",
        )


def bodies_of(genes: Genes | None, interval: Interval) -> Bodies:
    """Exons by gene name, on the interval's chromosome, as figures take them."""
    return bodies([] if genes is None else genes.touching(interval), interval.chrom)


def _turned(sides: Sides) -> Sides:
    """REF and ALT exchanged."""
    turned = replace(sides.difference, values=-sides.difference.values)
    return Sides(sides.alt, sides.ref, turned, {name: -values for name, values in sides.scores.items()})


def _part(signal: Tracks, region: Interval) -> Interval:
    """The bins that touch `region`, as far as there are any."""
    inside = region.clip(signal.interval.start, signal.interval.end)
    first = (inside.start - signal.interval.start) // signal.bin_bp
    last = -(-(inside.end - signal.interval.start) // signal.bin_bp)
    start, end = (signal.interval.start + edge * signal.bin_bp for edge in (first, last))
    return Interval(signal.interval.chrom, start, end)


def _where(difference: Tracks, variant: Variant) -> str:
    """How far from the variant each track differs most."""
    middles = difference.interval.start + (np.arange(len(difference.values)) + 0.5) * difference.bin_bp
    most = np.abs(difference.values).argmax(axis=0)
    away = (middles[most] - variant.start - 0.5).tolist()
    texts = [_away(bases, difference.bin_bp) for bases in away]
    return f"It is largest {_listed(texts)}."


def _away(bases: float, bin_bp: int) -> str:
    if abs(bases) <= 2 * bin_bp:
        return "at the variant"
    side = "to the right" if bases > 0 else "to the left"
    return f"{abs(bases) / 1000:,.1f} kb {side}"


def _listed(texts: Sequence[str]) -> str:
    unlike = list(dict.fromkeys(texts))
    return unlike[0] if len(unlike) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}, in this order"
