"""Scoring a stream of variants: the numbers, the accounting, and runs that are killed and started again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from tests import builders
from tests.scoring import small

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.io import vcf
from distal.io.fasta import Genome
from distal.io.scores import Scores
from distal.predictor import Predictor, averaged, load
from distal.scoring import run as runs
from distal.scoring.alleles import STATUSES, haplotypes
from distal.scoring.scorers import SCORERS, Scorer, near, sad
from distal.scoring.variants import score_variants, tally


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return load(str(model))


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


def values(out: Path, chrom: str = "chr1", score: str = "SAD") -> np.ndarray:
    with h5py.File(out / "scores" / f"{chrom}.h5") as file:
        return file[score][:]


def statuses(out: Path, chrom: str = "chr1") -> list[str]:
    with Scores(out / "scores" / f"{chrom}.h5") as scores:
        return [row.status for row in scores.read(slice(None), ()).rows]


def digests(out: Path) -> dict[str, str]:
    found = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.mark.parametrize(("rc", "shifts"), [(False, (0,)), (True, (0,)), (False, (-1, 0, 1)), (True, (-3, 2))])
def test_snvs_score_as_one_by_one_by_hand(
    predictor: Predictor, genome: Genome, tmp_path: Path, rc: bool, shifts: tuple[int, ...]
) -> None:
    alleles = [small.snv(genome, pos, turn) for pos, turn in ((5, 1), (9000, 2), (9001, 3), (19_999, 1))]
    score_variants(predictor, genome, small.rows(*alleles), tmp_path, rc=rc, shifts=shifts, dtype="float32")
    for i, (chrom, pos, ref, alt) in enumerate(alleles):
        made = haplotypes(genome, predictor.window, Variant.from_vcf(chrom, pos, ref, alt))
        r, a = (averaged(predictor, codes[None], rc, shifts)[0].double().numpy() for codes in (made.ref, made.alt))
        np.testing.assert_allclose(values(tmp_path)[i], (a - r).sum(0), rtol=1e-3, atol=1e-5)
        sar = (np.log2(1 + a) - np.log2(1 + r)).sum(0)
        np.testing.assert_allclose(values(tmp_path, score="SAR")[i], sar, rtol=1e-3, atol=1e-5)


def test_an_indel_is_compared_over_refs_bins(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    pos = 9000
    ref = genome.fetch(Interval.from_one_based("chr1", pos, pos))
    row = small.rows(("chr1", pos, ref, ref + "GATTACA" * 30))
    score_variants(predictor, genome, row, tmp_path, dtype="float32")
    made = haplotypes(genome, predictor.window, row[0].variant())
    r, a = predictor.tensor(np.stack([made.ref, made.alt]))
    np.testing.assert_allclose(values(tmp_path)[0], sad(r, made.realign(a, r)), rtol=1e-4, atol=1e-5)
    naive = sad(r, a).numpy()
    assert np.abs(values(tmp_path)[0] - naive).max() > 1e-3  # bin by bin it would be another number


def test_no_change_scores_exactly_zero(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    same = [
        ("chr1", pos, *[genome.fetch(Interval.from_one_based("chr1", pos, pos + 2))] * 2) for pos in (50, 700, 9000)
    ]
    between = [small.snv(genome, 60), small.snv(genome, 800)]
    rows = small.rows(same[0], between[0], same[1], between[1], same[2])
    score_variants(predictor, genome, rows, tmp_path, scores=list(SCORERS), rc=True, shifts=(0, 1))
    assert statuses(tmp_path) == ["scored"] * 5
    for score in SCORERS:
        assert (values(tmp_path, score=score)[[0, 2, 4]] == 0).all()
        assert (values(tmp_path, score=score)[[1, 3]] != 0).any()


def test_every_row_is_accounted_for(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    good = small.snv(genome, 500)
    chrom, pos, ref, alt = good
    other = next(base for base in "ACGT" if base not in (ref, alt))
    last = genome.fetch(Interval.from_one_based("chr1", small.SIZE, small.SIZE))
    nasty = [
        (good, "scored"),
        (good, "duplicate"),
        ((chrom, pos, alt, ref), "ref_flipped"),
        ((chrom, pos, alt, ref), "ref_flipped"),  # a duplicate of what isn't scored is judged by itself
        ((chrom, pos, alt, other), "ref_mismatch"),
        ((chrom, pos, ref, ref), "scored"),
        ((chrom, pos, ref, "<DEL>"), "unsupported_allele"),
        ((chrom, pos, ref, "*"), "unsupported_allele"),
        ((chrom, pos, ref, "."), "unsupported_allele"),
        ((chrom, pos, ref, "N"), "unsupported_allele"),
        ((chrom, pos, ref, "A" * 513), "unsupported_allele"),  # the output has 1,024 bp
        ((chrom, 0, ref, alt), "out_of_range"),
        ((chrom, small.SIZE, last, last + "A"), "scored"),
        ((chrom, small.SIZE, last + "A", last), "out_of_range"),
        ((chrom, 999_999_999_999_999, "A", "C"), "out_of_range"),
        (("chrUn/1", 5, "A", "C"), "out_of_range"),
        (("1", pos, ref, alt), "scored"),  # another name of the chromosome makes another row and another file
        (good, "duplicate"),
    ]
    rows = small.rows(*(allele for allele, _ in nasty))
    summary = score_variants(predictor, genome, rows, tmp_path)
    expected = Counter(status for _, status in nasty)
    assert dict(summary.statuses) == {status: expected[status] for status in STATUSES}
    assert summary.n_in == sum(summary.statuses.values()) == len(nasty)
    assert summary.chromosomes == {"chr1": 16, "chrUn/1": 1, "1": 1}
    found = [status for (allele, status) in nasty if allele[0] == "chr1"]
    assert statuses(tmp_path) == found
    assert [np.isfinite(row).all() for row in values(tmp_path)] == [s in ("scored", "duplicate") for s in found]
    assert np.array_equal(values(tmp_path)[0], values(tmp_path)[1])
    assert np.array_equal(values(tmp_path)[0], values(tmp_path)[-1])
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == ["1.h5", "chr1.h5", "chrUn%2F1.h5"]
    assert json.loads((tmp_path / "summary.json").read_text())["statuses"] == summary.statuses
    assert {k: v for k, v in tally(genome, predictor.window, rows).items() if v} == dict(expected)


def test_duplicates_are_found_across_parts_and_forgotten_in_the_end(
    predictor: Predictor, genome: Genome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = small.alleles(genome, 200)[:100]
    rows = small.rows(*some, some[0])
    assert score_variants(predictor, genome, rows, tmp_path / "a").statuses["duplicate"] == 1
    assert np.array_equal(values(tmp_path / "a")[0], values(tmp_path / "a")[100])
    monkeypatch.setattr(runs, "REMEMBERED", 50)
    assert score_variants(predictor, genome, rows, tmp_path / "b").statuses["duplicate"] == 0
    np.testing.assert_allclose(values(tmp_path / "b")[0], values(tmp_path / "b")[100], rtol=1e-2, atol=1e-5)


def test_an_answer_that_is_not_finite_fails_its_row_alone(genome: Genome, tmp_path: Path) -> None:
    whole = builders.predictor("basenji2")
    rows = small.rows(small.snv(genome, 100), small.snv(genome, 100), small.snv(genome, 5000))
    rows.insert(1, replace(rows[1], name="again"))
    broken = Scorer("odd", lambda ref, alt: _nan_above(ref, alt, float(sad_of(whole, genome, rows[0]))), "odd")
    summary = score_variants(whole, genome, rows, tmp_path, scores=("SAD", broken))
    assert statuses(tmp_path) == ["failed", "failed", "failed", "scored"]  # duplicates fail with what they repeat
    assert summary.statuses["failed"] == 3
    assert np.isnan(values(tmp_path)[:3]).all()
    assert np.isfinite(values(tmp_path)[3]).all()


def sad_of(predictor: Predictor, genome: Genome, row: Any) -> torch.Tensor:
    made = haplotypes(genome, predictor.window, row.variant())
    return sad(*predictor.tensor(np.stack([made.ref, made.alt])))[0]


def _nan_above(ref: torch.Tensor, alt: torch.Tensor, bad: float) -> torch.Tensor:
    found = sad(ref, alt)
    return found * float("nan") if abs(float(found[0]) - bad) < 1e-4 * abs(bad) else found


def test_float16_is_clipped_and_float32_is_not(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    huge = Scorer("huge", lambda ref, alt: torch.tensor([1e6, -1e6, 1.0, 0, 0, 0]), "constant")
    row = small.rows(small.snv(genome, 700))
    for dtype, first in (("float16", 65504.0), ("float32", 1e6)):
        score_variants(predictor, genome, row, tmp_path / dtype, scores=(huge,), dtype=dtype)
        found = values(tmp_path / dtype, score="huge")
        assert found.dtype == dtype
        assert found[0, :3].tolist() == [first, -first, 1.0]
    with pytest.raises(InputError, match="float64"):
        score_variants(predictor, genome, row, tmp_path / "c", dtype="float64")


def test_tracks_and_masks_are_chosen(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 12))
    local = Scorer("near", sad, "alt - ref around the variant", near(0))
    score_variants(predictor, genome, rows, tmp_path / "all", rc=True, dtype="float32")
    chosen = score_variants(
        predictor,
        genome,
        rows,
        tmp_path / "some",
        ("SAD", local),
        "assay=RNA biosample~brain",
        rc=True,
        dtype="float32",
    )
    np.testing.assert_allclose(values(tmp_path / "some"), values(tmp_path / "all")[:, 4:6], rtol=1e-4, atol=1e-6)
    assert chosen.facts["tracks"] == 2
    assert not np.array_equal(values(tmp_path / "some", score="near"), values(tmp_path / "some"))


def test_batch_size_changes_nothing_to_speak_of(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 60))
    for size in (1, 4, 32):
        score_variants(replace(predictor, batch_size=size), genome, rows, tmp_path / str(size), dtype="float32")
    for size in (4, 32):
        np.testing.assert_allclose(values(tmp_path / str(size)), values(tmp_path / "1"), rtol=1e-3, atol=2e-5)


def test_progress_counts_every_row_once(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 150), ("chr1", 0, "A", "C"))
    for _ in range(2):  # scored, then found
        seen: list[int] = []
        score_variants(predictor, genome, rows, tmp_path, progress=seen.append)
        assert sum(seen) == 151
    assert max(seen) <= runs.PART_ROWS


def test_bf16_scores_too(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    same = genome.fetch(Interval.from_one_based("chr1", 50, 52))
    rows = small.rows(("chr1", 50, same, same), *small.alleles(genome, 40))
    summary = score_variants(replace(predictor, precision="bf16"), genome, rows, tmp_path)
    assert (summary.statuses["scored"], summary.facts["precision"]) == (41, "bf16")
    assert (values(tmp_path)[0] == 0).all()


def test_a_run_stopped_anywhere_ends_the_same(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    some = small.alleles(genome, 400)
    rows = small.rows(*some[:300], *some[200:])  # with duplicates that lie in earlier parts
    score_variants(predictor, genome, rows, tmp_path / "whole", command="distal score")

    class Stopped(Exception):  # noqa: N818
        pass

    for stop in (1, 65, 200, 450):
        seen = []

        def stopping(n: int, seen: list[int] = seen, stop: int = stop) -> None:
            seen.append(n)
            if sum(seen) >= stop:
                raise Stopped

        with pytest.raises(Stopped):
            score_variants(predictor, genome, rows, tmp_path / "cut", progress=stopping)
    done = len(list((tmp_path / "cut" / ".parts").glob("0*.h5")))
    assert done == 450 // runs.PART_ROWS
    score_variants(predictor, genome, iter(rows), tmp_path / "cut", command="distal score")
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert not (tmp_path / "cut" / ".parts").exists()
    score_variants(predictor, genome, rows, tmp_path / "cut", command="again")  # a finished run is left as it is
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


_SCRIPT = """
import sys
from distal.io import vcf
from distal.io.fasta import Genome
from distal.predictor import load
from distal.scoring.variants import score_variants
import resource, torch
torch.set_num_threads(1)
model, fasta, source, out = sys.argv[1:5]
score_variants(load(model, batch_size=32), Genome(fasta), vcf.read(source), out)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def start(*arguments: Path) -> subprocess.Popen[str]:
    """`score_variants` in a process of its own; prints its peak memory in kB."""
    command = [sys.executable, "-c", _SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.mark.slow
def test_kill_minus_9_and_start_again(model: Path, genome: Genome, tmp_path: Path) -> None:
    source = small.write_vcf(tmp_path / "v.vcf", small.alleles(genome, 2000))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for parts in (3, 20):  # killed early, killed late
        with start(model, genome.path, source, cut) as process:
            while process.poll() is None and len(list((cut / ".parts").glob("0*.h5"))) < parts:
                time.sleep(0.002)
            process.kill()
        assert process.returncode == -signal.SIGKILL
    for out in (cut, whole):
        with start(model, genome.path, source, out) as process:
            process.communicate()
        assert process.returncode == 0
    assert digests(cut) == digests(whole)


@pytest.mark.slow
def test_memory_is_flat_in_the_number_of_variants(model: Path, genome: Genome, tmp_path: Path) -> None:
    peaks = []
    for n in (1000, 8000):
        source = small.write_vcf(tmp_path / f"{n}.vcf", small.alleles(genome, n))
        with start(model, genome.path, source, tmp_path / str(n)) as process:
            peaks.append(int(process.communicate()[0]) / 1024)
        assert process.returncode == 0
    assert peaks[1] - peaks[0] < 15, f"{peaks} MB"


@pytest.mark.parametrize("finished", [False, True])
def test_another_run_in_the_same_folder_is_refused(
    predictor: Predictor, genome: Genome, tmp_path: Path, finished: bool
) -> None:
    rows = small.rows(*small.alleles(genome, 300))

    def endless() -> Any:
        yield from rows
        raise KeyboardInterrupt

    if finished:
        score_variants(predictor, genome, rows, tmp_path)
    else:
        with pytest.raises(KeyboardInterrupt):
            score_variants(predictor, genome, endless(), tmp_path)
    with pytest.raises(InputError, match=r"differs in rc, shifts"):
        score_variants(predictor, genome, rows, tmp_path, rc=True, shifts=(0, 1))
    with pytest.raises(InputError, match="other variants"):
        score_variants(predictor, genome, rows[1:], tmp_path)
    score_variants(predictor, genome, rows, tmp_path)


def test_a_vcf_without_records(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    summary = score_variants(predictor, genome, [], tmp_path)
    assert summary.n_in == sum(summary.statuses.values()) == 0
    assert list((tmp_path / "scores").iterdir()) == []


def test_the_files_say_where_they_come_from(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 4))
    score_variants(predictor, genome, rows, tmp_path, rc=True, shifts=(-1, 0, 1), command="distal score --rc")
    with Scores(tmp_path / "scores" / "chr2.h5") as scores:
        facts = scores.attributes
    assert facts["model"] == "tiny-basenji2"
    assert facts["weights_sha256"] == predictor.spec.weights_sha256
    assert facts["fasta_sha256"] == genome.digest()
    assert json.loads(facts["formulas"])["SAD"] == "sum over bins of (alt - ref)"
    assert (json.loads(facts["rc"]), json.loads(facts["shifts"])) == (True, [-1, 0, 1])
    assert (facts["precision"], facts["command"]) == ("fp32", "distal score --rc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"scores": ("SAM",)}, "SAM"), ({"query": "assay=RNO"}, "no track"), ({"shifts": ()}, "no shift")],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    predictor: Predictor, genome: Genome, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score_variants(predictor, genome, [], tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder"):
        score_variants(predictor, genome, [], tmp_path / "out")


@pytest.mark.shared
def test_real_variants_of_chromosome_20(shared: Path, predictor: Predictor, tmp_path: Path) -> None:
    source = shared / "data" / "eqtl" / "1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"
    reference = Genome(shared / "data" / "sequence" / "GRCh37_chr20.fa.gz")
    rows = list(islice(vcf.read(source), 500))
    summary = score_variants(predictor, reference, rows, tmp_path)
    assert summary.n_in == sum(summary.statuses.values()) == 500
    assert summary.statuses["scored"] > 490
    (path,) = (tmp_path / "scores").iterdir()
    with h5py.File(path) as file:
        assert file["pos"][:].tolist() == [row.pos for row in rows]
        assert (
            np.isfinite(file["SAD"][:]).all(axis=1).sum() == summary.statuses["scored"] + summary.statuses["duplicate"]
        )
