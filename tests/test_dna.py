"""Letters, codes, one-hot, strands and shifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal import dna

CODES = st.lists(st.integers(0, 4), max_size=60).map(lambda codes: np.array(codes, dtype=np.uint8))
COMPLEMENTS = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}


def test_encode_reads_both_cases_and_turns_the_rest_into_n() -> None:
    np.testing.assert_array_equal(dna.encode("ACGTacgtNnRY-* é"), [0, 1, 2, 3, 0, 1, 2, 3, *[4] * 8])
    np.testing.assert_array_equal(dna.encode(b"TTA\xff"), [3, 3, 0, 4])
    assert dna.encode("").shape == (0,)
    assert dna.encode("ACGT").dtype == np.uint8


@given(st.text("ACGTN", max_size=80))
def test_decode_inverts_encode(text: str) -> None:
    assert dna.decode(dna.encode(text)) == text
    assert dna.decode(dna.encode(text.lower())) == text


def test_decode_refuses_other_codes() -> None:
    with pytest.raises(ValueError, match="code 5"):
        dna.decode(np.array([0, 5], dtype=np.uint8))


def test_one_hot_of_each_letter() -> None:
    rows = dna.one_hot(dna.encode("ACGTN"))
    np.testing.assert_array_equal(rows, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(dna.one_hot(dna.encode("NT"), n=0.25), [[0.25] * 4, [0, 0, 0, 1]])


@given(CODES, st.integers(1, 3))
def test_one_hot_by_a_slow_loop(codes: dna.Codes, copies: int) -> None:
    batch = np.stack([codes] * copies)
    expected = np.zeros((*batch.shape, 4))
    for place in np.argwhere(batch < 4):
        expected[(*place, batch[tuple(place)])] = 1
    np.testing.assert_array_equal(dna.one_hot(batch), expected)


def test_reverse_complement_worked() -> None:
    assert dna.decode(dna.reverse_complement(dna.encode("AACGTNC"))) == "GNACGTT"


@given(CODES)
def test_reverse_complement_twice_is_nothing(codes: dna.Codes) -> None:
    once = dna.reverse_complement(codes)
    np.testing.assert_array_equal(dna.reverse_complement(once), codes)
    assert dna.decode(once) == "".join(COMPLEMENTS[letter] for letter in reversed(dna.decode(codes)))


@given(CODES)
def test_reverse_complement_of_one_hot_flips_both_axes(codes: dna.Codes) -> None:
    np.testing.assert_array_equal(dna.one_hot(dna.reverse_complement(codes)), dna.one_hot(codes)[::-1, ::-1])


def test_reverse_complement_acts_on_the_last_axis() -> None:
    batch = np.stack([dna.encode("AAC"), dna.encode("GTN")])
    assert [dna.decode(row) for row in dna.reverse_complement(batch)] == ["GTT", "NAC"]


@pytest.mark.parametrize(
    ("bases", "text"),
    [(0, "ACGTA"), (1, "NACGT"), (2, "NNACG"), (-1, "CGTAN"), (-3, "TANNN"), (5, "NNNNN"), (-5, "NNNNN"), (9, "NNNNN")],
)
def test_shift_worked(bases: int, text: str) -> None:
    assert dna.decode(dna.shift(dna.encode("ACGTA"), bases)) == text


@given(CODES, st.integers(-70, 70))
def test_shift_by_a_slow_loop(codes: dna.Codes, bases: int) -> None:
    length = len(codes)
    expected = [codes[i - bases] if 0 <= i - bases < length else dna.N for i in range(length)]
    before = codes.copy()
    np.testing.assert_array_equal(dna.shift(codes, bases), np.array(expected, dtype=np.uint8))
    np.testing.assert_array_equal(codes, before)


@given(CODES, st.integers(-70, 70))
def test_shift_on_the_other_strand_is_the_opposite_shift(codes: dna.Codes, bases: int) -> None:
    np.testing.assert_array_equal(
        dna.reverse_complement(dna.shift(codes, bases)), dna.shift(dna.reverse_complement(codes), -bases)
    )


def test_shift_acts_on_the_last_axis() -> None:
    batch = np.stack([dna.encode("AAC"), dna.encode("GTN")])
    assert [dna.decode(row) for row in dna.shift(batch, 1)] == ["NAA", "NGT"]
