"""`distal enhancers` and `distal eval crispri` as they are typed, with a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from distal.io.bedpe import read
from distal.io.fasta import Genome

COLUMNS = ["chr", "start", "end", "name", "class", "TargetGene", "TargetGeneEnsemblID", "TargetGeneTSS", "CellType"]
COLUMNS += ["Score", "DistanceToTSS"]


@pytest.fixture(scope="module")
def annotation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gene with two promoters 1,500 bp apart, and one of the same name on each strand of another place."""
    path = tmp_path_factory.mktemp("genes") / "genes.bed"
    rows = [(9000, "g1", "+"), (10_500, "g1", "+"), (15_000, "twin", "+"), (16_000, "twin", "-")]
    path.write_text("".join(f"chr1\t{at}\t{at + 1}\tt{at}\t0\t{strand}\t{name}\n" for at, name, strand in rows))
    return path


@pytest.fixture
def ask(call: Call, model: Path, genome: Genome, annotation: Path) -> Call:
    def run(*options: object) -> tuple[int, str, str]:
        words = ("--model", model, "--fasta", genome.path, "--genes", annotation, "--tracks", "assay=CAGE")
        return call("enhancers", *words, *options)

    return run


def rows(path: Path) -> list[dict[str, str]]:
    names, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(names, line, strict=True)) for line in lines]


def test_a_table_a_bedpe_and_a_picture(ask: Call, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("x.tsv", "x.bedpe", "x.svg")]
    options = ("--methods", "gradient,ism", "--shuffles", 1, "--width", 200, "--json")
    code, out, err = ask("--gene", "g1", "--out", files[0], "--bedpe", files[1], "--figure", files[2], *options)
    assert code == 0, err
    told = json.loads(out)
    assert (told["promoters"], told["start sites"]) == (2, 2)
    assert told["files"] == [str(file) for file in files]
    table = rows(files[0])
    extra = ["gradient", "ism", "inverse_distance", "abc", "activity_gradient", "ism_change", "activity"]
    assert list(table[0]) == [*COLUMNS, *extra]
    assert len(table) == told["elements"]
    scores = [float(row["Score"]) for row in table if row["Score"] != "NA"]
    assert scores == sorted(scores, reverse=True)
    assert [pair.score for pair in read(files[1])] == pytest.approx(scores)
    assert {row["TargetGeneTSS"] for row in table} <= {"9000", "10500"}
    assert "<svg" in files[2].read_text()


def test_elements_that_are_given_are_scored_and_named(ask: Call, tmp_path: Path) -> None:
    (tmp_path / "e.bed").write_text("1\t9200\t9300\tnear\t7\n1\t19000\t19100\tfar\t1\nchrZ\t0\t5\tx\t1\n")
    (tmp_path / "c.bedpe").write_text("chr1\t9200\t9300\tchr1\t9000\t9100\tloop\t2\n")
    given = ("--elements", tmp_path / "e.bed", "--contacts", tmp_path / "c.bedpe", "--cell-type", "K562")
    code, _, err = ask("--gene", "G1", "--out", tmp_path / "x.tsv", "--methods", "gradient", "--width", 50, *given)
    assert code == 0, err
    (row,) = rows(tmp_path / "x.tsv")
    assert (row["name"], row["CellType"], row["DistanceToTSS"], row["abc"], row["activity"]) == (
        "near",
        "K562",
        "250",
        "1",
        "7",
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--gene", "twins", "--out", "x.tsv"), "no gene 'twins'; did you mean twin?"),
        (("--gene", "twin", "--out", "x.tsv"), "names 2 genes"),
        (("--gene", "g1", "--out", "x.csv"), "must end in .tsv"),
        (("--gene", "g1", "--out", "x.tsv", "--methods", "magic"), "not one of gradient"),
        (("--gene", "g1", "--out", "x.tsv", "--bedpe", "nowhere/x.bedpe"), "is not a folder"),
    ],
)
def test_what_is_refused(
    ask: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = ask(*options)
    assert code == 2
    assert why in err
    assert not list(tmp_path.iterdir())


def test_crispri_ranks_every_method_and_baseline(call: Call, model: Path, genome: Genome, tmp_path: Path) -> None:
    names = ["chrom", "chromStart", "chromEnd", "startTSS", "endTSS", "measuredGeneSymbol", "Regulated"]
    names += ["DHS.RPM", "H3K27ac.RPM"]
    pairs = [(8800, 9000, "TRUE", 3), (9300, 9000, "FALSE", 1), (9900, 9000, "FALSE", 1), (12_200, 12_000, "TRUE", 2)]
    lines = [
        f"chr1\t{at}\t{at + 100}\t{tss}\t{tss + 1}\tg{tss}\t{truth}\t{dnase}\t1" for at, tss, truth, dnase in pairs
    ]
    (tmp_path / "pairs.tsv").write_text("\n".join(["\t".join(names), *lines]) + "\n")
    words = ("--models", model, "--pairs", tmp_path / "pairs.tsv", "--fasta", genome.path, "--width", 100)
    words += ("--methods", "gradient", "--out", tmp_path / "r.json", "--scores", tmp_path / "s.tsv")
    code, out, err = call("eval", "crispri", *words)
    assert code == 0, err
    assert "4 pairs, 2 regulated" in err
    assert "DNase/distance" in out
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["rankings"][0]["method"] == "1/distance"
    assert {row["method"] for row in written["rankings"]} >= {"gradient", "gradient x DNase", "activity x contact"}
    assert len(rows(tmp_path / "s.tsv")) == 4
    assert call("eval", "crispri", *words, "--out", tmp_path / "r.txt")[0] == 2
    assert call("eval", "crispri", *words[2:], "--models", ",")[0] == 2
