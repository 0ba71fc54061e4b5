"""Signal near variants: which bins count, by hand; and sums against plain predictions of edited sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import builders

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.errors import InputError
from distal.incremental import FullForward, Incremental
from distal.io.fasta import Genome
from distal.predictor import Reading
from distal.scoring.effects import (
    Signals,
    bins_of,
    five_around,
    holds_ref,
    nearest_four,
    one_window,
    own_window,
    signals,
)

ENFORMER = Window(196_608, 128, 896)


def test_worked_bins() -> None:
    # L/2 = 98,304 is the first base of bin 448 of 896; 98,303 the last one of bin 447
    middle = 98_304
    assert [bins_of(ENFORMER, nearest_four, at, Reading()) for at in (middle - 1, middle)] == [slice(446, 450)] * 2
    assert bins_of(ENFORMER, nearest_four, middle + 64, Reading()) == slice(447, 451)
    assert bins_of(ENFORMER, five_around, middle, Reading()) == slice(446, 451)
    # on the other strand the base is index L/2 - 1: bin 447 of what is read, so bins 445 … 449, turned 446 … 450
    assert bins_of(ENFORMER, five_around, middle, Reading(reverse=True)) == slice(446, 451)
    # 43 further on it is still in bin 448 of what is read, 43 back in bin 447; on the other strand it mirrors
    found = [
        bins_of(ENFORMER, five_around, middle, Reading(shift, way)).start
        for way in (False, True)
        for shift in (-43, 43)
    ]
    assert found == [445, 446, 446, 445]
    # of bins of 32 bp those that cover the same bases
    assert bins_of(Window(131_072, 32, 2048), five_around, 65_536, Reading()) == slice(4 * 254, 4 * 259)
    with pytest.raises(InputError, match="too short"):
        bins_of(ENFORMER, five_around, 40_960, Reading())


@settings(max_examples=30)
@given(st.integers(60_000, 130_000), st.integers(-50, 50))
def test_the_four_nearest_bins_mirror(index: int, shift: int) -> None:
    mirrored = ENFORMER.input_bp - 1 - index
    ahead, back = (bins_of(ENFORMER, nearest_four, at, Reading(shift)) for at in (index, mirrored))
    assert bins_of(ENFORMER, nearest_four, index, Reading(shift, reverse=True)) == slice(
        896 - back.stop, 896 - back.start
    )
    assert ahead.stop - ahead.start == 4


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("effects"), 8000)


def variants(genome: Genome, *starts: int) -> list[Variant]:
    letters = [genome.fetch(Interval("chr1", start, start + 1)) for start in starts]
    return [
        Variant("chr1", at, letter, "ACGT"[("ACGT".index(letter) + 1) % 4])
        for at, letter in zip(starts, letters, strict=True)
    ]


@pytest.mark.parametrize("family", ["enformer", "borzoi"])
@pytest.mark.parametrize("rc", [False, True])
def test_sums_are_those_of_plain_predictions(family: str, rc: bool, genome: Genome) -> None:
    predictor = builders.predictor(family)
    known = [at for at in range(3900, 4200) if genome.fetch(Interval("chr1", at, at + 1)) != "N"]
    chosen = variants(genome, known[0], known[70], known[200])
    spans, shifts = (nearest_four, lambda at: (at // 128 * 128, at // 128 * 128 + 128)), (-3, 0)
    for place in (own_window(predictor.window), one_window(predictor.window, chosen)):
        found = signals(Incremental(predictor), genome, chosen, spans, place, rc, shifts)
        slow = signals(FullForward(predictor), genome, chosen, spans, place, rc, shifts)
        for i, variant in enumerate(chosen):
            input = place(variant)
            ref = genome.codes(input)
            alt = ref.copy()
            alt[variant.start - input.start] = dna.encode(variant.alt)[0]
            for span, one, other in zip(spans, found, slow, strict=True):
                for codes, ours, plain in ((ref, one.ref, other.ref), (alt, one.alt, other.alt)):
                    members = []
                    for way in [Reading(s, r) for s in shifts for r in (False, True)[: 1 + rc]]:
                        values = predictor(way.read(codes)[None])[0].astype(np.float64)
                        if way.reverse:
                            values = values[::-1][:, predictor.tracks.partners]
                        members.append(values[bins_of(predictor.window, span, variant.start - input.start, way)].sum(0))
                    np.testing.assert_allclose(ours[i], np.mean(members, axis=0), rtol=1e-5)
                    np.testing.assert_allclose(plain[i], ours[i], rtol=1e-5)
        assert np.abs(found[0].difference).max() > 0


def test_folds_are_of_the_mean_and_exact_for_small_changes() -> None:
    made = Signals(np.array([[1.0, 3.0, 9.0]]), np.array([[3.0, 9.0, 0.0]]))
    assert made.log2_fold([0, 1]) == pytest.approx(np.log2(7 / 3))  # means 2 and 6
    assert made.difference.tolist() == [[2, 6, -9]]
    tiny = Signals(np.full((1, 1), 1e3), np.full((1, 1), 1e3 + 1e-9))
    assert tiny.log2_fold([0])[0] == pytest.approx(1e-9 / 1001 / np.log(2), rel=1e-3)


def test_wrong_letters_are_refused(genome: Genome) -> None:
    predictor = builders.predictor()
    known = next(at for at in range(4000, 4200) if genome.fetch(Interval("chr1", at, at + 1)) == "A")
    good, wrong, long = (
        Variant("chr1", known, "A", "C"),
        Variant("chr1", known, "G", "C"),
        Variant("chr1", known, "A", "AC"),
    )
    assert (holds_ref(genome, good), holds_ref(genome, wrong)) == (True, False)
    for variant, reason in ((wrong, "the sequence has A"), (long, "substitutions only")):
        with pytest.raises(InputError, match=reason):
            signals(FullForward(predictor), genome, [variant], [five_around], own_window(predictor.window))
