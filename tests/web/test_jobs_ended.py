"""Jobs that end before they are done: cancelled where they wait and where they run, or past their time."""

import threading

import pytest
from tests.web.gates import LONG, Gate, Record, held, until, wait

from distal.web.job import Job
from distal.web.jobs import Cancelled, Queue
from distal.web.limits import Limits


@pytest.fixture
def queue():
    with Queue(Limits()) as queue:
        yield queue


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
