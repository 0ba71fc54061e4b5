"""REF and ALT over a window, the judgement of rows, and what of two predictions is compared."""

from __future__ import annotations

import pickle
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.io.vcf import VcfRow
from distal.predictor import load
from distal.scoring.alleles import SCORED, Haplotypes, Judged, haplotypes, judge
from distal.scoring.scorers import STATISTICS, Scorer, named, sad

WINDOW = Window(64, 4, 8)  # crop 16, output [16, 48) of the window, variant at index 31
CHROMOSOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 400))


def row(chrom: str, pos: int, ref: str, alt: str) -> VcfRow:
    return VcfRow(7, 0, chrom, pos, "rs1", ref, alt)


def write(folder: Path, **sequences: str) -> Genome:
    path = folder / "g.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    return Genome(path)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return write(tmp_path_factory.mktemp("genome"), chr1=CHROMOSOME, chr2="acgtnACGT", chr3="TTTTCACACARG")


def at(start: int, length: int, alt: str) -> Judged:
    return Judged(SCORED, Variant("chr1", start, CHROMOSOME[start : start + length], alt))


# ---------------------------------------------------------------------------------------------------- what is read


def test_a_snv_changes_one_base_at_the_published_index(genome: Genome) -> None:
    alt = "A" if CHROMOSOME[200] != "A" else "C"
    made = haplotypes(genome, WINDOW, at(200, 1, alt))
    assert np.flatnonzero(made.ref != made.alt).tolist() == [31]  # 64 / 2 - 1
    assert dna.decode(made.ref) == CHROMOSOME[169:233] == genome.fetch(made.interval)
    assert dna.decode(made.alt[31:32]) == alt
    assert made.realign is None
    assert made.shifted is None
    assert all(map(np.array_equal, made.sequences, (made.ref, made.alt)))
    assert len(made.sequences) == 2
    assert made.alt is made.alt  # made once


def test_the_genome_is_not_written_to(genome: Genome) -> None:
    haplotypes(genome, WINDOW, at(200, 3, "CCC"))
    assert genome.fetch(Interval("chr1", 0, 400)) == CHROMOSOME


def test_an_insertion_pushes_right_and_is_trimmed(genome: Genome) -> None:
    made = haplotypes(genome, WINDOW, at(200, 1, CHROMOSOME[200] + "TTTTT"))
    assert dna.decode(made.ref) == CHROMOSOME[169:233]
    assert dna.decode(made.alt) == CHROMOSOME[169:201] + "TTTTT" + CHROMOSOME[201 : 233 - 5]
    assert made.shifted is not None
    assert dna.decode(made.shifted) == CHROMOSOME[169 - 5 : 233 - 5]
    assert len(made.sequences) == 3


def test_a_deletion_pulls_left_and_is_refilled(genome: Genome) -> None:
    made = haplotypes(genome, WINDOW, at(200, 7, CHROMOSOME[200]))
    assert dna.decode(made.alt) == CHROMOSOME[169:201] + CHROMOSOME[207 : 233 + 6]
    assert dna.decode(made.ref) == CHROMOSOME[169:233]
    assert made.shifted is not None
    assert dna.decode(made.shifted) == CHROMOSOME[169 + 6 : 233 + 6]


@pytest.mark.parametrize("start", [0, 3, 397])
@pytest.mark.parametrize(("length", "inserted"), [(3, ""), (1, "GATTACA"), (3, "TTTT"), (1, "G" * 15)])
def test_chromosome_ends_are_n(genome: Genome, start: int, length: int, inserted: str) -> None:
    made = haplotypes(genome, WINDOW, at(start, length, CHROMOSOME[start] + inserted))
    padded = "N" * 100 + CHROMOSOME + "N" * 100
    begin, growth = 100 + start - 31, 1 + len(inserted) - length
    whole = padded[: 101 + start] + inserted + padded[100 + start + length :]
    assert dna.decode(made.ref) == padded[begin : begin + 64]
    assert dna.decode(made.alt) == whole[begin : begin + 64]
    assert made.shifted is not None
    assert dna.decode(made.shifted) == padded[begin - growth : begin - growth + 64]


@settings(max_examples=100)
@given(start=st.integers(0, 383), length=st.integers(1, 16), alt=st.text("ACGT", min_size=1, max_size=16))
def test_behind_the_edit_alt_and_shifted_are_the_same_to_the_windows_end(
    genome: Genome, start: int, length: int, alt: str
) -> None:
    assume(len(alt) != length)
    made = haplotypes(genome, WINDOW, at(start, length, alt))
    assert made.shifted is not None
    assert np.array_equal(made.alt[31 + len(alt) :], made.shifted[31 + len(alt) :])
    assert np.array_equal(made.alt[:31], made.ref[:31])
    assert {codes.shape for codes in made.sequences} == {(64,)}


@settings(max_examples=200)
@given(
    start=st.integers(0, 383), length=st.integers(1, 12), alt=st.text("ACGT", min_size=1, max_size=12),
    cell=st.sampled_from([4, 8, 12, 16]),
)  # fmt: skip
def test_in_a_shared_window_the_same_alleles_are_read(
    genome: Genome, start: int, length: int, alt: str, cell: int
) -> None:
    made = haplotypes(genome, WINDOW, at(start, length, alt), cell)
    interval = made.interval
    if max(length, len(alt)) <= WINDOW.longest_shared(cell):
        assert interval.start == start // cell * cell + cell // 2 - 32  # the cell's middle at index 64 / 2
    pad = 100
    text = "N" * pad + CHROMOSOME + "N" * pad
    edited = text[: pad + start] + alt + text[pad + start + length :]
    left, right = interval.start + pad, interval.end + pad
    assert dna.decode(made.ref) == text[left:right]
    assert dna.decode(made.alt) == edited[left:right]
    if made.shifted is not None:
        growth = len(alt) - length
        assert dna.decode(made.shifted) == text[left - growth : right - growth]
        behind = start + len(alt) - interval.start
        assert np.array_equal(made.alt[behind:], made.shifted[behind:])


def test_neighbours_share_their_reference(genome: Genome) -> None:
    shared = [haplotypes(genome, WINDOW, at(start, 1, "ACG"), 16) for start in range(192, 208)]
    assert len({made.ref.tobytes() for made in shared}) == 1
    assert haplotypes(genome, WINDOW, at(208, 1, "A"), 16).interval == shared[0].interval.shift(16)
    with pytest.raises(InputError, match="multiple of that, at most 16"):
        haplotypes(genome, WINDOW, at(200, 1, "A"), 20)


def test_a_wrong_ref_is_refused(genome: Genome) -> None:
    wrong = "A" if CHROMOSOME[200] != "A" else "C"
    with pytest.raises(InputError, match="genome build"):
        haplotypes(genome, WINDOW, Judged(SCORED, Variant("chr1", 200, wrong, "G")))
    with pytest.raises(ValueError, match="out_of_range has no haplotypes"):
        haplotypes(genome, WINDOW, Judged("out_of_range", None))


def test_far_windows_hold_the_variant_in_their_left_middle_bin() -> None:
    for window in (Window(196_608, 128, 896), Window(131_072, 128, 896)):
        variant = Variant("chr1", 5_000_000, "A", "C")
        output = window.output_of(window.input_around(variant))
        assert window.bins_touching(variant.interval, output) == slice(447, 448)


# ------------------------------------------------------------------------------------------------ what becomes of rows


@pytest.mark.parametrize(
    ("chrom", "pos", "ref", "alt", "status"),
    [
        ("chr1", 201, CHROMOSOME[200], "ACGT", "scored"),
        ("1", 201, CHROMOSOME[200], "ACGT", "scored"),  # the other spelling of the contig
        ("chr1", 201, CHROMOSOME[200], CHROMOSOME[200], "scored"),  # no change is a change of 0
        ("chr1", 1, CHROMOSOME[0], "CCC", "scored"),
        ("chr1", 400, CHROMOSOME[399], "CCC", "scored"),
        ("chr2", 1, "ACGT", "A", "scored"),  # soft-masked in the file
        ("chr3", 7, "CA", "C", "scored"),
        ("chr1", 400, CHROMOSOME[399] + "A", "C", "out_of_range"),
        ("chr1", 401, "A", "C", "out_of_range"),
        ("chr1", 0, "A", "C", "out_of_range"),
        ("chr9", 5, "A", "C", "out_of_range"),
        ("chr1", 201, CHROMOSOME[200], "<DEL>", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], "*", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], ".", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], "R", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], "N", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], "", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], "G]chr2:5]", "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200], CHROMOSOME[200] + "A" * 15, "scored"),  # half of the 32 bp of output
        ("chr1", 201, CHROMOSOME[200], CHROMOSOME[200] + "A" * 16, "unsupported_allele"),
        ("chr1", 201, CHROMOSOME[200:216], CHROMOSOME[200], "scored"),
        ("chr1", 201, CHROMOSOME[200:217], CHROMOSOME[200], "unsupported_allele"),
        ("chr2", 4, "TNA", "T", "unsupported_allele"),
        ("chr2", 5, "A", "C", "ref_mismatch"),  # the genome has N there
        ("chr3", 11, "A", "C", "ref_mismatch"),  # and R there, which is not A to a VCF
        ("chr2", 1, "C", "A", "ref_flipped"),
        ("chr2", 1, "C", "T", "ref_mismatch"),
        ("chr2", 1, "CC", "ACGT", "ref_flipped"),
        ("chr2", 2, "CTT", "C", "ref_mismatch"),  # the genome always has an indel's anchor: no sign of a flip
        ("chr2", 2, "CTT", "CT", "ref_mismatch"),
        ("chr2", 1, "CA", "A", "ref_flipped"),  # anchored behind, the base in front tells
    ],
)
def test_rows_are_judged(genome: Genome, chrom: str, pos: int, ref: str, alt: str, status: str) -> None:
    found = judge(genome, WINDOW, row(chrom, pos, ref, alt))
    assert found.status == status
    assert (found.variant is None) == (status != "scored")
    assert not found.flipped
    swapped = judge(genome, WINDOW, row(chrom, pos, ref, alt), swap=True)
    assert swapped.status == status
    assert (swapped.variant is None) == (status not in ("scored", "ref_flipped"))
    assert swapped.flipped == (status == "ref_flipped")


def test_what_is_scored_is_normalised_and_has_the_genomes_name(genome: Genome) -> None:
    # chr3 = TTTTCACACARG: any CA of bases 4..9 taken out is the first one, anchored at base 3
    written = judge(genome, WINDOW, row("3", 8, "ACA", "A")).variant
    assert written == Variant("chr3", 3, "TCA", "T", "rs1")
    assert judge(genome, WINDOW, row("chr3", 1, "TTT", "TT")).variant == Variant("chr3", 0, "TT", "T", "rs1")


def test_a_flipped_row_is_read_from_the_genomes_side(genome: Genome) -> None:
    found = judge(genome, WINDOW, row("chr2", 1, "C", "A"), swap=True)
    assert found == Judged("ref_flipped", Variant("chr2", 0, "A", "C", "rs1"), flipped=True)
    made = haplotypes(genome, WINDOW, found)
    ref, alt = torch.rand(2, 8, 3)
    compared = made.compared(ref, alt)
    assert compared[0] is alt, "the allele that the row calls REF"
    assert compared[1] is ref


# ------------------------------------------------------------------------------------------------ what is compared


def test_equal_lengths_are_untouched(genome: Genome) -> None:
    ref, alt = torch.rand(2, 8, 3)
    compared = haplotypes(genome, WINDOW, at(200, 3, "TGA")).compared(ref, alt, None)
    assert compared[0] is ref
    assert compared[1] is alt


def test_an_indel_needs_the_prediction_of_shifted_ref(genome: Genome) -> None:
    with pytest.raises(ValueError, match="prediction of `shifted` too"):
        haplotypes(genome, WINDOW, at(200, 3, "T")).compared(torch.rand(8, 3), torch.rand(8, 3))


def test_flipped_is_exactly_the_other_way_round(genome: Genome) -> None:
    there = haplotypes(genome, WINDOW, at(200, 3, "TGAC"))
    back = haplotypes(genome, WINDOW, Judged("ref_flipped", there.variant, flipped=True))
    signal = tuple(torch.rand(3, 8, 2))
    assert [x.tolist() for x in back.compared(*signal)] == [x.tolist() for x in there.compared(*signal)[::-1]]


def test_haplotypes_can_be_sent_to_a_worker(genome: Genome) -> None:
    made = haplotypes(genome, WINDOW, at(200, 3, "TGAC"))
    sent: Haplotypes = pickle.loads(pickle.dumps(made))
    signal = tuple(torch.rand(3, 8, 2))
    assert [x.tolist() for x in sent.compared(*signal)] == [x.tolist() for x in made.compared(*signal)]


dna_text = st.text("ACGT", min_size=1, max_size=16)
CELLS = st.sampled_from([0, 1, 2, 4])
"""Bins of a cell whose variants share a window; 0: each has its own."""
SHAPES = st.sampled_from([Window(128, 4, 16), Window(96, 16, 2), Window(64, 8, 6), Window(96, 1, 64)])


class Local:
    """A model that sees two bases to either side of each: any function of them will do for what is tested here."""

    reach = 2

    def __init__(self, window: Window) -> None:
        self.window = window
        self.table = np.random.default_rng(5).random((5**5, 3))

    def __call__(self, made: Haplotypes) -> tuple[Tensor, ...]:
        """REF, ALT and perhaps shifted REF, each float64 [bins, 3]."""
        return tuple(torch.from_numpy(self._bins(codes)) for codes in made.sequences)

    def _bins(self, codes: dna.Codes) -> NDArray[np.float64]:
        around = np.lib.stride_tricks.sliding_window_view(np.pad(codes.astype(int), 2, constant_values=dna.N), 5)
        per_base = self.table[around @ 5 ** np.arange(5)][self.window.crop_bp :][: self.window.output_bp]
        per_bin: NDArray[np.float64] = per_base.reshape(self.window.bins, -1, 3).sum(1)
        return per_bin


@settings(max_examples=200)
@given(start=st.integers(0, 383), length=st.integers(1, 16), alt=dna_text, window=SHAPES, cell=CELLS)
def test_where_the_model_sees_no_difference_there_is_exactly_none(
    genome: Genome, start: int, length: int, alt: str, window: Window, cell: int
) -> None:
    assume(2 * cell <= window.bins)
    made = haplotypes(genome, window, at(start, length, alt), cell * window.bin_bp)
    ref, changed = made.compared(*Local(window)(made))
    output = window.output_of(made.interval)
    # Bases that the model sees changed, and the bins that share a bin of ALT with one of them: a bin is spread evenly.
    seen = Interval("chr1", start - Local.reach - window.bin_bp, start + length + Local.reach + window.bin_bp)
    touched = window.bins_touching(seen, output)
    assert torch.equal(ref[: touched.start], changed[: touched.start])
    assert torch.equal(ref[touched.stop :], changed[touched.stop :])


@settings(max_examples=100)
@given(start=st.integers(100, 200), insert=st.text("ACGT", min_size=1, max_size=12))
def test_an_insertion_then_its_deletion_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, genome: Genome, start: int, insert: str
) -> None:
    there = at(start, 1, CHROMOSOME[start] + insert)
    edited = CHROMOSOME[: start + 1] + insert + CHROMOSOME[start + 1 :]
    other = write(tmp_path_factory.mktemp("edited"), chr1=edited)
    back = Judged(SCORED, Variant("chr1", start, CHROMOSOME[start] + insert, CHROMOSOME[start]))
    window = Window(96, 1, 64)  # a bin a base: nothing is spread, so both directions are made of the same numbers
    first, second = haplotypes(genome, window, there), haplotypes(other, window, back)
    assert np.array_equal(first.ref, second.alt)
    assert np.array_equal(first.alt, second.ref)
    scores = [sad(*made.compared(*Local(window)(made))) for made in (first, second)]
    torch.testing.assert_close(scores[0] + scores[1], torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scorer", named(tuple(STATISTICS)), ids=tuple(STATISTICS))
@pytest.mark.parametrize(("start", "length"), [(200, 1), (200, 7), (0, 3), (399, 1)])
def test_alt_that_is_ref_scores_zero(genome: Genome, scorer: Scorer, start: int, length: int) -> None:
    made = haplotypes(genome, WINDOW, at(start, length, CHROMOSOME[start : start + length]))
    assert np.array_equal(made.ref, made.alt)
    assert torch.equal(scorer(*made.compared(*Local(WINDOW)(made)), None), torch.zeros(3, dtype=torch.float64))


def test_an_mnv_is_its_snvs_together(genome: Genome) -> None:
    ref = CHROMOSOME[200:204]
    alt = "".join("ACGT"[("ACGT".index(base) + 1) % 4] for base in ref)
    together = haplotypes(genome, WINDOW, at(200, 4, alt)).alt
    one_by_one = dna.encode(CHROMOSOME[169:233]).copy()
    for i in range(4):
        made = haplotypes(genome, WINDOW, at(200 + i, 1, alt[i]))
        one_by_one[31 + i] = made.alt[31]
    assert np.array_equal(together, one_by_one)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, tuple[int, str, str], tuple[int, str, str]]:
    """A chromosome full of repeats, and two ways (start, REF, ALT) to write the same change to it."""
    unit = draw(st.text("ACG", min_size=1, max_size=3))
    text = (
        draw(st.text("ACGT", min_size=20, max_size=30))
        + unit * draw(st.integers(1, 8))
        + draw(st.text("ACGT", min_size=20, max_size=30))
    )
    start = draw(st.integers(0, len(text) - 6))
    gone, new = draw(st.integers(0, 5)), draw(st.one_of(st.just(unit), st.text("ACG", max_size=5)))
    edited = text[:start] + new + text[start + gone :]
    same = [
        other
        for other in range(len(text) - gone + 1)
        if text[:other] + edited[other : other + len(new)] + text[other + gone :] == edited
    ]
    ways = [_written(draw, text, edited, draw(st.sampled_from(same)), gone, len(new)) for _ in range(2)]
    return text, ways[0], ways[1]


def _written(draw: st.DrawFn, text: str, edited: str, start: int, gone: int, new: int) -> tuple[int, str, str]:
    """The change with some unchanged bases on either side, at least one where an allele would be empty."""
    left = draw(st.integers(0, min(4, start)))
    right = draw(st.integers(0, min(4, len(text) - start - gone)))
    if not (left or right) and not (gone and new):
        left, right = (1, 0) if start else (0, 1)
    ref, alt = text[start - left : start + gone + right], edited[start - left : start + new + right]
    return start - left, ref, alt


@settings(max_examples=150)
@given(spellings())
def test_however_a_variant_is_written_it_is_read_and_scored_the_same(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, tuple[int, str, str], tuple[int, str, str]]
) -> None:
    text, *ways = case
    genome = write(tmp_path_factory.mktemp("repeat"), chr1=text)
    window = Window(96, 4, 16)
    assume(all(ref != alt for _, ref, alt in ways))
    judged = [judge(genome, window, row("chr1", start + 1, ref, alt)) for start, ref, alt in ways]
    assert judged[0] == judged[1]
    first, second = (haplotypes(genome, window, found) for found in judged)
    assert first.interval == second.interval
    assert [codes.tobytes() for codes in first.sequences] == [codes.tobytes() for codes in second.sequences]
    for scorer in named(("SAD", "logD2", "JS", "SAR_9")):
        output = window.output_of(first.interval)
        scores = [
            scorer(*made.compared(*Local(window)(made)), scorer.bins(window, output, made.variant))
            for made in (first, second)
        ]
        assert torch.equal(*scores)


# ------------------------------------------------------------------------------------------------- on a trained model


@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("length", [1, 7, 128, 300])
def test_a_trained_model_sees_nothing_beyond_its_reach(length: int, deletes: bool) -> None:
    """basenji2-mini sees ±63 bins through its dilated layers (1 + 2 + 4 + 8 + 16 + 32) and about one through its tower.

    Without the third sequence, ALT against REF through the same weights differs there by up to 0.8 of a signal of 2.7.
    """
    predictor = load("basenji2-mini")
    window = predictor.window
    genome = Genome(str(files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"))
    start = 42_984_264
    bases = genome.fetch(Interval("chr20", start, start + 1 + length))
    inserted = "".join(np.random.default_rng(0).choice(list("ACGT"), length))
    alleles = (bases, bases[0]) if deletes else (bases[0], bases[0] + inserted)
    made = haplotypes(genome, window, Judged(SCORED, Variant("chr20", start, *alleles)))
    signal = predictor.tensor(np.stack(made.sequences))
    ref, alt = made.compared(*signal)
    bins = torch.arange(window.bins) - window.bins // 2
    beyond = (bins < -66) | (bins > 66 + length // window.bin_bp)
    assert (alt - ref)[beyond].abs().max() <= 1e-6 * ref.max()
    assert (alt - ref)[~beyond].abs().max() > 1e-2
    if length % window.bin_bp:
        assert made.realign is not None
        uncompensated = made.realign(signal[0], signal[1], signal[0])
        assert (alt - signal[0])[bins > 70].abs().max() > 0.1, "what the bin grid alone does"
        assert uncompensated[1].equal(alt)
