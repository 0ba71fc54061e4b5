"""docs/rest.md names every route, and its program runs against a server."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from distal.web.served import Served

PAGE = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()


def test_every_route_is_described_and_no_other(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    told = {
        f"{method} {path.replace('sequence.fa', '{name}')}"
        for method, path in re.findall(r"^\| `(GET|POST|DELETE) ([^?`]+)", PAGE, re.MULTILINE)
    }
    assert told == there


def test_the_program_runs(client: httpx.Client, served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    base = served.genome.fetch(served.search("chr1:3000").region)
    other = "ACGT"[("ACGT".index(base) + 1) % 4]
    program = program.replace("http://127.0.0.1:8765", str(client.base_url).rstrip("/"))
    exec(program.replace("chr20:42984307:T>C", f"chr1:3000:{base}>{other}"), {})
    said = capsys.readouterr().out
    assert said.startswith("done {'SAD': ")
    assert f"distal score --model tiny --fasta {served.genome.path} --variant 'chr1:3000:{base}>{other}'" in said
