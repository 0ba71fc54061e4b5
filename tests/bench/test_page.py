"""The measurement of the page runs from its command: all is answered, and counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_measurement_runs_from_its_command() -> None:
    options = ["--rounds", "1", "--clients", "4", "--seconds", "1", "--tiles", "4", "--threads", "1", "--no-browser"]
    command = [sys.executable, "-m", "bench.page", *options, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 7
    for row in rows:
        assert {int(status) for status in row["statuses"]} <= {200, 206}
        assert row["times"] == sum(row["statuses"].values()) > 0
        assert 0 < row["median_ms"] <= row["p99_ms"] <= row["most_ms"]
