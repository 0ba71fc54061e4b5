"""The queue: fair between clients, the same work once, bounded, closed."""

import asyncio
import gc
import logging
import random
import threading
import weakref

import pytest
from tests.web.gates import LONG, Gate, Record, held, until, wait

from distal.errors import InputError
from distal.web.jobs import Busy, Queue, Unknown
from distal.web.limits import Limits


@pytest.fixture
def queue():
    with Queue(Limits()) as queue:
        yield queue


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
