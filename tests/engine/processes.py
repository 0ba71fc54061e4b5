"""Processes as tests look at them: started in a group of their own, waited for, counted among the living."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def group(*command: object, folder: Path = ROOT) -> subprocess.Popen[str]:
    """Start Python with `command` in `folder` as the head of a process group; it can import what tests can.

    It minds Ctrl-C, also where these tests run in the background of a shell, which has them ignore it.
    """
    return subprocess.Popen(
        [sys.executable, *(str(word) for word in command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for it, so long at most."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie, which nobody has waited for, does not)."""
    return _state_and_parent(pid)[0] not in ("", "Z")


def descendants(pid: int) -> set[int]:
    """The living children of `pid`, theirs, and so on."""
    parents = {int(path.name): _state_and_parent(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    found: set[int] = set()
    while new := {child for child, (_, parent) in parents.items() if parent in {pid, *found}} - found:
        found |= new
    return {child for child in found if parents[child][0] != "Z"}


def name(pid: int) -> str:
    """What a process calls itself, 15 letters at most."""
    return _read(pid, "comm").strip()


def command(pid: int) -> str:
    """The words that a process was started with."""
    return _read(pid, "cmdline").replace("\0", " ")


def _state_and_parent(pid: int) -> tuple[str, int]:
    words = _read(pid, "stat").rpartition(")")[2].split()
    return (words[0], int(words[1])) if words else ("", 0)


def _read(pid: int, file: str) -> str:
    try:
        return (Path("/proc") / str(pid) / file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
