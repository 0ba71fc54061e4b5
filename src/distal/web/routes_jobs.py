"""Routes of work that takes a while: asked for, watched, cancelled, and its result in any format; computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from distal.web import explaining, looking, said
from distal.web.answers import MEDIA, Answer
from distal.web.asked import (
    ContributionsBody,
    EnhancersBody,
    MutagenesisBody,
    PredictBody,
    ScoreBody,
    VariantBody,
)
from distal.web.asking import BYTES, PROBLEMS, Client, There, result_of
from distal.web.job import Job
from distal.web.jobs import Progress
from distal.web.problems import NotFound
from distal.web.ranged import ranged
from distal.web.served import Served

router = APIRouter(prefix="/api/jobs", responses=PROBLEMS)
Body = TypeVar("Body", PredictBody, VariantBody, MutagenesisBody, ContributionsBody, EnhancersBody, ScoreBody)
Format = Literal["json", "npz", "arrow", "tsv", "bigwig", "bedpe", "svg", "png"]
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer was there."},
    202: {"model": said.JobSaid, "description": "It will be computed."},
}


@router.post("/predict", responses=_ACCEPTED)
def predict(body: PredictBody, response: Response, served: There, client: Client) -> said.JobSaid:
    """Tracks over a region, every bin."""
    served.region(body.region, served.limits.region_bp)
    return _asked(served, client, response, "predict", body, looking.predict)


@router.post("/variant", responses=_ACCEPTED)
def variant(body: VariantBody, response: Response, served: There, client: Client) -> said.JobSaid:
    """REF and ALT around a variant, and their difference."""
    return _asked(served, client, response, "variant", body, looking.variant)


@router.post("/score", responses=_ACCEPTED)
def score(body: ScoreBody, response: Response, served: There, client: Client) -> said.JobSaid:
    """Scores of variants, each with a status."""
    return _asked(served, client, response, "score", body, looking.score)


@router.post("/mutagenesis", responses=_ACCEPTED)
def mutagenesis(body: MutagenesisBody, response: Response, served: There, client: Client) -> said.JobSaid:
    """The effect of every substitution of a small region."""
    served.region(body.region, served.limits.mutagenesis_bp)
    return _asked(served, client, response, "mutagenesis", body, explaining.mutagenesis)


@router.post("/contributions", responses=_ACCEPTED)
def contributions(body: ContributionsBody, response: Response, served: There, client: Client) -> said.JobSaid:
    """What every base contributes to the prediction of a target."""
    return _asked(served, client, response, "contributions", body, explaining.contributions)


@router.post("/enhancers", responses=_ACCEPTED)
def enhancers(body: EnhancersBody, response: Response, served: There, client: Client) -> said.JobSaid:
    """Which elements regulate a gene."""
    return _asked(served, client, response, "enhancers", body, explaining.enhancers)


@router.get("/{id}")
async def job(id: str, served: There, wait: Annotated[float, Query(ge=0, le=3_600)] = 0) -> said.JobSaid:
    """How far a job is, after `wait` seconds at most, or as soon as it has ended."""
    found = served.queue.job(id)
    await served.queue.finished(found, min(wait, served.limits.wait))
    return _said(found)


@router.delete("/{id}")
def cancel(id: str, served: There, client: Client) -> said.JobSaid:
    """Cancel a job; it goes on where others have asked for the same."""
    return _said(served.queue.cancel(id, client))


@router.get(
    "/{id}/result",
    response_class=Response,
    responses=BYTES,
)
async def result(request: Request, id: str, served: There, format: Format = "json") -> Response:
    """What a job has computed. 404 while it has not ended."""
    found = served.queue.job(id)
    if not found.ended:
        raise NotFound(f"the job is {found.status}; ask for its result when it is done")
    answer: Answer = result_of(found)
    if not isinstance(answer, Answer):
        raise NotFound("this job only fills the cache; ask /api/signal")
    encoded = await run_in_threadpool(answer.encoded, format)
    named = {"Content-Disposition": f'attachment; filename="{answer.filename(format)}"'} if format != "json" else {}
    return ranged(request, encoded, MEDIA[format], named)


def _asked(
    served: Served,
    client: str,
    response: Response,
    verb: str,
    body: Body,
    function: Callable[[Served, Body, Progress], Answer],
) -> said.JobSaid:
    key = f"{served.label}\t{verb}\t{body.model_dump_json()}"
    job = served.queue.submit(client, verb, key, partial(function, served, body))
    response.status_code = 200 if job.ended else 202
    return _said(job)


def _said(job: Job) -> said.JobSaid:
    answer = job.result if job.status == "done" else None
    there = isinstance(answer, Answer)
    return said.JobSaid(
        id=job.id,
        verb=job.verb,
        status=job.status,
        position=job.position,
        done=job.done,
        total=job.total,
        seconds=round(job.seconds, 3),
        error=job.error,
        result_url=f"/api/jobs/{job.id}/result" if there else None,
        formats=answer.formats() if isinstance(answer, Answer) else [],
    )
