"""`distal disease` as a user runs it: on scores of a tiny model, and on real variants with simulated effects."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Call

from distal.io import named, scores
from distal.io.scores import Block, Layout, ScoreRow
from distal.tracks import Track, TrackTable

SAMPLES = ("liver", "brain", "K562", "heart", "lung")


@pytest.fixture
def scored(score: Call, variants: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    assert score("--vcf", variants, "--out", out, "--formats", "h5,tsv")[0] == 0
    return out


def lines(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_a_run_s_scores_all_the_way(call: Call, scored: Path, tmp_path: Path) -> None:
    for kind, ending in (("signed", "sannot"), ("size", "annot"), ("top", "annot")):
        code, printed, said = call(
            "disease",
            "annot",
            "--scores",
            scored,
            "--out",
            tmp_path / kind,
            "--kind",
            kind,
            "--tracks",
            "DNASE",
            "--json",
        )
        assert code == 0, said
        assert sum(file["scored"] for file in json.loads(printed)["files"]) == 81
        found = lines(tmp_path / kind / f"1.{ending}.gz")
        assert ("A1" in found[0]) == (kind == "signed")
        assert "dnase" in found[0]
    pcs = scored / "pcs" / "components.safetensors"
    code, _, said = call("disease", "annot", "--scores", scored, "--out", tmp_path / "pcs", "--pcs", pcs)
    assert code == 0, said
    assert "PC6" in lines(tmp_path / "pcs" / "2.sannot.gz")[0]
    assert call("disease", "annot", "--scores", scored, "--out", tmp_path, "--pcs", pcs, "--tracks", "DNASE")[0] == 2

    trait = tmp_path / "trait.tsv"
    trait.write_text("snp\tpip\n" + "".join(f"v{i}\t0.{i}\n" for i in range(1, 9)) + "nowhere\t1\n")
    genes = tmp_path / "genes.bed"
    genes.write_text("chr1\t900\t901\tt1\t0\t+\tG1\nchr2\t9000\t9001\tt2\t0\t-\tG2\n")
    options = ("--scores", scored, "--trait", trait, "--weight", "PIP", "--genes", genes)
    code, printed, said = call("disease", "enrich", *options, "--out", tmp_path / "e", "--permutations", 99, "--json")
    assert code == 0, said
    result = json.loads(printed)
    assert (result["listed"], result["found"]) == (9, 8)
    assert [each["fact"] for each in result["balance"]] == ["tss_distance"]
    assert {group["group"] for group in result["groups"]} == {"liver", "HepG2", "brain"}
    assert [line["group"] for line in lines(tmp_path / "e" / "enrichment.tsv")] == [
        group["group"] for group in result["groups"]
    ]
    assert json.loads((tmp_path / "e" / "enrichment.json").read_text())["groups"] == result["groups"]
    assert (tmp_path / "e" / "enrichment.svg").stat().st_size > 1000

    code, printed, said = call("disease", "cards", *options, "--out", tmp_path / "cards", "--json")
    assert code == 0, said
    assert json.loads(printed)["cards"] == 8
    assert json.loads(printed)["without a row"] == 1
    index = (tmp_path / "cards" / "index.md").read_text().splitlines()
    assert len(index) == 10
    first = min((tmp_path / "cards").glob("*.json"))
    card = json.loads(first.read_text())
    assert card["status"] == "scored"
    assert card["provenance"]["command"].startswith("distal score")
    assert card["genes"]
    assert first.with_suffix(".md").read_text().startswith("# chr1:")


def test_wrong_input_is_said_in_a_line(call: Call, scored: Path, tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("rs1\nrs2\n")
    for verb in ("enrich", "cards"):
        code, _, said = call("disease", verb, "--scores", scored, "--trait", tmp_path / "ids", "--out", tmp_path / verb)
        assert (code, said.count("\n")) == (2, 1)
        assert "genome build" in said
    code, _, said = call(
        "disease", "enrich", "--scores", scored, "--trait", tmp_path / "ids", "--out", tmp_path / "e", "--controls", 0
    )
    assert code == 2


def test_real_variants_frequencies_and_genes(call: Call, shared: Path, tmp_path: Path) -> None:
    """A trait planted in brain's elements among 1000 Genomes variants is found; the controls match in frequency."""
    vcf = shared / "data" / "eqtl" / "1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"
    rows = [
        ScoreRow(f"chr{one.chrom}", one.pos, one.name, one.ref, one.alt, "scored")
        for one in named.read(vcf, (("af",),))
    ][::4]
    draw = np.random.default_rng(5)
    element = np.array([row.pos // 500 % (3 * len(SAMPLES)) for row in rows])  # 500 bp of the genome each
    size = draw.exponential(size=(len(rows), len(SAMPLES)))
    for column in range(len(SAMPLES)):
        size[element == column, column] += 3 * draw.exponential(size=int((element == column).sum()))
    table = TrackTable(tuple(Track(i, f"t{i}", f"DNASE:{name}") for i, name in enumerate(SAMPLES)))
    layout = Layout(len(rows), scores.text_widths(rows), table, ("SAD",), "float16", {})
    (tmp_path / "scores").mkdir()
    with scores.write(tmp_path / "scores" / "chr20.h5", layout) as writer:
        writer.append(Block(rows, {"SAD": size * draw.choice([-1, 1], size.shape)}))
    causal = draw.choice(np.flatnonzero(element == 1), 40, replace=False)
    listed = np.concatenate([causal, draw.choice(len(rows), 40, replace=False)])
    trait = "".join(f"20\t{rows[i].pos}\t{rows[i].alt}\t{rows[i].ref}\t{draw.uniform(0.1, 1):.3f}\n" for i in listed)
    (tmp_path / "trait.tsv").write_text("chrom\tpos\tref\talt\tpip\n" + trait)
    genes = shared / "data" / "annotation" / "refseq.hg19.chr20.bed"
    code, printed, said = call(
        *("disease", "enrich", "--scores", tmp_path, "--trait", tmp_path / "trait.tsv", "--weight", "pip"),
        *("--maf", vcf, "--genes", genes, "--out", tmp_path / "e", "--permutations", 999, "--json"),
    )
    assert code == 0, said
    result = json.loads(printed)
    first, *rest = result["groups"]
    assert (first["group"], first["q"] < 0.05) == ("brain", True)
    assert all(group["q"] > 0.05 for group in rest)
    assert [each["fact"] for each in result["balance"]] == ["maf", "tss_distance"]
    assert all(abs(each["difference"]) < 0.1 for each in result["balance"])
