"""What verbs print: text for people, JSON for machines, progress where it does not get into the way of either."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from distal.cli import console
from distal.cli.console import command_line, duration, emit, progress, running


@dataclass
class Result:
    name: str
    values: tuple[float, ...]


def test_json_has_plain_values_only(capsys):
    emit(
        {
            "path": Path("a/b"),
            "array": np.arange(3),
            "one": np.float32(0.5),
            "no": math.nan,
            "far": math.inf,
            "set": (1, "x"),
            2: None,
        },
        json=True,
    )
    assert json.loads(capsys.readouterr().out) == {
        "path": "a/b",
        "array": [0, 1, 2],
        "one": 0.5,
        "no": None,
        "far": None,
        "set": [1, "x"],
        "2": None,
    }


def test_a_dataclass_prints_as_its_fields(capsys):
    emit(Result("x", (1.0, math.nan)), json=True)
    assert json.loads(capsys.readouterr().out) == {"name": "x", "values": [1.0, None]}
    emit(Result("x", (1.0, 2.5)))
    assert capsys.readouterr().out == "name    x\nvalues  1, 2.5\n"


def test_rows_print_as_a_table_with_numbers_to_the_right(capsys):
    emit([{"name": "a", "r": 0.123456, "n": 1}, {"name": "long", "r": None, "n": 1000}])
    assert capsys.readouterr().out == "name       r     n\na     0.1235     1\nlong          1000\n"


def test_what_is_too_long_for_a_line_goes_below_its_key(capsys):
    emit({"short": {"a": 1}, "table": [{"x": 1}], "long": {"key": "v" * 90}, "yes": True})
    out = capsys.readouterr().out
    assert out == f"short  a 1\ntable\n  x\n  1\nlong\n  key  {'v' * 90}\nyes    yes\n"


@pytest.mark.parametrize(
    ("result", "text"), [("done", "done\n"), (["a", "b"], "a\nb\n"), ([], "\n"), ({}, "\n"), (None, "\n")]
)
def test_small_results(result, text, capsys):
    emit(result)
    assert capsys.readouterr().out == text


def test_progress_is_silent_when_it_is_over_soon(capsys):
    with progress("score", 10, "variants") as advance:
        advance()
        advance(9)
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "")


@pytest.mark.parametrize(
    ("total", "unit", "expected"), [(4, "variants", "score: 2/4 variants, "), (None, "B", "score: 0.0 MB, ")]
)
def test_progress_writes_lines_to_a_log(total, unit, expected, capsys, monkeypatch):
    monkeypatch.setattr(console, "LINE_EVERY_S", 0.01)
    with progress("score", total, unit) as advance:
        time.sleep(0.02)
        advance(2)
        advance(2)
    streams = capsys.readouterr()
    assert streams.out == ""
    first, last = streams.err.splitlines()
    assert first.startswith(expected)
    assert ("left" in first) == (total is not None)
    assert total is None or last.startswith("score: 4/4 variants")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_files_name_the_verb_that_ran_not_the_one_that_called_it():
    with running(["demo"]):
        with running(["score", "--vcf", "a b.vcf"]):
            assert command_line() == "distal score --vcf 'a b.vcf'"
        assert command_line() == "distal demo"
