"""The demo's data against the sequence and each other, and the demo itself with tiny models in an empty folder."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pysam
import pytest
from tests import builders

from distal.cli import demo, main
from distal.coords import Interval
from distal.dna import encode
from distal.io import vcf
from distal.io.fasta import Genome
from distal.io.scores import Scores
from distal.models import zoo
from distal.models.enformer import Enformer, EnformerConfig
from distal.tracks import Track, TrackTable

PROMOTER = Interval.from_ucsc(demo.PROMOTER)
TABLE = TrackTable(
    tuple(
        Track(i, f"track{i}", text) for i, text in enumerate(["DNASE:HepG2", "DNASE:A172", "CAGE:liver", "CAGE:brain"])
    )
)


@pytest.fixture(scope="module")
def genome() -> Genome:
    return Genome(demo.FASTA)


# --- data


def test_the_slice_is_chr20_in_its_own_coordinates(genome: Genome) -> None:
    assert genome.sizes == {"chr20": 63_025_520}
    slice_ = Interval.from_ucsc("chr20:42,440,001-43,640,000")
    assert set(genome.fetch(slice_)) == set("ACGT")
    assert set(genome.fetch(Interval("chr20", slice_.start - 100, slice_.start))) == {"N"}
    assert set(genome.fetch(Interval("chr20", slice_.end, slice_.end + 100))) == {"N"}


def test_hnf4as_start_codon_is_where_the_variants_are_counted_from(genome: Genome) -> None:
    # NM_175914 starts MVSVNAPLGAPVESSY; c.-192 is 192 bases before its A. VCF positions: 42,984,445 - 192 = 42,984,253.
    coding = genome.fetch(Interval.from_one_based("chr20", 42_984_445, 42_984_456))
    assert coding == "ATGGTCAGCGTG"  # M V S V
    for name, variant in demo._disease_variants().items():
        assert variant.pos == 42_984_445 + int(name[2:6])
        assert name[6:] == f"{variant.ref}>{variant.alt}"


@pytest.mark.shared
def test_the_slice_is_the_official_sequence(genome: Genome, shared: Path) -> None:
    whole = Genome(shared / "data" / "sequence" / "GRCh37_chr20.fa.gz")
    slice_ = Interval.from_ucsc("chr20:42,440,001-43,640,000")
    assert genome.fetch(slice_) == whole.fetch(slice_)


def test_every_ref_is_the_genomes(genome: Genome) -> None:
    rows = list(vcf.read(demo.VCF))
    assert len(rows) == 70
    for row in rows:
        assert genome.fetch(row.variant().interval) == row.ref
    assert sum(row.variant().is_indel for row in rows) == 9
    assert len(rows) - len({row.record for row in rows}) == 16, "some records have several ALT alleles"
    with (demo.DATA / "measured.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            assert genome.fetch(Interval.from_one_based(row["chrom"], int(row["pos"]), int(row["pos"]))) == row["ref"]


def test_measured_effects_stand_at_their_base(genome: Genome) -> None:
    effects = demo._measured(genome.codes(PROMOTER), PROMOTER)
    # 42,984,307 T>C, the strongest: 147 bases behind the promoter's first, effect 1.03530.
    assert effects.values[147].tolist()[1] == pytest.approx(1.0353, abs=1e-5)
    assert np.isnan(effects.values[147, 3]), "T is there"
    assert (~np.isnan(effects.values)).sum() == 855 - few_tags()
    assert np.isnan(effects.values[np.arange(285), encode(genome.fetch(PROMOTER))]).all()


def few_tags() -> int:
    with (demo.DATA / "measured.tsv").open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["alt"] != "-"]
    assert len(rows) == 855
    return sum(int(row["tags"]) < demo.TAGS for row in rows)


def test_genes_are_those_of_the_locus() -> None:
    genes = demo._genes()
    assert min(exon.start for exon in genes["HNF4A"]) == 42_984_440
    assert {exon.strand for exon in genes["HNF4A"]} == {"+"}
    assert {exon.strand for exon in genes["ADA"]} == {"-"}


def test_the_origin_of_every_file_is_written_down() -> None:
    text = (demo.DATA / "ORIGIN.md").read_text()
    for path in demo.DATA.iterdir():
        assert path.name in text or path.suffix in (".fai", ".gzi", ".md")
    assert sum(path.stat().st_size for path in demo.DATA.iterdir()) < 1_000_000


# --- the demo, with models so small that it takes seconds


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    config = EnformerConfig(
        channels=12, layers=1, attention_heads=1, key_size=4, divisible_by=2, input_bp=2048, bins=8, heads={"human": 4}
    )
    folders = []
    for name in demo.MODELS:
        module = builders.perturbed(Enformer(config), seed=len(folders))
        folder = tmp_path_factory.mktemp("models") / name
        folders.append(zoo.save(module, folder, zoo.Spec(name, "enformer", config, "Apache-2.0"), {"human": TABLE}))
    return folders


@pytest.fixture
def shipped(models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny models under the names of those that ship."""
    home = tmp_path / "shipped"
    for folder in models:
        shutil.copytree(folder, home / folder.name)
    monkeypatch.setattr(zoo, "SHIPPED", home)
    monkeypatch.setattr(demo, "PROMOTER", "chr20:42,984,250-42,984,309")  # a fifth of it, with the disease variants
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


@pytest.mark.slow
@pytest.mark.usefixtures("shipped")
def test_demo_twice_from_an_empty_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    printed = capsys.readouterr()
    assert "distal score --model enformer-mini" in printed.err
    assert "70 of 70" in printed.out
    first = {path: path.read_bytes() for path in Path("distal-demo").rglob("*") if path.is_file()}
    assert main(["demo", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads(Path("distal-demo/report.json").read_text()) == report
    assert {path for path in Path("distal-demo").rglob("*") if path.is_file()} == set(first)
    for path in first:
        if path.suffix in (".png", ".bw", ".tsv", ".gz"):
            assert path.read_bytes() == first[path], path
    check_report(report)
    for name in demo.MODELS:
        check_files(Path("distal-demo") / name, report["models"][name]["files"])


def check_report(report: dict) -> None:  # type: ignore[type-arg]
    assert report["data_sha256"]["variants.vcf"] == hashlib.sha256(demo.VCF.read_bytes()).hexdigest()
    assert set(report["weights_sha256"]) == set(report["models"]) == set(demo.MODELS)
    for found in report["models"].values():
        assert found["n_in"] == sum(found["statuses"].values()) == 70
        assert (found["statuses"]["scored"], found["statuses"]["duplicate"]) == (69, 1)  # one deletion, written twice
        assert set(found["pearson_predicted_measured"]) == {"DNASE", "CAGE"}
        assert all(-1 <= r <= 1 for r in found["pearson_predicted_measured"].values())
        assert len(found["effects"]) == 6


def check_files(folder: Path, files: list[str]) -> None:
    assert set(demo.CAPTIONS) <= set(files)
    assert {"annotated.vcf.gz", "annotated.vcf.gz.tbi", "parquet/chr20.parquet", "pcs/chr20.tsv.gz.tbi"} <= set(files)
    with Scores(folder / "scores" / "chr20.h5") as scores:
        assert len(scores) == 70
    with pysam.TabixFile(str(folder / "pcs" / "chr20.tsv.gz")) as tabix:
        region = Interval.from_ucsc("chr20:42,984,160-42,984,444")
        assert len(list(tabix.fetch(region.chrom, region.start, region.end))) == 33
    with pysam.VariantFile(str(folder / "annotated.vcf.gz")) as file:
        assert sum(1 for _ in file) == 54
    with h5py.File(folder / "promoter.h5") as file:
        assert file["values"].shape == (60, 4, 4)
    for name in demo.CAPTIONS:
        if name.endswith(".png"):
            assert (folder / name).read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("shipped")
def test_a_file_in_the_way_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("")
    assert main(["demo", "--out", "taken"]) == 2
    assert "taken is not a folder" in capsys.readouterr().err
