"""Short jobs come between the steps of long ones, one at a time, and disturb nothing."""

import threading

import pytest
from tests.web.gates import LONG, Record, held, until, wait

from distal.errors import InputError
from distal.web.jobs import Queue
from distal.web.limits import Limits


def test_a_short_job_is_done_between_the_steps_of_a_long_one_and_one_at_a_step():
    record = Record()
    with Queue(Limits(), first=["look"]) as queue, held(queue) as (long, gate):
        looks = [queue.submit("b", "look", f"l{i}", record.of(f"l{i}")) for i in range(2)]
        other = queue.submit("c", "ism", "i", record.of("i"))
        gate.step()
        wait(queue, looks[0])
        assert (looks[1].status, other.status, long.status) == ("queued", "queued", "running")
        gate.step()
        wait(queue, looks[1])
        gate.step()
        assert (other.status, long.status) == ("queued", "running")
        assert record.done == ["l0", "l1"]


def test_without_such_verbs_all_wait_for_the_long_one():
    record = Record()
    with Queue(Limits()) as queue:
        with held(queue) as (long, gate):
            look = queue.submit("b", "look", "l", record.of("l"))
            for _ in range(3):
                gate.step()
            until(lambda: long.done == 3)
            assert (look.status, record.done) == ("queued", [])
        wait(queue, look)
        assert record.done == ["l"]


def test_short_jobs_dont_come_between_each_others_steps():
    record = Record()
    with Queue(Limits(), first=["look"]) as queue, held(queue, verb="look") as (long, gate):
        look = queue.submit("b", "look", "l", record.of("l"))
        gate.step()
        gate.step()
        until(lambda: long.done == 2)
        assert (look.status, record.done) == ("queued", [])
        queue.cancel(long.id, "somebody")
        gate.step()
        wait(queue, look)


def test_a_long_job_cancelled_while_a_short_one_is_in_between_stops_and_its_clock_too():
    inside, on = threading.Event(), threading.Event()

    def look(progress):
        inside.set()
        assert on.wait(LONG)
        return "seen"

    with Queue(Limits(), first=["look"]) as queue, held(queue) as (long, gate):
        job = queue.submit("b", "look", "l", look)
        gate.step()
        assert inside.wait(LONG)
        queue.cancel(long.id, "somebody")
        seconds = long.seconds
        on.set()
        wait(queue, job)
        assert job.result == "seen"
        assert gate.stopped.wait(LONG)
        assert (long.status, long.seconds) == ("cancelled", seconds)


@pytest.mark.parametrize("error", [InputError("no"), RuntimeError("bad")], ids=repr)
def test_a_short_job_that_fails_leaves_the_long_one_alone(error):
    def fails(progress):
        raise error

    with Queue(Limits(), first=["look"]) as queue, held(queue) as (long, gate):
        job = queue.submit("b", "look", "l", fails)
        gate.step()
        wait(queue, job)
        assert (job.status, long.status) == ("failed", "running")


def test_progress_from_another_thread_lets_nobody_in_between():
    record = Record()
    asked, told = threading.Event(), threading.Event()

    def helped(progress):
        asked.wait(LONG)
        helper = threading.Thread(target=progress)
        helper.start()
        helper.join()
        told.set()
        return record.done.copy()

    with Queue(Limits(), first=["look"]) as queue:
        job = queue.submit("a", "long", "x", helped)
        look = queue.submit("b", "look", "l", record.of("l"))
        asked.set()
        wait(queue, job, look)
        assert told.is_set()
        assert (job.done, job.result, record.done) == (1, [], ["l"])
