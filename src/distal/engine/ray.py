"""Workers that are Ray actors, on this machine or a cluster; the only file that knows Ray.

Ray places actors and tells that one is lost. Which item goes where, and what is done again, is `schedule`'s: an item is
only given to an actor that is ready, so an actor that Ray has no room for keeps nothing waiting.
"""

from __future__ import annotations

import math
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from distal.engine.local import environment
from distal.engine.schedule import Answer, Done, Failed, Item, Lost, Ready, Result, Schedule, answered, settled
from distal.errors import InputError

STORE_BYTES = 2 << 30
"""Memory that a Ray of our own may fill with the setup and with results on their way; what lies beyond goes to disk."""

_SECONDS_TO_ANSWER = 10.0

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # on every system, what makes Ray stay on 127.0.0.1


@dataclass(frozen=True)
class RayEngine:
    """Up to `workers` actors, each with `cpus` processors (its threads for arithmetic) and `gpus` GPUs.

    `address` is that of a running cluster (``host:6379``, or ``auto`` for the one of this machine), on whose machines
    distal is installed; "" starts a Ray of our own on this machine that only this machine can reach, and ends it with
    the run. A process that is connected to Ray already uses that. Work goes on as long as one actor lives; one that is
    lost is asked for again but not waited for.
    """

    workers: int = 2
    address: str = ""
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers is {self.workers}; it must be 1 or more")
        if self.cpus < 0 or self.gpus < 0:
            raise InputError(f"a worker cannot have {min(self.cpus, self.gpus)} processors; give 0 or more")

    def map(
        self, setup: Callable[[int], Callable[[Item], Result]], items: Iterable[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """As `Engine.map`. Arrays in items and results may be read-only, for Ray shares them between processes."""
        with self._connected() as ray:
            self._check_room(ray)
            yield from Schedule(_Actors(ray, setup, self.cpus, self.gpus), self.workers, items).run()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        variables = _QUIET if self.address else _QUIET | _LOOPBACK
        with environment(variables):
            ray = _ray()
        if ray.is_initialized():
            yield ray
            return
        folder = tempfile.mkdtemp(prefix="distal-", dir="/tmp")  # sockets lie there: their names must be short
        try:
            with environment(variables):
                self._connect(ray, folder)
            ray._private.worker._worker_logs_enabled = False  # or Ray tells of lost nodes on stdout, where results go
            yield ray
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)

    def _connect(self, ray: Any, folder: str) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error"}
        if not self.address:
            processors = math.ceil(self.cpus * self.workers)
            own = {"num_cpus": processors, "object_store_memory": STORE_BYTES, "include_dashboard": False}
            ray.init(address="local", _temp_dir=folder, **own, **quiet)
            return
        try:
            _knock(self.address)
            ray.init(address=self.address, **quiet)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"no Ray cluster is joined at {self.address} ({_first_line(error)}); "
                "start one with `ray start --head`, or give no address"
            ) from None

    def _check_room(self, ray: Any) -> None:
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(has.get("CPU", 0) >= self.cpus and has.get("GPU", 0) >= self.gpus for has in machines):
            raise InputError(f"no machine of this Ray has {self.cpus:g} CPUs and {self.gpus:g} GPUs; ask for less")


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError("Ray is not installed; `pip install 'distal[ray]'`, or use another engine") from None
    return ray


def _knock(address: str) -> None:
    """Raise `OSError` where nobody listens: Ray would try for minutes. Only ``host:port`` is looked at."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdigit():
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Actor:
    """What lives in a worker of Ray's."""

    def __init__(self, setup: Callable[[int], Callable[[Any], Any]], worker: int) -> None:
        self._made = answered(setup, worker)

    def begin(self) -> Answer:
        return Ready() if isinstance(self._made, Done) else self._made

    def work(self, item: Any) -> Answer:
        assert isinstance(self._made, Done)
        return settled(answered(self._made.result, item))


class _Actors:
    """The team of one run: for each worker its actor, and Ray's promises of its answers, the oldest first."""

    def __init__(self, ray: Any, setup: Callable[[int], Callable[[Any], Any]], cpus: float, gpus: float) -> None:
        self._ray = ray
        self._setup = ray.put(setup)  # sent to each machine once
        self._kind = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Actor)
        self._actors: dict[int, Any] = {}
        self._promises: dict[int, deque[Any]] = {}

    def start(self, worker: int) -> None:
        actor = self._kind.options(scheduling_strategy="SPREAD").remote(self._setup, worker)
        self._actors[worker] = actor
        self._promises[worker] = deque([actor.begin.remote()])

    def give(self, worker: int, item: Any) -> None:
        self._promises[worker].append(self._actors[worker].work.remote(item))

    def wait(self) -> Iterator[tuple[int, Answer]]:
        workers = {promises[0]: worker for worker, promises in self._promises.items() if promises}
        for promise in self._ray.wait(list(workers))[0]:
            yield workers[promise], self._answer(workers[promise])

    def _answer(self, worker: int) -> Answer:
        try:
            answer: Answer = self._ray.get(self._promises[worker].popleft())
        except self._ray.exceptions.RayTaskError as error:  # the item or its result cannot be sent
            return Failed(str(error))
        except self._ray.exceptions.RayError as error:
            self.end(worker)
            return Lost(_first_line(error))
        return answer

    def end(self, worker: int) -> None:
        del self._promises[worker]
        self._ray.kill(self._actors.pop(worker))

    def stop(self) -> None:
        if self._ray.is_initialized():
            for worker in list(self._actors):
                self.end(worker)
