"""The OpenAPI document says what the server does: requests drawn from it are answered as it says, never by a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from logging import LogRecord
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import BaseSchema, Case, GenerationMode
from tests.web.conftest import made, serving

from distal.web.limits import Limits

LIMITS = Limits(region_bp=4_096, mutagenesis_bp=4, variants=3, tracks=3, seconds=2, wait=1, queue_per_client=64)
EXAMPLES = 15
"""Requests of each operation that are as they should be, as many that make sense, and as many that are wrong."""
OPERATIONS = [
    "GET /api/about",
    "GET /api/models",
    "GET /api/tracks",
    "GET /api/search",
    "GET /api/genes",
    "GET /api/sequence",
    "GET /api/signal",
    "GET /api/scores",
    "POST /api/jobs/predict",
    "POST /api/jobs/variant",
    "POST /api/jobs/score",
    "POST /api/jobs/mutagenesis",
    "POST /api/jobs/contributions",
    "POST /api/jobs/enhancers",
    "GET /api/jobs/{id}",
    "DELETE /api/jobs/{id}",
    "GET /api/jobs/{id}/result",
    "GET /genome/{name}",
]
ALWAYS_RIGHT = {"GET /api/about", "GET /api/models", "GET /genome/{name}"}
"""They take nothing, or any text."""
SENSE: dict[str, list[Any]] = {
    "region": ["chr1:3,001-3,004", "1:100-103", "chr1:5,999-6,000"],
    "variant": ["chr1:3000:A>C", "chr1:3001:AC>A", "chr1:10:G>GTT"],
    "variants": [["chr1:3000:A>C"], ["chr1:3000:A>C", "chr1:3000:A>C", "chr1:4000:N>T"]],
    "tracks": ["0", "5,3"],
    "points": [1, 1_000],
    "text": ["ALPHA", "chr1:5-10", "chr1:3000:A>C"],
    "gene": ["ALPHA", "BETA"],
    "scores": [["SAD"], ["SAR", "D2"]],
    "query": ["", "assay=DNASE"],
    "id": ["rs0", "rs2"],
    "name": ["sequence.fa", "sequence.fa.fai"],
}
"""What a query may say so that there is an answer; the rest stays as it was drawn."""
IN_BODIES = SENSE | {"tracks": [[0], [5, 3]], "target": ["chr1:3,001-3,600"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, faults: list[LogRecord]) -> Iterator[str]:
    with serving(made(tmp_path_factory.mktemp("described"), limits=LIMITS)) as address:
        yield address
    assert faults == []


@pytest.fixture(scope="module")
def document(address: str) -> BaseSchema:
    refused = ["400", "404", "413", "414", "422", "429", "431"]
    config = {"checks": {"negative_data_rejection": {"expected-statuses": refused}}}
    config["checks"]["positive_data_acceptance"] = {"expected-statuses": ["200", "202", "206", "400", "404", "429"]}
    return schemathesis.openapi.from_url(f"{address}/openapi.json", config=schemathesis.Config.from_dict(config))


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_every_operation_is_drawn_from(document: BaseSchema) -> None:
    found = [f"{one.ok().method.upper()} {one.ok().path}" for one in document.get_all_operations()]
    assert sorted(found) == sorted(OPERATIONS)


MODES = [(name, mode) for name in OPERATIONS for mode in GenerationMode if mode.is_positive or name not in ALWAYS_RIGHT]


@pytest.mark.parametrize(("operation", "mode"), MODES, ids=lambda value: getattr(value, "value", value))
def test_requests_drawn_from_the_document(
    document: BaseSchema, session: requests.Session, operation: str, mode: GenerationMode
) -> None:
    method, path = operation.split()

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def drawn(case: Case) -> None:
        case.call_and_validate(session=session, timeout=30)

    drawn()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_requests_that_make_sense(
    address: str, document: BaseSchema, session: requests.Session, operation: str
) -> None:
    method, path = operation.split()
    known = {"gene": SENSE["gene"]} if path == "/api/jobs/enhancers" else IN_BODIES
    ends = set()

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=document[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE), data=st.data())
    def drawn(case: Case, data: st.DataObject) -> None:
        for part in (case.query, case.path_parameters):
            part.update({name: data.draw(st.sampled_from(SENSE[name])) for name in part if name in SENSE})
        if isinstance(case.body, dict):
            case.body.update({name: data.draw(st.sampled_from(known[name])) for name in case.body if name in known})
        answer = case.call_and_validate(session=session, timeout=30)
        if method == "POST" and answer.status_code == 202:
            job = f"{address}/api/jobs/{answer.json()['id']}"
            ends.add(session.get(job, params={"wait": LIMITS.seconds}).json()["status"])
            assert session.get(f"{job}/result").status_code < 500
        else:
            ends.add(answer.status_code)

    drawn()
    assert ends & {200, 206, "done"} or "{id}" in path
