"""Batches made ahead: the same whoever makes them, in order, bounded, and shared out among processes as one would."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data import tiny

from distal.coords import Window
from distal.data import dataset
from distal.data.loading import AHEAD, Batch, Feed, ahead
from distal.data.mixture import Mixture

CROP = Window(1024, 128, 4)


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    folder = tmp_path_factory.mktemp("data")
    human = dataset.load(tiny.folder(folder / "hg", train=5), "train", 128)
    mouse = dataset.load(tiny.folder(folder / "mm", train=3, seed=1000), "train", 128)
    heads = {"human": Mixture((human, mouse), (3.0, 1.0)), "mouse": Mixture((mouse,), (1.0,))}
    return Feed(heads, CROP, seed=3, batch=2)


def same(a: Batch, b: Batch) -> bool:
    said = a.number == b.number and a.head == b.head and a.draws == b.draws
    return said and a.codes.tobytes() == b.codes.tobytes() and a.targets.tobytes() == b.targets.tobytes()


def test_a_step_sees_the_next_examples_of_the_head_whose_turn_it_is(feed: Feed) -> None:
    # steps 1 2 3 4 5 are turns 0 0 1 1 2 of human mouse human mouse human; turn 2 of two examples: positions 4 and 5
    assert [feed(number).head for number in range(1, 6)] == ["human", "mouse", "human", "mouse", "human"]
    fifth = feed(5)
    assert fifth.draws == [feed.heads["human"].draw(CROP, (3, "human"), position) for position in (4, 5)]
    for i, (source, drawn) in enumerate(fifth.draws):
        codes, targets = dataset.take(feed.heads["human"].sources[source], CROP, drawn)
        assert (fifth.codes[i] == codes).all()
        assert (fifth.targets[i] == targets).all()


@given(st.integers(1, 50), st.integers(1, 4), st.integers(1, 3))
def test_processes_see_together_what_one_with_a_larger_batch_sees(
    feed: Feed, number: int, world: int, batch: int
) -> None:
    whole = replace(feed, batch=world * batch)(number)
    parts = [replace(feed, batch=batch, rank=rank, world=world)(number) for rank in range(world)]
    assert {part.head for part in parts} == {whole.head}
    assert [drawn for part in parts for drawn in part.draws] == whole.draws
    assert (np.concatenate([part.codes for part in parts]) == whole.codes).all()
    assert (np.concatenate([part.targets for part in parts]) == whole.targets).all()


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_batches_are_the_same_for_any_number_of_workers(feed: Feed, workers: int) -> None:
    found = list(ahead(feed, range(4, 24), workers))
    assert [batch.number for batch in found] == list(range(4, 24))
    assert all(same(batch, feed(batch.number)) for batch in found)


def test_results_come_in_order_though_the_first_take_longest() -> None:
    def make(number: int) -> int:
        time.sleep(0.02 * (5 - number))
        return number

    assert list(ahead(make, range(5), 3)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("workers", "made"), [(0, 1), (1, 1 + AHEAD), (3, 1 + 3 * AHEAD)])
def test_never_more_is_made_than_is_allowed(workers: int, made: int) -> None:
    seen: list[int] = []

    def make(number: int) -> int:
        seen.append(number)
        return number

    batches = ahead(make, range(100), workers)
    assert next(batches) == 0
    deadline = time.monotonic() + 10
    while len(seen) < made and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)  # one more would have been begun by now
    assert sorted(seen) == list(range(made))
    assert next(batches) == 1


def test_workers_make_batches_while_the_consumer_works() -> None:
    meeting = threading.Barrier(2, timeout=10)  # passed only where two batches are made at once
    batches = ahead(lambda number: (meeting.wait(), number)[1], range(4), 2)
    assert list(batches) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_where_its_batch_would_have_come(workers: int) -> None:
    def make(number: int) -> int:
        if number == 3:
            raise OSError("the disk is gone")
        return number

    batches = ahead(make, range(10), workers)
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_workers_end_with_their_iterator() -> None:
    before = threading.active_count()
    batches = ahead(lambda number: number, range(1000), 4)
    assert next(batches) == 0
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


def test_no_numbers_no_batches() -> None:
    assert list(ahead(lambda number: number, range(5, 5), 2)) == []
