"""Processes of this machine, really spawned and really killed: every item gets its result, and nothing is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.arrays import Holding, Large
from tests.engine.jobs import WRONG, BadSetup, Behind, Deadly, Later, Raising, Square, Unsendable
from tests.engine.processes import alive, descendants, group, linux, until

from distal.engine import RETRIES, ItemFailedError, LocalEngine, SetupFailedError
from distal.errors import InputError


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert active_children() == []


def squares(n: int) -> list[tuple[int, int]]:
    return [(i, i * i) for i in range(n)]


@pytest.mark.parametrize(("workers", "n"), [(1, 0), (1, 50), (2, 0), (2, 1), (2, 50), (3, 50)])
def test_every_item_has_its_result_whatever_the_number_of_workers(workers: int, n: int) -> None:
    assert sorted(LocalEngine(workers).map(Square(), range(n))) == squares(n)


def test_one_worker_is_this_process_and_pickles_nothing() -> None:
    here = []
    found = LocalEngine().map(lambda worker: lambda item: here.append(os.getpid()) or item + worker, iter([5, 6]))
    assert list(found) == [(5, 5), (6, 6)]
    assert here == [os.getpid()] * 2


def test_each_worker_is_set_up_once_with_its_number_and_threads(tmp_path: Path) -> None:
    before = dict(os.environ)
    with closing(LocalEngine(2, threads=3).map(Square(0.01, tmp_path), count())) as results:
        for _ in results:
            if len(list(tmp_path.iterdir())) == 2:
                break
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["0 3", "1 3"]
    assert str(os.getpid()) not in {path.name for path in tmp_path.iterdir()}
    assert dict(os.environ) == before


def test_there_are_no_more_workers_than_items(tmp_path: Path) -> None:
    assert list(LocalEngine(5).map(Square(folder=tmp_path), [7])) == [(7, 49)]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 4), (3, 6)])
def test_items_are_read_no_further_than_two_a_worker_ahead(workers: int, ahead: int) -> None:
    read = 0

    def endless() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    furthest = 0
    with closing(LocalEngine(workers).map(Square(), endless())) as results:
        for done, _ in enumerate(results, start=1):
            furthest = max(furthest, read - done)
            if done == 60:
                break
    assert furthest <= ahead


def test_large_items_and_results_pass_each_other() -> None:
    """2 MB each way, far more than a pipe holds: were either side to wait for the other to read, this would not end."""
    items = [np.full(1 << 18, i, dtype=np.float64) for i in range(6)]
    found = {int(item[0]): result for item, result in LocalEngine(2).map(Large(2), items)}
    assert sorted(found) == list(range(6))
    for i, result in found.items():
        assert result.shape == (2 << 17,)
        assert (result == i * (1 << 18)).all()
        result += 1  # ours to change


@pytest.mark.parametrize(("workers", "times"), [(2, 1), (3, RETRIES)])
def test_a_worker_killed_at_an_item_is_replaced_and_the_item_done(workers: int, times: int, tmp_path: Path) -> None:
    found = sorted(LocalEngine(workers).map(Deadly(tmp_path, at=4, times=times), range(20)))
    assert found == squares(20)
    assert len(list(tmp_path.iterdir())) == times + 1


def test_a_worker_killed_from_outside_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    found = []
    for item, result in LocalEngine(2).map(Square(0.02), range(30)):
        found.append((item, result))
        if len(found) in (5, 15):
            os.kill(active_children()[0].pid or 0, signal.SIGKILL)
    assert sorted(found) == squares(30)
    assert caplog.text.count("is replaced: its process was killed (SIGKILL)") == 2


def test_an_item_that_always_kills_its_worker_fails_by_name(tmp_path: Path) -> None:
    """Its neighbours, which were lost with it, do not fail: the error names 4, after 1 + RETRIES workers."""
    done: list[tuple[int, int]] = []
    with pytest.raises(ItemFailedError, match=r"^4 failed: 3 workers .*SIGKILL") as caught:
        done.extend(LocalEngine(2).map(Deadly(tmp_path, at=4, times=99), range(1000)))
    assert caught.value.item == 4
    assert len(list(tmp_path.iterdir())) == 1 + RETRIES
    assert (4, 16) not in done


def test_an_item_that_kills_while_another_is_being_finished_is_the_one_that_fails() -> None:
    with pytest.raises(ItemFailedError, match=r"^7 failed") as caught:
        list(LocalEngine(2).map(Behind(7), range(30)))
    assert caught.value.item == 7


@pytest.mark.parametrize("workers", [1, 2])
def test_tensors_travel_as_what_they_hold(workers: int) -> None:
    """Every worker can read the same setup, and a result outlives its worker."""
    found = list(LocalEngine(workers).map(Holding(torch.full((1000, 300), 0.5)), range(20)))
    assert sorted((item, float(result)) for item, result in found) == [(i, 150_000.0 * i) for i in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_user_got_wrong_is_raised_at_once_as_it_is(workers: int, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(LocalEngine(workers).map(Raising(tmp_path, 99, WRONG), range(9)))
    assert type(caught.value) is InputError
    assert caught.value.args == WRONG.args
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_another_exception_is_tried_once_more(workers: int, tmp_path: Path) -> None:
    found = LocalEngine(workers).map(Raising(tmp_path, 1, OSError("the disk sleeps")), range(9))
    assert sorted(found) == squares(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_that_comes_again_fails_the_item_with_its_traceback(workers: int, tmp_path: Path) -> None:
    with pytest.raises(ItemFailedError) as caught:
        list(LocalEngine(workers).map(Raising(tmp_path, 99, OSError("the disk sleeps")), range(9)))
    assert caught.value.item == 3
    assert "in _square" in caught.value.reason
    assert "OSError: the disk sleeps" in caught.value.reason
    assert len(list(tmp_path.iterdir())) == 2


def test_a_result_that_cannot_be_sent_fails_the_item() -> None:
    with pytest.raises(ItemFailedError, match="cannot be sent") as caught:
        list(LocalEngine(2).map(Unsendable(), [8]))
    assert caught.value.item == 8


@pytest.mark.parametrize("error", [RuntimeError("no memory on the device"), None], ids=["raises", "dies"])
def test_the_run_goes_on_with_the_workers_that_can_be_set_up(error: Exception | None) -> None:
    assert sorted(LocalEngine(2).map(BadSetup((1,), error), range(40))) == squares(40)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (RuntimeError("no memory"), SetupFailedError, "RuntimeError: no memory"),
        (None, SetupFailedError, "SIGKILL"),
        (WRONG, InputError, "line 3 of v.vcf"),
    ],
)
def test_without_any_worker_the_run_ends(error: Exception | None, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        list(LocalEngine(2).map(BadSetup((0, 1), error), range(9)))


def test_closing_the_results_early_ends_the_workers_within_their_items() -> None:
    results = LocalEngine(2).map(Square(1.0), range(9))
    next(results)
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 0.8
    assert active_children() == []


def test_an_exception_of_the_consumer_ends_the_workers() -> None:
    with pytest.raises(ZeroDivisionError):
        [1 // item for item, _ in LocalEngine(2).map(Square(0.01), range(9))]
    assert active_children() == []


@pytest.mark.parametrize(
    ("options", "message"), [({"workers": 0}, "workers is 0"), ({"workers": 2, "threads": -1}, "threads is -1")]
)
def test_numbers_below_one_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LocalEngine(**options)


PARENT = """
import sys
from pathlib import Path
from tests.engine.arrays import Holding, Large
from tests.engine.jobs import WRONG, BadSetup, Behind, Deadly, Later, Raising, Square, Unsendable
from distal.engine import LocalEngine

if __name__ == "__main__":
    for item, _ in LocalEngine(2).map(Square(float(sys.argv[2]), Path(sys.argv[1])), range(10_000)):
        print(item, flush=True)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Callable[[float], Any]]:
    """Starts a process group of a run with two workers; returns it and their process numbers."""
    script, folder, started = tmp_path / "parent.py", tmp_path / "workers", []
    script.write_text(PARENT)
    folder.mkdir()

    def start(seconds: float) -> tuple[Any, list[int]]:
        started.append(group(script, folder, seconds))
        until(lambda: len(list(folder.iterdir())) == 2)
        return started[-1], [int(path.name) for path in folder.iterdir()]

    yield start
    for process in started:
        process.communicate()


@linux
@pytest.mark.parametrize("seconds", [0.01, 60.0], ids=["between items", "within an item"])
def test_killing_the_parent_leaves_no_orphan(parent: Any, seconds: float) -> None:
    process, workers = parent(seconds)
    assert all(alive(pid) for pid in workers)
    process.kill()
    until(lambda: not any(alive(pid) for pid in workers), 5)


@linux
def test_ctrl_c_reaches_the_parent_alone_and_leaves_nothing(parent: Any) -> None:
    """The terminal sends SIGINT to the whole group; one traceback comes of it, the parent's."""
    process, workers = parent(0.01)
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
    assert not any(alive(pid) for pid in workers)


@linux
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_ctrl_c_while_workers_start_leaves_nothing(delay: float, tmp_path: Path) -> None:
    """Also before a worker could tell what it does with the signal."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = group(script, tmp_path, 60.0)
    until(lambda: bool(descendants(process.pid)))
    time.sleep(delay)
    started = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
    until(lambda: not any(alive(pid) for pid in started), 5)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_result_that_comes_later_lets_the_next_item_begin(workers: int, tmp_path: Path) -> None:
    assert sorted(LocalEngine(workers).map(Later(tmp_path, 0.05), range(12))) == squares(12)
    assert "True" in {path.read_text() for path in tmp_path.glob("saw*")}
    with pytest.raises(ItemFailedError, match="no space left") as caught:
        list(LocalEngine(workers).map(Later(tmp_path, wrong=3), range(6)))
    assert caught.value.item == 3
