"""One piece of work, as a client may see it: its state, and those who want it; does nothing and knows no queue."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from secrets import token_hex
from typing import Any, Literal

Status = Literal["queued", "running", "done", "failed", "cancelled"]
Reason = Literal["", "input", "time", "cancelled", "fault"]


class Job:
    """Work of one verb. `key` says everything that its result depends on. Only the queue changes a job.

    `position` is 1 for the next of those queued, and 0 for jobs that aren't queued. `done` counts steps, `total` is
    None until the work has said it. `error` is a sentence where `status` is ``failed`` or ``cancelled``, and `reason`
    says whose doing that was: the ``input``'s, the ``time`` limit's, that of all who asked (``cancelled``) or ours
    (``fault``). `result` is what the work returned, None until it is done.
    """

    def __init__(self, verb: str, key: str) -> None:
        self.id = token_hex(12)
        self.verb = verb
        self.key = key
        self.status: Status = "queued"
        self.position = 0
        self.done = 0
        self.total: int | None = None
        self.error = ""
        self.reason: Reason = ""
        self.result: Any = None
        self.askers: Counter[str] = Counter()
        """Client -> how many of its requests want the job."""
        self.waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        """Those who are told of the job's end."""
        self._since: float | None = None
        self._seconds = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing about the job will change any more."""
        return self.status in ("done", "failed", "cancelled")

    @property
    def seconds(self) -> float:
        """How long the job has run, without the time in which others ran instead."""
        since = self._since
        return self._seconds + (time.monotonic() - since if since is not None else 0.0)

    def start(self) -> None:
        """The job is not queued any more, but running."""
        self.status, self.position = "running", 0
        self.resume()

    def resume(self) -> None:
        """The job's clock runs from now on."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """The job's clock stands still from now on."""
        self._seconds, self._since = self.seconds, None

    def end(self, status: Status, reason: Reason, error: str, result: Any) -> None:
        """Nothing changes after this; whoever waits is told."""
        self.pause()
        self.result, self.error, self.reason, self.position = result, error, reason, 0
        self.status = status  # last: who sees the end without a lock sees all of it
        for loop, event in self.waiting:
            with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
                loop.call_soon_threadsafe(event.set)
        self.waiting.clear()

    def __repr__(self) -> str:
        return f"Job({self.id}, {self.verb}, {self.status})"
