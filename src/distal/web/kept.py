"""Jobs that have ended, remembered for a while: by number, memory and age; runs nothing."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from distal.web.job import Job
from distal.web.limits import Limits


class Kept:
    """The jobs that ended or were asked for last, within the limits. Not safe for threads: its owner has a lock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[str, tuple[Job, int, float]] = {}  # id -> job, bytes, last asked for; the oldest on top
        self._ids: dict[str, str] = {}  # key -> the id of the job that has done it
        self.bytes = 0
        """Memory of all results."""

    def add(self, job: Job, size: int) -> None:
        """Remember a job whose result has `size` bytes, whatever they are, and forget what is too old or too much."""
        self.bytes += size
        self._jobs[job.id] = job, size, time.monotonic()
        if job.status == "done" and job.result is not None:
            self._ids[job.key] = job.id
        self.forget()

    def job(self, id: str) -> Job | None:
        """The job of this id, which is now the last asked for."""
        self.forget()
        if id not in self._jobs:
            return None
        job, size, _ = self._jobs.pop(id)
        self._jobs[id] = job, size, time.monotonic()
        return job

    def done(self, key: str) -> Job | None:
        """The job that did this work, which is now the last asked for.

        Work without a result did something elsewhere, which may be undone by now: it is not remembered.
        """
        return self.job(self._ids.get(key, ""))

    def forget(self) -> None:
        """Let go of what is too old, and of the oldest of what is too much."""
        newest = time.monotonic() - self._limits.kept_seconds
        while self._jobs:
            job, size, asked = next(iter(self._jobs.values()))
            many = len(self._jobs) > self._limits.kept or (len(self._jobs) > 1 and self.bytes > self._limits.kept_bytes)
            if asked >= newest and not many:
                return
            del self._jobs[job.id]
            self.bytes -= size
            if self._ids.get(job.key) == job.id:
                del self._ids[job.key]

    def __len__(self) -> int:
        return len(self._jobs)


def weight(result: Any) -> int:
    """Bytes that a result holds in memory, about: arrays, and what is in dataclasses, mappings and sequences.

    An object of another kind counts for itself alone.
    """
    if isinstance(result, np.ndarray):
        return sys.getsizeof(0) + result.nbytes
    if isinstance(result, (str, bytes, int, float, type(None))):
        return sys.getsizeof(result)
    if isinstance(result, Mapping):
        return sys.getsizeof(result) + sum(weight(key) + weight(value) for key, value in result.items())
    if isinstance(result, (list, tuple, set, frozenset)):
        return sys.getsizeof(result) + sum(map(weight, result))
    if dataclasses.is_dataclass(result):
        return sys.getsizeof(result) + sum(weight(getattr(result, one.name)) for one in dataclasses.fields(result))
    return sys.getsizeof(result)
