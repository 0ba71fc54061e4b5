"""The log of a run survives kills: whole lines stay, lines behind the checkpoint are written again."""

from __future__ import annotations

from pathlib import Path

import pytest

from distal.train import log
from distal.train.log import Line, Log


def test_lines_are_kept_up_to_the_step_that_a_run_resumes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    seen: list[Line] = []
    with Log(path, 0, seen.append) as first:
        for number in (1, 2, 3):
            first.write({"step": number})
        first.write({"step": 3, "valid": {}})
    assert seen == list(log.read(path))
    with path.open("a") as file:
        file.write('{"step": 4, "lo')  # cut short by a kill
    assert [line["step"] for line in log.read(path)] == [1, 2, 3, 3]
    with Log(path, 2) as second:
        second.write({"step": 3, "again": True})
    assert list(log.read(path)) == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with Log(tmp_path / "log.jsonl", 0) as open_log:
        open_log.write({"step": 1})
        assert list(log.read(tmp_path / "log.jsonl")) == [{"step": 1}]
    with pytest.raises(ValueError, match="closed"):
        open_log.write({"step": 2})


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert list(log.read(tmp_path / "none.jsonl")) == []
