"""Which worker gets which item, until each item has its result, while workers come and go; knows no machine.

A `Team` is the workers of one run, on whatever they live. `Schedule` gives each at most `AHEAD` items, one to work on
and one so that it need not wait for the next, and takes answers in the order in which it gave the items. Any item that
a lost worker held may have killed it. Such a suspect is given to a worker that has, and gets, nothing else, so that the
innocent are soon done and the guilty one is known: it fails when `RETRIES` + 1 workers were lost with it.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from distal.errors import InputError

RETRIES = 2
"""How often an item whose worker was lost is given to another; how often a worker that is lost idle is replaced."""

AHEAD = 2
"""Items that a worker has at once."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Applies a function to many items on several workers, each of which sets it up once."""

    @property
    def workers(self) -> int:
        """How many workers are asked for."""

    def map(
        self, setup: Callable[[int], Callable[[Item], Result]], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Each item with its result, in any order.

        `setup(worker)`, worker = 0, 1, ... `workers` - 1, runs once in each worker and again in one that replaces it.
        It returns the function. `setup`, items and results are pickled where workers are processes. `items` is
        consumed lazily: never more than `AHEAD` a worker are without a result. Where the function returns a `Future`
        (something is still being written) its result is the item's, and a local worker takes up the next item before
        it waits for it.

        An `InputError` is raised as it is; an item at which the function raises something else twice, or that
        `RETRIES` + 1 workers were lost with, raises `ItemFailedError`; `SetupFailedError` when no worker is left.
        However the generator ends, so do the workers; they also end when this process is killed.
        """


class ItemFailedError(RuntimeError):
    """There is no result for `item`; `reason` is the traceback of the function, or how its workers were lost."""

    def __init__(self, item: Any, reason: str) -> None:
        super().__init__(item, reason)
        self.item = item
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.item!s:.300} failed: {self.reason}"


class SetupFailedError(RuntimeError):
    """Not one worker could be set up or kept."""


@dataclass(frozen=True)
class Ready:
    """A worker is set up."""


@dataclass(frozen=True)
class Done:
    """The result of the oldest item that a worker had."""

    result: Any


@dataclass(frozen=True)
class Wrong:
    """The setup, or the function at that item, found the user's input wrong."""

    error: InputError


@dataclass(frozen=True)
class Failed:
    """The setup, or the function at that item, raised anything else; the traceback."""

    text: str


@dataclass(frozen=True)
class Lost:
    """A worker is no more."""

    reason: str


Answer: TypeAlias = Ready | Done | Wrong | Failed | Lost


def answered(function: Callable[[Any], Any], item: Any) -> Done | Wrong | Failed:
    """`function(item)`, tried twice, as a worker tells it."""
    try:
        return Done(tried(function, item))
    except InputError as error:
        return Wrong(error)
    except Exception:
        return Failed(traceback.format_exc())


def tried(function: Callable[[Item], Result], item: Item) -> Result:
    """`function(item)`; once more when it raises what is not the user's fault: disks and devices have bad moments."""
    try:
        return function(item)
    except InputError:
        raise
    except Exception:
        return function(item)


def settled(answer: Done | Wrong | Failed) -> Done | Wrong | Failed:
    """The answer itself, or what came of the future that it holds."""
    if isinstance(answer, Done) and isinstance(answer.result, Future):
        return answered(Future.result, answer.result)
    return answer


class Team(Protocol):
    """The workers of one run, by number."""

    def start(self, worker: int) -> None:
        """Ask for a worker, or for a new one where it was lost; its first answer is `Ready`, `Wrong` or `Failed`."""

    def give(self, worker: int, item: Any) -> None:
        """Send an item to a worker that is ready, whether it still lives or not."""

    def wait(self) -> Iterable[tuple[int, Answer]]:
        """What workers answer next, at least one of them; a worker's answers come in the order of its items."""

    def end(self, worker: int) -> None:
        """End a worker; one that is `Lost` has ended."""

    def stop(self) -> None:
        """End every worker, at once."""


@dataclass(eq=False)
class Task(Generic[Item]):
    """An item on its way, and how many workers were lost with it."""

    item: Item
    losses: int = 0


class Schedule(Generic[Item]):
    """One run of `items` through a team of up to `workers`."""

    def __init__(self, team: Team, workers: int, items: Iterable[Item]) -> None:
        self._team = team
        self._stream = iter(items)
        self._first = deque(islice(self._stream, workers))
        self._hopes = len(self._first)  # workers that live or may yet come: no more than there are items
        self._suspects: deque[Task[Item]] = deque()
        self._given: dict[int, deque[Task[Item]]] = {}  # what each worker that is ready has, oldest first
        self._idle_losses: Counter[int] = Counter()

    def run(self) -> Generator[tuple[Item, Any], None, None]:
        """Each item with its result."""
        try:
            for worker in range(self._hopes):
                self._team.start(worker)
            while self._first or self._suspects or any(self._given.values()):
                for worker, answer in self._team.wait():
                    done = self._heard(worker, answer)
                    self._feed()
                    if done is not None:
                        yield done
        finally:
            self._team.stop()

    def _feed(self) -> None:
        for has in range(AHEAD):  # first everyone's first
            for worker, given in self._given.items():
                if len(given) == has and self._may_have_more(given) and (task := self._next()) is not None:
                    given.append(task)
                    self._team.give(worker, task.item)

    def _may_have_more(self, given: deque[Task[Item]]) -> bool:
        return not given or not (self._suspects or given[0].losses)

    def _next(self) -> Task[Item] | None:
        if self._suspects:
            return self._suspects.popleft()
        if self._first:
            return Task(self._first.popleft())
        for item in self._stream:
            return Task(item)
        return None

    def _heard(self, worker: int, answer: Answer) -> tuple[Item, Any] | None:
        match answer:
            case Ready():
                self._given[worker] = deque()
            case Done(result):
                self._idle_losses[worker] = 0
                return self._given[worker].popleft().item, result
            case Wrong(error):
                raise error
            case Failed(text) if worker in self._given:
                raise ItemFailedError(self._given[worker][0].item, text)
            case Failed(text):
                self._team.end(worker)
                self._give_up(worker, text)
            case Lost(reason):
                self._lost(worker, reason)
        return None

    def _lost(self, worker: int, reason: str) -> None:
        tasks = self._given.pop(worker, deque())
        for task in tasks:
            task.losses += 1
            if task.losses > RETRIES:
                raise ItemFailedError(task.item, f"{task.losses} workers were lost with it, the last one: {reason}")
        self._suspects.extend(tasks)
        if not tasks:
            self._idle_losses[worker] += 1
        if self._idle_losses[worker] > RETRIES:
            self._give_up(worker, reason)
        else:
            _log.warning("worker %d is replaced: %s", worker, reason)
            self._team.start(worker)

    def _give_up(self, worker: int, reason: str) -> None:
        self._hopes -= 1
        if not self._hopes:
            raise SetupFailedError(f"no worker is left; worker {worker}, the last: {reason}")
        _log.warning("worker %d is not replaced: %s", worker, reason)
