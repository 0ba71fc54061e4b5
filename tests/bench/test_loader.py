"""The comparison of data sets runs from its command, and counts what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_comparison_runs_from_its_command() -> None:
    command = [sys.executable, "-m", "bench.loader", "--quick", "--rounds", "1", "--steps", "1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["way"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {"TFRecords, zlib", "store, random order", "batches from the store", "waiting for them"} <= set(rows)
    assert all(row.get("ms", row.get("seconds")) > 0 for row in rows.values())
