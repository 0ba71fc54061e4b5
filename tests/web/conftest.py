"""A real server on a real socket, of a tiny model on a small genome with genes and scores."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests import builders

from distal.coords import Interval
from distal.io.genes import Genes
from distal.io.gtf import Feature
from distal.io.vcf import VcfRow
from distal.scoring.variants import score_variants
from distal.web.app import application
from distal.web.cache import Cache
from distal.web.equivalent import Called
from distal.web.limits import Limits
from distal.web.served import Served

BASES = 6_000


def annotation() -> Genes:
    """A gene on each strand."""
    forward = [
        Feature("transcript", Interval("chr1", 3_000, 3_600, "+"), "G1", "ALPHA", "T1"),
        Feature("exon", Interval("chr1", 3_000, 3_100, "+"), "G1", "ALPHA", "T1"),
        Feature("exon", Interval("chr1", 3_400, 3_600, "+"), "G1", "ALPHA", "T1"),
    ]
    return Genes([*forward, Feature("transcript", Interval("1", 4_000, 4_500, "-"), "G2", "BETA", "T2")])


def made(folder: Path, scores: bool = True, changed: float = 1.0, **options: object) -> Served:
    """Everything that a server has, in `folder`; `changed` is when the genome's file was changed."""
    predictor, genome = builders.predictor(), builders.genome(folder, BASES)
    os.utime(genome.path, (changed, changed))
    known = None
    if scores:
        ref = genome.fetch(Interval("chr1", 2_999, 3_002))
        others = ["ACGT"[("ACGT".index(base) + 1) % 4] for base in ref]
        rows = [VcfRow(i + 1, i, "chr1", 3_000 + i, f"rs{i}", ref[i], others[i]) for i in range(3)]
        known = folder / "scored"
        score_variants(predictor, genome, rows, known, dtype="float32")
    called = Called("tiny", str(genome.path), "genes.gtf")
    cache = Cache(folder / "cache", 1 << 26)
    return Served(predictor, genome, cache, called, annotation(), known, **options)  # type: ignore[arg-type]


@contextmanager
def serving(served: Served, token: str | None = None) -> Iterator[str]:
    """The address of a server that runs as long as the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        app = application(served, [f"127.0.0.1:{port}", f"localhost:{port}"], token)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def faults() -> Iterator[list[logging.LogRecord]]:
    """What servers log as a fault of theirs, while the fixture is in use."""
    found: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = found.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return made(tmp_path_factory.mktemp("served"), limits=Limits(region_bp=4_096, mutagenesis_bp=20))


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with serving(served) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield http
