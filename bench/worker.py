"""A side of a comparison as a process of its own, which answers JSON lines; knows time and memory, and no model.

Both sides import this file, each with its own Python, so it needs the standard library alone (and torch for a GPU).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Action = Callable[..., dict[str, Any]]


class Worker:
    """A running side: `worker("forward", codes=...)` asks it and waits for its answer."""

    def __init__(self, python: str, module: str, threads: int, given: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", module, "--serve", json.dumps(dict(given))],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, action: str, **given: Any) -> dict[str, Any]:
        """The answer of `action`. Raises `RuntimeError` with the other side's traceback."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([action, given]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"the process ended ({self._process.wait()}) before it answered to {action}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def environment(threads: int) -> dict[str, str]:
    """Our environment with so many threads for arithmetic, and without paths that would mix two Pythons."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}


def serve(start: Callable[..., Mapping[str, Action]]) -> None:
    """Be a side: start with the options of the command line, answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    actions: Mapping[str, Action] | None = None
    for line in sys.stdin:
        name, given = json.loads(line)
        try:
            if actions is None:
                actions = start(**json.loads(sys.argv[2]))
            answer = actions[name](**given)
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Meter:
    """Seconds, and the memory that this process takes above its libraries and the model's weights.

    On a CPU that is the high-water mark of resident memory, less what was resident when the meter was made (before the
    model), less the weights once: a second copy of the weights counts. On a GPU it is torch's peak of allocated memory
    less the weights.
    """

    def __init__(self, device: str) -> None:
        self._cuda = device.startswith("cuda")
        self._before = 0 if self._cuda else _resident("VmRSS")

    def __call__(self, work: Callable[[], Any], weights: int) -> dict[str, float]:
        """Run `work`; returns ``seconds``, ``peak`` bytes, and ``above``: those above libraries and `weights` bytes."""
        sampled = self._start()
        started = time.perf_counter()
        work()
        self._wait()
        seconds = time.perf_counter() - started
        peak = sampled()
        return {"seconds": seconds, "peak": peak, "above": max(0.0, peak - self._before - weights)}

    def _wait(self) -> None:
        if self._cuda:
            import torch

            torch.cuda.synchronize()

    def _start(self) -> Callable[[], float]:
        """Forget the last peak; what is returned tells the new one."""
        if self._cuda:
            import torch

            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            return torch.cuda.max_memory_allocated
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return _sampling()
        return lambda: _resident("VmHWM")


def _resident(field: str) -> float:
    """Bytes of VmRSS (now) or VmHWM (most), from Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def _sampling() -> Callable[[], float]:
    """Where a container forbids to forget the high-water mark: the largest of samples, 50 a second."""
    peak, done = [_resident("VmRSS")], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], _resident("VmRSS"))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> float:
        done.set()
        thread.join()
        return max(peak[0], _resident("VmRSS"))

    return stop
