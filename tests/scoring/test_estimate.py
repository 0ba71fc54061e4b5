"""What a run would take: the arithmetic by hand, counts and disk against real runs; no time is ever asserted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests import builders
from tests.scoring import small

from distal.cli import main
from distal.coords import Interval
from distal.io.fasta import Genome
from distal.io.vcf import VcfRow
from distal.predictor import Predictor
from distal.scoring import estimate as module
from distal.scoring.estimate import Census, Disk, concluded, count, disk, estimate
from distal.scoring.probe import Measured, Probe
from distal.scoring.recipe import Recipe
from distal.scoring.run import Columns
from distal.scoring.scorers import named
from distal.scoring.variants import score_variants


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return builders.predictor("basenji2")


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


def recipe(predictor: Predictor, genome: Genome, dtype: str = "float16", rc: bool = False) -> Recipe:
    return Recipe(predictor, genome, named(["SAD", "SAR"]), "", rc, (0,), dtype, True, None, "skip", 1)


MEASURED = Measured(
    (
        Probe("fp32", 2, 2, 1.0),  # 0.5 s a window
        Probe("fp32", 4, 4, 1.2),  # 0.3
        Probe("fp32", 8, 8, 2.32),  # 0.29: 3.4 % faster, not worth twice the memory
    ),
    5_000,
    70,
)


def test_time_is_windows_times_seconds_over_processes(predictor: Predictor) -> None:
    census = Census({"scored": 100, "failed": 0, "duplicate": 20}, 1, 1000, variants=100, windows=210)
    found = concluded(census, MEASURED, Disk(10, 20, 5), 3, predictor)
    assert (found.n_in, found.n_to_score, found.windows, found.processes) == (120, 100, 210, 3)
    assert found.seconds == pytest.approx(210 * 0.3 / 3)  # batch size 4 is asked for
    assert (found.recommended_precision, found.recommended_batch_size) == ("fp32", 4)
    assert found.recommended_seconds == pytest.approx(21)
    assert (found.disk_bytes, found.disk_most_bytes) == (15, 30)  # 10 + 5; 10 and the parts' 20
    assert (found.memory_bytes, found.gpu_memory_bytes) == (5_000, 70)


def test_nothing_to_score_takes_no_time(predictor: Predictor) -> None:
    found = concluded(Census({"ref_mismatch": 7}, 1, 10, 0, 0), None, Disk(1, 1, 0), 1, predictor)
    assert (found.n_in, found.seconds, found.memory_bytes, found.recommended_batch_size) == (7, 0, 0, 0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_the_asked_batch_or_the_next_smaller_one_counts(predictor: Predictor, precision: str, size: int) -> None:
    both = replace(MEASURED, probes=(*MEASURED.probes, Probe("bf16", 1, 1, 9.0), Probe("bf16", 32, 16, 1.0)))
    if precision == "fp32" and size == 1:
        both = replace(both, probes=(Probe("fp32", 1, 1, 1.0), *both.probes))
    found = both.nearest(replace(predictor, precision=precision, batch_size=size))
    sizes = {"fp32": {1: 1, 2: 2, 5: 4, 64: 8}, "bf16": {1: 1, 2: 1, 5: 1, 64: 32}}
    assert (found.precision, found.batch_size) == (precision, sizes[precision][size])


@pytest.mark.parametrize(("seconds", "expected"), [(1.7, "fp32"), (1.5, "bf16")])
def test_bf16_is_recommended_where_it_pays(seconds: float, expected: str) -> None:
    # fp32 takes 0.29 s a window at best, 0.3 in the smaller batch; 0.3 / 1.5 = 0.2, so 8 windows may take 1.6 s.
    found = replace(MEASURED, probes=(*MEASURED.probes, Probe("bf16", 8, 8, seconds))).recommended()
    assert found.precision == expected


def test_disk_by_hand() -> None:
    columns = Columns(builders.TABLE, ("SAD", "SAR"), (), "float16", {})
    census = Census({"scored": 1000, "failed": 0}, 2, text_bytes=30_000, variants=1000, windows=2000)
    names = sum(len(track.name) + len(track.description) for track in builders.TABLE)
    # 1,000 rows x 6 tracks x 2 bytes x 2 scores = 24,000, and texts.
    assert disk(census, columns) == Disk(24_000 + 30_000 + 2 * (16_384 + names), 54_000, 0)
    wide = replace(columns, dtype="float32", percentiles=("SAD",))
    assert disk(census, wide).parts == 48_000 + 30_000
    assert disk(census, wide).scores - disk(census, wide).parts == 2 * (16_384 + names + 6 * 279 * 2)
    assert disk(census, columns, ["h5", "json"]).others == 0
    assert disk(census, columns, ["tsv"]).others == 1000 * (2 + 6) * 5  # six tracks have six components


def test_windows_are_counted_once(predictor: Predictor, genome: Genome) -> None:
    one, other = small.snv(genome, 5000), small.snv(genome, 5000, 2)
    chrom, pos, ref, _ = small.snv(genome, 7000)
    insertion = (chrom, pos, ref, f"{ref}GATTACA")
    same = (chrom, 9000, *[genome.fetch(Interval.from_one_based(chrom, 9000, 9000))] * 2)
    census, sample = count(
        recipe(predictor, genome), small.rows(one, other, one, insertion, same, (chrom, 5, "N", "A"))
    )
    assert {k: v for k, v in census.statuses.items() if v} == {"scored": 4, "duplicate": 1, "unsupported_allele": 1}
    assert (census.rows, census.variants, len(sample)) == (6, 4, 4)
    # One place with REF and two ALTs; an insertion has REF, ALT and the moved REF; the last one REF and ALT.
    assert census.windows == 3 + 3 + 2


@pytest.mark.parametrize(("dtype", "rc"), [("float16", True), ("float32", False)])
def test_disk_of_a_real_run(predictor: Predictor, genome: Genome, tmp_path: Path, dtype: str, rc: bool) -> None:
    rows = small.rows(*small.alleles(genome, 300))
    made = recipe(predictor, genome, dtype, rc)
    found = estimate(made, rows, made.columns((), False), seconds=0.0)
    parts = 0

    def largest(n: int) -> None:
        nonlocal parts
        parts = max(parts, sum(path.stat().st_size for path in (tmp_path / ".parts").glob("*.safetensors")))

    summary = score_variants(predictor, genome, rows, tmp_path, rc=rc, dtype=dtype, threads=1, progress=largest)
    assert summary is not None
    assert dict(summary.statuses) == dict(found.statuses)
    written = sum(path.stat().st_size for path in (tmp_path / "scores").iterdir())
    assert 0.5 < found.disk_bytes / written < 2
    assert 0.5 < (found.disk_most_bytes - found.disk_bytes) / parts < 2
    assert found.seconds > 0
    assert found.memory_bytes > 10e6


def test_every_format_is_foreseen(tmp_path: Path, genome: Genome, capsys: pytest.CaptureFixture[str]) -> None:
    source = small.write_vcf(tmp_path / "v.vcf", small.alleles(genome, 300))
    options = ["score", "--model", str(small.model(tmp_path)), "--fasta", str(genome.path), "--vcf", str(source)]
    options += ["--formats", "parquet,tsv,vcf,vep", "--threads", "1", "--out", str(tmp_path / "out"), "--json"]
    assert main([*options, "--dry-run"]) == 0
    foreseen = json.loads(capsys.readouterr().out)["disk_bytes"]
    assert not (tmp_path / "out").exists()
    assert main(options) == 0
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    written = sum(path.stat().st_size for path in found)
    assert 0.5 < foreseen / written < 2, (foreseen, written)


def test_rows_are_counted_in_flat_memory(predictor: Predictor, genome: Genome) -> None:
    chrom, pos, ref, alt = small.snv(genome, 5000)
    many = (VcfRow(i, i, chrom, pos, "x", ref, alt) for i in range(3000))
    census, sample = count(recipe(predictor, genome), many)
    assert (census.rows, census.variants, census.statuses["duplicate"]) == (3000, 1, 2999)
    assert len(sample) == 1
    assert len(count(recipe(predictor, genome), small.rows(*small.alleles(genome, 80)))[1]) <= module.LARGEST // 2
