"""Ray as it is: on this machine alone, and as a cluster of three nodes of which one is killed while it works."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.engine import clusters
from tests.engine.jobs import WRONG, BadSetup, Deadly, Later, Raising, Square, Unsendable
from tests.engine.processes import alive, command, descendants, group, linux, name, until

from distal.engine import RETRIES, ItemFailedError, RayEngine, SetupFailedError
from distal.errors import InputError

NODES = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with clusters.cluster(NODES) as made:
        yield made


@pytest.fixture(scope="class")
def joined(cluster: Any) -> Iterator[None]:
    """Connected to the cluster, as a program that uses Ray itself would be."""
    import ray

    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield
    assert ray.is_initialized()
    ray.shutdown()


def squares(n: int) -> list[tuple[int, int]]:
    return [(i, i * i) for i in range(n)]


@pytest.mark.usefixtures("joined")
class TestRunning:
    """On a Ray that is there already."""

    def test_workers_that_there_is_no_room_for_are_not_waited_for(self) -> None:
        assert sorted(RayEngine(NODES + 2).map(Square(), range(60))) == squares(60)

    def test_each_worker_is_set_up_once_and_items_are_read_no_further_than_two_a_worker_ahead(
        self, tmp_path: Path
    ) -> None:
        read = 0

        def endless() -> Iterator[int]:
            nonlocal read
            while True:
                read += 1
                yield read

        with closing(RayEngine(2).map(Square(0.001, tmp_path), endless())) as results:
            for done, _ in enumerate(results, start=1):
                assert read - done <= 4
                if done > 30 and len(list(tmp_path.iterdir())) == 2:
                    break
        assert {path.read_text()[0] for path in tmp_path.iterdir()} == {"0", "1"}

    def test_an_actor_killed_at_an_item_is_replaced_and_the_item_done(self, tmp_path: Path) -> None:
        assert sorted(RayEngine(2).map(Deadly(tmp_path, at=4), range(20))) == squares(20)
        assert len(list(tmp_path.iterdir())) == 2

    def test_an_item_that_always_kills_its_actor_fails_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(ItemFailedError, match=r"^4 failed: 3 workers") as caught:
            list(RayEngine(2).map(Deadly(tmp_path, at=4, times=99), range(20)))
        assert caught.value.item == 4
        assert len(list(tmp_path.iterdir())) == 1 + RETRIES

    def test_what_the_user_got_wrong_is_raised_as_it_is(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as caught:
            list(RayEngine(1).map(Raising(tmp_path, 99, WRONG), range(9)))
        assert type(caught.value) is InputError
        assert caught.value.args == WRONG.args
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("times", [1, 99])
    def test_another_exception_is_tried_once_more(self, times: int, tmp_path: Path) -> None:
        results = RayEngine(1).map(Raising(tmp_path, times, OSError("the disk sleeps")), range(9))
        if times == 1:
            assert sorted(results) == squares(9)
            return
        with pytest.raises(ItemFailedError, match="OSError: the disk sleeps") as caught:
            list(results)
        assert caught.value.item == 3

    def test_results_that_come_later_or_cannot_be_sent(self, tmp_path: Path) -> None:
        assert sorted(RayEngine(1).map(Later(tmp_path, 0.01), range(5))) == squares(5)
        with pytest.raises(ItemFailedError, match="lock"):
            list(RayEngine(1).map(Unsendable(), [8]))

    def test_without_any_worker_the_run_ends(self) -> None:
        with pytest.raises(SetupFailedError, match="RuntimeError: no memory"):
            list(RayEngine(1).map(BadSetup((0,), RuntimeError("no memory")), range(9)))

    @pytest.mark.parametrize(("cpus", "gpus"), [(1, 1), (64, 0)])
    def test_a_machine_that_nobody_has_is_refused(self, cpus: int, gpus: int) -> None:
        with pytest.raises(InputError, match=f"has {cpus} CPUs and {gpus} GPUs"):
            list(RayEngine(2, cpus=cpus, gpus=gpus).map(Square(), [1]))


def test_a_killed_node_costs_time_but_no_item(cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One actor a node; the node that goes is not this process's, and no room is left for a new actor."""
    import ray

    nodes = list(cluster.worker_nodes)
    found, killed = [], 0
    for pair in RayEngine(NODES, cluster.address).map(Square(0.1, tmp_path), range(90)):
        found.append(pair)
        if not killed and len(found) > 20 and len(list(tmp_path.iterdir())) == NODES:
            killed = len(found)
            cluster.remove_node(nodes[0], allow_graceful=False)
    assert 0 < killed < 80
    assert sorted(found) == squares(90)
    assert not ray.is_initialized()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [({"workers": 0}, "workers is 0"), ({"cpus": -1.0}, "-1.0"), ({"gpus": -0.5}, "-0.5")],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RayEngine(**options)


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # what an import finds when there is no such package
    with pytest.raises(InputError, match=r"pip install 'distal\[ray\]'"):
        list(RayEngine(2).map(Square(), [1]))


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("address", ["127.0.0.1:9", "nonsense"])
def test_an_address_where_nobody_answers_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=f"no Ray cluster is joined at {address}"):
        list(RayEngine(2, address).map(Square(), [1]))


PARENT = """
import sys
from pathlib import Path
from tests.engine.jobs import Square
from distal.engine import RayEngine

if __name__ == "__main__":
    results = RayEngine(2).map(Square(1.0, Path(sys.argv[1])), range(1000))
    next(results)
    import ray
    print(*(node["NodeManagerAddress"] for node in ray.nodes()), flush=True)
    list(results)
"""


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_ray_of_its_own_stays_on_this_machine_and_ends_with_its_parent(how: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (the extra `ray`)")
    script, folder = tmp_path / "parent.py", tmp_path / "workers"
    script.write_text(PARENT)
    folder.mkdir()
    with group(script, folder) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "127.0.0.1\n"
        actors = {int(path.name) for path in folder.iterdir()}
        daemons = {pid for pid in descendants(parent.pid) if name(pid) in ("raylet", "gcs_server")}
        assert actors < descendants(parent.pid)
        assert len(daemons) == 2
        store = Path(re.findall(r"=(\S+?distal-\w+)", command(min(daemons)))[0])
        assert store.is_dir()
        os.killpg(parent.pid, how) if how == signal.SIGINT else parent.kill()
        assert parent.wait(60) == -how
        until(lambda: not any(alive(pid) for pid in actors | daemons), 20)
        if how == signal.SIGINT:
            assert parent.communicate()[1].count("Traceback") == 1
            assert not store.exists()
        else:
            shutil.rmtree(store)
