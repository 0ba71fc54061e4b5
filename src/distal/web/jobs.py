"""Work that takes turns: a queue that is fair between clients, with progress, limits and cancelling; knows no biology.

One thread does all the work, for there is one model. Clients take turns, however many jobs they have: who asks for one
waits for the one that runs and at most one of each other client. The same work (the same key) is done once for all who
ask for it, and stops only when all of them have cancelled.

Verbs in `first` (a look at a region, that a person waits for) needn't wait until a long job of another verb ends: one
of them is done between its steps, on the same thread, so that at worst the two share it. Work has to call its progress
where it holds no lock and has nothing open that changes what the model does (autocast, hooks).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from distal.errors import InputError
from distal.web.job import Job, Reason, Status
from distal.web.kept import Kept, weight
from distal.web.limits import Limits
from distal.web.turns import Turns

__all__ = ["Busy", "Cancelled", "Job", "Progress", "Queue", "Unknown", "Work"]

_LOG = logging.getLogger(__name__)
_CLOSING = "the server is closing; start it again and ask again"
_CANCELLED = "the job was cancelled; ask for it again"


class Busy(InputError):  # noqa: N818 (the server's state, not an error of the program)
    """There is no room for another job now; the sentence says whose room is full."""


class Unknown(InputError):  # noqa: N818
    """No job has this id, or it was forgotten."""


class Cancelled(BaseException):
    """Raised inside work that nobody wants any more, or that ran past its time. No ``except Exception`` stops it."""


class Progress:
    """What work calls as it goes on. Both ways to call it raise `Cancelled` where the work has to stop."""

    def __init__(self, job: Job, step: Callable[[Job], None]) -> None:
        self._job, self._step = job, step

    def total(self, n: int) -> None:
        """Say how many steps there are."""
        self._job.total = n
        self._step(self._job)

    def __call__(self, n: int = 1) -> None:
        """Say that `n` more steps are done."""
        self._job.done += n
        self._step(self._job)


Work = Callable[[Progress], Any]


class Queue:
    """Jobs of many clients, and the thread that does them. Every method may be called from any thread."""

    def __init__(self, limits: Limits, first: Collection[str] = ()) -> None:
        self._limits, self._first = limits, frozenset(first)
        self._changed = threading.Condition()
        self._turns: Turns[Job] = Turns()
        self._live: dict[str, Job] = {}  # by id: queued and running
        self._work: dict[str, Work] = {}  # by id: queued
        self._kept = Kept(limits)
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="distal jobs", daemon=True)
        self._thread.start()

    def submit(self, client: str, verb: str, key: str, work: Work) -> Job:
        """Ask for the work that `key` names: the job that does it or has done it, or a new one.

        A job that failed, was cancelled or has no result is tried anew. Raises `Busy` where the queue or the client's
        part of it is full, or the server is closing.
        """
        with self._changed:
            job = self._kept.done(key)
            if job is not None:
                return job
            if self._closed:
                raise Busy(_CLOSING)
            job = next((live for live in self._live.values() if live.key == key), None)
            if job is None:
                self._room(len(self._work), self._limits.queue, "")
            if job is None or (job.status == "queued" and client not in job.askers):
                self._room(self._turns.waiting(client), self._limits.queue_per_client, " of yours")
                job = job or self._new(verb, key, work)
                self._turns.add(client, job)
            job.askers[client] += 1
            self._number()
            self._changed.notify_all()
            return job

    def job(self, id: str) -> Job:
        """The job of this id. Raises `Unknown`."""
        with self._changed:
            job = self._live.get(id) or self._kept.job(id)
        if job is None:
            raise Unknown(f"there is no job {id[:40]!r}, or it ended long ago; ask for it again")
        return job

    def cancel(self, id: str, client: str) -> Job:
        """Withdraw all that a client asked of a job, which stops when no other client wants it. Raises `Unknown`.

        Nothing changes where the client never asked for the job, or the job has ended.
        """
        return self._withdraw(id, client, lambda asked: asked)

    def leave(self, id: str, client: str) -> Job:
        """Withdraw one of a client's requests, as when its connection ended; its others may still want the job."""
        return self._withdraw(id, client, lambda asked: 1)

    async def finished(self, job: Job, seconds: float) -> bool:
        """Wait until the job ends, at most `seconds`; whether it has ended."""
        waiter = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            if job.ended:
                return True
            job.waiting.add(waiter)
        try:
            await asyncio.wait_for(waiter[1].wait(), max(seconds, 0.0))
        except TimeoutError:
            return job.ended
        finally:
            with self._changed:
                job.waiting.discard(waiter)
        return True

    def close(self) -> None:
        """Cancel all jobs and wait for the thread to end, which it does after the step that it is at."""
        with self._changed:
            self._closed = True
            for job in list(self._live.values()):
                self._ended(job, 0, "cancelled", "cancelled", _CLOSING)
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while (taken := self._next()) is not None:
            self._run(*taken)
            del taken  # or the job's result would stay until the next one comes

    def _next(self) -> tuple[Job, Work] | None:
        with self._changed:
            while not self._closed:
                taken = self._take(lambda job: True)
                if taken is not None:
                    return taken
                self._changed.wait()
        return None

    def _run(self, job: Job, work: Work) -> None:
        try:
            result = work(Progress(job, self._step))
        except Cancelled:
            self._end(job, "cancelled", "cancelled", _CANCELLED)
        except InputError as error:
            self._end(job, "failed", "input", str(error))
        except BaseException:  # whatever it is, the others' work goes on
            _LOG.exception("%s failed", job)
            self._end(job, "failed", "fault", f"{job.verb} failed on the server, whose log says how; please report it")
        else:
            self._end(job, "done", result=result)

    def _step(self, job: Job) -> None:
        with self._changed:
            self._go_on(job)
            if job.verb in self._first or threading.current_thread() is not self._thread:
                return
            taken = self._take(lambda other: other.verb in self._first)
            if taken is None:
                return
            job.pause()
        self._run(*taken)
        with self._changed:
            self._go_on(job)
            job.resume()

    def _end(self, job: Job, status: Status, reason: Reason = "", error: str = "", result: Any = None) -> None:
        size = weight(result)  # without the lock, because it takes a while
        with self._changed:
            self._ended(job, size, status, reason, error, result)

    # What follows is called with the lock held.

    def _room(self, there: int, most: int, whose: str) -> None:
        if there >= most:
            raise Busy(f"{there} jobs{whose} wait already, as many as may; try again when some have ended")

    def _new(self, verb: str, key: str, work: Work) -> Job:
        job = Job(verb, key)
        self._live[job.id], self._work[job.id] = job, work
        return job

    def _number(self) -> None:
        for position, job in enumerate(self._turns.order(), 1):
            job.position = position

    def _take(self, wanted: Callable[[Job], bool]) -> tuple[Job, Work] | None:
        job = self._turns.take(wanted)
        if job is None:
            return None
        job.start()
        self._number()
        return job, self._work.pop(job.id)

    def _go_on(self, job: Job) -> None:
        """Raise `Cancelled` where the job must not."""
        if job.seconds > self._limits.seconds:
            late = f"{job.verb} took longer than {self._limits.seconds:g} s; ask for a smaller region or fewer tracks"
            self._ended(job, 0, "failed", "time", late)
        if job.ended:
            raise Cancelled

    def _withdraw(self, id: str, client: str, much: Callable[[int], int]) -> Job:
        job = self.job(id)
        with self._changed:
            if job.ended or client not in job.askers:
                return job
            job.askers[client] -= much(job.askers[client])
            if job.askers[client] == 0:
                del job.askers[client]
                self._turns.drop(job, client)
            if not job.askers:
                self._ended(job, 0, "cancelled", "cancelled", _CANCELLED)
            self._number()
        return job

    def _ended(self, job: Job, size: int, status: Status, reason: Reason, error: str, result: Any = None) -> None:
        """The end of a job, unless it has ended before, as when work goes on for a while after it was cancelled."""
        if not job.ended:
            job.end(status, reason, error, result)
            self._turns.drop(job)
            self._live.pop(job.id)
            self._work.pop(job.id, None)
            self._kept.add(job, size)
