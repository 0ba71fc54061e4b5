"""The queue: fair between clients, the same work once, cancelled where it waits and where it runs, bounded, closed."""

import asyncio
import gc
import logging
import random
import threading
import time
import weakref
from contextlib import contextmanager

import pytest

from distal.errors import InputError
from distal.web.job import Job
from distal.web.jobs import Busy, Cancelled, Queue, Unknown
from distal.web.limits import Limits

LONG = 60.0
"""Seconds after which a test gives up waiting; none gets near it."""


def wait(queue, *jobs):
    """Until all have ended."""

    async def all_of_them():
        return [await queue.finished(job, LONG) for job in jobs]

    assert all(asyncio.run(all_of_them()))


def until(true):
    """Until it is true."""
    for _ in range(int(LONG * 1_000)):
        if true():
            return
        time.sleep(0.001)
    raise AssertionError("it never came true")


class Gate:
    """Work that stands still until it is let on: it says that it has `begun` and goes a step whenever `on` is set."""

    def __init__(self):
        self.begun, self.stopped, self.told = threading.Event(), threading.Event(), threading.Semaphore(0)

    def __call__(self, progress):
        self.begun.set()
        try:
            progress.total(100)
            while True:
                assert self.told.acquire(timeout=LONG)
                progress()
        finally:
            self.stopped.set()

    def step(self):
        self.told.release()


@contextmanager
def held(queue, client="somebody", verb="hold"):
    """Keep the worker at one job, so that what is asked for meanwhile queues up; yields that job and its gate."""
    gate = Gate()
    job = queue.submit(client, verb, f"held {id(gate)}", gate)
    assert gate.begun.wait(LONG)
    try:
        yield job, gate
    finally:
        queue.cancel(job.id, client)
        gate.step()
        assert gate.stopped.wait(LONG)


@pytest.fixture
def queue():
    with Queue(Limits()) as queue:
        yield queue


class Record:
    """What was done, in order."""

    def __init__(self):
        self.done = []

    def of(self, name):
        def work(progress):
            progress()
            self.done.append(name)
            return name

        return work


def test_work_is_done_and_says_how_far_it_is(queue):
    gate, seen = threading.Event(), threading.Event()

    def work(progress):
        progress.total(3)
        progress()
        seen.set()
        assert gate.wait(LONG)
        progress(2)
        return {"answer": 42}

    job = queue.submit("a", "count", "k", work)
    assert seen.wait(LONG)
    assert (job.status, job.position, job.done, job.total, job.result) == ("running", 0, 1, 3, None)
    assert job.seconds > 0
    gate.set()
    wait(queue, job)
    assert (job.status, job.done, job.error, job.reason, job.result) == ("done", 3, "", "", {"answer": 42})
    assert job.seconds == job.seconds
    assert queue.job(job.id) is job
    assert repr(job) == f"Job({job.id}, count, done)"


def test_clients_take_turns_however_many_jobs_they_have(queue):
    record = Record()
    with held(queue):
        names = [*(("a", f"a{i}") for i in range(5)), ("b", "b0"), ("c", "c0"), ("c", "c1")]
        jobs = [queue.submit(client, "v", name, record.of(name)) for client, name in names]
        expected = ["a0", "b0", "c0", "a1", "c1", "a2", "a3", "a4"]
        places = {job.position: job.key for job in jobs}
        assert [places[i] for i in range(1, 9)] == expected
        assert {job.status for job in jobs} == {"queued"}
    wait(queue, *jobs)
    assert record.done == expected


def test_who_joins_a_job_far_back_in_anothers_line_gets_it_at_the_own_turn(queue):
    record = Record()
    with held(queue):
        jobs = [queue.submit("a", "v", f"a{i}", record.of(f"a{i}")) for i in range(4)]
        assert queue.submit("b", "v", "a3", record.of("again")) is jobs[3]
        assert jobs[3].position == 2
    wait(queue, *jobs)
    assert record.done == ["a0", "a3", "a1", "a2"]


def test_the_same_work_is_done_once_while_it_waits_runs_and_is_remembered(queue):
    record, gate = Record(), threading.Event()

    def work(progress):
        record.done.append("x")
        assert gate.wait(LONG)
        return object()

    with held(queue):
        queued = queue.submit("a", "v", "x", work)
        assert queue.submit("b", "v", "x", work) is queued
        assert queue.submit("a", "v", "x", work) is queued
    until(lambda: queued.status == "running")
    assert queue.submit("c", "v", "x", work) is queued
    gate.set()
    wait(queue, queued)
    assert queue.submit("d", "v", "x", work) is queued
    assert record.done == ["x"]
    assert queue.submit("a", "v", "y", work) is not queued


def test_a_job_that_failed_is_tried_anew(queue):
    answers = [InputError("chr99 is not in the genome; see --fasta"), None]

    def work(progress):
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return "better"

    first = queue.submit("a", "v", "x", work)
    wait(queue, first)
    second = queue.submit("a", "v", "x", work)
    assert second is not first
    wait(queue, second)
    assert (first.status, first.reason, first.error) == ("failed", "input", "chr99 is not in the genome; see --fasta")
    assert (second.status, second.result) == ("done", "better")


@pytest.mark.parametrize("error", [RuntimeError("secret /srv/who"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_our_fault_is_logged_and_not_told_and_the_next_job_is_done(queue, caplog, error):
    def work(progress):
        raise error

    with caplog.at_level(logging.ERROR, "distal.web.jobs"):
        job = queue.submit("a", "score", "x", work)
        wait(queue, job)
    assert (job.status, job.reason) == ("failed", "fault")
    assert job.error == "score failed on the server, whose log says how; please report it"
    assert caplog.records[0].exc_info[1] is error
    record = Record()
    after = queue.submit("a", "score", "y", record.of("y"))
    wait(queue, after)
    assert after.result == "y"


def test_a_queued_job_that_is_cancelled_is_never_done(queue):
    record = Record()
    with held(queue):
        jobs = [queue.submit("a", "v", name, record.of(name)) for name in "xyz"]
        assert [job.position for job in jobs] == [1, 2, 3]
        assert queue.cancel(jobs[0].id, "a") is jobs[0]
        assert (jobs[0].status, jobs[0].reason) == ("cancelled", "cancelled")
        assert jobs[0].error == "the job was cancelled; ask for it again"
        assert [job.position for job in jobs] == [0, 1, 2]
        anew = queue.submit("a", "v", "x", record.of("x anew"))
        assert anew is not jobs[0]
    wait(queue, anew)
    assert record.done == ["y", "z", "x anew"]


def test_a_running_job_that_is_cancelled_has_ended_at_once_and_stops_at_its_next_step(queue):
    gate = Gate()
    job = queue.submit("a", "v", "x", gate)
    assert gate.begun.wait(LONG)
    gate.step()
    queue.cancel(job.id, "a")
    wait(queue, job)
    done, seconds = job.done, job.seconds
    assert job.status == "cancelled"
    record = Record()
    anew = queue.submit("a", "v", "x", record.of("anew"))
    assert anew is not job
    assert anew.status == "queued" or gate.stopped.is_set()
    gate.step()
    wait(queue, anew)
    assert gate.stopped.is_set()
    assert anew.result == "anew"
    assert (job.status, job.result, job.seconds) == ("cancelled", None, seconds)
    assert job.done - done <= 2


def test_what_work_returns_after_it_was_cancelled_is_thrown_away(queue):
    begun, gate = threading.Event(), threading.Event()

    def deaf(progress):
        begun.set()
        assert gate.wait(LONG)
        return "too late"

    job = queue.submit("a", "v", "x", deaf)
    assert begun.wait(LONG)
    queue.cancel(job.id, "a")
    gate.set()
    after = queue.submit("a", "v", "y", lambda progress: "y")
    wait(queue, after)
    assert (job.status, job.result) == ("cancelled", None)


def test_no_handler_in_the_work_holds_a_cancellation_up(queue):
    gate = Gate()

    def stubborn(progress):
        try:
            gate(progress)
        except Exception:
            return "went on"

    job = queue.submit("a", "v", "x", stubborn)
    assert gate.begun.wait(LONG)
    queue.cancel(job.id, "a")
    gate.step()
    after = queue.submit("a", "v", "y", lambda progress: "y")
    wait(queue, after)
    assert (job.status, job.result) == ("cancelled", None)
    assert not issubclass(Cancelled, Exception)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("runs", [True, False])
def test_a_shared_job_is_cancelled_only_when_all_have_cancelled(queue, order, runs):
    gate, record = Gate(), Record()
    with held(queue) as (blocker, blocking):
        job = queue.submit("a", "v", "x", gate)
        assert queue.submit("b", "v", "x", gate) is job
        if runs:
            queue.cancel(blocker.id, "somebody")
            blocking.step()
            assert gate.begun.wait(LONG)
        status = "running" if runs else "queued"
        assert queue.cancel(job.id, order[0]).status == status
        assert queue.cancel(job.id, order[0]).status == status  # again changes nothing
        assert queue.cancel(job.id, "a stranger").status == status
        assert queue.cancel(job.id, order[1]).status == "cancelled"
        gate.step()
    after = queue.submit("a", "v", "y", record.of("y"))
    wait(queue, after)
    assert gate.stopped.is_set() is runs


def test_who_cancels_a_shared_job_gives_up_the_place_in_the_line(queue):
    record = Record()
    with held(queue):
        jobs = [queue.submit("a", "v", f"a{i}", record.of(f"a{i}")) for i in range(3)]
        queue.submit("b", "v", "a2", record.of("a2"))
        assert jobs[2].position == 2
        queue.cancel(jobs[2].id, "b")
        assert jobs[2].position == 3
        queue.submit("b", "v", "a2", record.of("a2"))
        queue.cancel(jobs[2].id, "a")
        assert jobs[2].position == 2
    wait(queue, *jobs)
    assert record.done == ["a0", "a2", "a1"]


def test_one_of_a_clients_requests_may_leave_and_cancelling_withdraws_them_all(queue):
    with held(queue):
        job = queue.submit("a", "v", "x", Record().of("x"))
        queue.submit("a", "v", "x", Record().of("x"))
        assert queue.leave(job.id, "a").status == "queued"
        assert queue.leave(job.id, "stranger").status == "queued"
        assert queue.leave(job.id, "a").status == "cancelled"
        other = queue.submit("a", "v", "y", Record().of("y"))
        queue.submit("a", "v", "y", Record().of("y"))
        assert queue.cancel(other.id, "a").status == "cancelled"


def test_a_job_that_was_done_is_not_cancelled(queue):
    job = queue.submit("a", "v", "x", lambda progress: 1)
    wait(queue, job)
    assert queue.cancel(job.id, "a").status == "done"
    assert queue.leave(job.id, "a").status == "done"
    assert job.result == 1


def test_work_past_its_time_fails_and_says_so():
    def endless(progress):
        while True:
            progress()

    with Queue(Limits(seconds=0.05)) as queue:
        job = queue.submit("a", "mutagenesis", "x", endless)
        wait(queue, job)
        assert (job.status, job.reason) == ("failed", "time")
        assert job.error == "mutagenesis took longer than 0.05 s; ask for a smaller region or fewer tracks"
        assert job.seconds > 0.05
        after = queue.submit("a", "v", "y", lambda progress: "y")
        wait(queue, after)
        assert after.result == "y"


def test_the_clock_stands_still_while_others_are_let_in_between():
    job = Job("v", "k")
    assert job.seconds == 0
    job.start()
    job.pause()
    stood = job.seconds
    threading.Event().wait(0.01)
    assert job.seconds == stood
    job.resume()
    until(lambda: job.seconds > stood)
    job.end("done", "", "", None)
    assert job.seconds == job.seconds > stood


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


def test_without_such_verbs_all_wait_for_the_long_one(queue):
    record = Record()
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


def test_a_full_queue_says_so_and_what_is_there_can_still_be_joined():
    with Queue(Limits(queue=3, queue_per_client=2)) as queue, held(queue):
        record = Record()
        first = queue.submit("a", "v", "1", record.of("1"))
        queue.submit("a", "v", "2", record.of("2"))
        with pytest.raises(Busy, match="2 jobs of yours wait already, as many as may; try again when some have ended"):
            queue.submit("a", "v", "3", record.of("3"))
        assert queue.submit("a", "v", "1", record.of("1")) is first
        shared = queue.submit("b", "v", "4", record.of("4"))
        with pytest.raises(Busy, match="2 jobs of yours"):
            queue.submit("a", "v", "4", record.of("4"))  # its line is full, whoever asked for the job
        with pytest.raises(Busy, match="3 jobs wait already"):
            queue.submit("c", "v", "5", record.of("5"))
        assert queue.submit("c", "v", "4", record.of("4")) is shared
        queue.cancel(first.id, "a")
        again = queue.submit("c", "v", "5", record.of("5"))
        assert again.status == "queued"
        assert shared.askers == {"b": 1, "c": 1}


def test_a_refused_job_leaves_nothing_behind():
    with Queue(Limits(queue=1)) as queue:
        with held(queue):
            only = queue.submit("a", "v", "1", lambda progress: 1)
            for number in range(100):
                with pytest.raises(Busy):
                    queue.submit(f"client {number}", "v", f"{number} more", lambda progress: 1)
        wait(queue, only)
        assert [*queue._live, *queue._work, *queue._turns._lines] == []


def test_an_unknown_job_is_refused_with_a_sentence(queue):
    for ask in (queue.job, lambda id: queue.cancel(id, "a"), lambda id: queue.leave(id, "a")):
        with pytest.raises(Unknown, match=r"there is no job 'x{40}', or it ended long ago; ask for it again"):
            ask("x" * 1000)


def test_ended_jobs_are_forgotten_and_their_work_and_results_let_go():
    class Thing:
        def __call__(self, progress):
            return self

    with Queue(Limits(kept=2)) as queue:
        jobs, there = [], []
        for number in range(5):
            thing = Thing()
            there.append(weakref.ref(thing))
            jobs.append(queue.submit("a", "v", str(number), thing))
            wait(queue, jobs[-1])
        ids = [job.id for job in jobs]
        del jobs, thing
        for id in ids[:3]:
            with pytest.raises(Unknown):
                queue.job(id)
        until(lambda: gc.collect() == 0 and all(ref() is None for ref in there[:3]))
        assert [ref() is not None for ref in there] == [False, False, False, True, True]


def test_waiting_ends_with_its_time_and_with_the_job_for_all_who_wait(queue):
    async def scene(job, gate):
        assert await queue.finished(job, 0) is False
        assert await queue.finished(job, -1) is False
        assert await queue.finished(job, 0.01) is False
        waiters = [asyncio.create_task(queue.finished(job, LONG)) for _ in range(10)]
        left = asyncio.create_task(queue.finished(job, LONG))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        assert len(job.waiting) == 10
        gate.set()
        assert all(await asyncio.gather(*waiters))
        assert await queue.finished(job, 0) is True
        assert not job.waiting

    gate = threading.Event()
    job = queue.submit("a", "v", "x", lambda progress: gate.wait(LONG))
    asyncio.run(scene(job, gate))


def test_who_waits_on_a_loop_that_was_closed_holds_nobody_up(queue):
    gate = threading.Event()
    job = queue.submit("a", "v", "x", lambda progress: gate.wait(LONG))
    loop = asyncio.new_event_loop()
    job.waiting.add((loop, asyncio.Event()))
    loop.close()
    gate.set()
    wait(queue, job)
    assert job.status == "done"


def test_closing_cancels_all_and_ends_the_thread():
    queue, record = Queue(Limits()), Record()
    gate = Gate()
    running = queue.submit("a", "v", "x", gate)
    queued = queue.submit("b", "v", "y", record.of("y"))
    assert gate.begun.wait(LONG)

    async def close_while_some_wait():
        waiting = [asyncio.create_task(queue.finished(job, LONG)) for job in (running, queued)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(queue.close))
        assert await asyncio.gather(*waiting) == [True, True]
        gate.step()
        await closing

    asyncio.run(close_while_some_wait())
    assert gate.stopped.is_set()
    assert not queue._thread.is_alive()
    assert (running.status, queued.status, record.done) == ("cancelled", "cancelled", [])
    assert running.error == queued.error == "the server is closing; start it again and ask again"
    with pytest.raises(Busy, match="closing"):
        queue.submit("a", "v", "z", record.of("z"))
    queue.close()
    assert queue.job(running.id) is running


def test_closing_an_idle_queue_ends_its_thread_and_work_may_close_it():
    idle = Queue(Limits())
    idle.close()
    assert not idle._thread.is_alive()
    queue = Queue(Limits())
    job = queue.submit("a", "v", "x", lambda progress: queue.close())
    wait(queue, job)
    queue._thread.join(LONG)
    assert not queue._thread.is_alive()
    assert job.status == "cancelled"


@pytest.mark.parametrize("first", [(), ("look",)], ids=["one at a time", "with looks in between"])
def test_many_threads_at_once_leave_a_sound_queue(first):
    """Random clients that ask, join, leave, cancel and wait; in the end all has ended as it says."""
    limits = Limits(queue=12, queue_per_client=4, kept=20)
    ran, at_work, lock = [], [], threading.Lock()

    def work_of(key):
        def work(progress):
            with lock:
                at_work.append(key)
                assert len(at_work) <= (2 if first else 1)
            try:
                for _ in range(3):
                    progress()
            finally:
                with lock:
                    at_work.remove(key)
            ran.append(key)
            return key

        return work

    def client(seed, jobs, refused):
        draw = random.Random(seed)
        for _ in range(150):
            key = str(draw.randrange(30))
            try:
                job = queue.submit(f"c{seed % 4}", draw.choice(["look", "long"]), key, work_of(key))
            except Busy as error:
                refused.append(error)
                continue
            jobs.append(job)
            chance = draw.random()
            try:
                if chance < 0.3:
                    queue.cancel(job.id, f"c{draw.randrange(4)}")
                elif chance < 0.6:
                    queue.leave(job.id, f"c{seed % 4}")
                elif chance < 0.7:
                    asyncio.run(queue.finished(job, 0.001))
            except Unknown:
                assert job.ended

    with Queue(limits, first) as queue:
        jobs, refused = [], []
        threads = [threading.Thread(target=client, args=(seed, jobs, refused)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait(queue, *jobs)
        assert [*queue._live, *queue._work, *queue._turns._lines] == []
        assert len(queue._kept) <= 20
        assert queue._kept.bytes == sum(size for _, size, _ in queue._kept._jobs.values())
    assert {job.status for job in jobs} <= {"done", "cancelled"}
    assert all(job.result == (job.key if job.status == "done" else None) for job in jobs)
    assert {job.key for job in jobs if job.status == "done"} <= set(ran)
    assert len(jobs) + len(refused) == 8 * 150
