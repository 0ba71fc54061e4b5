"""Ended jobs are remembered within bounds: number, memory, age; what is forgotten is let go."""

import gc
import time
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.web.job import Job
from distal.web.kept import Kept, weight
from distal.web.limits import Limits


def ended(key, result=0, status="done"):
    job = Job("verb", key)
    job.start()
    job.end(status, "", "", result)
    return job


def test_the_oldest_go_when_there_are_too_many_and_asking_keeps_one_young():
    kept = Kept(Limits(kept=2))
    a, b, c = ended("a"), ended("b"), ended("c")
    kept.add(a, 1)
    kept.add(b, 1)
    assert kept.done("a") is a
    kept.add(c, 1)
    assert [kept.job(job.id) for job in (a, b, c)] == [a, None, c]
    assert kept.done("b") is None
    assert len(kept) == 2


def test_the_newest_stays_whatever_its_size():
    kept = Kept(Limits(kept_bytes=100))
    small, large = ended("small"), ended("large")
    kept.add(small, 60)
    kept.add(large, 1000)
    assert kept.done("small") is None
    assert kept.done("large") is large
    kept.add(small, 60)
    assert kept.done("large") is None
    assert kept.bytes == 60


def test_what_nobody_asks_for_is_forgotten_after_a_while():
    kept = Kept(Limits(kept_seconds=0.01))
    job = ended("a")
    kept.add(job, 1)
    time.sleep(0.02)
    assert kept.job(job.id) is None
    assert (len(kept), kept.bytes) == (0, 0)


def test_work_without_a_result_is_not_found_by_its_key():
    kept = Kept(Limits())
    filled = ended("a", None)
    kept.add(filled, 1)
    assert kept.done("a") is None
    assert kept.job(filled.id) is filled


def test_only_work_that_was_done_is_found_by_its_key():
    kept = Kept(Limits())
    failed = ended("a", status="failed")
    kept.add(failed, 1)
    assert kept.done("a") is None
    assert kept.job(failed.id) is failed


def test_forgetting_an_older_job_of_a_key_leaves_the_newer_one():
    kept = Kept(Limits(kept=2))
    first, second = ended("a"), ended("a")
    for job in (first, second, ended("b")):
        kept.add(job, 1)
    assert kept.job(first.id) is None
    assert kept.done("a") is second


class Thing:
    pass


def test_a_forgotten_result_is_let_go():
    kept, thing = Kept(Limits(kept=1)), Thing()
    there = weakref.ref(thing)
    kept.add(ended("a", thing), 1)
    del thing
    gc.collect()
    assert there() is not None
    kept.add(ended("b"), 1)
    gc.collect()
    assert there() is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=40))
def test_bounds_hold_and_bytes_are_those_of_what_is_there(added):
    limits = Limits(kept=5, kept_bytes=100)
    kept, sizes = Kept(limits), {}
    for key, size in added:
        job = ended(str(key))
        sizes[job.id] = size
        kept.add(job, size)
        there = [id for id in sizes if id in kept._jobs]
        assert kept.bytes == sum(sizes[id] for id in there)
        assert len(there) == len(kept) <= 5
        assert kept.bytes <= 100
        assert kept.done(str(key)) is job


@dataclass
class Pair:
    left: object
    right: object


@pytest.mark.parametrize(
    "result",
    [
        np.zeros(1_000_000, dtype=np.uint8),
        {"a": [np.zeros(500_000, dtype=np.uint8)], "b": (np.zeros(125_000, dtype=np.float32),)},
        Pair(np.zeros(1_000_000, dtype=np.uint8), None),
        b"x" * 1_000_000,
        "x" * 1_000_000,
        [0.5] * 31_250,  # 8 bytes of place and 24 of number
    ],
    ids=["array", "nested", "dataclass", "bytes", "text", "numbers"],
)
def test_a_million_bytes_weigh_a_million(result):
    assert weight(result) == pytest.approx(1_000_000, rel=0.001)


def test_nothing_weighs_nearly_nothing():
    assert weight(None) < 100
    assert weight(Thing()) < 100
