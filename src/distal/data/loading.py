"""The batch of every step of a run, made before it is asked for; knows what a step sees, not what it does with it.

A batch is a pure function of the step's number, so it is the same whoever makes it and however many make batches at
once. They are made by threads: reading, decompressing, turning and stacking let go of the interpreter's lock, so the
thread that feeds the device keeps it, and what they make need not be copied to anyone (`python -m bench.loader`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

from distal.coords import Window
from distal.data.dataset import Targets
from distal.data.mixture import Drawn, Mixture
from distal.dna import Codes

AHEAD = 2
"""Batches that each worker has made, or is making."""

S = TypeVar("S")
T = TypeVar("T")


class Batch(NamedTuple):
    """What one step of one process learns from."""

    number: int
    """The step; the first is 1."""
    head: str
    draws: list[Drawn]
    codes: Codes
    """uint8 [batch, input_bp]."""
    targets: Targets
    """float32 [batch, bins, tracks]."""


@dataclass(frozen=True, eq=False)
class Feed:
    """What each step of a run sees: the heads take turns, and processes share the examples of a turn."""

    heads: Mapping[str, Mixture]
    window: Window
    """What the model sees of a stored window."""
    seed: int
    batch: int
    """Examples that a process sees in a step."""
    rank: int = 0
    """Which of `world` processes this is. Together they see what one process with `world` times the batch sees."""
    world: int = 1

    def draws(self, number: int) -> tuple[str, list[Drawn]]:
        """Head and examples of step `number` (the first is 1)."""
        turn, place = divmod(number - 1, len(self.heads))
        head = list(self.heads)[place]
        first = (turn * self.world + self.rank) * self.batch
        positions = range(first, first + self.batch)
        return head, [self.heads[head].draw(self.window, (self.seed, head), position) for position in positions]

    def __call__(self, number: int) -> Batch:
        """The batch of step `number`."""
        head, draws = self.draws(number)
        return Batch(number, head, draws, *self.heads[head].batch(self.window, draws))


def ahead(make: Callable[[S], T], items: Iterable[S], workers: int) -> Generator[T, None, None]:
    """``make(item)`` for each item, in their order, made by `workers` threads before it is asked for.

    Never more than `AHEAD` a worker are there or on their way, and items are taken no sooner; with no workers each is
    made when it is asked for. What `make` raises is raised where its result would have come. Close the generator to
    end the workers early.
    """
    if not workers:
        yield from map(make, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    try:
        rest = iter(items)
        waiting = deque(pool.submit(make, item) for item in islice(rest, AHEAD * workers))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(make, item) for item in islice(rest, 1))
            yield made
    finally:
        pool.shutdown(cancel_futures=True)
