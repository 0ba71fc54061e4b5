"""`distal evolution` as a user runs it: a list of ancestral and derived alleles, and two species' heads."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest
import torch
from tests import builders
from tests.cli.conftest import Call
from tests.scoring import small

from distal import dna
from distal.coords import Interval
from distal.io.fasta import Genome
from distal.models import zoo
from distal.models.basenji2 import Basenji2


def test_a_list_of_changes_is_scored_whichever_allele_the_genome_has(
    call: Call, score: Call, genome: Genome, tmp_path: Path
) -> None:
    """Derived minus ancestral is the same in a table of changes and in a VCF with AA; small letters are unsure."""
    sites = [small.snv(genome, pos, 1 + pos % 3) for pos in (3000, 4000, 5000, 6000, 7000)]
    changes, records = ["chrom\tpos\tid\tancestral\tderived"], []
    for i, (chrom, pos, ref, alt) in enumerate(sites):
        ancestral, derived = (ref, alt) if i % 2 else (alt, ref)  # half of the changes happened before the genome's
        changes.append(f"{chrom}\t{pos}\tc{i}\t{ancestral}\t{derived}")
        said = ancestral.lower() if i == 4 else ancestral
        records.append(f"{chrom}\t{pos}\tc{i}\t{ref}\t{alt}\t.\t.\tAA={said}|||\n")
    table, vcf = tmp_path / "changes.tsv", tmp_path / "aa.vcf"
    table.write_text("\n".join(changes) + "\n")
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    vcf.write_text(header + "".join(records))
    found = {}
    for name, source, more in (("table", table, ("--ref-mismatch", "swap")), ("vcf", vcf, ())):
        out = tmp_path / name
        options = ("--vcf", source, "--out", out / "s", "--formats", "h5", "--dtype", "float32", "--json", *more)
        code, printed, said = score(*options)
        assert code == 0, said
        options = ("--scores", out / "s", "--alleles", source, "--out", out / "p", "--json")
        code, printed, said = call("evolution", "polarise", *options)
        assert code == 0, said
        result = json.loads(printed)
        assert (result["listed"], result["polarised"]) == (5, 5)
        assert result["derived is ALT"] == (5 if name == "table" else 2)
        with gzip.open(out / "p" / "polarised.tsv.gz", "rt") as file:
            found[name] = list(csv.DictReader(file, delimiter="\t"))
        with pysam.TabixFile(str(out / "p" / "polarised.tsv.gz")) as index:
            assert len(list(index.fetch("chr1", 3999, 4000))) == 1
    for one, other in zip(found["table"], found["vcf"], strict=True):
        assert (one["ANCESTRAL"], one["DERIVED"]) == (other["ANCESTRAL"], other["DERIVED"])
        for track in ("dnase", "cage+"):
            assert float(one[track]) == pytest.approx(float(other[track]), rel=1e-4, abs=1e-7)
    dnase = [float(line["dnase"]) for line in found["vcf"]]
    with (tmp_path / "vcf" / "p" / "tracks.tsv").open() as file:
        (line,) = [line for line in csv.DictReader(file, delimiter="\t") if line["track"] == "dnase"]
    assert float(line["mean"]) == pytest.approx(np.mean(dnase), rel=1e-4)
    assert float(line["up"]) == np.mean(np.array(dnase) > 0)
    options = ("--scores", tmp_path / "vcf" / "s", "--alleles", vcf, "--out", tmp_path / "sure", "--sure", "--json")
    assert json.loads(call("evolution", "polarise", *options)[1])["ancestral unknown"] == 1
    (tmp_path / "no.tsv").write_text("id\tancestral\nc1\t.\n")
    options = ("--scores", tmp_path / "vcf" / "s", "--alleles", tmp_path / "no.tsv", "--out", tmp_path / "no")
    code, _, said = call("evolution", "polarise", *options)
    assert (code, "ancestral allele" in said) == (2, True)


def test_two_heads_of_one_model(call: Call, genome: Genome, tmp_path: Path) -> None:
    torch.manual_seed(2)
    config = replace(builders.BASENJI2, heads={"human": 6, "mouse": 6})
    made = builders.perturbed(Basenji2(config))
    spec = replace(builders.predictor("basenji2").spec, config=config)
    model = zoo.save(made, tmp_path / "model", spec, {"human": builders.TABLE, "mouse": builders.TABLE})
    with (tmp_path / "other.fa").open("w") as file:
        for chrom in small.CHROMS:
            whole = genome.codes(Interval(chrom, 0, small.SIZE))
            file.write(f">{chrom.replace('chr', 'm')}\n{dna.decode(dna.reverse_complement(whole))}\n")
    (tmp_path / "c.chain").write_text("chain 9 chr1 20000 + 0 20000 m1 20000 - 0 20000 1\n20000\n")
    (tmp_path / "r.bed").write_text("chr1\t5000\t5100\nchr1\t9000\t9100\nchr2\t5000\t5100\n")
    options = ("--model", model, "--fasta", genome.path, "--other-fasta", tmp_path / "other.fa", "--rc", "--json")
    options += ("--chain", tmp_path / "c.chain", "--out", tmp_path / "out")
    code, printed, said = call("evolution", "orthologs", *options, "--regions", tmp_path / "r.bed")
    assert code == 0, said
    result = json.loads(printed)
    assert (result["regions"], result["aligned"]) == (3, 2)
    rows = {row["group"]: row for row in result["likeness"]}
    assert set(rows) == {"CAGE", "DNASE", "ATAC", "RNA"}
    assert all(row["same_head"] == pytest.approx(1, abs=1e-4) and row["pearson"] < 0.999 for row in rows.values())
    with (tmp_path / "out" / "windows.tsv").open() as file:
        assert [(line["strand"], line["shared_bins"]) for line in csv.DictReader(file, delimiter="\t")] == [
            ("-", "8")
        ] * 2
    code, printed, said = call(
        "evolution",
        "orthologs",
        *options,
        "--regions",
        tmp_path / "r.bed",
        "--other-head",
        "human",
        "--tracks",
        "DNASE",
    )
    assert code == 0, said
    (row,) = json.loads(printed)["likeness"]
    assert (row["group"], row["pearson"]) == ("DNASE", pytest.approx(1, abs=1e-4))
    (tmp_path / "none.bed").write_text("chr2\t5000\t5100\n")
    code, _, said = call("evolution", "orthologs", *options, "--regions", tmp_path / "none.bed")
    assert (code, "aligns no region" in said) == (2, True)
