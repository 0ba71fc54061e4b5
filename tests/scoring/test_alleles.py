"""REF and ALT over a window, the judgement of rows, and the way of ALT's bins back to REF's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.scoring.alleles import IDENTITY, Realignment, edit_offset, haplotypes, judge, realignment

WINDOW = Window(64, 4, 8)  # crop 16, output [16, 48) of the window, variant at index 31
CHROMOSOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 400))


@dataclass(frozen=True)
class Row:
    """What `judge` reads of a VCF row."""

    chrom: str
    pos: int
    ref: str
    alt: str

    def variant(self) -> Variant:
        return Variant.from_vcf(self.chrom, self.pos, self.ref, self.alt)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    path: Path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">chr1\n{CHROMOSOME}\n>chr2\nacgtnACGT\n")
    return Genome(path)


def at(start: int, length: int, alt: str) -> Variant:
    return Variant("chr1", start, CHROMOSOME[start : start + length], alt)


def test_a_snv_changes_one_base_at_the_published_index(genome: Genome) -> None:
    alt = "A" if CHROMOSOME[200] != "A" else "C"
    made = haplotypes(genome, WINDOW, at(200, 1, alt))
    assert np.flatnonzero(made.ref != made.alt).tolist() == [31]  # 64 / 2 - 1
    assert dna.decode(made.ref) == CHROMOSOME[169:233] == genome.fetch(made.interval)
    assert dna.decode(made.alt[31:32]) == alt
    assert made.realign is IDENTITY


def test_an_insertion_pushes_right_and_is_trimmed(genome: Genome) -> None:
    made = haplotypes(genome, WINDOW, at(200, 1, CHROMOSOME[200] + "TTTTT"))
    assert dna.decode(made.alt) == CHROMOSOME[169:201] + "TTTTT" + CHROMOSOME[201 : 233 - 5]


def test_a_deletion_pulls_left_and_is_refilled(genome: Genome) -> None:
    made = haplotypes(genome, WINDOW, at(200, 7, CHROMOSOME[200]))
    assert dna.decode(made.alt) == CHROMOSOME[169:201] + CHROMOSOME[207 : 233 + 6]
    assert dna.decode(made.ref) == CHROMOSOME[169:233]


@pytest.mark.parametrize("start", [0, 3, 397])
def test_chromosome_ends_are_n(genome: Genome, start: int) -> None:
    made = haplotypes(genome, WINDOW, at(start, 3, CHROMOSOME[start]))
    padded = "N" * 100 + CHROMOSOME + "N" * 100
    assert dna.decode(made.ref) == padded[100 + start - 31 : 100 + start + 33]
    assert dna.decode(made.alt) == padded[100 + start - 31 : 100 + start + 1] + padded[103 + start : 135 + start]


def test_a_wrong_ref_is_refused(genome: Genome) -> None:
    wrong = "A" if CHROMOSOME[200] != "A" else "C"
    with pytest.raises(InputError, match="genome build"):
        haplotypes(genome, WINDOW, Variant("chr1", 200, wrong, "G"))


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (Row("chr1", 201, CHROMOSOME[200], "ACGT"), "scored"),
        (Row("1", 201, CHROMOSOME[200], "ACGT"), "scored"),  # the other spelling of the contig
        (Row("chr1", 201, CHROMOSOME[200], CHROMOSOME[200]), "scored"),  # no change is a change of 0
        (Row("chr1", 1, CHROMOSOME[0], "CCC"), "scored"),
        (Row("chr1", 400, CHROMOSOME[399], "CCC"), "scored"),
        (Row("chr2", 1, "ACGT", "A"), "scored"),  # soft-masked in the file
        (Row("chr1", 400, CHROMOSOME[399] + "A", "C"), "out_of_range"),
        (Row("chr1", 401, "A", "C"), "out_of_range"),
        (Row("chr1", 0, "A", "C"), "out_of_range"),
        (Row("chr9", 5, "A", "C"), "out_of_range"),
        (Row("chr1", 201, CHROMOSOME[200], "<DEL>"), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], "*"), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], "."), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], "R"), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], "N"), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], ""), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], "G]chr2:5]"), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200], "A" * 16), "scored"),  # half of the 32 bp of output
        (Row("chr1", 201, CHROMOSOME[200], "A" * 17), "unsupported_allele"),
        (Row("chr1", 201, CHROMOSOME[200:217], "A"), "unsupported_allele"),
        (Row("chr2", 4, "TNA", "T"), "unsupported_allele"),
        (Row("chr2", 5, "A", "C"), "ref_mismatch"),  # the genome has N there
        (Row("chr2", 1, "C", "A"), "ref_flipped"),
        (Row("chr2", 1, "C", "T"), "ref_mismatch"),
        (Row("chr2", 1, "CC", "ACGT"), "ref_flipped"),
    ],
)
def test_rows_are_judged(genome: Genome, row: Row, status: str) -> None:
    assert judge(genome, WINDOW, row) == status  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ref", "alt", "offset"),
    [
        ("A", "ACG", 1),  # behind the anchor
        ("ACG", "A", 1),
        ("CAA", "CAAA", 1),  # leftmost place in the repeat that the text shows
        ("CAAA", "CA", 1),
        ("T", "AT", 0),  # anchored by the base behind it
        ("ACG", "TT", 2),  # two bases changed, then one gone
        ("AT", "GGG", 2),
    ],
)
def test_where_an_indel_lies_in_its_alleles(ref: str, alt: str, offset: int) -> None:
    assert edit_offset(Variant("chr1", 5, ref, alt)) == offset


def slow(window: Window, variant: Variant, alt: np.ndarray, ref: np.ndarray) -> np.ndarray:
    """The map base by base, written from the rules alone."""
    growth = len(variant.alt) - len(variant.ref)
    output = window.output_of(window.input_around(variant))
    edit = variant.start - output.start + edit_offset(variant)
    bases, b = window.output_bp, window.bin_bp
    sums = np.zeros_like(ref, dtype=np.float64)
    reached = set()
    for i in range(bases):  # every base that ALT's output covers
        if growth >= 0:
            own = i < edit or i >= edit + growth
            to = i if i < edit else edit - 1 if i < edit + growth else i - growth
        else:
            own = True
            to = i if i < edit else i - growth
        if to < bases:
            sums[to // b] += alt[i // b].astype(np.float64) / b
        if own:
            reached.add(to)
    deleted = set(range(edit, edit - growth))
    for x in range(bases):
        if x not in reached and x not in deleted:
            sums[x // b] += ref[x // b].astype(np.float64) / b
    return sums


dna_text = st.text("ACGT", min_size=1, max_size=16)


@settings(max_examples=150, deadline=None)
@given(ref=dna_text, alt=dna_text, shape=st.sampled_from([(64, 4, 8), (48, 8, 4), (64, 16, 2), (40, 1, 32)]))
def test_bins_go_back_as_bases_do(ref: str, alt: str, shape: tuple[int, int, int]) -> None:
    window = Window(*shape)
    variant = Variant("chr1", 1000, ref[: window.output_bp // 2], alt[: window.output_bp // 2])
    draw = np.random.default_rng(len(ref) * 100 + len(alt))
    r, a = draw.random((2, window.bins, 3)).astype(np.float32)
    mapped = realignment(window, variant)(torch.from_numpy(a), torch.from_numpy(r)).numpy()
    np.testing.assert_allclose(mapped, slow(window, variant, a, r), rtol=2e-6, atol=1e-6)


def test_a_worked_deletion() -> None:
    # Output = window indices [16, 48), variant at 31: output base 15, bin 3 (bases 12-15). REF CAA > C deletes output
    # bases 16 and 17, the first two of bin 4. ALT base i >= 16 is REF base i + 2.
    # bin 3 keeps ALT's 30; bin 4 (REF 16..19): 2 deleted bases 0, REF 18, 19 = ALT 16, 17: 2/4 of 40 = 20;
    # bin 5 (REF 20..23) = ALT 18..21 = 2/4 of 40 + 2/4 of 50 = 45; bin 6: 55; bin 7: 65. ALT's last two bases leave.
    alt = torch.tensor([[0.0], [10.0], [20.0], [30.0], [40.0], [50.0], [60.0], [70.0]])
    mapped = realignment(WINDOW, Variant("chr1", 200, "CAA", "C"))(alt, alt)
    assert mapped[:, 0].tolist() == [0, 10, 20, 30, 20, 45, 55, 65]


def test_a_worked_insertion() -> None:
    # REF C > CAA: two bases come after output base 15. They belong to base 15: bin 3 = its own 4 bases (30) + ALT
    # 16, 17 (2/4 of 40) = 50. Bin 4 (REF 16..19) = ALT 18..21 = 2/4 of 40 + 2/4 of 50 = 45; bin 5: 55; bin 6: 65; bin 7
    # (REF 28..31) = ALT 30, 31 (2/4 of 70 = 35) and REF's own 2/4 of 700 = 350.
    alt = torch.tensor([[0.0], [10.0], [20.0], [30.0], [40.0], [50.0], [60.0], [70.0]])
    mapped = realignment(WINDOW, Variant("chr1", 200, "C", "CAA"))(alt, alt * 10)
    assert mapped[:, 0].tolist() == [0, 10, 20, 50, 45, 55, 65, 385]


@settings(max_examples=100, deadline=None)
@given(anchor=st.sampled_from("ACGT"), length=st.integers(1, 15), deletes=st.booleans())
def test_signal_is_neither_made_nor_lost(anchor: str, length: int, deletes: bool) -> None:
    long, short = anchor + "C" * length, anchor
    variant = Variant("chr1", 1000, *((long, short) if deletes else (short, long)))
    r, a = np.random.default_rng(length).random((2, WINDOW.bins, 2))
    mapped = realignment(WINDOW, variant)(torch.from_numpy(a).float(), torch.from_numpy(r).float()).sum(0)
    bases = [np.repeat(x, WINDOW.bin_bp, axis=0) / WINDOW.bin_bp for x in (a, r)]
    left, filled = bases[0][-length:].sum(0), bases[1][-length:].sum(0)  # the last bases of the output
    expected = a.sum(0) - left if deletes else a.sum(0) + filled
    np.testing.assert_allclose(mapped.numpy(), expected, rtol=1e-5)


def test_equal_lengths_are_untouched() -> None:
    alt = torch.rand(8, 3)
    assert realignment(WINDOW, Variant("chr1", 200, "ACG", "TGA")) is IDENTITY
    assert IDENTITY(alt, torch.rand(8, 3)) is alt


def test_the_map_leaves_its_input_alone_and_takes_each_bin_once() -> None:
    realign: Realignment = realignment(WINDOW, Variant("chr1", 200, "C", "CAAAAAAA"))
    alt = torch.rand(8, 3)
    before = alt.clone()
    realign(alt, torch.rand(8, 3))
    assert torch.equal(alt, before)
    for rows, columns, weights in realign.passes:
        assert len(set(rows.tolist())) == len(rows) == len(columns) == len(weights)


def test_an_insertion_then_its_deletion_is_ref(genome: Genome) -> None:
    there = haplotypes(genome, WINDOW, at(200, 1, CHROMOSOME[200] + "GATTACA"))
    inserted = "N" * 64 + dna.decode(there.alt)  # the ALT haplotype as a genome of its own, indexed like a chromosome
    back = Variant("chr1", 64 + 31, inserted[95:103], inserted[95])
    window = there.interval
    restored = inserted[64 : back.start] + back.alt + inserted[back.end :]
    assert restored == CHROMOSOME[window.start : window.end - 7]
    composed = Variant("chr1", 200, CHROMOSOME[200], back.alt)
    same = haplotypes(genome, WINDOW, composed)
    assert np.array_equal(same.ref, same.alt)
    assert same.realign is IDENTITY


def test_far_windows_hold_the_variant_in_their_left_middle_bin() -> None:
    for window in (Window(196_608, 128, 896), Window(131_072, 128, 896)):
        variant = Variant("chr1", 5_000_000, "A", "C")
        output = window.output_of(window.input_around(variant))
        assert window.bins_touching(Interval("chr1", variant.start, variant.end), output) == slice(447, 448)
