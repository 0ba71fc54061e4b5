"""Shuffles keep the letters' neighbours: counted pair by pair."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distal.data.chance import generator
from distal.dna import decode, encode
from distal.interpret.shuffles import dinucleotide

letters = st.text("ACGTN", max_size=60).map(encode)


def pairs(codes: np.ndarray) -> Counter[tuple[int, int]]:
    return Counter(zip(codes[:-1].tolist(), codes[1:].tolist(), strict=True))


@given(letters, st.integers(0, 5))
def test_every_pair_of_neighbours_is_as_often_as_before(codes, seed):
    shuffled = dinucleotide(codes, generator(seed))
    assert pairs(shuffled) == pairs(codes)
    assert shuffled[:1].tolist() == codes[:1].tolist()
    assert shuffled[-1:].tolist() == codes[-1:].tolist()


def test_a_seed_gives_one_order_and_another_seed_another():
    codes = np.random.default_rng(0).integers(0, 4, 500).astype(np.uint8)
    first, again, other = (dinucleotide(codes, generator(seed)) for seed in (1, 1, 2))
    assert decode(first) == decode(again)
    assert (first != other).mean() > 0.5
    assert (first != codes).mean() > 0.5
