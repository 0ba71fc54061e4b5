"""`distal data build` as it is typed, and a real process killed in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Call
from tests.data import measured

from distal.data import store
from distal.files import digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    measured.order(measured.files(tmp_path), "basenji2")
    return tmp_path


def words(folder: Path, out: str, recipe: str = "basenji2") -> list[str]:
    files = {
        "fasta": "genome.fa",
        "targets": "basenji2.txt",
        "splits": "windows.bed",
        "blacklist": "black.bed",
        "out": out,
    }
    options = [word for name, file in files.items() for word in (f"--{name}", str(folder / file))]
    sizes = ["--input-bp", "2048", "--bin-bp", "64", "--bins", "16"]
    return ["data", "build", *options, *sizes, "--recipe", recipe, "--json"]


def test_build(folder: Path, call: Call) -> None:
    code, printed, said = call(*words(folder, "set"))
    assert code == 0
    assert json.loads(printed) == {
        "data set": str(folder / "set"),
        "windows": {"train": 12, "valid": 18, "test": 6},
        "tracks": 4,
        "bins": 16,
    }
    assert "huge has nothing on chr2: it is 0 there" in said
    manifest = store.open(folder / "set", verify=True).manifest
    names = ["genome.fa", "basenji2.txt", "windows.bed", "black.bed", "dense.bw", "gaps.bw", "huge.bw"]
    assert {file["name"]: file["sha256"] for file in manifest["inputs"]} == {
        name: digest(folder / name) for name in names
    }
    assert manifest["recipe"] == {
        "name": "basenji2",
        "interpolate": False,
        "blacklist": True,
        "unmappable_quantile": None,
    }
    assert "data build --fasta" in manifest["command"]


def test_what_is_wrong_is_one_line(folder: Path, call: Call) -> None:
    code, _, said = call(*words(folder, "set", "basenji3"))
    assert code == 2
    assert "there is no recipe 'basenji3'" in said


def test_killed_and_run_again(folder: Path, call: Call) -> None:
    command = [sys.executable, "-c", "import sys; from distal.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, *words(folder, "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not list((folder / "killed").glob(".signal/*/*.npy")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "killed" / "manifest.json").exists()
    assert call(*words(folder, "killed"))[0] == call(*words(folder, "whole"))[0] == 0
    files = [
        path.relative_to(folder / "whole") for path in (folder / "whole" / "data.zarr").rglob("*") if path.is_file()
    ]
    assert {digest(folder / "killed" / path) for path in files} == {digest(folder / "whole" / path) for path in files}
