"""What every route needs of a request: who asks, what is served, and waiting for work; knows no verb."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from distal.errors import InputError
from distal.web.answers import MEDIA
from distal.web.job import Job
from distal.web.jobs import Progress
from distal.web.problems import Problem
from distal.web.served import Served

_CLIENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOOK_SECONDS = 0.5
"""How often a request that waits looks whether the client has gone."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}, "description": text}
    for status, text in {
        400: "What was asked for can't be done.",
        401: "The server asks for its token.",
        403: "Another site's page asks.",
        404: "There is no such thing.",
        413: "The body is too long.",
        414: "The address is too long.",
        421: "The server doesn't go by this name.",
        422: "The request is not understood.",
        429: "The queue is full; ask again in a moment.",
        431: "The headers are too long.",
    }.items()
}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {} for media in MEDIA.values()}, "description": "In the format that is asked for."},
    206: {"description": "A part of it (`Range`)."},
    416: {"description": "There is no such part of it."},
}


async def served_by(request: Request) -> Served:  # not to be run in a thread of its own, which takes longer
    """What this server has opened."""
    found: Served = request.app.state.served
    return found


async def who(request: Request, x_distal_client: Annotated[str | None, Header(max_length=200)] = None) -> str:
    """A name for who asks, so that turns are fair: what the page calls itself, else the address."""
    if x_distal_client and _CLIENT.fullmatch(x_distal_client):
        return x_distal_client
    return request.client.host if request.client else "-"


There = Annotated[Served, Depends(served_by)]
Client = Annotated[str, Depends(who)]


def numbers(text: str) -> list[int]:
    """``0,3,7``: output channels. Raises `InputError` for anything else."""
    words = text.split(",") if text else []
    if not words or not all(re.fullmatch(r"[0-9]{1,6}", word) for word in words):
        raise InputError(f"tracks {text[:60]!r} is no list of output channels such as 0,3; /api/tracks numbers them")
    found = [int(word) for word in words]
    if len(set(found)) != len(found):
        raise InputError(f"tracks {text[:60]!r} names a track twice; name each once")
    return found


async def answered(
    served: Served, request: Request, client: str, verb: str, key: str, work: Callable[[Progress], Any]
) -> Any:
    """The answer to a question that somebody waits for; when he goes, so does the work.

    Raises `InputError` where it failed or took longer than a request may wait.
    """
    job = served.queue.submit(client, verb, key, work)
    try:
        await _ended(served, request, job)
    except asyncio.CancelledError:
        served.queue.leave(job.id, client)
        raise
    if not job.ended:
        served.queue.leave(job.id, client)
        raise InputError(f"the answer takes longer than {served.limits.wait:.0f} s; ask for less, or through /api/jobs")
    return result_of(job)


async def _ended(served: Served, request: Request, job: Job) -> None:
    waited = 0.0
    while waited < served.limits.wait and not await served.queue.finished(job, _LOOK_SECONDS):
        waited += _LOOK_SECONDS
        if await request.is_disconnected():
            return


def result_of(job: Job) -> Any:
    """What a job that has ended computed.

    Raises `InputError` where it failed or was cancelled, `RuntimeError` where that is our fault.
    """
    if job.status != "done":
        if job.reason == "fault":
            raise RuntimeError(job.error)
        raise InputError(job.error or f"the job is {job.status}; ask for it again")
    return job.result
