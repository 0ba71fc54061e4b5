"""The benchmarks as they are typed, on small real files: tables, and the report of two models."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests import builders
from tests.evals.test_eqtl import tissue, write

from distal.cli import main
from distal.coords import Interval
from distal.models import zoo

CAGI5 = "#Chrom\tPos\tRef\tAlt\tValue\tConfidence\n"
UDACHA = "#chr\tstart\tend\tref\talt\tref_comb_es\talt_comb_es\n"


def other(base: str) -> str:
    return "ACGT"[("ACGT".index(base) + 1) % 4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, a genome, and the data of every task but expression; a plan of them."""
    folder = tmp_path_factory.mktemp("benchmarks")
    for family in ("basenji2", "enformer"):
        made = builders.predictor(family)
        zoo.save(made.module, folder / family, made.spec, {"human": builders.TABLE})
    genome = builders.genome(folder, 6000, "chr20")
    places = [at for at in range(2900, 3100) if genome.fetch(Interval("chr20", at, at + 1)) != "N"]
    bases = {at: genome.fetch(Interval("chr20", at, at + 1)) for at in places}
    values = np.random.default_rng(0).normal(size=30)
    (folder / "release").mkdir()
    rows = (
        f"20\t{at + 1}\t{bases[at]}\t{other(bases[at])}\t{v:.3f}\t{abs(v) / 5:.3f}\n"
        for at, v in zip(places[:30], values, strict=True)
    )
    (folder / "release" / "release_HNF4A.tsv").write_text(CAGI5 + "".join(rows))
    rows = (
        f"chr20\t{at}\t{at + 1}\t{bases[at]}\t{other(bases[at])}\t0\t{v:.3f}\n"
        for at, v in zip(places[:180:6], values, strict=True)
    )
    (folder / "HepG2.tsv").write_text(UDACHA + "".join(rows))
    names = ("chrom", "tss", "regulated", "1/distance", "tiny-basenji2:gradient", "tiny-enformer:gradient")
    lines = [f"chr1\t{i // 3}\t{i % 4 == 0}\t{i}\t{i * 7 % 11}\t{i * 5 % 13}" for i in range(24)]
    (folder / "pairs.tsv").write_text("\n".join(["\t".join(names), *lines]) + "\n")
    rows = (
        f"g\t20\t{at + 1}\t{bases[at]}\t{other(bases[at])}\t{v:.3f}\n"
        for at, v in zip(places[:180:15], values, strict=False)
    )
    (folder / "egenes.txt").write_text("gene_id\tchr\tpos\tref\talt\tslope\n" + "".join(rows))
    (folder / "genes.bed").write_text("chr20\t3050\t3051\tt\t0\t+\tg\n")
    for model in ("tiny-basenji2", "tiny-enformer"):
        (folder / "eqtl" / model).mkdir(parents=True)
        sets = tissue(1.0, 10)
        write(folder / "eqtl" / model / "Liver_pos.h5", sets.positive[:, :6])
        write(folder / "eqtl" / model / "Liver_neg.h5", sets.negative[:, :6])
    (folder / "plan.toml").write_text(
        '[cagi5]\ndata = "release"\nfasta = "chr20.fa"\nlasso = false\n'
        '[allelic]\ndata = "HepG2.tsv"\nfasta = "chr20.fa"\ntracks = "assay=DNASE"\nmost = 12\n'
        '[direction]\neqtls = "egenes.txt"\ngenes = "genes.bed"\nfasta = "chr20.fa"\n'
        '[crispri]\nscores = "pairs.tsv"\n[eqtl]\nscores = "eqtl"\niterations = 1\n'
    )
    return folder


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> object:
    assert main([*words, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_cagi5_as_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "cagi5", "--model", str(folder / "basenji2"), "--data", str(folder / "release"), "--untrained"]
    rows = run([*words, "--fasta", str(folder / "chr20.fa"), "--elements", "HNF4A", "--own-windows"], capsys)
    assert {row["statistic"] for row in rows} == {"pearson", "spearman", "auroc", "auprc"}
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    assert main([*words, "--elements", "F9"]) == 2
    assert "no element 'F9'" in capsys.readouterr().err


def test_allelic_as_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "allelic", "--model", str(folder / "enformer"), "--data", str(folder / "HepG2.tsv")]
    rows = run([*words, "--fasta", str(folder / "chr20.fa"), "--tracks", "assay=DNASE"], capsys)
    assert [row["statistic"] for row in rows] == ["pearson", "spearman", "concordance", "concordance"]
    assert main([*words, "--fasta", str(folder / "chr20.fa"), "--tracks", "assay=CHIP"]) == 2


def test_eqtl_as_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(["eval", "eqtl", "--scores", str(folder / "eqtl" / "tiny-enformer"), "--iterations", "1"], capsys)
    assert [row["name"] for row in rows] == ["mean over tissues, 6 tracks", "Liver, 6 tracks"]
    assert rows[0]["protocol"] == "our protocol"


class Pictures(HTMLParser):
    """Where the pictures of a page come from, and whatever else it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]


def test_a_report_is_one_page_and_one_document(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = f"{folder / 'basenji2'},{folder / 'enformer'}"
    words = ["eval", "report", "--models", models, "--plan", str(folder / "plan.toml"), "--out"]
    facts = run([*words, str(tmp_path / "report.html")], capsys)
    assert facts["models"] == ["tiny-basenji2", "tiny-enformer"]
    page = (tmp_path / "report.html").read_text()
    seen = Pictures()
    seen.feed(page)
    assert len(seen.sources) == 7  # one for each of five tasks, and a scatter for either model
    assert all(source.startswith("data:image/svg+xml;base64,") for source in seen.sources)
    assert not re.search(r"<(script|link)", page)
    document = json.loads((tmp_path / "report.json").read_text())
    assert {row["task"] for row in document["rows"]} == {"cagi5", "allelic", "direction", "crispri", "eqtl"}
    assert len(document["rows"]) == 2 * len(document["comparisons"])
    assert all(row["q"] is None or row["q"] >= row["p"] for row in document["comparisons"])
    (known,) = [
        row
        for row in document["rows"]
        if (row["name"], row["statistic"], row["model"]) == ("gradient", "auprc", "tiny-enformer")
    ]
    assert known["published"].startswith("1/distance 0.")
    assert main([*words, str(tmp_path / "report.pdf")]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no section"),
        ("[x]\n", "[x] is no task"),
        ("[cagi5]\nelements = []\n", "[cagi5] needs data"),
        ("[eqtl]\nscores = 'x'\nfolds = 3\n", "[eqtl] knows no folds"),
        ("[eqtl\n", "cannot be read as TOML"),
    ],
)
def test_plans_that_are_not_understood(
    text: str, reason: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.toml").write_text(text)
    words = ["eval", "report", "--models", str(folder / "basenji2"), "--plan", str(tmp_path / "plan.toml")]
    assert main([*words, "--out", str(tmp_path / "x.html")]) == 2
    assert reason in capsys.readouterr().err


def test_one_model_is_named_once(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "eval",
        "report",
        "--models",
        "a,a",
        "--plan",
        str(folder / "plan.toml"),
        "--out",
        str(tmp_path / "x.html"),
    ]
    assert main(words) == 2
    assert "one twice" in capsys.readouterr().err
