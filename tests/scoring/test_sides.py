"""REF and ALT as tracks: the scores' own numbers, the plain way's, and nothing where nothing is seen."""

from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal.coords import Variant
from distal.errors import InputError
from distal.incremental import FullForward, Incremental
from distal.io.fasta import Genome
from distal.io.vcf import VcfRow
from distal.scoring.alleles import judge
from distal.scoring.recipe import Recipe
from distal.scoring.scorers import named
from distal.scoring.sides import accepted, both_alleles

AT = 3000


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    return builders.genome(tmp_path)


def letters(genome: Genome, first: int, behind: int) -> str:
    from distal.coords import Interval

    return genome.fetch(Interval("chr1", first, behind))


def variants(genome: Genome) -> list[Variant]:
    ref = letters(genome, AT, AT + 4)
    other = "ACGT"[("ACGT".index(ref[0]) + 1) % 4]
    return [
        Variant("chr1", AT, ref[0], other),
        Variant("chr1", AT, ref, ref[0]),
        Variant("chr1", AT, ref[0], ref[0] + "GATTACA"),
    ]


@pytest.mark.parametrize("family", ["enformer", "basenji2", "borzoi"])
@pytest.mark.parametrize("rc", [False, True])
def test_the_fast_way_is_the_plain_one(genome: Genome, family: str, rc: bool) -> None:
    predictor = builders.predictor(family)
    table = predictor.tracks.select("assay=CAGE,DNASE")
    for variant in variants(genome):
        fast = both_alleles(Incremental(predictor), genome, variant, table, rc)
        plain = both_alleles(FullForward(predictor), genome, variant, table, rc)
        for one, other in zip(fast[:3], plain[:3], strict=True):
            assert one.interval == other.interval
            assert one.table.names == table.names
            np.testing.assert_allclose(one.values, other.values, rtol=1e-4, atol=2e-5)
        assert np.abs(fast.difference.values).max() > 0


@pytest.mark.parametrize("rc", [False, True])
def test_the_difference_summed_is_the_score(genome: Genome, rc: bool) -> None:
    predictor = builders.predictor()
    recipe = Recipe(predictor, genome, named(["SAD", "SAR"]), "", rc, (0,), "float32", False, None, "skip")
    for variant in variants(genome):
        row = VcfRow(1, 0, "chr1", variant.pos, ".", variant.ref, variant.alt)
        (answer,) = recipe.answers([recipe.haplotypes(judge(genome, predictor.window, row))])
        sides = both_alleles(Incremental(predictor), genome, variant, predictor.tracks, rc)
        np.testing.assert_array_equal(list(sides.scores.values()), answer.values)
        np.testing.assert_allclose(sides.difference.values.sum(0), answer.values[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(sides.alt.values - sides.ref.values, sides.difference.values, atol=1e-4)


def test_the_variant_lies_in_the_middle_of_what_is_shown(genome: Genome) -> None:
    predictor = builders.predictor()
    (snv, *_) = variants(genome)
    ref, alt, *_ = both_alleles(Incremental(predictor), genome, snv, predictor.tracks)
    assert ref.interval == alt.interval == predictor.window.output_of(predictor.window.input_around(snv))


@pytest.mark.parametrize(
    ("variant", "why"),
    [
        (Variant("chr1", 9_000, "A", "C"), "no such bases"),
        (Variant("chr7", 9, "A", "C"), "no such bases"),
        (Variant("chr1", 9, "N", "C"), "other letters"),
        (Variant("chr1", 9, "A", "C" * 600), "longer than half"),
    ],
)
def test_what_is_not_scored_is_not_shown_and_why(genome: Genome, variant: Variant, why: str) -> None:
    if "longer" in why:
        variant = Variant("chr1", AT, letters(genome, AT, AT + 1), variant.alt)
    with pytest.raises(InputError, match=why):
        accepted(genome, builders.predictor().window, variant)


def test_alleles_the_genome_has_not(genome: Genome) -> None:
    ref = letters(genome, AT, AT + 1)
    one, other = [base for base in "ACGT" if base != ref][:2]
    window = builders.predictor().window
    with pytest.raises(InputError, match="neither allele"):
        accepted(genome, window, Variant("chr1", AT, one, other))
    with pytest.raises(InputError, match="the other way round"):
        accepted(genome, window, Variant("chr1", AT, one, ref))
