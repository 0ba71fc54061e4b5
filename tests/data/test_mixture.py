"""Mixtures: every source gets its share and shows every window once an epoch, whatever it is mixed with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import tiny

from distal.coords import Interval, Window
from distal.data import dataset
from distal.data.dataset import InMemory
from distal.data.mixture import ROUND, Mixture
from distal.errors import InputError
from distal.tracks import TrackTable

WINDOW = Window(512, tiny.BIN_BP, 8)
STREAM = (3, "human")


def source(windows: int, seed: int = 0, table: TrackTable = tiny.TABLE) -> InMemory:
    """Windows of random bases whose signal is `seed` everywhere."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (windows, tiny.LENGTH)).astype(np.uint8)
    signal = np.full((windows, tiny.BINS, len(table)), seed, dtype=np.float32)
    intervals = tuple(Interval("chr1", i * tiny.LENGTH, (i + 1) * tiny.LENGTH) for i in range(windows))
    return InMemory(codes, signal, tiny.BIN_BP, tiny.CROP_BP, table, intervals)


def test_one_source_is_itself() -> None:
    alone, mixed = source(5), Mixture((source(5),), (0.3,))
    for position in (0, 7, ROUND - 1, ROUND, 3 * ROUND + 5):
        assert mixed.draw(WINDOW, STREAM, position) == (0, dataset.draw(alone, WINDOW, STREAM, position))


@settings(max_examples=15)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=5), st.integers(0, 50))
def test_every_round_has_the_shares_of_the_weights(weights: list[float], lap: int) -> None:
    if min(weights) / sum(weights) < 1.5 / ROUND:
        return
    mixed = Mixture(tuple(source(2, i) for i in range(len(weights))), tuple(weights))
    drawn = Counter(mixed.draw(WINDOW, STREAM, lap * ROUND + i).source for i in range(ROUND))
    for number, weight in enumerate(weights):
        assert abs(drawn[number] - ROUND * weight / sum(weights)) <= 1  # rounded on both edges


def test_every_source_shows_every_window_once_an_epoch() -> None:
    # of every 1,000 positions 250 are the first source's and 750 the second's: 50 and 93 epochs of 5 and 8 windows
    mixed = Mixture((source(5), source(8, 1)), (1.0, 3.0))
    drawn = [mixed.draw(WINDOW, STREAM, position) for position in range(2 * ROUND)]
    for number, windows in ((0, 5), (1, 8)):
        seen = [draw.index for source, draw in drawn if source == number]
        assert len(seen) == 2 * (250, 750)[number]
        for start in range(0, len(seen) - windows, windows):
            assert sorted(seen[start : start + windows]) == list(range(windows))


def test_a_source_is_drawn_as_if_it_were_alone() -> None:
    sources = (source(5), source(8, 1))
    mixed = Mixture(sources, (2.0, 1.0))
    drawn = [mixed.draw(WINDOW, STREAM, position) for position in range(3 * ROUND)]
    for number, alone in enumerate(sources):
        mine = [draw for source, draw in drawn if source == number]
        assert mine == [dataset.draw(alone, WINDOW, STREAM, own) for own in range(len(mine))]


def test_the_order_depends_on_seed_head_and_round_alone() -> None:
    def order(stream: tuple[int, str], lap: int) -> list[int]:
        mixed = Mixture((source(5), source(8, 1)), (1.0, 1.0))
        return [mixed.draw(WINDOW, stream, lap * ROUND + i).source for i in range(ROUND)]

    assert order((3, "human"), 1) == order((3, "human"), 1)
    others = [order((4, "human"), 1), order((3, "mouse"), 1), order((3, "human"), 2)]
    assert all(other != order((3, "human"), 1) for other in others)


def test_a_batch_takes_bases_and_signal_from_the_source_that_was_drawn() -> None:
    mixed = Mixture((source(5, 10), source(8, 20)), (1.0, 1.0))
    drawn = [mixed.draw(WINDOW, STREAM, position) for position in range(12)]
    codes, targets = mixed.batch(WINDOW, drawn)
    assert (codes.shape, targets.shape) == ((12, 512), (12, 8, 3))
    assert {number for number, _ in drawn} == {0, 1}
    for (number, draw), bases, signal in zip(drawn, codes, targets, strict=True):
        assert np.array_equal(bases, dataset.take(mixed.sources[number], WINDOW, draw)[0])
        assert (signal == (10, 20)[number]).all()


def test_means_are_weighted() -> None:
    # a quarter of 10 and three quarters of 20
    assert Mixture((source(5, 10), source(8, 20)), (0.5, 1.5)).means.tolist() == [17.5] * 3


def test_sources_of_other_tracks_and_vanishing_weights_are_refused() -> None:
    named = TrackTable(tuple(replace(row, name=f"other {row.name}") for row in tiny.TABLE.rows))
    with pytest.raises(InputError, match="other tracks, or in another order"):
        Mixture((source(5), source(5, table=named)), (1.0, 1.0))
    with pytest.raises(InputError, match="the least is below"):
        Mixture((source(5), source(5)), (1.0, 1e-4))
