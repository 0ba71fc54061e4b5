"""The application: routes, the page's files, and the guard in front of all; computes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

import distal
from distal.web import files, problems, routes_jobs, routes_look, routes_scores
from distal.web.guard import Guard
from distal.web.recent import Recent
from distal.web.served import Served

ABOUT = """Predicted tracks, variants, contributions and enhancers of one model on one genome.

Texts (`region`, `variant`) count from 1 as people write them; numbers (`start`, `end`) are 0-based and half-open.
What takes long is a job: asked for under /api/jobs, watched, cancelled, and its result had in several formats.
Clients take turns; a client is what it calls itself in `X-Distal-Client`, else its address."""


def routes(served: Served) -> FastAPI:
    """All routes, without a guard."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        served.close()

    app = FastAPI(
        title="distal", version=distal.__version__, description=ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.served = served
    app.state.recent = Recent(routes_look.RECENT_BYTES)
    app.state.apart = CapacityLimiter(routes_look.APART)
    problems.install(app)
    for router in (routes_look.router, routes_scores.router, routes_jobs.router, files.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=files.STATIC), name="static")
    return app


def application(served: Served, hosts: Collection[str], token: str | None = None) -> Guard:
    """What a server runs: only requests to one of `hosts`, and with the `token` if there is one, come through."""
    return Guard(routes(served), hosts, token, served.limits)
