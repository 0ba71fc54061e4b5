"""`distal train` and `distal eval tracks` as they are typed, and a real process killed in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.train import small

from distal.cli import main

TOML = """
name = "tiny"
steps = {steps}
batch = 2
checkpoint_every = 2

[model]
family = "basenji2"
[model.architecture]
stem = 8
tower = [8, 8, 8, 8, 8, 8]
dilated_layers = 2
dilated = 8
final = 12
input_bp = 2048
bins = 8

[data]
human = "hg"
mouse = "mm"

[optimizer]
lr = 0.01
warmup = 2
[validation]
every = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small.data(tmp_path)
    (tmp_path / "tiny.toml").write_text(TOML.format(steps=6))
    return tmp_path


def command(folder: Path, out: str, *more: str) -> list[str]:
    return ["train", str(folder / "tiny.toml"), "--data", str(folder), "--out", str(folder / out), *more]


def test_train_then_evaluate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder, "run", "--json", "--steps", "3")) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["steps"], result["validations"][0]["step"]) == (3, 3)
    assert "step 3: validation r " in printed.err
    ask = ["eval", "tracks", "--model", result["model"], "--data", str(folder / "mm"), "--head", "mouse"]
    assert main([*ask, "--split", "valid", "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert (evaluated["model"], evaluated["head"], evaluated["split"], evaluated["rc"]) == (
        "tiny",
        "mouse",
        "valid",
        False,
    )
    # the same number but for rounding
    assert evaluated["assays"][1]["pearson"] == pytest.approx(
        result["validations"][0]["valid"]["mouse"]["DNASE"], abs=1e-5
    )
    assert main([*ask, "--rc"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split() == ["assay", "tracks", "pearson", "r2"]
    assert "tiny, mouse, test: 2 windows, 32 bins of 128 bp, both strands" in printed.err


def test_a_finished_run_is_told_again_and_no_steps_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(folder, "run", "--steps", "2")) == 0
    capsys.readouterr()
    assert main(command(folder, "run", "--steps", "2", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["model"], result["validations"]) == (str(folder / "run" / "tiny"), [])
    assert main(command(folder, "run", "--steps", "0")) == 2
    assert "tiny: steps: " in capsys.readouterr().err


def test_mistakes_are_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(folder / "other.toml")]) == 2
    assert main(["train", str(folder / "tiny.toml"), "--data", str(folder / "hg"), "--out", str(folder / "run")]) == 2
    assert main(["eval", "tracks", "--model", str(folder), "--data", str(folder / "hg")]) == 2
    assert [line.startswith("distal: ") for line in capsys.readouterr().err.splitlines()] == [True] * 3


@pytest.mark.slow
def test_a_process_killed_at_any_time_goes_on_to_the_same_end(folder: Path) -> None:
    (folder / "tiny.toml").write_text(TOML.format(steps=40))
    program = [sys.executable, "-c", "import sys; from distal.cli import main; sys.exit(main(sys.argv[1:]))"]
    assert main(command(folder, "straight")) == 0
    log = folder / "killed" / "log.jsonl"
    for lines in (9, 31):
        process = subprocess.Popen(
            [*program, *command(folder, "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < lines):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert main(command(folder, "killed")) == 0
    for name in ("last.safetensors", "tiny/model.safetensors"):
        one, other = ((folder / run / name).read_bytes() for run in ("straight", "killed"))
        cut = 8 + int.from_bytes(one[:8], "little")  # the header names the run's folder
        assert one[cut:] == other[8 + int.from_bytes(other[:8], "little") :]
