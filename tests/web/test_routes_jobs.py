"""Jobs over HTTP: the answers are those of the library's own functions, in every format, and mistakes are said."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from distal.cli import app
from distal.coords import Interval, Variant
from distal.incremental import FullForward, Incremental
from distal.interpret import attribution
from distal.interpret.contributions import contributions
from distal.io.scores import Scores, files
from distal.predictor import predict
from distal.scoring.sides import both_alleles
from distal.web.served import Served


def asked(client: httpx.Client, verb: str, **body: Any) -> dict[str, Any]:
    """The job, ended."""
    answer = client.post(f"/api/jobs/{verb}", json=body)
    assert answer.status_code in (200, 202), answer.text
    ended = client.get(f"/api/jobs/{answer.json()['id']}", params={"wait": 60}).json()
    assert ended["status"] in ("done", "failed"), ended
    return ended


def result(client: httpx.Client, verb: str, **body: Any) -> dict[str, Any]:
    job = asked(client, verb, **body)
    assert job["status"] == "done", job["error"]
    return client.get(job["result_url"]).json()


def snv(served: Served, at: int = 2_999) -> str:
    ref = served.genome.fetch(Interval("chr1", at, at + 1))
    return f"chr1:{at + 1}:{ref}>{'ACGT'[('ACGT'.index(ref) + 1) % 4]}"


@pytest.mark.parametrize("rc", [False, True])
def test_variant(client: httpx.Client, served: Served, rc: bool) -> None:
    text = snv(served)
    found = result(client, "variant", variant=text, tracks=[3, 0], rc=rc)
    table = served.predictor.tracks.take([3, 0])
    sides = both_alleles(FullForward(served.predictor), served.genome, Variant.parse(text), table, rc)
    assert (found["start"], found["end"]) == (sides.ref.interval.start, sides.ref.interval.end)
    for i, track in enumerate(found["tracks"]):
        np.testing.assert_allclose(track["ref"], sides.ref.values[:, i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(track["difference"], sides.difference.values[:, i], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(track["scores"]["SAD"], sides.scores["SAD"][i], rtol=1e-3, atol=1e-5)
    assert [track["index"] for track in found["tracks"]] == [3, 0]


def test_mutagenesis(client: httpx.Client, served: Served) -> None:
    found = result(client, "mutagenesis", region="chr1:3,001-3,010", tracks=[2])
    region = Interval("chr1", 3_000, 3_010)
    objective = attribution.Objective("index=2", None, attribution.LOG2_FOLD)
    expected = attribution.ism(Incremental(served.predictor), served.genome, region, objective).over_tracks()
    effects = np.array(found["effects"], dtype=float)
    assert found["letters"] == served.genome.fetch(region)
    here = np.array([[letter == base for letter in "ACGT"] for base in found["letters"]])
    assert np.isnan(effects[here]).all()
    np.testing.assert_allclose(effects[~here], expected[~here], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("region", [None, "chr1:2,901-3,100"])
@pytest.mark.parametrize("method", ["grad", "ig"])
def test_contributions(client: httpx.Client, served: Served, region: str | None, method: str) -> None:
    found = result(client, "contributions", target="chr1:3,000-3,100", tracks=[0], region=region, method=method)
    where = None if region is None else Interval.from_ucsc(region)
    target = Interval.from_ucsc("chr1:3,000-3,100")
    expected = contributions(served.predictor, served.genome, target, "index=0", where, method)  # type: ignore[arg-type]
    assert (found["start"], found["end"]) == (expected.interval.start, expected.interval.end)
    np.testing.assert_allclose(found["values"], expected.actual(), rtol=1e-4, atol=1e-6)
    assert (found["hypothetical"] is None) == (region is None)


def test_enhancers(client: httpx.Client) -> None:
    found = result(client, "enhancers", gene="ALPHA", methods=["gradient"])
    assert found["gene"] == "ALPHA"
    assert found["tss"] == [3_000]
    scores = [row["scores"]["gradient"] for row in found["rows"]]
    assert scores == sorted(scores, reverse=True)
    assert len(found["arcs"]) == len([score for score in scores if score is not None])


def test_predict(client: httpx.Client, served: Served) -> None:
    found = result(client, "predict", region="chr1:1,025-2,048", tracks=[0, 5])
    (tracks,) = predict(served.predictor, served.genome, [Interval("chr1", 1_024, 2_048)], "index=0,5")
    np.testing.assert_allclose([track["values"] for track in found["tracks"]], tracks.values.T, rtol=1e-5, atol=1e-6)


def test_score_accounts_for_every_variant(client: httpx.Client, served: Served) -> None:
    good = snv(served)
    chrom, pos, alleles = good.split(":")
    ref, alt = alleles.split(">")
    third = next(base for base in "ACGT" if base not in (ref, alt))
    texts = [good, f"{chrom}:{pos}:{alt}>{ref}", f"{chrom}:{pos}:{third}>{alt}", "chr9:5:A>C", good]
    found = result(client, "score", variants=texts, tracks=[0, 3], scores=["SAD", "SAR"])
    statuses = [row["status"] for row in found["rows"][::2]]
    assert statuses == ["scored", "ref_flipped", "ref_mismatch", "out_of_range", "duplicate"]
    assert found["counts"] == {"scored": 1, "ref_mismatch": 1, "ref_flipped": 1, "out_of_range": 1, "duplicate": 1}
    assert served.scores is not None
    with Scores(files(served.scores)[0]) as file:
        known = file.read(slice(0, 1)).values["SAD"][0]
    np.testing.assert_allclose([row["SAD"] for row in found["rows"][:2]], known[[0, 3]], rtol=1e-4, atol=1e-6)
    assert found["rows"][2]["SAD"] is None


def test_every_format_that_is_promised(client: httpx.Client, served: Served) -> None:
    jobs = [
        asked(client, "variant", variant=snv(served), tracks=[3]),
        asked(client, "mutagenesis", region="chr1:3,001-3,010", tracks=[2]),
        asked(client, "contributions", target="chr1:3,000-3,100", tracks=[0], region="chr1:2,901-3,100"),
        asked(client, "enhancers", gene="ALPHA", methods=["gradient"]),
        asked(client, "predict", region="chr1:1,025-2,048", tracks=[3]),
        asked(client, "score", variants=[snv(served)], tracks=[3]),
    ]
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "npz": b"PK", "arrow": b"ARROW1", "bedpe": b"#chrom1"}
    seen = set()
    for job in jobs:
        for form in job["formats"]:
            answer = client.get(job["result_url"], params={"format": form})
            assert answer.status_code == 200, (job["verb"], form)
            assert answer.content.startswith(magic.get(form, b"")), (job["verb"], form)
            assert form == "json" or answer.headers["content-disposition"].startswith("attachment")
            seen.add(form)
        lacking = {"bigwig", "svg", "bedpe"} - set(job["formats"])
        for form in lacking:
            answer = client.get(job["result_url"], params={"format": form})
            assert answer.status_code == 400
            assert "no format" in answer.json()["detail"]
    assert seen == {"json", "npz", "arrow", "tsv", "bigwig", "bedpe", "svg", "png"}


def test_tables_say_what_the_json_says(client: httpx.Client, served: Served) -> None:
    job = asked(client, "variant", variant=snv(served), tracks=[3])
    body = client.get(job["result_url"]).json()
    frame = pl.read_ipc(client.get(job["result_url"], params={"format": "arrow"}).content)
    text = client.get(job["result_url"], params={"format": "tsv"}).content
    assert frame["start"][0] == body["start"]
    for side in ("ref", "alt", "difference"):
        assert frame[f"atac.{side}"].to_list() == pytest.approx(body["tracks"][0][side], rel=1e-6)
    assert pl.read_csv(text, separator="\t").columns == frame.columns
    with np.load(io.BytesIO(client.get(job["result_url"], params={"format": "npz"}).content)) as file:
        np.testing.assert_allclose(file["alt"][0], body["tracks"][0]["alt"], rtol=1e-6)


def test_the_same_question_is_computed_once(client: httpx.Client, served: Served) -> None:
    body = {"variant": snv(served, 3_210), "tracks": [1]}
    first = client.post("/api/jobs/variant", json=body)
    ended = client.get(f"/api/jobs/{first.json()['id']}", params={"wait": 60}).json()
    again = client.post("/api/jobs/variant", json=body, headers={"X-Distal-Client": "another"})
    assert again.status_code == 200
    assert again.json()["id"] == ended["id"]


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        ("variant", {"variant": "chr1:3000", "tracks": [0]}, "not understood"),
        ("variant", {"variant": "chr1:3000:A>C", "tracks": [99]}, "is not there"),
        ("enhancers", {"gene": "NOBODY"}, "no gene"),
        ("contributions", {"target": "chr1:1-5,000", "tracks": [0]}, "zoom in"),
        ("score", {"variants": ["chr1:3000:A>C"], "tracks": [0], "scores": ["X"]}, "X"),
        ("score", {"variants": ["chr1:3000:A>C"], "tracks": [0], "scores": ["SADR_tss"]}, "per gene"),
        ("score", {"variants": ["chr1:3000:A>C"] * 101, "tracks": [0]}, "more than 100"),
    ],
)
def test_a_job_that_cannot_be_done_says_why(client: httpx.Client, verb: str, body: dict[str, Any], words: str) -> None:
    job = asked(client, verb, **body)
    assert job["status"] == "failed"
    assert words in job["error"]
    answer = client.get(f"/api/jobs/{job['id']}/result")
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("mutagenesis", {"region": "chr1:1-100", "tracks": [0]}, 400),
        ("predict", {"region": "chr1:1-5,000", "tracks": [0]}, 400),
        ("predict", {"region": "chr1:1-100", "tracks": []}, 422),
        ("predict", {"region": "chr1:1-100", "tracks": [0], "path": "/etc/passwd"}, 422),
        ("variant", {"variant": 7, "tracks": [0]}, 422),
        ("nothing", {}, 405),
    ],
)
def test_what_is_no_job(client: httpx.Client, verb: str, body: dict[str, Any], status: int) -> None:
    answer = client.post(f"/api/jobs/{verb}", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_job_is_cancelled(client: httpx.Client, served: Served) -> None:
    headers = {"X-Distal-Client": "who-cancels"}
    body = {"region": "chr1:3,301-3,320", "tracks": [0, 1, 2], "rc": True}
    ids = [
        client.post("/api/jobs/mutagenesis", json={**body, "region": f"chr1:3,3{i}1-3,3{i}9"}, headers=headers).json()[
            "id"
        ]
        for i in range(6)
    ]
    last = client.delete(f"/api/jobs/{ids[-1]}", headers=headers).json()
    assert last["status"] == "cancelled"
    assert client.get(f"/api/jobs/{ids[-1]}/result").status_code == 400
    assert client.get("/api/jobs/0000").status_code == 404
    for id in ids[:-1]:
        client.delete(f"/api/jobs/{id}", headers=headers)


def test_the_equivalent_python_runs_and_the_command_is_one(
    client: httpx.Client, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each snippet, with a model that stands for its name."""
    import distal

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(distal.__dict__, "load", lambda name, head="human": served.predictor)
    monkeypatch.setitem(distal.__dict__, "Genes", _Annotation(served))
    questions: list[tuple[str, dict[str, Any]]] = [
        ("variant", {"variant": snv(served), "tracks": [3]}),
        ("mutagenesis", {"region": "chr1:3,001-3,004", "tracks": [2]}),
        ("mutagenesis", {"region": "chr1:3,001-3,004", "tracks": [2], "target": "chr1:3,001-3,100"}),
        ("contributions", {"target": "chr1:3,000-3,100", "tracks": [0], "region": "chr1:2,901-3,100"}),
        ("contributions", {"target": "chr1:3,000-3,100", "tracks": [0]}),
        ("enhancers", {"gene": "ALPHA", "methods": ["gradient"]}),
        ("predict", {"region": "chr1:1,025-2,048", "tracks": [3]}),
        ("score", {"variants": [snv(served)], "tracks": [3]}),
    ]
    for verb, body in questions:
        same = result(client, verb, **body)["equivalent"]
        exec(compile(same["python"], verb, "exec"), {})
        _, bound, *_ = app.parse_args(shlex.split(same["command"])[1:], exit_on_error=False, print_error=False)
        assert bound.arguments["model"] in ("tiny", ("tiny",))


class _Annotation:
    """Stands for `Genes`, whose file the test's server never had."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def read(self, path: str) -> object:
        return self._served.genes
