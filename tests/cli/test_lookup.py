"""`distal lookup` over files of ours and of others: which rows, which way round, and what is said of wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.cli.conftest import Call
from tests.scoring import small

from distal.coords import Interval
from distal.io.fasta import Genome


def test_lookup(score: Call, variants: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "out"
    assert score("--vcf", variants, "--out", out, "--dtype", "float32")[0] == 0
    code, printed, _ = call("lookup", "--scores", out, "--region", "1:12,345", "--tracks", "assay=RNA", "--json")
    assert code == 0
    rows = json.loads(printed)
    assert [(row["pos"], row["id"], row["status"], row["track"]) for row in rows] == [
        (12345, "v80", "scored", "rna-"),
        (12345, "v80", "scored", "rna+"),
        (12345, "v80", "unsupported_allele", "rna-"),
        (12345, "v80", "unsupported_allele", "rna+"),
    ]
    with h5py.File(out / "scores" / "chr1.h5") as file:
        assert [row["SAD"] for row in rows[:2]] == pytest.approx(file["SAD"][40, 4:].tolist())
    assert rows[2]["SAD"] is None
    code, printed, _ = call("lookup", "--scores", out / "scores" / "chr2.h5", "--id", "v79")
    assert code == 0
    assert printed.count("v79") == 6
    for wrong, message in (
        (("--id", "rs0"), "no variant rs0"),
        (("--id", "v79", "--region", "chr1:1-2"), "give one of --id, --region and --variant"),
        ((), "give one of --id, --region and --variant"),
        (("--variant", "chr1:5"), "not understood"),
        (("--variant", "chr1:12345:A>AAAA"), "no variant chr1:12345:A>AAAA"),
        (("--region", "chr1"), "not understood"),
        (("--id", "v79", "--tracks", "assay=CHIP"), "no track matches"),
    ):
        code, _, said = call("lookup", "--scores", out, *wrong)
        assert code == 2
        assert message in said
        assert said.count("\n") == 1


def publish(path: Path, rows: list[small.Allele], names: str) -> np.ndarray:
    """A file as others publish theirs; returns its scores."""
    chroms, pos, refs, alts = zip(*rows, strict=True)
    sad = np.random.default_rng(0).standard_normal((len(rows), 2)).astype(np.float16)
    with h5py.File(path, "w") as file:
        file["snp"], file["chr"] = [f"rs{i}".encode() for i in range(len(rows))], [c.encode() for c in chroms]
        file["pos"] = np.array(pos, dtype="uint32")
        file[names], file[names.replace("ref", "alt")] = ([a.encode() for a in alleles] for alleles in (refs, alts))
        file["target_ids"], file["target_labels"] = [b"t0", b"t1"], [b"DNASE:HepG2", b"CAGE:liver"]
        file["SAD"] = sad
    return sad


@pytest.mark.parametrize("names", ["ref", "ref_allele"])
@pytest.mark.parametrize("fasta", [False, True])
def test_which_allele_is_the_genomes(genome: Genome, tmp_path: Path, call: Call, names: str, fasta: bool) -> None:
    chrom, pos, ref, alt = small.snv(genome, 500)
    third = next(base for base in "ACGT" if base not in (ref, alt))
    fourth = next(base for base in "ACGT" if base not in (ref, alt, third))
    longer = genome.fetch(Interval.from_one_based(chrom, pos, pos + 2))
    rows = [
        ((chrom, pos, ref, alt), "genome"),
        ((chrom, pos, alt, ref), "swapped"),
        ((chrom, pos, third, fourth), "neither"),
        ((chrom, pos, longer, ref), "genome"),
        ((chrom, pos, f"{ref}{longer}{longer}", ref), "neither"),  # the anchor always matches, so it says nothing
        ((chrom, pos, ref, "<DEL>"), "unknown"),
        (("chr7", pos, ref, alt), "unknown"),
    ]
    sad = publish(tmp_path / "1000G.chr1.h5", [row for row, _ in rows], names)
    options = ["--fasta", genome.path] if fasta else []
    code, printed, _ = call("lookup", "--scores", tmp_path, "--region", f"1:{pos}", *options, "--json")
    assert code == 0
    found = [row for row in json.loads(printed) if row["track"] == "t1"]
    expected = [(row, says if fasta else "unknown") for row, says in rows if row[0] == chrom]
    assert [((r["chrom"], r["pos"], r["ref"], r["alt"]), r["orientation"]) for r in found] == expected
    assert [row["SAD"] for row in found] == pytest.approx(sad[:6, 1].astype(float).tolist())
    assert {row["status"] for row in found} == {"scored"}
    code, printed, _ = call("lookup", "--scores", tmp_path, "--id", "rs6", *options, "--tracks", "CAGE")
    assert code == 0
    assert "unknown" in printed


def test_a_full_variant_in_either_direction(genome: Genome, tmp_path: Path, call: Call) -> None:
    chrom, pos, ref, alt = small.snv(genome, 500)
    other = small.snv(genome, 500, 2)
    publish(tmp_path / "x.h5", [(chrom, pos, alt, ref), other], "ref")
    code, printed, _ = call("lookup", "--scores", tmp_path / "x.h5", "--variant", f"1:{pos}:{ref}>{alt}", "--json")
    assert code == 0
    assert [(row["ref"], row["alt"], row["track"]) for row in json.loads(printed)] == [
        (alt, ref, "t0"),
        (alt, ref, "t1"),
    ]


def test_scores_on_a_gene(score: Call, genome: Genome, tmp_path: Path, call: Call) -> None:
    annotation, out = tmp_path / "g.gtf", tmp_path / "out"
    line = 'chr1\tx\texon\t{0}\t{1}\t.\t+\t.\tgene_id "ENSG{2}.7"; transcript_id "T{2}"; gene_name "N{2}";\n'
    annotation.write_text("".join(line.format(start, start + 50, i) for i, start in enumerate((9_100, 9_300))))
    rows = [small.snv(genome, pos) for pos in (9_000, 9_200, 15_000)]
    vcf = small.write_vcf(tmp_path / "v.vcf", rows)
    options = (
        "--scores",
        "SAD,SADR_tss,D2_gene",
        "--genes",
        annotation,
        "--dtype",
        "float32",
        "--formats",
        "h5,parquet",
    )
    assert score("--vcf", vcf, "--out", out, *options)[0] == 0
    for name in ("N1", "ENSG1.7", "ENSG1"):
        code, printed, _ = call("lookup", "--scores", out, "--gene", name, "--tracks", "assay=DNASE", "--json")
        assert code == 0
        found = json.loads(printed)
        # N1 starts at 9,300: the variants lie 300 and 100 bp before it, the third is too far
        assert [(row["pos"], row["gene"], row["tss_distance"]) for row in found] == [
            (9000, "N1", -300),
            (9200, "N1", -100),
        ]
        assert all(row["SADR_tss"] is not None and row["D2_gene"] >= 0 for row in found)
    code, printed, said = call("lookup", "--scores", out, "--gene", "N0", "--region", "chr1:9200", "--json")
    assert code == 0, said
    assert [(row["pos"], row["tss_distance"]) for row in json.loads(printed)] == [(9200, 100)] * 6
    code, _, said = call("lookup", "--scores", out, "--gene", "NONE")
    assert (code, "with scores on NONE" in said) == (2, True)
    code, _, said = call("lookup", "--scores", out, "--gene", "N0", "--id", "v0", "--region", "chr1:9200")
    assert (code, "at most one of them" in said) == (2, True)
    assert (out / "parquet" / "chr1.genes.parquet").is_file()


def test_genes_of_another_genome_are_refused(score: Call, variants: Path, tmp_path: Path) -> None:
    annotation = tmp_path / "g.gtf"
    annotation.write_text('II\tx\texon\t5\t9\t.\t+\t.\tgene_id "A"; transcript_id "T"; gene_name "N";\n')
    out = tmp_path / "out"
    code, _, said = score("--vcf", variants, "--out", out, "--scores", "SAD,SAD_tss", "--genes", annotation)
    assert code == 2
    assert "has genes on II, ... and on no contig of" in said
    assert not out.exists()
