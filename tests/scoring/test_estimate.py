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
from distal.scoring.estimate import Census, Disk, concluded, count, disk, estimate
from distal.scoring.parts import PART_ROWS
from distal.scoring.probe import Measured, Probe, Sequences
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


FULL = Probe("fp32", Sequences(2, 4), 1.0, 0.3)
"""0.3 s for a REF; two of them leave 1.0 - 0.6 = 0.4 s for four others: 0.1 s each."""
MEASURED = Measured((FULL,), 5_000, 70)


def test_time_is_sequences_times_seconds_over_processes() -> None:
    census = Census({"scored": 100, "failed": 0, "duplicate": 20}, 1, 1000, 100, Sequences(90, 120))
    found = concluded(census, MEASURED, Disk(10, 20, 5), 3, "fp32")
    assert (found.n_in, found.n_to_score, found.windows, found.processes) == (120, 100, 210, 3)
    assert found.seconds == pytest.approx((90 * 0.3 + 120 * 0.1) / 3)
    assert (found.precision, found.recommended_precision) == ("fp32", "fp32")
    assert found.recommended_seconds == pytest.approx(13)
    assert (found.disk_bytes, found.disk_most_bytes) == (15, 30)  # 10 + 5; 10 and the parts' 20
    assert (found.memory_bytes, found.gpu_memory_bytes) == (5_000, 70)


def test_nothing_to_score_takes_no_time() -> None:
    found = concluded(Census({"ref_mismatch": 7}, 1, 10, 0, Sequences(0, 0)), None, Disk(1, 1, 0), 1, "fp32")
    assert (found.n_in, found.seconds, found.memory_bytes, found.recommended_precision) == (7, 0, 0, "")


def test_where_ref_took_all_the_time_sequences_are_alike() -> None:
    assert replace(FULL, reference=0.6).expected(Sequences(3, 9)) == pytest.approx(12 / 6)


@pytest.mark.parametrize("asked_first", ["fp32", "bf16"])
@pytest.mark.parametrize(("other", "expected"), [(0.09, "fp32"), (0.05, "bf16")])
def test_bf16_is_recommended_where_it_pays(asked_first: str, other: float, expected: str) -> None:
    # REF takes 0.3 s in both. A locus of 1 REF and 100 others takes 0.3 + 10 s in fp32, 9.3 s or 5.3 s in bf16; of
    # windows with one variant each bf16 saves little: 30 + 10 s against 30 + 5 s.
    half = Probe("bf16", Sequences(2, 4), 0.6 + 4 * other, 0.3)
    probes = (FULL, half) if asked_first == "fp32" else (half, FULL)
    found = Measured(probes, 0, 0)
    assert found.recommended(Sequences(1, 100)).precision == expected
    assert found.recommended(Sequences(100, 100)).precision == "fp32"
    alone = Measured((half,), 0, 0)
    assert alone.recommended(Sequences(1, 100)).precision == "bf16"
    assert concluded(Census({}, 1, 1, 1, Sequences(1, 100)), found, Disk(1, 1, 0), 1, "fp32").seconds == pytest.approx(
        probes[0].expected(Sequences(1, 100))
    )


def test_disk_by_hand() -> None:
    columns = Columns(builders.TABLE, ("SAD", "SAR"), (), "float16", {})
    census = Census({"scored": 1000, "failed": 0}, 2, text_bytes=30_000, variants=1000, sequences=Sequences(1000, 1000))
    names = sum(len(track.name) + len(track.description) for track in builders.TABLE)
    # 1,000 rows x 6 tracks x 2 bytes x 2 scores = 24,000, and texts.
    assert disk(census, columns) == Disk(24_000 + 30_000 + 2 * (16_384 + names), 54_000, 0)
    wide = replace(columns, dtype="float32", percentiles=("SAD",))
    assert disk(census, wide).parts == 48_000 + 30_000
    assert disk(census, wide).scores - disk(census, wide).parts == 2 * (16_384 + names + 6 * 279 * 2)
    assert disk(census, columns, ["h5", "json"]).others == 0
    assert disk(census, columns, ["tsv"]).others == 1000 * (2 + 6) * 5  # six tracks have six components


def test_sequences_are_counted_as_they_are_read(predictor: Predictor, genome: Genome) -> None:
    one, other = small.snv(genome, 5000), small.snv(genome, 5000, 2)
    chrom, pos, ref, _ = small.snv(genome, 7000)
    insertion = (chrom, pos, ref, f"{ref}GATTACA")
    same = (chrom, 9000, *[genome.fetch(Interval.from_one_based(chrom, 9000, 9000))] * 2)
    census, first = count(recipe(predictor, genome), small.rows(one, other, one, insertion, same, (chrom, 5, "N", "A")))
    assert {k: v for k, v in census.statuses.items() if v} == {"scored": 4, "duplicate": 1, "unsupported_allele": 1}
    assert first is not None
    assert (census.rows, census.variants, len(first.wanted)) == (6, 4, 4)
    # One place with REF and two ALTs; an insertion has REF, ALT and the moved REF; the last one REF and ALT.
    assert census.sequences == Sequences(1 + 1 + 1, 2 + 2 + 1)
    # In cells of 512 bp, 5,000 and 7,000 lie in two; back in the first, it is read again.
    shared = replace(recipe(predictor, genome), share_reference=512)
    rows = small.rows(one, small.snv(genome, 4700), insertion, small.snv(genome, 5050))
    assert count(shared, rows)[0].sequences == Sequences(3, 3 + 2)


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
    census, first = count(recipe(predictor, genome), many)
    assert (census.rows, census.variants, census.statuses["duplicate"]) == (3000, 1, 2999)
    assert first is not None
    assert len(first.rows) == PART_ROWS
    assert count(recipe(predictor, genome), small.rows(("chr1", 5, "A", "<DEL>")))[1] is None
