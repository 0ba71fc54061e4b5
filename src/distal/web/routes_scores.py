"""The route of scores that were written before; computes nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from distal.coords import Interval
from distal.web import said
from distal.web.asking import PROBLEMS, There
from distal.web.problems import NotFound
from distal.web.rows import Wanted, rows

router = APIRouter(prefix="/api", responses=PROBLEMS)
_Text = Annotated[str, Query(max_length=2_000)]


@router.get("/scores")
def scores(
    served: There,
    region: _Text = "",
    id: _Text = "",
    variant: _Text = "",
    tracks: Annotated[str, Query(max_length=1_000)] = "",
    score: Annotated[str, Query(max_length=60)] = "",
    at_least: Annotated[float, Query(ge=0)] = 0.0,
    order: Literal["position", "size"] = "position",
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
) -> said.ScoresSaid:
    """Rows of the scores that the server was started with: of a region, an ID or a variant, one a variant and track.

    ``at_least`` and ``order=size`` go by the size of one ``score``, the first one where none is named.
    """
    if served.scores is None:
        raise NotFound("there are no scores; start the server with --scores")
    wanted = Wanted(
        None if not region else Interval.from_ucsc(region),
        id,
        served.variant(variant) if variant else None,
        tracks,
        score,
        at_least,
        order,
        offset,
        limit,
    )
    found = rows(served.scores, wanted)
    return said.ScoresSaid(total=found.total, scores=list(found.scores), rows=list(found.rows))
