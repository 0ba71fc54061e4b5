"""Several clients of one real server: they take turns, share what is the same, and take their work away as they go."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.web.conftest import made, serving
from tests.web.gates import until
from tests.web.raw import SECONDS, read, request, sent

from distal.web.limits import Limits
from distal.web.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return made(tmp_path, scores=False, limits=Limits(queue_per_client=4, queue=6))


@contextmanager
def held(served: Served) -> Iterator[None]:
    """The worker stands still."""
    begun, on = threading.Event(), threading.Event()

    def stand(progress: Any) -> None:
        begun.set()
        assert on.wait(SECONDS)

    served.queue.submit("holder", "hold", "hold", stand)
    assert begun.wait(SECONDS)
    try:
        yield
    finally:
        on.set()


def wanted(served: Served) -> list[int]:
    """How many requests want each look that is queued."""
    return [sum(job.askers.values()) for job in list(served.queue._live.values()) if job.verb == "signal"]


def looking(address: str, client: str, region: str) -> socket.socket:
    """A connection that asks for a signal, and waits."""
    place = urlsplit(address)
    connection = socket.create_connection((place.hostname, place.port), timeout=SECONDS)
    connection.sendall(request(address, f"/api/signal?region={region}&tracks=0", x_distal_client=client))
    return connection


def posted(address: str, client: str, start: int) -> tuple[int, dict[str, Any]]:
    """Ask for a job: the status, and what is said."""
    body = json.dumps({"region": f"chr1:{start}-{start + 5}", "tracks": [0]}).encode()
    media = "application/json"
    wire = request(address, "/api/jobs/mutagenesis", "POST", body, x_distal_client=client, content_type=media)
    answer = sent(address, wire)
    return answer.status, json.loads(answer.body)


def test_many_jobs_of_one_client_make_another_wait_for_one_of_them(served: Served) -> None:
    with serving(served) as address, held(served):
        places = [posted(address, "many", 2_000 + 10 * i)[1]["position"] for i in range(3)]
        assert places == [1, 2, 3]
        assert posted(address, "few", 3_000)[1]["position"] == 2
        assert posted(address, "many", 3_000)[1]["position"] == 2  # the same work, at the turn of who asked first


def test_a_full_queue_is_said_to_those_whose_it_is(served: Served) -> None:
    with serving(served) as address, held(served):
        for i in range(4):
            assert posted(address, "many", 2_000 + 10 * i)[0] == 202
        status, said = posted(address, "many", 3_000)
        assert (status, said["detail"][:40]) == (429, "4 jobs of yours wait already, as many as")
        assert posted(address, "a", 3_000)[0] == posted(address, "b", 3_010)[0] == 202
        status, said = posted(address, "c", 3_020)
        assert (status, said["detail"][:20]) == (429, "6 jobs wait already,")
        assert posted(address, "c", 3_000)[0] == 202  # it is there, and is shared


def test_who_hangs_up_takes_the_work_along(served: Served) -> None:
    with serving(served) as address, held(served):
        connection = looking(address, "a", "chr1:1-100")
        until(lambda: len(served.queue._work) == 1)
        connection.close()
        until(lambda: not served.queue._work)


@pytest.mark.parametrize("other", ["a", "b"], ids=["the same client", "another client"])
def test_who_hangs_up_leaves_the_work_to_the_others_who_wait(served: Served, other: str) -> None:
    with serving(served) as address:
        with held(served):
            first, second = looking(address, "a", "chr1:1-100"), looking(address, other, "chr1:1-200")
            until(lambda: wanted(served) == [2])
            first.close()
            until(lambda: wanted(served) == [1])
        with second:
            assert read(second).status == 200


def test_a_job_is_cancelled_when_the_last_who_asked_cancels(served: Served) -> None:
    def cancelled(job: str, client: str) -> str:
        wire = request(address, f"/api/jobs/{job}", "DELETE", x_distal_client=client)
        return str(json.loads(sent(address, wire).body)["status"])

    with serving(served) as address, held(served):
        job = posted(address, "a", 2_000)[1]["id"]
        assert posted(address, "b", 2_000)[1]["id"] == job
        assert [cancelled(job, client) for client in ("c", "a", "a", "b")] == [
            "queued",
            "queued",
            "queued",
            "cancelled",
        ]
        assert sent(address, request(address, f"/api/jobs/{job}/result")).status == 400
        assert posted(address, "a", 2_000)[1]["id"] != job


def test_a_server_that_ends_tells_who_waits(served: Served) -> None:
    with serving(served) as address, held(served):
        job = posted(address, "a", 2_000)[1]["id"]
    assert served.queue.job(job).status in ("cancelled", "done")
    assert not served.queue._thread.is_alive()
