"""Everybody's turn comes: one item of each client in turn, shared items once, nobody passed over twice."""

from hypothesis import given
from hypothesis import strategies as st

from distal.web.turns import Turns


def filled(*pairs):
    turns = Turns()
    for client, item in pairs:
        turns.add(client, item)
    return turns


def drained(turns):
    taken = []
    while (item := turns.take()) is not None:
        taken.append(item)
    return taken


def test_one_of_each_in_turn():
    turns = filled(*(("a", f"a{i}") for i in range(4)), ("b", "b0"), ("c", "c0"), ("c", "c1"))
    assert drained(turns) == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]
    assert turns.order() == []


def test_who_was_served_goes_to_the_end_and_who_comes_after_too():
    turns = filled(("a", "a0"), ("a", "a1"), ("b", "b0"))
    assert turns.take() == "a0"
    turns.add("c", "c0")
    assert drained(turns) == ["b0", "a1", "c0"]


def test_a_shared_item_is_taken_at_the_first_turn_of_those_who_wait_for_it():
    turns = filled(*(("a", f"a{i}") for i in range(4)), ("b", "a3"))  # the last of a's is b's only one
    assert drained(turns) == ["a0", "a3", "a1", "a2"]


def test_an_item_dropped_by_one_stays_for_the_other():
    turns = filled(("a", "x"), ("b", "x"), ("b", "y"))
    turns.drop("x", "b")
    assert turns.waiting("b") == 1
    assert turns.order() == ["x", "y"]
    turns.drop("x")
    turns.drop("x")
    turns.drop("x", "nobody")
    assert turns.waiting("a") == 0
    assert drained(turns) == ["y"]


def test_who_has_nothing_wanted_keeps_the_turn():
    turns = filled(("a", 1), ("b", 3), ("b", 4), ("c", 6))
    assert turns.take(lambda item: item % 2 == 0) == 4
    assert turns.take(lambda item: item > 9) is None
    assert drained(turns) == [1, 6, 3]  # b was served, a was not


PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 12)), unique=True)


@given(PAIRS)
def test_the_order_is_that_of_taking_and_everything_is_taken_once(pairs):
    turns = filled(*pairs)
    order = turns.order()
    assert drained(turns) == order
    assert sorted(order) == sorted({item for _, item in pairs})


@given(st.lists(st.one_of(st.sampled_from("abcd"), st.none()), max_size=60))
def test_while_one_waits_every_other_is_served_once_at_most(events):
    """An oracle that knows each item's wait: a letter is a new item of a client, None is a turn."""
    turns, own, passed = Turns(), {}, {}
    for number, client in enumerate(events):
        if client is not None:
            turns.add(client, (client, number))
            own.setdefault(client, []).append(number)
            passed.setdefault(client, [])
            continue
        taken = turns.take()
        if taken is None:
            assert not own
            continue
        served, item = taken
        assert own[served].pop(0) == item  # one's own come in order
        passed[served] = []
        own = {name: numbers for name, numbers in own.items() if numbers}
        for name in own:
            if name != served:
                passed[name].append(served)
                assert len(set(passed[name])) == len(passed[name])
