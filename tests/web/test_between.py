"""Looks at tracks that come between the steps of long work change neither: the numbers are those of each alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import builders
from tests.web.conftest import annotation

from distal.web import explaining, looking
from distal.web.answers import Answer
from distal.web.asked import ContributionsBody, EnhancersBody, MutagenesisBody, ScoreBody
from distal.web.cache import Cache
from distal.web.equivalent import Called
from distal.web.job import Job
from distal.web.jobs import Queue
from distal.web.limits import Limits
from distal.web.served import Served

LOOKS = 6
GIVEN: dict[str, tuple[Callable[..., Answer], Any]] = {
    "mutagenesis": (explaining.mutagenesis, MutagenesisBody(region="chr1:3,001-3,004", tracks=[0, 3])),
    "both strands": (explaining.mutagenesis, MutagenesisBody(region="chr1:3,001-3,003", tracks=[2], rc=True)),
    "score": (
        looking.score,
        ScoreBody(variants=[f"chr1:{pos}:{ref}>T" for pos in (3_100, 3_300, 3_310) for ref in "ACG"], tracks=[1]),
    ),
    "enhancers": (explaining.enhancers, EnhancersBody(gene="ALPHA", methods=["gradient", "ism"])),
    "attention": (explaining.enhancers, EnhancersBody(gene="ALPHA", methods=["attention"])),
    "integrated": (
        explaining.contributions,
        ContributionsBody(target="chr1:3,001-3,300", tracks=[0], method="ig"),
    ),
}
ASKED = [(name, family) for name in list(GIVEN)[:4] for family in ("enformer", "basenji2", "borzoi")]
ASKED += [("attention", "enformer"), ("integrated", "basenji2")]


def opened(folder: Path, family: str) -> Served:
    genome = builders.genome(folder)
    cache = Cache(folder / "cache", 0)  # every look is computed
    return Served(builders.predictor(family), genome, cache, Called("tiny", "g.fa"), annotation())


def arrays(answer: Answer) -> dict[str, Any]:
    return dict(answer.arrays) or {"rows": answer.body["rows"]}


@pytest.mark.parametrize(("name", "family"), ASKED)
def test_a_look_in_between(tmp_path: Path, name: str, family: str) -> None:
    served = opened(tmp_path, family)
    function, body = GIVEN[name]
    work = partial(function, served, body)
    alone = arrays(work(_Still()))
    tiles = [served.grid._predicted("chr1", tile % 6) for tile in range(LOOKS)]
    order: list[str] = []
    begin = threading.Event()

    def look(tile: int, progress: Any) -> Any:
        found = served.grid._predicted("chr1", tile % 6)
        order.append("look")
        return found

    def long(progress: Any) -> Any:
        found = work(progress)
        order.append("long")
        return found

    with Queue(Limits(queue_per_client=LOOKS), first=["signal"]) as queue:
        held = queue.submit("a", "hold", "hold", lambda progress: begin.wait(60))
        job = queue.submit("a", "long", "long", long)
        looks = [queue.submit("b", "signal", f"{i}", partial(look, i)) for i in range(LOOKS)]
        begin.set()
        asyncio.run(ended(queue, [held, job, *looks]))
    assert job.status == "done", job.error
    assert order.index("long") > 1  # or nothing came between
    for key, values in alone.items():
        np.testing.assert_array_equal(arrays(job.result)[key], values)
    for one, values in zip(looks, tiles, strict=True):
        np.testing.assert_array_equal(one.result, values)


class _Still:
    """Progress that nobody watches."""

    def total(self, n: int) -> None:
        pass

    def __call__(self, n: int = 1) -> None:
        pass


async def ended(queue: Queue, jobs: list[Job]) -> None:
    for job in jobs:
        assert await queue.finished(job, 60)
