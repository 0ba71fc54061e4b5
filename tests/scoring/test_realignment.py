"""Predictions over an indel's alleles, brought to the same bases: by hand, and against a walk from base to base."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distal.coords import Interval, Variant, Window
from distal.scoring.realignment import Realignment, edit_offset, realignment
from distal.scoring.scorers import sad

WINDOW = Window(64, 4, 8)  # crop 16, output [16, 48) of the window, variant at index 31
CELLS = st.integers(0, 16)
"""Bins of a cell whose variants share a window; 0: each has its own."""
BINS = torch.tensor([[0.0], [10.0], [20.0], [30.0], [40.0], [50.0], [60.0], [70.0]])


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


def centred(variant: Variant) -> Realignment:
    """In the window around `variant`."""
    return realignment(WINDOW, variant, WINDOW.input_around(variant))


def test_a_worked_deletion() -> None:
    # Output = window indices [16, 48), variant at 31: output base 15, bin 3 (bases 12-15). REF CAA > C deletes output
    # bases 16 and 17, the first two of bin 4. ALT base i >= 16 is REF base i + 2, and so is base i of shifted REF.
    # ALT: bin 3 keeps its 30; bin 4 (REF 16..19): 2 deleted bases 0, REF 18, 19 = ALT 16, 17: 2/4 of 40 = 20;
    # bin 5 (REF 20..23) = ALT 18..21 = 2/4 of 40 + 2/4 of 50 = 45; bin 6: 55; bin 7: 65. ALT's last two bases leave.
    # REF (100, 110, ... 170; shifted 200, 210, ... 270): bins 0-3 as they are; bin 4: 2 deleted bases, REF's own, 2/4
    # of 140, and 2/4 of shifted's 240 = 190; bin 5: 2/4 of 240 + 2/4 of 250 = 245; then 255, 265.
    realign = centred(Variant("chr1", 200, "CAA", "C"))
    ref, alt = realign(BINS + 100, BINS, BINS + 200)
    assert alt[:, 0].tolist() == [0, 10, 20, 30, 20, 45, 55, 65]
    assert ref[:, 0].tolist() == [100, 110, 120, 130, 190, 245, 255, 265]


def test_a_worked_insertion() -> None:
    # REF C > CAA: two bases come after output base 15. They belong to base 15: ALT's bin 3 = its own 4 bases (30) + ALT
    # 16, 17 (2/4 of 40) = 50. Bin 4 (REF 16..19) = ALT 18..21 = 2/4 of 40 + 2/4 of 50 = 45; bin 5: 55; bin 6: 65; bin 7
    # (REF 28..31) = ALT 30, 31 (2/4 of 70 = 35) and, not reached, REF's own 2/4 of 170 = 85.
    # REF: bin 3 is its own 130; bins 4-6 are shifted's 245, 255, 265; bin 7: 2/4 of 270 and 2/4 of REF's 170 = 220.
    realign = centred(Variant("chr1", 200, "C", "CAA"))
    ref, alt = realign(BINS + 100, BINS, BINS + 200)
    assert alt[:, 0].tolist() == [0, 10, 20, 50, 45, 55, 65, 120]
    assert ref[:, 0].tolist() == [100, 110, 120, 130, 245, 255, 265, 220]


def test_an_indel_longer_than_a_bin_worked() -> None:
    # REF C > C + 9 bases: ALT 16..24 go to base 15, so bin 3 = 30 + 40 + 50 + 1/4 of 60 = 135. Bin 4 (REF 16..19) = ALT
    # 25..28 = 3/4 of 60 + 1/4 of 70 = 62.5; bin 5 (REF 20..23): ALT 29..31 = 3/4 of 70, REF's own 1/4 of 150 = 90.
    # Bins 6 and 7 are not reached: REF's 160 and 170 on both sides.
    ref, alt = centred(Variant("chr1", 200, "C", "C" + "A" * 9))(BINS + 100, BINS, BINS + 200)
    assert alt[:, 0].tolist() == [0, 10, 20, 135, 62.5, 90, 160, 170]
    assert ref[:, 0].tolist() == [100, 110, 120, 130, 262.5, 3 / 4 * 270 + 1 / 4 * 150, 160, 170]
    # REF C + 9 bases > C: REF 16..24 are gone. Bins 4 and 5 get nothing; bin 6 (REF 24..27): 24 is gone, 25..27 = ALT
    # 16..18 = 3/4 of 40 = 30; bin 7 = ALT 19..22 = 1/4 of 40 + 3/4 of 50 = 47.5.
    ref, alt = centred(Variant("chr1", 200, "C" + "A" * 9, "C"))(BINS + 100, BINS, BINS + 200)
    assert alt[:, 0].tolist() == [0, 10, 20, 30, 0, 0, 30, 47.5]
    assert ref[:, 0].tolist() == [100, 110, 120, 130, 140, 150, 1 / 4 * 160 + 3 / 4 * 240, 247.5]


def walked(
    variant: Variant,
    output: Interval,
    window: Window,
    ref: NDArray[np.float64],
    alt: NDArray[np.float64],
    shifted: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The comparison from the rules alone: every bin spread over its bases, the alignment walked base by base."""
    bp = window.bin_bp
    per_ref, per_alt, per_shifted = (np.repeat(bins, bp, axis=0) / bp for bins in (ref, alt, shifted))
    first, second = list(variant.ref), list(variant.alt)
    while first and second and first[-1] == second[-1]:
        del first[-1], second[-1]
    same = min(len(first), len(second))
    x = y = 0  # the next base of REF and of ALT in the output
    sums = np.zeros((2, *per_ref.shape))
    edit = variant.start - output.start + same
    while x < len(per_ref):
        if x == edit and len(first) > len(second):
            for _ in range(len(first) - len(second)):
                sums[0, x] += per_ref[x]
                x += 1
        elif x == edit and y == x:
            for _ in range(len(second) - len(first)):
                sums[1, x - 1] += per_alt[y]
                y += 1
        if x >= len(per_ref):
            break
        if y < len(per_alt):
            sums[0, x] += per_ref[x] if x < edit else per_shifted[y]
            sums[1, x] += per_alt[y]
        else:
            sums[:, x] += per_ref[x]
        x, y = x + 1, y + 1
    binned = sums.reshape(2, window.bins, bp, -1).sum(2)
    return binned[0], binned[1]


SHAPES = st.sampled_from([Window(64, 4, 8), Window(48, 8, 4), Window(64, 16, 2), Window(40, 1, 32), Window(66, 3, 10)])
dna_text = st.text("ACGT", min_size=1, max_size=16)


def placed(ref: str, alt: str, window: Window, cell: int, start: int) -> tuple[Variant, Interval]:
    """An indel that the window can hold, and what is read: its own window, or that of a cell of `cell` bins."""
    variant = Variant("chr1", start, ref[: window.output_bp // 2], alt[: window.output_bp // 2])
    assume(variant.is_indel and 2 * cell * window.bin_bp <= window.output_bp)
    return variant, window.input_of_cell(variant, cell * window.bin_bp)


@settings(max_examples=300)
@given(ref=dna_text, alt=dna_text, window=SHAPES, cell=CELLS, start=st.integers(1000, 1100))
def test_bins_are_compared_as_their_bases_are(ref: str, alt: str, window: Window, cell: int, start: int) -> None:
    variant, input_ = placed(ref, alt, window, cell, start)
    r, a, s = np.random.default_rng(len(ref) * 100 + len(alt)).random((3, window.bins, 3))
    made = realignment(window, variant, input_)(*map(torch.from_numpy, (r, a, s)))
    for mapped, expected in zip(made, walked(variant, window.output_of(input_), window, r, a, s), strict=True):
        np.testing.assert_allclose(mapped.numpy(), expected, rtol=1e-6, atol=1e-7)  # weights are fp32


@settings(max_examples=100)
@given(anchor=st.sampled_from("AGT"), length=st.integers(1, 15), deletes=st.booleans())
def test_sad_is_what_all_bases_of_alt_have_less_what_all_bases_of_ref_have(
    anchor: str, length: int, deletes: bool
) -> None:
    # On what both reach. Per base, in REF's output of 32 bases with the edit in front of base 16:
    # an insertion of n: ALT's 32 bases, and REF's 16 in front of the edit and 16 - n behind it.
    # a deletion of n: ALT's 32 - n, and REF's 16 in front of the edit, its n deleted ones and 16 - n behind it.
    long, short = anchor + "C" * length, anchor
    variant = Variant("chr1", 1000, *((long, short) if deletes else (short, long)))
    r, a, s = np.random.default_rng(length).random((3, WINDOW.bins, 2))
    per_ref, per_alt, per_shifted = (np.repeat(x, 4, axis=0) / 4 for x in (r, a, s))
    if deletes:
        expected = per_alt[: 32 - length].sum(0) - (
            per_ref[: 16 + length].sum(0) + per_shifted[16 : 32 - length].sum(0)
        )
    else:
        expected = per_alt.sum(0) - (per_ref[:16].sum(0) + per_shifted[16 + length :].sum(0))
    score = sad(*centred(variant)(*map(torch.from_numpy, (r, a, s))))
    np.testing.assert_allclose(score.numpy(), expected, rtol=1e-6, atol=1e-7)


def test_the_arguments_stay_as_they_are() -> None:
    realign = centred(Variant("chr1", 200, "C", "CAAAAAAA"))
    given_ = torch.rand(3, 8, 3)
    before = given_.clone()
    realign(*given_)
    assert torch.equal(given_, before)


@settings(max_examples=100)
@given(ref=dna_text, alt=dna_text, window=SHAPES, cell=CELLS, start=st.integers(1000, 1100))
def test_weights_of_a_bin_add_up_to_one(ref: str, alt: str, window: Window, cell: int, start: int) -> None:
    variant, input_ = placed(ref, alt, window, cell, start)
    made = realignment(window, variant, input_)
    (_, near), (_, far) = made.behind
    np.testing.assert_allclose(made.front + near + far + made.deleted + made.unreached, 1, rtol=1e-6)
    growth = max(0, len(variant.alt) - len(variant.ref))
    assert made.inserted[1].sum() * window.bin_bp == pytest.approx(growth, rel=1e-6)
