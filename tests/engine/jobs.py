"""Functions for workers, as engines need them: frozen dataclasses that pickle; items are integers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from distal.errors import InputError

Function = Callable[[int], int]


@dataclass(frozen=True)
class Square:
    """item² after `seconds`; notes in `folder`, if any, which process was set up as which worker."""

    seconds: float = 0.0
    folder: Path | None = None

    def __call__(self, worker: int) -> Function:
        if self.folder is not None:
            (self.folder / f"{os.getpid()}").write_text(f"{worker} {os.environ.get('OMP_NUM_THREADS')}")
        return self._square

    def _square(self, item: int) -> int:
        if self.seconds:
            time.sleep(self.seconds)
        return item * item


@dataclass(frozen=True)
class Deadly:
    """Kills its process at the item `at`, the first `times` times (counted in `folder`); otherwise item²."""

    folder: Path
    at: int
    times: int = 1

    def __call__(self, worker: int) -> Function:
        return self._square

    def _square(self, item: int) -> int:
        if item == self.at and once_more(self.folder) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item


@dataclass(frozen=True)
class Raising:
    """Raises at the item 3, the first `times` times (counted in `folder`); otherwise item²."""

    folder: Path
    times: int
    error: Exception

    def __call__(self, worker: int) -> Function:
        return self._square

    def _square(self, item: int) -> int:
        if item == 3 and once_more(self.folder) <= self.times:
            raise self.error
        return item * item


@dataclass(frozen=True)
class BadSetup:
    """A setup that raises `error` in the workers `workers`, or where there is none kills its process."""

    workers: tuple[int, ...]
    error: Exception | None = None

    def __call__(self, worker: int) -> Function:
        if worker not in self.workers:
            return Square(0.02)(worker)
        if self.error is not None:
            raise self.error
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@dataclass(frozen=True)
class Unsendable:
    """Its results cannot be pickled."""

    def __call__(self, worker: int) -> Callable[[int], object]:
        return lambda item: threading.Lock()


def once_more(folder: Path) -> int:
    """How often this was called with `folder`, by whichever process: a file for each time."""
    (folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    return len(list(folder.iterdir()))


@dataclass(frozen=True)
class Behind:
    """Kills its process at the item `at`, always, a while after the item before it was begun but not yet finished."""

    at: int

    def __call__(self, worker: int) -> Callable[[int], Future[int]]:
        writer = ThreadPoolExecutor(1)

        def work(item: int) -> Future[int]:
            if item == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return writer.submit(Square(0.05)._square, item)

        return work


WRONG = InputError("line 3 of v.vcf is wrong; mend it")


@dataclass(frozen=True)
class Later:
    """item² as a future that is kept back for `seconds`, and raises at the item `wrong`; notes starts in `folder`."""

    folder: Path
    seconds: float = 0.0
    wrong: int = -1

    def __call__(self, worker: int) -> Callable[[int], Future[int]]:
        writer = ThreadPoolExecutor(1)

        def work(item: int) -> Future[int]:
            (self.folder / f"started{item}").touch()
            return writer.submit(self._finish, item)

        return work

    def _finish(self, item: int) -> int:
        time.sleep(self.seconds)
        if item == self.wrong:
            raise OSError("no space left")
        (self.folder / f"saw{item}").write_text(str(any((self.folder / f"started{item + i}").exists() for i in (1, 2))))
        return item * item
