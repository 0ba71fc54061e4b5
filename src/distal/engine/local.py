"""Workers that are processes of this machine; knows pipes and signals, not what is computed.

Processes are spawned, never forked: a forked child inherits locks of threads that it doesn't have. Each has a pipe of
its own; a thread in it does nothing but read, so neither side ever waits for the other to read, and the worker notices
at once, whatever it is computing, when the pipe closes because its parent is done or dead.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from queue import Queue, SimpleQueue
from threading import Thread
from traceback import format_exc
from typing import Any, ClassVar

from distal.engine.schedule import (
    Answer,
    Done,
    Failed,
    Item,
    ItemFailedError,
    Lost,
    Ready,
    Result,
    Schedule,
    Wrong,
    answered,
    settled,
)
from distal.errors import InputError

_SECONDS_TO_END = 1.0
"""How long a process whose pipe has closed may take to end by itself."""


@dataclass(frozen=True)
class LocalEngine:
    """One worker in this process, or several processes on this machine.

    Each of several is told to use `threads` threads for arithmetic (OMP_NUM_THREADS, MKL_NUM_THREADS); None shares the
    machine's cores out among them. A single one lives in this process and takes it as it is. A script that asks for
    several must be importable: its work stands under ``if __name__ == "__main__":``.
    """

    workers: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("workers", self.workers), ("threads", self.threads)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; it must be 1 or more")

    def map(
        self, setup: Callable[[int], Callable[[Item], Result]], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """As `Engine.map`; with one worker nothing is pickled and items come in order."""
        if self.workers == 1:
            return _here(setup, items)
        threads = self.threads or max(1, (os.cpu_count() or 1) // self.workers)
        variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        return _elsewhere(setup, items, self.workers, variables)


def _here(
    setup: Callable[[int], Callable[[Item], Result]], items: Iterable[Item]
) -> Generator[tuple[Item, Result], None, None]:
    function = None
    last: list[tuple[Item, Done | Wrong | Failed]] = []
    for item in items:
        function = function or setup(0)
        answer = answered(function, item)
        yield from _told(last)
        last = [(item, answer)]
    yield from _told(last)


def _told(last: list[tuple[Item, Done | Wrong | Failed]]) -> Generator[tuple[Item, Any], None, None]:
    """The results of items that were answered, once they are there."""
    for item, answer in last:
        match settled(answer):
            case Done(result):
                yield item, result
            case Wrong(error):
                raise error
            case Failed(text):
                raise ItemFailedError(item, text)


def _elsewhere(
    setup: Callable[[int], Callable[[Item], Result]], items: Iterable[Item], workers: int, variables: Mapping[str, str]
) -> Generator[tuple[Item, Result], None, None]:
    yield from Schedule(_Processes(setup, variables), workers, items).run()


class _Processes:
    """The team of one run: a process and our end of its pipe for each worker."""

    def __init__(self, setup: Callable[[int], Callable[[Any], Any]], variables: Mapping[str, str]) -> None:
        self._setup = setup
        self._variables = variables
        self._running: dict[int, tuple[SpawnProcess, Connection]] = {}

    def start(self, worker: int) -> None:
        ours, theirs = connection.Pipe()
        process = get_context("spawn").Process(target=_work, args=(theirs, worker), daemon=True)
        with environment(self._variables), _interrupts_held(), closing(theirs):
            process.start()
        self._running[worker] = process, ours
        with suppress(OSError):  # it is dead already: `wait` sees that
            ours.send_bytes(_Pickled.dumps(self._setup))

    def give(self, worker: int, item: Any) -> None:
        with suppress(OSError):  # as above
            self._running[worker][1].send_bytes(_Pickled.dumps(item))

    def wait(self) -> Iterator[tuple[int, Answer]]:
        ready = set(connection.wait([pipe for _, pipe in self._running.values()]))
        for worker in [worker for worker, (_, pipe) in self._running.items() if pipe in ready]:
            yield worker, self._answer(worker)

    def _answer(self, worker: int) -> Answer:
        process, pipe = self._running[worker]
        try:
            answer: Answer = _Pickled.loads(pipe.recv_bytes())
        except (EOFError, OSError):  # OSError: it died while it wrote
            process.join(_SECONDS_TO_END)
            reason = _death(process.exitcode)
            self.end(worker)
            return Lost(reason)
        return answer

    def end(self, worker: int) -> None:
        process, pipe = self._running.pop(worker)
        pipe.close()
        process.kill()
        process.join()
        process.close()

    def stop(self) -> None:
        for process, _ in self._running.values():
            process.kill()
        for worker in list(self._running):
            self.end(worker)


def _death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"its process ended (exit code {code})"
    return f"its process was killed ({signal.Signals(-code).name}); a computer short of memory does that"


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for what starts in this block: processes have them from birth, libraries read them when loaded."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that start in this block never see Ctrl-C, for their parent ends them; we see it after the block."""
    resource_tracker.ensure_running()  # would lift the block if it had to be started inside
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, worker: int) -> None:
    """The life of a worker process: the setup comes first, then items, until the pipe closes."""
    inbox: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    setup = inbox.get()
    made = answered(lambda worker: _Pickled.loads(setup)(worker), worker)
    _tell(pipe, Ready() if isinstance(made, Done) else made)
    outbox: Queue[Done | Wrong | Failed] = Queue()
    Thread(target=_send, args=(pipe, outbox), daemon=True).start()
    while isinstance(made, Done):
        answer = answered(_of_pickled(made.result), inbox.get())
        outbox.put(answer)
        if not (isinstance(answer, Done) and isinstance(answer.result, Future)):
            outbox.join()  # what is known is told before the next item can kill this process


def _send(pipe: Connection, outbox: Queue[Done | Wrong | Failed]) -> None:
    while True:
        _tell(pipe, settled(outbox.get()))
        outbox.task_done()


def _of_pickled(function: Callable[[Any], Any]) -> Callable[[bytes], Any]:
    return lambda item: function(_Pickled.loads(item))


def _receive(pipe: Connection, inbox: SimpleQueue[bytes]) -> None:
    while True:
        try:
            inbox.put(pipe.recv_bytes())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGKILL)


def _tell(pipe: Connection, answer: Answer) -> None:
    try:
        message = _Pickled.dumps(answer)
    except Exception:
        message = _Pickled.dumps(Failed(f"its result cannot be sent to another process\n{format_exc()}"))
    with suppress(OSError):  # nobody listens any more: `_receive` ends us
        pipe.send_bytes(message)


class _Pickled(ForkingPickler):
    """Things as bytes that anyone can read at any time: torch teaches `ForkingPickler` to send tickets to memory of the
    sender instead, which can be used once, only while it lives, and fill /dev/shm.
    """

    _extra_reducers: ClassVar[dict[Any, Any]] = {}
