"""Work that stands still until it is let on, and waiting for jobs; tests of the queue share it."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

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
