"""Runs that are killed at any moment and begun again end with the same bytes; Ctrl-C says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests import builders
from tests.engine.clusters import cluster
from tests.engine.processes import alive, descendants, group, linux, until
from tests.scoring import small
from tests.scoring.forks import Forks

from distal.engine import Engine, RayEngine
from distal.scoring.parts import PART_ROWS
from distal.scoring.variants import score_variants

pytestmark = pytest.mark.slow

VARIANTS = 400
KILLS = {1: 20, 2: 8}
"""How often one run after another is killed, by the number of workers: two take seconds to start."""
MAIN = "import sys; from distal.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    small.model(folder)
    small.write_vcf(folder / "v.vcf", small.alleles(small.genome(folder), VARIANTS))
    return folder


@dataclass(frozen=True)
class Job:
    """`distal score` on small files with so many workers: the same words in whichever folder it is begun."""

    inputs: Path
    workers: int

    @property
    def words(self) -> list[str]:
        files = {"--model": "tiny-basenji2", "--fasta": "g.fa", "--vcf": "v.vcf"}
        given = [word for option, name in files.items() for word in (option, str(self.inputs / name))]
        asked = ["--out", "out", "--formats", "h5,tsv,parquet", "--threads", "1", "--workers", str(self.workers)]
        return ["score", *given, *asked]

    def begin(self, folder: Path) -> subprocess.Popen[str]:
        return group("-c", MAIN, *self.words, folder=folder)

    def finish(self, folder: Path) -> dict[str, bytes]:
        """Let it run to its end; every file that it made."""
        process = self.begin(folder)
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        return files(folder / "out")


def files(folder: Path) -> dict[str, bytes]:
    """What is in every file in `folder`, save hidden ones: a killed process may leave a lock or an unfinished file."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not path.name.startswith(".")}


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def job(request: pytest.FixtureRequest, inputs: Path) -> Job:
    return Job(inputs, request.param)


@pytest.fixture(scope="module")
def undisturbed(job: Job, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made = job.finish(tmp_path_factory.mktemp("undisturbed"))
    assert set(made) == {
        *(f"{name}/chr{i}.{ending}" for name, ending in (("scores", "h5"), ("parquet", "parquet")) for i in (1, 2)),
        *(f"pcs/chr{i}.tsv.gz{ending}" for ending in ("", ".tbi") for i in (1, 2)),
        "pcs/components.safetensors",
        "summary.json",
    }
    return made


def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    job: Job, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """`kill -9` of the whole process group, often and at any moment, each time followed by the same command.

    A run that ends before it is killed is compared, and the next begins in an empty folder.
    """
    draw, killed, runs = Random(job.workers), 0, 0
    with Forks() as forks:
        seconds = timed(forks, job, tmp_path / "timed")
        folder = tmp_path / "0"
        while killed < KILLS[job.workers]:
            folder.mkdir(exist_ok=True)
            process = forks.begin(folder, job.words)
            time.sleep(draw.uniform(0, seconds))
            os.killpg(process, signal.SIGKILL)  # a zombie at least is there until `end`
            if forks.end() == -signal.SIGKILL:
                killed += 1
                continue
            assert files(folder / "out") == undisturbed
            runs += 1
            folder = tmp_path / str(runs)
        forks.begin(folder, job.words)
        assert forks.end() == 0
        assert files(folder / "out") == undisturbed


def timed(forks: Forks, job: Job, folder: Path) -> float:
    """Seconds that a run takes when it is left alone."""
    folder.mkdir()
    started = time.monotonic()
    forks.begin(folder, job.words)
    assert forks.end() == 0, (folder / "stderr").read_text()
    return time.monotonic() - started


@pytest.mark.parametrize("where", ["first part", "last part", "merged"])
def test_a_run_killed_once_ends_with_the_same_bytes(
    where: str, job: Job, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out, process = tmp_path / "out", job.begin(tmp_path)
    parts = {"first part": 1, "last part": -(-VARIANTS // PART_ROWS)}.get(where, 0)
    until(lambda: (out / "scores").is_dir() or 0 < parts <= len(list(out.glob(".parts/*.safetensors"))), 300)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "parquet").is_dir()
    assert job.finish(tmp_path) == undisturbed


@linux
def test_ctrl_c_says_how_to_go_on_and_leaves_no_process(
    job: Job, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    process = job.begin(tmp_path)
    until(lambda: bool(list((tmp_path / "out" / ".parts").glob("*.safetensors"))), 300)
    started = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "distal: stopped; run the same command again to go on"
    assert "Traceback" not in errors
    assert len(started) >= job.workers - 1
    until(lambda: not any(alive(pid) for pid in started), 5)
    assert job.finish(tmp_path) == undisturbed


@dataclass(frozen=True)
class Noted:
    """An engine, and a folder where each worker leaves its number when it is set up."""

    engine: Engine
    folder: Path

    @property
    def workers(self) -> int:
        return self.engine.workers

    def map(self, setup: Callable[[int], Any], items: Iterable[Any]) -> Generator[tuple[Any, Any], None, None]:
        return self.engine.map(Noting(setup, self.folder), items)


@dataclass(frozen=True)
class Noting:
    setup: Callable[[int], Any]
    folder: Path

    def __call__(self, worker: int) -> Any:
        function = self.setup(worker)
        (self.folder / str(worker)).touch()
        return function


def test_a_lost_node_of_a_cluster_leaves_the_scores_as_they_are(tmp_path: Path) -> None:
    genome, predictor, folder = small.genome(tmp_path), builders.predictor("basenji2"), tmp_path / "workers"
    rows = small.rows(*small.alleles(genome, 1600))
    folder.mkdir()
    score_variants(predictor, genome, rows, tmp_path / "here", threads=1)
    done, lost = 0, 0
    with cluster(3) as nodes:

        def advance(more: int) -> None:
            nonlocal done, lost
            done += more
            ready = len(list(folder.iterdir())) == 3
            time.sleep(0 if ready else 0.5)
            if ready and not lost:
                lost = done
                nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)

        engine = Noted(RayEngine(3, nodes.address), folder)
        score_variants(predictor, genome, rows, tmp_path / "there", threads=1, engine=engine, progress=advance)
    assert 0 < lost < done == len(rows)
    assert files(tmp_path / "there") == files(tmp_path / "here")
