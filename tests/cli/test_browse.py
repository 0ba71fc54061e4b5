"""`distal browse` as a process of its own: an address that answers, a token where others listen, clear refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from distal.cli import main


@contextmanager
def browsing(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """What a server prints, as long as it runs; it ends without a traceback."""
    program = "import sys; from distal.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "browse", "--no-open", "--json", "--port", "0"]
    words += ["--model", "basenji2-mini", "--cache", str(folder), *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, process.communicate()[1]
                text += line
            yield json.loads(text)
        finally:
            process.send_signal(signal.SIGINT)
            error = process.communicate(timeout=60)[1]
        assert "Traceback" not in error
        assert process.returncode in (0, 130)


def test_the_demo_opens_without_a_word(tmp_path: Path) -> None:
    with browsing(tmp_path) as said, httpx.Client(base_url=said["address"], timeout=60) as client:
        about = client.get("/api/about").json()
        assert about["start"]["gene"] == "HNF4A"
        assert about["genes"] is True
        for host, status in (("localhost:9000", 200), ("127.0.0.1", 200), ("evil.example", 421)):
            assert client.get("/api/about", headers={"Host": host}).status_code == status
        found = client.get("/api/signal", params={"region": about["start"]["region"], "tracks": "3"}).json()
        assert max(found["tracks"][0]["values"]) > 0
    assert any(tmp_path.glob("*.npy"))


def test_other_addresses_ask_for_a_token(tmp_path: Path) -> None:
    with browsing(tmp_path, "--host", "0.0.0.0") as said:
        port, token = httpx.URL(said["address"]).port, httpx.URL(said["address"]).params["token"]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            assert client.get("/api/about").status_code == 401
            assert client.get("/api/about", headers={"Authorization": f"Bearer {token}"}).status_code == 200
            assert client.get("/", params={"token": token}, follow_redirects=True).status_code == 200
            assert client.get("/api/about").status_code == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "nothing"], "nothing"),
        (["--fasta", "nothing.fa"], "nothing.fa is not a file"),
        (["--port", "70000"], "port 70000"),
        (["--cache-gb", "0"], "leaves no room"),
        (["--start", "NOBODY"], "no gene 'NOBODY'"),
        (["--scores", "nothing"], "holds no score files"),
        (["--token", "short"], "at least 16"),
    ],
)
def test_what_is_wrong_is_said(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = [] if "--port" in options else ["--port", "0"]
    assert main(["browse", "--no-open", *port, "--cache", str(tmp_path), *options]) == 2
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["browse", "--no-open", "--port", port, "--cache", str(tmp_path)]) == 2
    assert "cannot listen" in capsys.readouterr().err
