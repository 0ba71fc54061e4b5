"""`distal score` and `pcs` as a user runs them: files, exit codes, and what is said of wrong input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import polars as pl
import pysam
import pytest
import torch
from tests import builders
from tests.cli.conftest import Call
from tests.scoring import small

from distal.cli.score_task import FORMATS
from distal.io.fasta import Genome
from distal.models import zoo
from distal.scoring.components import Components


def test_every_format(score: Call, variants: Path, tmp_path: Path, genome: Genome) -> None:
    out = tmp_path / "out"
    code, printed, said = score("--vcf", variants, "--out", out, "--formats", ",".join(FORMATS), "--rc", "--json")
    assert code == 0
    result = json.loads(printed)
    assert result["n_in"] == sum(result["statuses"].values()) == 82
    assert result["statuses"]["scored"] == 81
    assert result["statuses"]["unsupported_allele"] == 1
    assert [Path(file).relative_to(out).as_posix() for file in result["files"]] == [
        "scores/chr1.h5",
        "scores/chr2.h5",
        "pcs/chr1.tsv.gz",
        "pcs/chr2.tsv.gz",
        "parquet/chr1.parquet",
        "parquet/chr2.parquet",
        "annotated.vcf.gz",
        "vep.vcf.gz",
        "summary.json",
    ]
    assert all(Path(file).is_file() for file in result["files"])
    assert re.findall(r"^\d.*", said, re.MULTILINE) == [
        "1 unsupported_allele: symbolic, missing, other letters than A, C, G, T, or longer than half the model's output"
    ]
    with h5py.File(out / "scores" / "chr1.h5") as file:
        published = {"snp", "chr", "pos", "ref", "alt", "target_ids", "target_labels", "SAD", "SAR"}
        assert set(file) == published | {"ref_allele", "alt_allele", "status", "SAD_sd", "SAR_sd"}
        assert file["SAD"].dtype == "float16"
        assert file["target_ids"][:].tolist() == [b"cage+", b"cage-", b"dnase", b"atac", b"rna-", b"rna+"]
        assert file.attrs["command"].startswith("distal")
    with pysam.TabixFile(str(out / "pcs" / "chr1.tsv.gz")) as table:
        assert table.header[0] == "#CHROM\tPOS\tID\tREF\tALT\t" + "\t".join(f"PC{i}" for i in range(1, 7))
        lines = [line.split("\t") for line in table.fetch("chr1", 12_344, 12_345)]
        assert [line[1] for line in lines] == ["12345"]
        assert len(list(table.fetch())) == 41
    components = Components.load(out / "pcs" / "components.safetensors")
    assert (components.score, components.variants) == ("SAD", 81)
    assert len(pl.read_parquet(out / "parquet" / "chr1.parquet")) == 41 * 6 + 1
    with pysam.VariantFile(str(out / "annotated.vcf.gz")) as file:
        (record,) = file.fetch("chr1", 12_344, 12_345)
        assert record.info["DISTAL_STATUS"] == ("scored", "unsupported_allele")
        assert record.info["DISTAL_PC1"][0] == pytest.approx(float(lines[0][5]), rel=1e-4)
    with pysam.VariantFile(str(out / "vep.vcf.gz")) as file:
        (record,) = file.fetch("chr1", 12_344, 12_345)
        assert list(record.info) == [*(f"PC{i}" for i in range(1, 7)), "SAD", "SAR"]
    before = {path: path.read_bytes() for path in out.rglob("*.h5")}
    code, again, _ = score("--vcf", variants, "--out", out, "--rc", "--json")  # finds the scores of the first run
    assert code == 0
    assert json.loads(again)["statuses"] == result["statuses"]
    assert {path: path.read_bytes() for path in out.rglob("*.h5")} == before


def test_tracks_scores_and_types(score: Call, variants: Path, tmp_path: Path) -> None:
    options = ("--scores", "D2,SAD", "--tracks", "assay=DNASE,ATAC", "--dtype", "float32", "--shifts", "-1,0,1")
    code, printed, _ = score("--vcf", variants, "--out", tmp_path / "out", *options, "--formats", "h5")
    assert code == 0
    assert re.search(r"^ +scored +81$", printed, re.MULTILINE)
    with h5py.File(tmp_path / "out" / "scores" / "chr2.h5") as file:
        assert file["D2"].shape == (40, 2)
        assert file["D2"].dtype == "float32"
        assert "SAR" not in file
        assert json.loads(file.attrs["shifts"]) == [-1, 0, 1]
    assert not (tmp_path / "out" / "pcs").exists()


def test_dry_run_counts_and_writes_nothing(score: Call, variants: Path, tmp_path: Path) -> None:
    code, printed, _ = score("--vcf", variants, "--out", tmp_path / "out", "--dry-run", "--json")
    assert code == 0
    result = json.loads(printed)
    assert (result["n_in"], result["statuses"]["scored"], result["statuses"]["unsupported_allele"]) == (82, 81, 1)
    assert not (tmp_path / "out").exists()


def test_standard_input(score: Call, variants: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with variants.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        code, printed, _ = score("--vcf", "-", "--out", tmp_path / "out", "--formats", "h5", "--json")
    assert code == 0
    assert json.loads(printed)["n_in"] == 82


def test_too_few_variants_for_components_is_said(score: Call, genome: Genome, tmp_path: Path) -> None:
    few = small.write_vcf(tmp_path / "few.vcf", small.alleles(genome, 4))
    code, printed, said = score("--vcf", few, "--out", tmp_path / "out", "--json")
    assert code == 0
    assert "no components are written: 4 scored variants are too few for 6 components" in said
    assert not any("pcs" in file for file in json.loads(printed)["files"])


def test_components_made_elsewhere(score: Call, variants: Path, genome: Genome, tmp_path: Path, call: Call) -> None:
    first, second, transform = tmp_path / "first", tmp_path / "second", tmp_path / "p.safetensors"
    assert score("--vcf", variants, "--out", first, "--formats", "h5")[0] == 0
    code, printed, _ = call("pcs", "fit", first, "--out", transform, "--components", 2, "--json")
    assert code == 0
    assert json.loads(printed)["variants"] == 81
    few = small.write_vcf(tmp_path / "few.vcf", small.alleles(genome, 4))
    options = ("--vcf", few, "--out", second, "--pcs", transform, "--formats")
    assert score(*options, "tsv,vcf")[0] == 0
    with pysam.TabixFile(str(second / "pcs" / "chr1.tsv.gz")) as table:
        written = list(table.fetch())
        assert len(written) == 2
    code, printed, _ = call("pcs", "apply", second, "--pcs", transform)
    assert code == 0
    assert "chr2.tsv.gz" in printed
    with pysam.TabixFile(str(second / "pcs" / "chr1.tsv.gz")) as table:
        assert list(table.fetch()) == written
    for wrong, message in (
        ((*options, "h5"), "--pcs is for the formats tsv, vcf and vep"),
        ((*options, "tsv", "--scores", "SAR"), "add SAD to --scores"),
        ((*options, "tsv", "--tracks", "assay=RNA"), "fitted on other tracks"),
    ):
        code, _, said = score(*wrong)
        assert code == 2
        assert message in said


def test_wrong_input_is_one_line_and_exit_code_2(score: Call, variants: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.vcf"
    broken.write_text(variants.read_text() + "chr1\tten\tx\tA\tC\t.\t.\t.\n")
    out = tmp_path / "out"
    for options, message in (
        (("--vcf", broken), f"{broken} line 84"),
        (("--vcf", tmp_path / "absent.vcf"), "absent.vcf"),
        (("--vcf", variants, "--formats", "h5,csv"), "format 'csv' is not known"),
        (("--vcf", variants, "--scores", "SAM"), "score 'SAM' is not known; there are SAD, SADR"),
        (("--vcf", variants, "--tracks", "assay=RNO"), "no track matches"),
        (("--vcf", "-", "--formats", "vcf"), "the format vcf reads it twice"),
        (("--vcf", variants, "--pcs", variants), "cannot be read as components"),
    ):
        code, _, said = score(*options, "--out", out)
        assert code == 2, said
        assert message in said
        assert said.count("\n") == 1
        assert not out.exists()


def test_a_model_whose_answers_are_not_finite_ends_with_code_3(
    genome: Genome, variants: Path, tmp_path: Path, call: Call
) -> None:
    made = builders.predictor("basenji2")
    with torch.no_grad():
        made.module.heads["human"].weight.fill_(3e38)  # finite, but not what comes of it
    folder = zoo.save(made.module, tmp_path / "overflowing", made.spec, {"human": builders.TABLE})
    code, printed, said = call(
        "score", "--model", folder, "--fasta", genome.path, "--vcf", variants, "--out", tmp_path / "o", "--json"
    )
    assert code == 3
    assert json.loads(printed)["statuses"]["failed"] == 81
    assert "81 of 82 variants failed" in said


@pytest.mark.parametrize("kept", [False, True])
def test_single_variants_show_the_tracks_that_they_change_most(
    score: Call, genome: Genome, tmp_path: Path, kept: bool
) -> None:
    chrom, pos, ref, alt = small.snv(genome, 9_000)
    words = ("--variant", f"{chrom}:{pos}:{ref}>{alt}", "--variant", f"{chrom}:{pos}:{alt}:{ref}", "--dtype", "float32")
    out = tmp_path / "out"
    code, printed, said = score(*words, "--json", *(("--out", out) if kept else ()))
    assert code == 0
    found = json.loads(printed)
    tracks = [row for row in found["tracks"] if row["status"] == "scored"]
    assert len(tracks) == 5
    assert [abs(row["SAD"]) for row in tracks] == sorted((abs(row["SAD"]) for row in tracks), reverse=True)
    assert [row["status"] for row in found["tracks"][5:]] == ["ref_flipped"]
    assert "1 ref_flipped: the genome has ALT where the row says REF; --ref-mismatch swap" in said
    assert out.exists() == kept
    assert ("files" in found) == kept
    code, printed, _ = score(*words, "--ref-mismatch", "swap")
    assert code == 0
    assert printed.count("ref_flipped") == 5
