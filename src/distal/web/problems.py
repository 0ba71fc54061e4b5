"""What a client is told when something is wrong: one sentence with a remedy, as RFC 9457 has it; knows no verb."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from distal.errors import InputError
from distal.web.answers import as_json
from distal.web.jobs import Busy, Unknown

_LOG = logging.getLogger(__name__)
RETRY_SECONDS = "2"


class NotFound(InputError):  # noqa: N818
    """What is asked for is not there."""


class Problem(BaseModel):
    """The body of every answer that is none."""

    title: str
    status: int
    detail: str
    """One sentence: what is wrong, and what to do."""


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An answer of type ``application/problem+json``."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(as_json(body), status, headers, "application/problem+json")


def install(app: FastAPI) -> None:
    """Turn what routes raise into problems."""

    @app.exception_handler(InputError)
    def _wrong(request: Request, error: InputError) -> Response:
        if isinstance(error, Busy):
            return problem(429, str(error), {"Retry-After": RETRY_SECONDS})
        return problem(404 if isinstance(error, NotFound | Unknown) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    def _malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return problem(422, f"{where}: {first['msg']}; /openapi.json describes what is expected")

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        detail = f"{request.method} {request.url.path[:200]}: {error.detail}; /openapi.json lists what there is"
        return problem(error.status_code, detail, dict(error.headers) if error.headers else None)

    @app.exception_handler(Exception)
    def _fault(request: Request, error: Exception) -> Response:
        _LOG.error("a fault at %s %s", request.method, request.url.path, exc_info=error)
        return problem(500, "a fault in distal; its log says more")
