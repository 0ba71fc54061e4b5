"""`distal score --report`: one page that says what the score files say, and draws the variants that are largest."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests import builders
from tests.cli.conftest import Call
from tests.scoring import small
from tests.web.pages import Page

from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.models import zoo
from distal.web.reports import closer
from distal.web.reports import variants as reports


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variant is drawn, and few of its letters, because drawing takes a second."""
    monkeypatch.setattr(reports, "DRAWN", 1)
    monkeypatch.setattr(closer, "FLANK_BP", 3)


@pytest.fixture(scope="module")
def annotation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("genes") / "genes.bed"
    path.write_text("1\t9000\t9001\tt\t0\t+\tnear\n1\t15000\t15001\tu\t0\t-\tfar\n")
    return path


def test_the_page_says_what_the_files_say(score: Call, variants: Path, tmp_path: Path, annotation: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "x.html"
    options = ("--rc", "--dtype", "float32", "--genes", annotation, "--json")
    code, printed, _ = score("--vcf", variants, "--out", out, "--report", page, "--formats", "h5", *options)
    assert code == 0
    assert json.loads(printed)["report"] == str(page)
    seen = Page(page)
    assert "82 variants, scored with tiny-basenji2" in seen.text
    assert "81 scored</li>" in seen.text
    assert "1 unsupported_allele</li>" in seen.text
    header, *lines = seen.table("variant")
    assert header[1:8] == ["variant", "ID", "SAR", "track", "SAD", "SAD_sd", "SAR_sd"]
    truth = oracle(out)
    assert [line[1] for line in lines] == [name for name, *_ in truth]
    for line, (_, value, track) in zip(lines, truth, strict=True):
        assert float(line[3].replace("\u2212", "-")) == pytest.approx(value, rel=6e-3)
        assert line[4] == track
    genes = Genes.read(annotation)
    for line in lines:
        chrom, pos = line[1].split(":")[:2]
        if chrom == "chr1":
            gene = min(genes.named("near") + genes.named("far"), key=lambda one: abs(one.downstream(int(pos) - 1)))
            assert line[8:] == [gene.name, f"{gene.downstream(int(pos) - 1):,}"]
    assert seen.links == ["#1"]
    assert len(seen.pictures) == 1 + 3
    seen.check()


def oracle(out: Path) -> list[tuple[str, float, str]]:
    """Name, SAR and description of the track where it is largest, of every scored variant, the largest first."""
    found = []
    for path in sorted((out / "scores").glob("*.h5")):
        with h5py.File(path) as file:
            texts = [[text.decode() for text in file[key][:]] for key in ("chr", "ref", "alt", "status")]
            labels = [text.decode() for text in file["target_labels"][:]]
            for chrom, ref, alt, status, pos, values in zip(*texts, file["pos"][:], file["SAR"][:], strict=True):
                if status == "scored":
                    column = int(np.abs(values).argmax())
                    found.append((f"{chrom}:{pos}:{ref}>{alt}", float(values[column]), labels[column]))
    return sorted(found, key=lambda row: -abs(row[1]))


def test_the_same_run_has_the_same_page(score: Call, variants: Path, tmp_path: Path) -> None:
    pages = []
    some = tmp_path / "v.vcf"
    some.write_text("".join(variants.read_text().splitlines(keepends=True)[:12]))
    for _ in range(2):  # the second finds the scores of the first
        code, _, _ = score("--vcf", some, "--out", tmp_path / "out", "--report", tmp_path / "x.html")
        assert code == 0
        pages.append((tmp_path / "x.html").read_bytes())
    assert pages[0] == pages[1]


def test_two_models_have_a_page_together(
    call: Call, model: Path, genome: Genome, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = small.model(tmp_path_factory.mktemp("other"), "enformer")
    texts = [f"{c}:{p}:{r}>{a}" for c, p, r, a in (small.snv(genome, 5000), small.snv(genome, 9000))]
    words = ("--model", model, "--model", other, "--fasta", genome.path, "--variant", texts[0], "--variant", texts[1])
    code, _, err = call("score", *words, "--threads", 1, "--out", tmp_path / "out", "--report", tmp_path / "x.html")
    assert code == 0, err
    seen = Page(tmp_path / "x.html")
    for name in ("tiny-basenji2", "tiny-enformer"):
        assert f"<h2>{name}: strongest variants</h2>" in seen.text
    assert len(seen.ids) == 2
    seen.check()


def test_a_run_without_scores_has_a_page(score: Call, tmp_path: Path) -> None:
    code, _, err = score("--variant", "chr9:5:A>C", "--report", tmp_path / "x.html")
    assert code == 0
    assert f"report: {tmp_path / 'x.html'}" in err
    seen = Page(tmp_path / "x.html")
    assert "No variant has scores." in seen.text
    assert "the genome lacks the contig" in unescape(seen.text)
    assert not seen.pictures


def test_rows_that_are_swapped_are_drawn_in_their_own_direction(score: Call, genome: Genome, tmp_path: Path) -> None:
    chrom, pos, ref, alt = small.snv(genome, 9000)
    page = tmp_path / "x.html"
    text = f"{chrom}:{pos}:{alt}>{ref}"  # REF and ALT exchanged
    code, _, _ = score("--variant", text, "--ref-mismatch", "swap", "--report", page)
    assert code == 0
    seen = Page(page)
    assert "ref_flipped" in seen.text
    assert "1 variant, scored" in seen.text
    assert len(seen.pictures) == 3  # there is no picture of all, and no table
    letters = seen.pictures[-1].decode()
    assert f">REF {alt}<" in letters
    assert f">ALT {ref}<" in letters


def test_scores_per_gene_stand_below_the_tracks(score: Call, genome: Genome, tmp_path: Path, annotation: Path) -> None:
    chrom, pos, ref, alt = small.snv(genome, 9200)
    out, page = tmp_path / "out", tmp_path / "x.html"
    words = ("--variant", f"{chrom}:{pos}:{ref}>{alt}", "--scores", "SAD,SADR_tss,SADR_gene", "--genes", annotation)
    code, _, err = score(*words, "--out", out, "--report", page)
    assert code == 0, err
    header, row = Page(page).table("gene")
    assert header == ["gene", "bp from its TSS", "SADR_gene", "of SADR_gene", "SADR_tss", "of SADR_tss"]
    with h5py.File(out / "scores" / "chr1.h5") as file:
        values = file["genes"]["SADR_tss"][0]
        label = file["target_labels"][int(np.abs(values).argmax())].decode()
    assert row[:4] == ["near", "199", "", ""]  # the annotation has no exons
    assert float(row[4].replace("\u2212", "-")) == pytest.approx(float(values[np.abs(values).argmax()]), rel=6e-3)
    assert row[5] == label


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--report", "x.htm"), "must end in .html"),
        (("--report", "nowhere/x.html"), "lie in a folder that exists"),
        (("--report", "x.html", "--scores", "SAD_tss"), "ranks variants by a score that is not per gene"),
        (("--report", "x.html", "--compare", "a", "b"), "leave it out with --compare"),
    ],
)
def test_what_is_refused(
    score: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = score("--variant", "chr1:5:A>C", *options)
    assert code == 2
    assert why in err
    assert not list(tmp_path.iterdir())


def test_a_shard_has_no_page_yet(score: Call, variants: Path, tmp_path: Path) -> None:
    words = ("--vcf", variants, "--out", tmp_path / "out", "--report", tmp_path / "x.html", "--shard", "1/2")
    code, printed, _ = score(*words, "--json")
    assert code == 0
    assert "--report" in json.loads(printed)["merge"]
    assert not (tmp_path / "x.html").exists()


def test_every_family_is_drawn(call: Call, genome: Genome, tmp_path: Path) -> None:
    made = builders.predictor("borzoi")
    folder = zoo.save(made.module, tmp_path / "m", made.spec, {"human": builders.TABLE})
    chrom, pos, ref, _ = small.snv(genome, 30)  # near the chromosome's start
    words = ("--model", folder, "--fasta", genome.path, "--variant", f"{chrom}:{pos}:{ref}>{ref}ACGT")
    code, _, err = call("score", *words, "--threads", 1, "--report", tmp_path / "x.html")
    assert code == 0, err
    assert len(Page(tmp_path / "x.html").pictures) == 3
