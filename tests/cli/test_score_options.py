"""What each option of `distal score` does: one test an option, every boolean and choice both ways."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests import builders
from tests.cli.conftest import Call
from tests.scoring import small

from distal.cli import main
from distal.cli.score import SENTENCES, _bytes, _without_shard
from distal.cli.score_options import Machine, Output, Variants, What
from distal.cli.score_task import Task
from distal.engine import LocalEngine, RayEngine
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.models import zoo
from distal.scoring.alleles import SCORED, STATUSES
from distal.scoring.parts import PART_ROWS


def lines(said: str) -> list[str]:
    """The lines that count something."""
    return re.findall(r"^\d+ \w+: .*", said, re.MULTILINE)


def data(out: Path) -> dict[str, object]:
    """Every data set of every score file."""
    found: dict[str, object] = {}
    for path in sorted((out / "scores").glob("*.h5")):
        with h5py.File(path) as file:
            found |= {f"{path.name}/{name}": file[name][()].tobytes() for name in file}
    return found


# --- variants


@pytest.fixture
def nasty(genome: Genome, tmp_path: Path) -> Path:
    """A row of every status that needs no model."""
    chrom, pos, ref, alt = small.snv(genome, 500)
    other = next(base for base in "ACGT" if base not in (ref, alt))
    rows = [(chrom, pos, ref, alt), (chrom, pos, ref, alt), (chrom, pos, alt, ref), (chrom, pos, other, alt)]
    return small.write_vcf(tmp_path / "n.vcf", [*rows, ("chrUn", 5, "A", "C"), (chrom, pos, ref, "<DEL>")])


@pytest.mark.parametrize(
    ("policy", "sentence"), [("skip", "--ref-mismatch swap scores"), ("swap", "scored in the row")]
)
def test_every_row_that_has_no_scores_is_explained(
    score: Call, nasty: Path, tmp_path: Path, policy: str, sentence: str
) -> None:
    code, printed, said = score("--vcf", nasty, "--out", tmp_path / "o", "--ref-mismatch", policy, "--json")
    assert code == 0
    result = json.loads(printed)
    assert result["statuses"] == dict.fromkeys(STATUSES, 1) | {"failed": 0}
    assert result["n_in"] == sum(result["statuses"].values()) == 6
    assert [line.split()[1] for line in lines(said)] == [
        "ref_mismatch:", "ref_flipped:", "out_of_range:", "unsupported_allele:", "duplicate:",
    ]  # fmt: skip
    assert sentence in next(line for line in lines(said) if "ref_flipped" in line)
    with h5py.File(tmp_path / "o" / "scores" / "chr1.h5") as file:
        finite = np.isfinite(file["SAD"][:]).all(axis=1).tolist()
        assert finite == [True, True, policy == "swap", False, False]
        if policy == "swap":
            np.testing.assert_array_equal(file["SAD"][2], -file["SAD"][0])


def test_a_policy_that_refuses_does_so_before_anything_is_done(score: Call, nasty: Path, tmp_path: Path) -> None:
    code, _, said = score("--vcf", nasty, "--out", tmp_path / "o", "--ref-mismatch", "fail")
    assert code == 2
    assert "line 5: chr1:500 has REF" in said
    assert str(nasty) in said
    assert not (tmp_path / "o").exists()
    good = small.write_vcf(tmp_path / "good.vcf", [])
    assert score("--vcf", good, "--out", tmp_path / "o", "--ref-mismatch", "fail", "--formats", "h5")[0] == 0


def test_sentences_are_of_the_statuses_there_are() -> None:
    assert set(SENTENCES) == set(STATUSES) - {SCORED}


@pytest.mark.parametrize("kept", [False, True])
def test_single_variants_print_the_tracks_that_they_change_most(
    score: Call, genome: Genome, tmp_path: Path, kept: bool
) -> None:
    chrom, pos, ref, alt = small.snv(genome, 500)
    options = ["--variant", f"{chrom}:{pos}:{ref}>{alt}", "--variant", f"2:{pos}:N>A", "--dtype", "float32"]
    out = tmp_path / "o"
    options += ["--out", str(out)] if kept else []
    code, printed, said = score(*options, "--json")
    assert code == 0
    result = json.loads(printed)
    assert ("files" in result, out.exists()) == (kept, kept)
    assert result["statuses"]["scored"] == 1
    tracks = result["tracks"]
    assert len(tracks) == 5 + 1  # five of six tracks; one line for what has no scores
    sizes = [abs(track["SAD"]) for track in tracks[:5]]
    assert sizes == sorted(sizes, reverse=True)
    assert (tracks[5]["variant"], tracks[5]["status"], tracks[5]["SAD"]) == (f"2:{pos}:N>A", "unsupported_allele", None)
    assert lines(said) == [f"1 unsupported_allele: {SENTENCES['unsupported_allele']}"]
    code, printed, _ = score(*options)
    assert code == 0
    assert printed.splitlines()[0].split() == ["variant", "status", "track", "description", "SAD", "SAR"]
    assert tracks[0]["track"] in printed.splitlines()[1]


def test_tables_and_pvar_are_read(score: Call, genome: Genome, tmp_path: Path) -> None:
    rows = [small.snv(genome, pos) for pos in (300, 400)]
    table, pvar = tmp_path / "t.txt", tmp_path / "t.pvar"
    table.write_text("chrom\tpos\tref\talt\n" + "".join(f"{c}\t{p}\t{r}\t{a}\n" for c, p, r, a in rows))
    pvar.write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(f"1\t{p}\tx\t{r}\t{a}\n" for _, p, r, a in rows))
    for path in (table, pvar):
        code, printed, _ = score("--vcf", path, "--out", tmp_path / path.suffix, "--formats", "h5,json", "--json")
        assert code == 0
        assert json.loads(printed)["statuses"]["scored"] == 2
    code, _, said = score("--vcf", table, "--out", tmp_path / "x", "--formats", "vcf")
    assert code == 2
    assert "annotates a VCF or BCF" in said


@pytest.mark.parametrize("known", [False, True])
def test_aliases(score: Call, genome: Genome, tmp_path: Path, known: bool) -> None:
    (tmp_path / "chromAlias.txt").write_text("# sequenceName\talias names\nchr1\tNC_000001.10\tCM000663.1\n")
    _, pos, ref, alt = small.snv(genome, 300)
    source = small.write_vcf(tmp_path / "v.vcf", [("NC_000001.10", pos, ref, alt)])
    options = ["--aliases", tmp_path / "chromAlias.txt"] if known else []
    _, printed, _ = score("--vcf", source, "--out", tmp_path / "o", "--formats", "h5", *options, "--json")
    statuses = json.loads(printed)["statuses"]
    assert (statuses["scored"], statuses["out_of_range"]) == ((1, 0) if known else (0, 1))


def test_another_build_is_noticed_before_a_model_is_loaded(genome: Genome, tmp_path: Path, call: Call) -> None:
    model = small.model(tmp_path)
    next(model.glob("*.safetensors")).write_bytes(b"broken")
    source = small.write_vcf(tmp_path / "v.vcf", [small.snv(genome, 300)])
    options = ("score", "--model", model, "--fasta", genome.path, "--vcf", source, "--out", tmp_path / "o")
    text = source.read_text()
    source.write_text(text.replace("#CHROM", "##contig=<ID=1,length=19999>\n#CHROM"))
    code, _, said = call(*options)
    assert code == 2
    assert "19,999" in said
    assert "20,000" in said
    source.write_text(text.replace("#CHROM", "##contig=<ID=1,length=20000>\n##contig=<ID=chrUn>\n#CHROM"))
    code, _, said = call(*options)
    assert code == 2
    assert said.startswith("score: 1 of 2 contigs")
    assert "safetensors" in said


# --- scores


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    path = tmp_path / "tss.bed"
    path.write_text("chr1\t600\t601\tnear\t0\t+\nchr1\t15000\t15001\tfar\t0\t-\n")
    return path


@pytest.mark.parametrize("spread", ["sd", "none"])
@pytest.mark.parametrize("rc", [False, True])
def test_spread(score: Call, variants: Path, tmp_path: Path, spread: str, rc: bool) -> None:
    options = ["--vcf", variants, "--out", tmp_path / "o", "--formats", "h5", "--spread", spread]
    assert score(*options, *(["--rc"] if rc else []))[0] == 0
    with h5py.File(tmp_path / "o" / "scores" / "chr1.h5") as file:
        assert ("SAD_sd" in file) == (rc and spread == "sd")


def test_scores_near_variants_and_on_genes(score: Call, genome: Genome, genes: Path, tmp_path: Path) -> None:
    source = small.write_vcf(tmp_path / "v.vcf", [small.snv(genome, 500), small.snv(genome, 9000)])
    options = ("--vcf", source, "--out", tmp_path / "o", "--scores", "SAD,SAD_501,SADR_tss", "--genes", genes)
    assert score(*options, "--formats", "h5,parquet")[0] == 0
    with h5py.File(tmp_path / "o" / "scores" / "chr1.h5") as file:
        assert {"SAD", "SAD_501"} < set(file)
        assert file["genes"]["gene_id"].asstr()[:].tolist() == ["near"]
        assert file["genes"]["tss_distance"][:].tolist() == [499 - 600]
        assert np.abs(file["SAD"][:]).max() > 0
    assert (tmp_path / "o" / "parquet" / "chr1.genes.parquet").is_file()
    for wrong, message in (
        (("--scores", "SADR_tss", "--genes", genes), "the format tsv needs a score that is not per gene"),
        (("--scores", "SADR_tss", "--formats", "h5"), "give the genes (--genes"),
        (("--scores", "SAD,SAD"), "asked for twice"),
        (("--scores", ""), "score '' is not known"),
        (("--genes", source), str(source)),
    ):
        code, _, said = score("--vcf", source, "--out", tmp_path / "x", *wrong)
        assert (code, message in said, said.count("\n")) == (2, True, 1), said
    assert (
        score(
            "--vcf", source, "--out", tmp_path / "y", "--scores", "SADR_tss", "--genes", genes, "--formats", "parquet"
        )[0]
        == 0
    )
    assert not (tmp_path / "y" / "parquet" / "chr1.parquet").exists()


@pytest.mark.parametrize("shared", [0, 256])
@pytest.mark.parametrize("full", [False, True])
def test_shared_windows_and_full_passes(score: Call, variants: Path, tmp_path: Path, shared: int, full: bool) -> None:
    options = ["--vcf", variants, "--out", tmp_path / "o", "--formats", "h5", "--json", "--share-reference", shared]
    options += ["--full-forward"] if full else []
    code, printed, said = score(*options)
    assert code == 0
    line = re.search(
        r"--share-reference 256 moves SAD by (\S+) of its size in the median, (\S+) at most \(8 SNVs", said
    )
    assert (line is not None) == (shared > 0)
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert (summary["facts"]["share_reference"], summary["facts"]["full_forward"]) == (shared, full)
    result = json.loads(printed)
    if line is not None:
        sharing = result["sharing"]
        assert summary["notes"] == {"sharing": sharing}
        assert (sharing["share_reference"], sharing["variants"]) == (256, 8)
        assert 0 < sharing["median"] <= sharing["largest"]
        assert [f"{sharing[key]:.2g}" for key in ("median", "largest")] == list(line.groups())
    else:
        assert "sharing" not in result
    code, again, said = score(*options)  # the finished run says it again without computing anything
    assert json.loads(again).get("sharing") == result.get("sharing")
    assert "moves SAD" not in said
    code, _, said = score(*options[:-1], *(["--full-forward"] if not full else [options[-1]]), "--share-reference", 128)
    assert code == 2


def test_what_shared_windows_cost_is_said_once_or_why_not(
    score: Call, genome: Genome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--formats", "h5", "--share-reference", 256)
    variants = small.write_vcf(tmp_path / "v.vcf", [small.snv(genome, at) for at in range(3000, 3020)])
    code, printed, said = score("--vcf", variants, "--dry-run", *options, "--json")
    assert (code, json.loads(printed)["sharing"]["variants"], "moves SAD" in said) == (0, 8, True)
    for shard in (1, 2):
        code, _, said = score("--vcf", variants, "--out", tmp_path / "s", "--shard", f"{shard}/2", *options)
        assert (code, "moves SAD" in said) == (0, shard == 1)
    few = small.write_vcf(tmp_path / "few.vcf", [("chr1", 5, "A", "<DEL>")])
    assert "no SNV among them" in score("--vcf", few, "--out", tmp_path / "few", *options)[2]
    with variants.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        code, _, said = score("--vcf", "-", "--out", tmp_path / "once", *options)
    assert (code, "the variants can be read only once" in said) == (0, True)
    code, _, said = score("--vcf", variants, "--out", tmp_path / "x", "--share-reference", 100)
    assert (code, said.count("\n"), "the model's bins have 128 bp" in said) == (2, 1, True)
    assert not (tmp_path / "x").exists()


# --- output


@pytest.mark.parametrize("wanted", [False, True])
def test_percentiles(score: Call, variants: Path, tmp_path: Path, wanted: bool) -> None:
    options = ("--vcf", variants, "--out", tmp_path / "o", "--formats", "h5")
    assert score(*options, *(["--percentiles"] if wanted else []))[0] == 0
    with h5py.File(tmp_path / "o" / "scores" / "chr1.h5") as file:
        assert ("SAD_pct" in file) == wanted


@pytest.mark.parametrize("strata", [False, True])
def test_calibration(score: Call, call: Call, genome: Genome, genes: Path, tmp_path: Path, strata: bool) -> None:
    common, null = tmp_path / "common", tmp_path / "null.safetensors"
    variants = small.write_vcf(tmp_path / "v.vcf", small.alleles(genome, 160))
    assert score("--vcf", variants, "--out", common, "--formats", "h5")[0] == 0
    given = ["--genes", genes] if strata else []
    assert call("calibrate", "build", common, "--out", null, "--name", "common", *given)[0] == 0
    options = ("--vcf", variants, "--formats", "h5", "--calibration", null)
    assert score(*options, "--genes", genes, "--out", tmp_path / "o")[0] == 0
    with h5py.File(tmp_path / "o" / "scores" / "chr1.h5") as file:
        assert file["SAD_quantile"].attrs["null"] == "common"
        scores, quantiles = file["SAD"][:40], file["SAD_quantile"][:40]
        assert (np.sign(scores) == np.sign(quantiles))[scores != 0].all()
        assert (file["SAD_quantile"].attrs["strata"] == "none") != strata
    for wrong, message in (
        (("--calibration", null, "--scores", "D2"), "not of D2"),
        (("--calibration", null, "--tracks", "assay=RNA"), "other tracks than the null"),
        (("--calibration", variants), str(variants)),
    ):
        code, _, said = score("--vcf", variants, "--out", tmp_path / "x", *wrong)
        assert (code, message in said, said.count("\n")) == (2, True, 1), said
        assert not (tmp_path / "x").exists()


# --- two models, two runs


def test_two_models_are_scored_and_compared(
    call: Call, model: Path, genome: Genome, variants: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    made = builders.predictor("enformer")
    other = zoo.save(made.module, tmp_path / "other", made.spec, {"human": builders.TABLE})
    options = ("--fasta", genome.path, "--vcf", variants, "--out", out, "--formats", "h5", "--threads", 1, "--json")
    code, printed, _ = call("score", "--model", model, "--model", other, *options)
    assert code == 0
    result = json.loads(printed)
    assert set(result["models"]) == {"tiny-basenji2", "tiny-enformer"}
    assert {result["models"][name]["statuses"]["scored"] for name in result["models"]} == {81}
    assert (result["agreement"]["joined"], result["agreement"]["compared"], result["agreement"]["tracks"]) == (
        82,
        81,
        6,
    )
    assert -1 <= result["agreement"]["pearson"] <= 1
    assert {"tiny-basenji2", "tiny-enformer", "agreement.json", "agreement.tsv.gz", "tracks.tsv"} <= {
        path.name for path in out.iterdir()
    }
    code, printed, _ = call(
        "score", "--compare", *(out / name for name in result["models"]), "--out", tmp_path / "c", "--json"
    )
    assert code == 0
    again = json.loads(printed)
    assert again["pearson"] == result["agreement"]["pearson"]
    code, printed, _ = call(
        "score",
        "--compare",
        out / "tiny-enformer",
        out / "tiny-enformer",
        "--out",
        tmp_path / "c",
        "--scores",
        "SAR",
        "--tracks",
        "assay=RNA",
    )
    assert code == 0
    assert re.search(r"^score +SAR$", printed, re.MULTILINE)
    assert re.search(r"^tracks +2$", printed, re.MULTILINE)
    for wrong, message in (
        (("score", "--compare", out, out), "give a folder for the tables"),
        (("score", "--compare", out / "tiny-enformer", tmp_path, "--out", out), "no score files"),
        (("score", "--compare", out), "requires 2"),
        (("score", "--model", model, "--model", model, *options), "have the same name"),
        (("score", "--model", model, "--model", other, "--model", model, *options), "or two to compare them"),
        (
            ("score", "--model", model, "--model", other, *options[:2], "--vcf", "-", *options[4:]),
            "each model reads it",
        ),
    ):
        code, _, said = call(*wrong)
        assert (code, message in said, said.count("\n")) == (2, True, 1), said


# --- machine


def test_shards_are_merged_into_the_same_data(score: Call, genome: Genome, tmp_path: Path) -> None:
    variants = small.write_vcf(tmp_path / "two_parts.vcf", small.alleles(genome, PART_ROWS + 10))
    whole, out = tmp_path / "whole", tmp_path / "o"
    assert score("--vcf", variants, "--out", whole)[0] == 0
    options = ("--vcf", variants, "--out", out)
    code, printed, said = score(*options, "--shard", "2/2", "--json")
    assert code == 0
    result = json.loads(printed)
    assert (result["shard"], result["parts_done"], result["parts_missing"]) == ("2/2", 1, 1)
    assert "shard 2/2 is done, 1 of 2 parts are still missing. When" in said
    assert "--shard" not in result["merge"]
    assert not (out / "scores").exists()
    code, _, said = score(*options, "--shard=1/2")
    assert code == 0
    assert "shard 1/2 is done, so are all others. When" in said
    assert main(shlex.split(result["merge"])[1:]) == 0
    assert data(out) == data(whole)
    code, _, said = score(*options, "--shard", "1/2")
    assert "finished and merged" in said
    for shard, message in (("3/2", "shard 3/2"), ("x", "not understood")):
        code, _, said = score(*options, "--shard", shard)
        assert (code, message in said) == (2, True)


def test_shards_of_a_pipe(score: Call, variants: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with variants.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        code, _, said = score("--vcf", "-", "--out", tmp_path / "o", "--shard", "1/2")
    assert code == 0
    assert "shard 1/2 is done. When all are, this merges them" in said


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("distal score --shard 3/7 --out o", "distal score --out o"),
        ("distal score --out o --shard=3/7", "distal score --out o"),
        ("distal score --vcf 'a b.vcf'", "distal score --vcf 'a b.vcf'"),
    ],
)
def test_the_command_that_merges(command: str, kept: str) -> None:
    assert _without_shard(command) == kept


@pytest.mark.slow
def test_two_workers_write_the_same_data(score: Call, variants: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        out = tmp_path / str(workers)
        assert score("--vcf", variants, "--out", out, "--workers", workers, "--formats", "h5")[0] == 0
    assert data(tmp_path / "1") == data(tmp_path / "2")


@pytest.mark.parametrize("usual", ["", "3", "2,1"])
def test_engines(usual: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", usual)
    monkeypatch.setattr("distal.cli.score_task.cores", lambda: 8)

    def task(**options: object) -> Task:
        return Task((), None, Variants(), What(), Output(), Machine(**options))  # type: ignore[arg-type]

    share = {1: 8, 2: 4, 3: 2, 16: 1}
    for workers, threads in share.items():
        assert task(workers=workers).threads == (3 if usual == "3" else threads)
    assert task(workers=2, threads=5).engine == LocalEngine(2, 5)
    assert task(engine="ray", workers=3, threads=2, address="auto").engine == RayEngine(3, "auto", 2.0, 0.0)
    assert task(engine="ray", device="cuda", threads=1).engine == RayEngine(1, "", 1.0, 1.0)
    assert [task(engine=engine, device="cuda").device for engine in ("local", "ray")] == ["cuda", "cuda:0"]
    for wrong in ({"address": "auto"}, {"workers": 0}, {"threads": 0}, {"engine": "ray", "workers": 0}):
        with pytest.raises(InputError):
            _ = task(**wrong).engine


@pytest.mark.parametrize("json_", [False, True])
def test_dry_run(score: Call, nasty: Path, tmp_path: Path, json_: bool) -> None:
    code, printed, said = score("--vcf", nasty, "--dry-run", "--shard", "1/4", *(["--json"] if json_ else []))
    assert code == 0
    assert len(lines(said)) == 5
    if json_:
        found = json.loads(printed)
        assert (found["n_in"], found["n_to_score"], found["windows"], found["processes"]) == (6, 1, 2, 4)
        assert found["n_in"] == sum(found["statuses"].values())
        assert found["disk_bytes"] > 0
    else:
        assert "to score     1 variants, 2 windows" in printed
        assert re.search(r"^time +about .* each of 4 processes with --precision fp32$", printed, re.MULTILINE)
        assert re.search(r"^recommended  --precision fp32: about", printed, re.MULTILINE)
    nothing = small.write_vcf(tmp_path / "nothing.vcf", [])
    code, printed, _ = score("--vcf", nothing, "--dry-run", "--out", tmp_path / "o")
    assert code == 0
    assert "time" not in printed
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.0 kB"), (1234, "1.2 kB"), (45_678, "46 kB"), (9_900_000, "9.9 MB"), (12_300_000_000, "12 GB")],
)
def test_bytes_in_words(count: int, text: str) -> None:
    assert _bytes(count) == text


def test_what_is_missing_or_doesnt_go_together_is_said(
    call: Call, model: Path, genome: Genome, variants: Path, tmp_path: Path
) -> None:
    out, one = ("--out", tmp_path / "o"), ("--variant", "chr1:5:A>C")
    base = {"--model": model, "--fasta": genome.path, "--vcf": variants}

    def words(*without: str) -> list[object]:
        return ["score", *(word for key, value in base.items() if key not in without for word in (key, value))]

    for wrong, message in (
        (["score"], "give a model (--model)"),
        ([*words("--fasta"), *out], "variants were called on: --fasta"),
        ([*words("--vcf"), *out], "--variant chr20:42984264:C>T"),
        ([*words(), *out, *one], "give either a file of variants"),
        (words(), "give a folder for the results: --out"),
        ([*words("--vcf"), *out, "--variant", "chr1:5"], "chr1:5"),
        ([*words(), *out, "--address", "auto"], "add --engine ray"),
        ([*words(), *out, "--formats", "vep", "--scores", "SAD"], "the format vep needs SAR"),
        ([*words(), *out, "--formats", "xlsx"], "format 'xlsx' is not known"),
        ([*words(), *out, "--aliases", tmp_path / "absent"], "absent"),
        ([*words(), *out, "--head", "yeast"], "no head 'yeast'"),
        ([*words(), *out, "--ref-mismatch", "guess"], "ref-mismatch"),
        ([*words(), *out, "--spread", "iqr"], "spread"),
        ([*words(), *out, "--shifts", "a"], "not a list of whole numbers"),
        ([*words(), *out, "--workers", "0"], "workers is 0"),
        ([*words(), *out, "--threads", "0"], "threads is 0"),
    ):
        code, printed, said = call(*wrong)
        assert (code, printed, message in said, said.count("\n")) == (2, "", True, 1), (wrong, said)
        assert not (tmp_path / "o").exists()
