"""Command lines in a notebook print what a terminal shows, and stop the notebook where a shell would see a failure."""

from __future__ import annotations

import json

import pytest

from distal.cli.notebook import ask, run


def test_a_line_runs_as_in_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    run("""distal models info enformer-mini
           --tracks assay=DNASE 'biosample~HepG2' --json""")
    shown = json.loads(capsys.readouterr().out)
    assert shown
    assert all("HepG2" in row["biosample"] for row in shown)


def test_a_failure_stops_the_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="exit code 2"):
        run("distal models info no-such-model")
    assert "no-such-model" in capsys.readouterr().err


def test_other_programs_are_not_run() -> None:
    with pytest.raises(ValueError, match="rm is another program"):
        run("rm -r scores")


def test_an_answer_is_what_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("distal models info enformer-mini --json")
    assert ask("distal models info enformer-mini") == json.loads(capsys.readouterr().out)
    assert capsys.readouterr().out == ""
