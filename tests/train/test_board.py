"""The log as TensorBoard reads it back, also after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.train import small

from distal.train import log, loop
from distal.train.board import Board, scalars

LINE = {"step": 1, "head": "human", "loss": 0.5, "lr": 0.1, "norm": 2.0, "seconds": 3.0}


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_names_of_charts() -> None:
    assert scalars(LINE) == {"loss/human": 0.5, "norm/human": 2.0, "lr": 0.1, "seconds": 3.0}
    line = {"step": 2, "valid": {"human": {"CAGE": 0.25, "DNASE": None}}, "score": 0.25, "best_step": 2, "seconds": 1.0}
    assert scalars(line) == {"valid/score": 0.25, "valid/human/CAGE": 0.25}


def test_a_resumed_run_takes_back_what_followed_its_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with Board(tmp_path, 0) as board:
        for number in (1, 2, 3):
            board.write({**LINE, "step": number, "loss": float(number)})
    with Board(tmp_path, 2) as board:
        board.write({**LINE, "step": 3, "loss": 30.0})
    assert read(tmp_path)["loss/human"] == [(1, 1.0), (2, 2.0), (3, 30.0)]


@pytest.mark.parametrize("tensorboard", [False, True])
def test_a_run_draws_its_log_when_asked(tmp_path: Path, tensorboard: bool) -> None:
    pytest.importorskip("tensorboard")
    out = tmp_path / "out"
    loop.fit(small.config(out, steps=2, tensorboard=tensorboard), small.data(tmp_path / "data"))
    assert (out / loop.BOARD).exists() == tensorboard
    if tensorboard:
        losses = {line["head"]: line["loss"] for line in log.read(out / loop.LOG) if "loss" in line}
        charts = read(out / loop.BOARD)
        for head, loss in losses.items():
            assert [value for _, value in charts[f"loss/{head}"]] == pytest.approx([loss])
