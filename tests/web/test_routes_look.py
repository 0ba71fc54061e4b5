"""What can be looked at, asked of a real server: numbers are the predictor's, wrong questions get a sentence."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distal.coords import Interval
from distal.io import bigwig
from distal.predictor import averaged
from distal.web.served import Served

TILE = 1_024
BIN = 128


def signal(client: httpx.Client, region: str, **query: object) -> httpx.Response:
    return client.get("/api/signal", params={"region": region, "tracks": "0,3", **query})


def predicted(served: Served, tile: int) -> np.ndarray:
    """The tile by a pass of its own, [tracks, bins]."""
    window = served.predictor.window
    read = window.input_of(Interval("chr1", tile * TILE, (tile + 1) * TILE))
    return averaged(served.predictor, served.genome.codes(read)[None])[0].numpy().T


def test_signal_is_what_the_model_says_of_each_tile(client: httpx.Client, served: Served) -> None:
    found = signal(client, "chr1:1,025-3,072").json()
    assert (found["chrom"], found["start"], found["end"], found["bin_bp"]) == ("chr1", 1_024, 3_072, BIN)
    assert [track["index"] for track in found["tracks"]] == [0, 3]
    expected = np.concatenate([predicted(served, 1), predicted(served, 2)], axis=1)[[0, 3]]
    np.testing.assert_array_equal(np.array([t["values"] for t in found["tracks"]], dtype=np.float32), expected)


def test_the_chromosome_s_last_bin_is_there_and_none_behind_it(client: httpx.Client) -> None:
    found = signal(client, "1:5,900-6,000").json()
    assert (found["start"], found["end"]) == (5_888, 6_016)
    assert len(found["tracks"][0]["values"]) == 1


def test_joined_bins_are_means_wherever_one_looks_from(client: httpx.Client) -> None:
    fine = signal(client, "chr1:1-4,096").json()
    whole = signal(client, "chr1:1-4,096", points=8).json()
    part = signal(client, "chr1:1,000-3,900", points=6).json()
    assert whole["bin_bp"] == part["bin_bp"] == 512
    values = np.array(fine["tracks"][1]["values"]).reshape(-1, 4).mean(axis=1)
    np.testing.assert_allclose(whole["tracks"][1]["values"], values, rtol=1e-6)
    offset = (part["start"] - whole["start"]) // 512
    got = part["tracks"][1]["values"]
    assert got == whole["tracks"][1]["values"][offset : offset + len(got)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 5_999), st.integers(1, 3_000), st.integers(1, 40))
def test_every_region_is_covered(client: httpx.Client, first: int, width: int, points: int) -> None:
    last = min(6_000, first + width - 1)
    found = signal(client, f"chr1:{first}-{last}", points=points).json()
    assert found["start"] <= first - 1 < last <= found["end"]
    assert found["start"] % found["bin_bp"] == 0
    for track in found["tracks"]:
        assert len(track["values"]) * found["bin_bp"] == found["end"] - found["start"]
        assert len(track["values"]) <= points + 1


def test_one_signal_in_every_format(client: httpx.Client, tmp_path: Path) -> None:
    query = {"region": "chr1:1,025-2,048", "tracks": "3"}
    values = np.array(client.get("/api/signal", params=query).json()["tracks"][0]["values"], dtype=np.float32)

    def had(form: str) -> bytes:
        answer = client.get("/api/signal", params={**query, "format": form})
        assert answer.status_code == 200
        return answer.content

    with np.load(io.BytesIO(had("npz")), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["values"][0], values)
        assert file["place"].tolist() == [1_024, 2_048, BIN]
    for frame in (pl.read_ipc(had("arrow")), pl.read_csv(had("tsv"), separator="\t")):
        np.testing.assert_array_equal(frame["atac"].to_numpy().astype(np.float32), values)
        assert frame["start"][0] == 1_024
    (tmp_path / "x.bw").write_bytes(had("bigwig"))
    opened = bigwig.Opened(tmp_path / "x.bw")
    np.testing.assert_array_equal(opened.bases(Interval("chr1", 1_024, 2_048))[::BIN], values)


def test_a_bigwig_is_of_one_track(client: httpx.Client) -> None:
    answer = signal(client, "chr1:1,025-2,048", format="bigwig")
    assert answer.status_code == 400
    assert "no format 'bigwig'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-99", slice(0, 100)), ("bytes=100-", slice(100, None)), ("bytes=-7", slice(-7, None))],
)
def test_parts_of_a_bigwig(client: httpx.Client, asked: str, part: slice) -> None:
    query = {"region": "chr1:1,025-2,048", "tracks": "3", "format": "bigwig"}
    whole = client.get("/api/signal", params=query)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    answer = client.get("/api/signal", params=query, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole.content[part]
    first = part.indices(len(whole.content))[0]
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole.content)}"


@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=9999999-", 416), ("bytes=5-2", 200), ("bytes=0-1,4-5", 200), ("x", 200), ("bytes=-", 200)],
)
def test_parts_that_there_are_not(client: httpx.Client, asked: str, status: int) -> None:
    query = {"region": "chr1:1,025-2,048", "tracks": "3", "format": "bigwig"}
    assert client.get("/api/signal", params=query, headers={"Range": asked}).status_code == status


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"region": "chr1:1-5,000"}, 400, "zoom in"),
        ({"region": "chr2:1-50"}, 400, "not in"),
        ({"region": "chr1:5,900-6,001"}, 400, "leaves its chromosome"),
        ({"region": "../../etc/passwd"}, 400, "not understood"),
        ({"tracks": "7"}, 400, "is not there"),
        ({"tracks": "1,1"}, 400, "twice"),
        ({"tracks": "a"}, 400, "no list of output channels"),
        ({"points": "0"}, 422, "points"),
        ({"format": "pickle"}, 422, "format"),
    ],
)
def test_what_cannot_be_looked_at(client: httpx.Client, query: dict[str, str], status: int, words: str) -> None:
    answer = client.get("/api/signal", params={"region": "chr1:1-100", "tracks": "0", **query})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


def test_about(client: httpx.Client, served: Served) -> None:
    found = client.get("/api/about").json()
    assert found["model"]["tracks"] == 6
    assert found["genome"]["chromosomes"] == [{"name": "chr1", "length": 6_000}]
    assert found["genes"] is True
    assert found["scores"] is True
    assert found["limits"]["region_bp"] == 4_096
    for url in (found["genome"]["igv"][key] for key in ("fastaURL", "indexURL")):
        assert client.get(url).status_code == 200


def test_the_genome_is_had_in_parts(client: httpx.Client, served: Served) -> None:
    url = client.get("/api/about").json()["genome"]["igv"]["fastaURL"]
    answer = client.get(url, headers={"Range": "bytes=10-19"})
    assert answer.status_code == 206
    assert answer.content == served.genome.path.read_bytes()[10:20]
    assert client.get("/genome/genes.gtf").status_code == 404


def test_models_that_are_here_come_first(client: httpx.Client) -> None:
    rows = client.get("/api/models").json()
    assert [row["here"] for row in rows] == sorted((row["here"] for row in rows), reverse=True)
    assert {"enformer-mini", "basenji2-mini"} <= {row["name"] for row in rows if row["here"]}


def test_tracks_and_their_facets(client: httpx.Client) -> None:
    found = client.get("/api/tracks", params={"query": "assay=CAGE"}).json()
    assert [(row["index"], row["strand"]) for row in found["tracks"]] == [(0, "+"), (1, "-")]
    assert found["facets"]["assay"] == [{"value": "CAGE", "count": 2}]
    assert len(client.get("/api/tracks").json()["tracks"]) == 6
    assert client.get("/api/tracks", params={"query": "assay=NOTHING"}).status_code == 400


@pytest.mark.parametrize(
    ("text", "kind", "region"),
    [
        ("chr1:101-200", "region", "chr1:101-200"),
        ("1:150", "region", "chr1:150-150"),
        ("chr1", "region", "chr1:1-6,000"),
        ("chr1:3000:A>C", "variant", "chr1:1-6,000"),
        ("alpha", "gene", "chr1:1-6,000"),
        ("G2", "gene", "chr1:1-6,000"),
        ("rs1", "id", "chr1:1-6,000"),
    ],
)
def test_search(client: httpx.Client, text: str, kind: str, region: str) -> None:
    found = client.get("/api/search", params={"text": text}).json()
    assert (found["kind"], found["region"]) == (kind, region)
    assert (found["variant"] is not None) == (kind in ("variant", "id"))
    assert found["gene"] == {"alpha": "ALPHA", "G2": "BETA"}.get(text)


@pytest.mark.parametrize(
    ("text", "words"), [("ALPHB", "did you mean ALPHA"), ("chr9:1-2", "not in"), ("chr1:9:A>", "not understood")]
)
def test_what_is_not_found(client: httpx.Client, text: str, words: str) -> None:
    answer = client.get("/api/search", params={"text": text})
    assert answer.status_code == 404
    assert words in answer.json()["detail"]


def test_genes_and_letters(client: httpx.Client, served: Served) -> None:
    (alpha, beta) = client.get("/api/genes", params={"region": "chr1:1-6000"}).json()
    assert (alpha["name"], alpha["start"], alpha["end"], alpha["tss"]) == ("ALPHA", 3_000, 3_600, [3_000])
    assert (beta["chrom"], beta["strand"], beta["tss"]) == ("chr1", "-", [4_499])
    found = client.get("/api/sequence", params={"region": "chr1:11-20"}).json()
    assert found["letters"] == served.genome.fetch(Interval("chr1", 10, 20))


def test_nothing_else_is_given_out(client: httpx.Client) -> None:
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.put("/api/about").status_code == 405
    assert client.get("/docs").status_code == 404
