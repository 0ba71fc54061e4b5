"""`distal contributions` and `distal motifs`: what is written, for every method, and what is refused."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pybigtools
import pytest
from tests import builders
from tests.scoring import small

from distal.coords import Interval
from distal.interpret import contributions as ask
from distal.io import contributions as stored
from distal.predictor import load

TARGET = "chr1:9,900-10,100"
REGION = "chr1:10,001-10,012"


@pytest.fixture
def contribute(call, model, genome, tmp_path):
    """Run the verb; the exit code, what it printed as JSON, and stderr."""

    def run(*words, out="x.h5"):
        options = ["--model", model, "--fasta", genome.path, "--target", TARGET, "--out", tmp_path / out, "--json"]
        code, printed, error = call("contributions", *options, *words)
        return code, json.loads(printed) if not code else None, error

    return run


@pytest.mark.parametrize("rc", [False, True])
def test_gradients_in_all_files(contribute, model, genome, tmp_path, rc):
    bigwig, figure = tmp_path / "x.bw", tmp_path / "x.png"
    words = ["--bigwig", bigwig, "--figure", figure, *(["--rc", "--shifts", "-1,1"] if rc else [])]
    code, summary, _ = contribute(*words)
    assert code == 0
    assert summary["files"] == [str(tmp_path / "x.h5"), str(bigwig), str(figure)]
    predictor = load(str(model))
    asked = ask.locus(predictor, genome, Interval.from_ucsc(TARGET))
    expected = ask.gradient_x_input(predictor, asked, rc, (-1, 1) if rc else (0,))
    content = stored.read(tmp_path / "x.h5")
    np.testing.assert_array_equal(content.hypothetical, expected.hypothetical)
    np.testing.assert_array_equal(content.contributions, expected.actual())
    np.testing.assert_array_equal(content.codes, genome.codes(content.interval))
    assert (content.interval, content.target) == (asked.region, asked.target)
    assert content.facts["method"] == "grad"
    assert content.facts["rc"] == rc
    assert content.facts["value"] == pytest.approx(summary["value"])
    with pybigtools.open(str(bigwig)) as file:
        found = np.array(file.values(asked.region.chrom, asked.region.start, asked.region.end, fillna=None))
    np.testing.assert_array_equal(found.astype(np.float32), content.contributions)
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize("method", ["grad-centred", "ism", "ig"])
def test_other_methods(contribute, method, tmp_path):
    code, summary, _ = contribute("--method", method, "--region", REGION, "--figure", tmp_path / "x.svg")
    assert code == 0
    assert summary["bases"] == 12
    assert stored.read(tmp_path / "x.h5").contributions.shape == (12,)
    assert summary["method"] == method
    assert ("gap" in summary) == (method == "ig")


def test_integrated_gradients_that_end_early_say_so(contribute):
    code, summary, error = contribute("--method", "ig", "--steps", "9", "--baseline", "zero")
    assert code == 0
    assert summary["steps"] == 9
    assert (summary["gap"] > 0.01) == ("give more --steps" in error)


def test_attention(call, genome, tmp_path):
    model, bigwig = small.model(tmp_path, "enformer"), tmp_path / "x.bw"
    options = ["--model", model, "--fasta", genome.path, "--target", TARGET, "--out", tmp_path / "x.h5", "--json"]
    options += ["--method", "attention", "--bigwig", bigwig, "--figure", tmp_path / "x.png"]
    code, printed, _ = call("contributions", *options)
    assert code == 0
    summary = json.loads(printed)
    with h5py.File(tmp_path / "x.h5") as file:
        layers, heads, positions = file["attention"].shape
        assert (summary["layers"], summary["heads"], summary["positions"]) == (layers, heads, positions)
        np.testing.assert_allclose(file["mean"][:], file["attention"][:].mean((0, 1)), rtol=1e-5)
        assert file["rollout"][:].sum() == pytest.approx(1, rel=1e-5)
        start, end, mean = int(file.attrs["start"]), int(file.attrs["end"]), file["mean"][:]
    with pybigtools.open(str(bigwig)) as file:
        found = np.array(file.values("chr1", start, end, fillna=None))
    np.testing.assert_allclose(found, np.repeat(mean, (end - start) // positions), rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "ism"], "--region"),
        (["--method", "ism", "--region", REGION, "--shifts", "1"], "leave --shifts out"),
        (["--method", "attention", "--region", REGION], "leave --region out"),
        (["--method", "attention"], "no attention"),
        (["--bigwig", "x.txt"], "must end in .bw"),
        (["--figure", "nowhere/x.png"], "not a folder"),
        (["--tracks", "assay=NOTHING"], "NOTHING"),
    ],
)
def test_what_cannot_be_done_is_refused(contribute, words, message):
    code, _, error = contribute(*words)
    assert code == 2
    assert message in error


MEME = "MEME version 4\n\nALPHABET= ACGT\n"


@pytest.fixture
def planted(tmp_path):
    """Contributions that are ACGTTGCA's at one place of a random sequence, and a file of that motif and another."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 1000).astype(np.uint8)
    word = np.array([0, 1, 2, 3, 3, 2, 1, 0], dtype=np.uint8)
    codes[500:508] = word
    values = rng.normal(0, 0.01, (1000, 4)).astype(np.float32)
    values[range(500, 508), word] += 1
    interval = Interval("chr1", 7000, 8000)
    facts = {"model": "planted", "method": "ism"}
    actual = ask.at_letters(values, codes)
    content = stored.Stored(actual, values, codes, interval, Interval("chr1", 7400, 7528), builders.TABLE, facts)
    stored.write(tmp_path / "c.h5", content)
    text = MEME
    for name, letters in (("MA1 other", rng.integers(0, 4, 8)), ("MA2 planted", word)):
        rows = np.full((8, 4), 0.02)
        rows[range(8), letters] = 0.94
        text += f"\nMOTIF {name}\nletter-probability matrix: alength= 4 w= 8\n"
        text += "".join(" ".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "m.meme").write_text(text)
    return content


def test_a_planted_motif_is_found(call, planted, tmp_path):
    options = ["--contributions", tmp_path / "c.h5", "--meme", tmp_path / "m.meme", "--out", tmp_path / "hits.tsv"]
    options += ["--figure", tmp_path / "m.png", "--peaks", 5, "--modisco", tmp_path / "modisco", "--modisco-width", 100]
    code, printed, _ = call("motifs", *options, "--json")
    assert code == 0
    summary = json.loads(printed)
    header, first, *_ = (tmp_path / "hits.tsv").read_text().splitlines()
    row = dict(zip(header.split("\t"), first.split("\t"), strict=True))
    assert (row["chrom"], row["start"], row["end"], row["name"]) == ("chr1", "7500", "7508", "planted")
    assert row["sequence"] == "ACGTTGCA"
    assert (row["peak"], row["agrees"]) == ("1", "yes")
    assert float(row["explained"]) > 0.9
    assert float(row["p_value"]) == pytest.approx(4**-8, rel=0.01)
    assert float(row["contribution"]) == pytest.approx(planted.contributions[500:508].sum(), rel=1e-5)
    windows = [line.split("\t") for line in (tmp_path / "modisco" / "windows.bed").read_text().splitlines()]
    ohe = np.load(tmp_path / "modisco" / "ohe.npz")["arr_0"]
    values = np.load(tmp_path / "modisco" / "hypothetical.npz")["arr_0"]
    assert ohe.shape == values.shape == (summary["modisco_windows"], 4, 100)
    start = int(windows[0][1]) - 7000
    np.testing.assert_array_equal(ohe[0].argmax(0), planted.codes[start : start + 100])
    np.testing.assert_array_equal(values[0].T, planted.hypothetical[start : start + 100])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--p-value", "0"], "no probability"),
        (["--peaks", "0"], "at least 1"),
        (["--modisco", "m", "--modisco-width", "5000"], "narrower"),
        (["--figure", "x.txt"], "must end in"),
    ],
)
def test_motifs_refuse(call, planted, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, error = call("motifs", "--contributions", "c.h5", "--meme", "m.meme", "--out", "hits.tsv", *words)
    assert code == 2
    assert message in error


def test_other_files_are_no_contributions(call, planted, tmp_path):
    code, _, error = call(
        "motifs", "--contributions", tmp_path / "m.meme", "--meme", tmp_path / "m.meme", "--out", tmp_path / "h.tsv"
    )
    assert code == 2
    assert "does not hold contributions" in error
