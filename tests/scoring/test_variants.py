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

from distal import dna
from distal.coords import Interval
from distal.engine import LocalEngine
from distal.errors import InputError
from distal.io import vcf
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.io.scores import Scores
from distal.predictor import Predictor, averaged, load
from distal.scoring import parts
from distal.scoring.alleles import STATUSES, Haplotypes, haplotypes, judge
from distal.scoring.parts import PART_ROWS, Shard
from distal.scoring.scorers import STATISTICS, Centre, Scorer, sad, sadr
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


def variants(genome: Genome, predictor: Predictor, alleles: list[small.Allele]) -> list[Haplotypes]:
    window = predictor.window
    return [haplotypes(genome, window, judge(genome, window, row)) for row in small.rows(*alleles)]


@pytest.mark.parametrize(("rc", "shifts"), [(False, (0,)), (True, (0,)), (False, (-1, 0, 1)), (True, (-3, 2))])
def test_snvs_score_as_one_by_one_by_hand(
    predictor: Predictor, genome: Genome, tmp_path: Path, rc: bool, shifts: tuple[int, ...]
) -> None:
    alleles = [small.snv(genome, pos, turn) for pos, turn in ((5, 1), (9000, 2), (9001, 3), (19_999, 1))]
    score_variants(predictor, genome, small.rows(*alleles), tmp_path, rc=rc, shifts=shifts, dtype="float32")
    for i, made in enumerate(variants(genome, predictor, alleles)):
        r, a = (averaged(predictor, codes[None], rc, shifts)[0].double().numpy() for codes in (made.ref, made.alt))
        np.testing.assert_allclose(values(tmp_path)[i], (a - r).sum(0), rtol=1e-3, atol=1e-5)
        sar = (np.log2(1 + a) - np.log2(1 + r)).sum(0)
        np.testing.assert_allclose(values(tmp_path, score="SAR")[i], sar, rtol=1e-3, atol=1e-5)


def test_an_indel_is_compared_over_refs_bins(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    pos = 9000
    ref = genome.fetch(Interval.from_one_based("chr1", pos, pos))
    allele = ("chr1", pos, ref, ref + "GATTACA" * 30)
    score_variants(predictor, genome, small.rows(allele), tmp_path, dtype="float32")
    (made,) = variants(genome, predictor, [allele])
    signals = predictor.tensor(np.stack(made.sequences))
    np.testing.assert_allclose(values(tmp_path)[0], sad(*made.compared(*signals)), rtol=1e-4, atol=1e-5)
    naive = sad(signals[0], signals[1]).numpy()
    assert np.abs(values(tmp_path)[0] - naive).max() > 1e-3  # bin by bin it would be another number


def test_the_spread_is_that_of_the_members_scores(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    alleles = [small.snv(genome, 700), *small.alleles(genome, 8)]
    shifts = (-2, 0, 1)
    score_variants(predictor, genome, small.rows(*alleles), tmp_path / "with", rc=True, shifts=shifts, dtype="float32")
    for i, made in enumerate(variants(genome, predictor, alleles)[:1]):
        members = []
        for shift in shifts:
            for flip in (False, True):
                pair = []
                for codes in made.sequences:
                    turned = dna.reverse_complement(codes[None]) if flip else codes[None]
                    one = predictor.tensor(dna.shift(turned, shift))[0]
                    pair.append(one.flip(0)[:, predictor.tracks.partners] if flip else one)
                members.append(sad(*made.compared(*pair)).numpy())
        np.testing.assert_allclose(values(tmp_path / "with", score="SAD_sd")[i], np.std(members, axis=0), rtol=1e-3)
    assert (values(tmp_path / "with", score="SAD_sd") > 0).any(axis=1).all()
    score_variants(
        predictor, genome, small.rows(*alleles), tmp_path / "off", rc=True, shifts=shifts, dtype="float32", spread=False
    )
    score_variants(predictor, genome, small.rows(*alleles), tmp_path / "one", dtype="float32", spread=True)
    for out in ("off", "one"):
        with Scores(tmp_path / out / "scores" / "chr1.h5") as opened:
            assert opened.scores == ("SAD", "SAR")
    assert np.array_equal(values(tmp_path / "off"), values(tmp_path / "with"))


def test_scores_per_gene(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    annotation = tmp_path / "genes.gtf"
    line = 'chr1\tx\t{}\t{}\t{}\t.\t{}\t.\tgene_id "{}"; transcript_id "t{}"; gene_name "N{}";\n'
    rows = [("exon", 8700, 8900, "+", 1), ("exon", 9100, 9200, "-", 2), ("exon", 30, 60, "+", 3)]
    annotation.write_text("".join(line.format(kind, a, b, s, f"G{i}", i, i) for kind, a, b, s, i in rows))
    alleles = [small.snv(genome, 9000), small.snv(genome, 9000), small.snv(genome, 15_000)]
    genes = Genes.read(annotation)
    names = ("SAD", "SADR_tss", "SAD_gene")
    score_variants(predictor, genome, small.rows(*alleles), tmp_path / "out", names, dtype="float32", genes=genes)
    made = variants(genome, predictor, alleles)[0]
    ref, alt = predictor.tensor(np.stack(made.sequences))
    start = predictor.window.output_of(made.interval).start
    with Scores(tmp_path / "out" / "scores" / "chr1.h5") as opened:
        assert opened.scores == ("SAD",)
        found = opened.read(slice(None)).genes
    assert found is not None
    assert found.rows.tolist() == [0, 0, 1, 1]  # the duplicate has its genes too; no gene is near 15,000
    by_name = {gene.name: i for i, gene in enumerate(found.genes[:2])}
    # N1 begins at base 8,700 (0-based 8,699) and the variant (8,999) lies 300 bp downstream; N2, on the minus strand,
    # begins at 9,200 (0-based 9,199), and the variant lies 200 bp downstream too.
    assert [found.genes[by_name[name]].tss_distance for name in ("N1", "N2")] == [300, 200]
    one, two = by_name["N1"], by_name["N2"]
    exon = slice((8699 - start) // 128, (8899 - start) // 128 + 1)
    np.testing.assert_allclose(found.values["SAD_gene"][one], sad(ref[exon], alt[exon]), rtol=1e-4, atol=1e-5)
    tss = slice((9199 - start) // 128 - 1, (9199 - start) // 128 + 2)
    np.testing.assert_allclose(found.values["SADR_tss"][two], sadr(ref[tss], alt[tss]), rtol=1e-3, atol=1e-6)
    assert np.array_equal(found.values["SAD_gene"][:2], found.values["SAD_gene"][2:])
    with pytest.raises(InputError, match="--genes"):
        score_variants(predictor, genome, small.rows(*alleles), tmp_path / "no", names)
    alone = tmp_path / "alone"  # the third variant has no score at all then
    score_variants(predictor, genome, small.rows(*alleles), alone, ("SAD_gene",), dtype="float32", genes=genes)
    with Scores(alone / "scores" / "chr1.h5") as opened:
        only = opened.read(slice(None)).genes
    assert only is not None
    assert np.array_equal(only.values["SAD_gene"], found.values["SAD_gene"])


def test_no_change_scores_exactly_zero(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    same = [
        ("chr1", pos, *[genome.fetch(Interval.from_one_based("chr1", pos, pos + 2))] * 2) for pos in (50, 700, 9000)
    ]
    between = [small.snv(genome, 60), small.snv(genome, 800)]
    rows = small.rows(same[0], between[0], same[1], between[1], same[2])
    score_variants(predictor, genome, rows, tmp_path, scores=list(STATISTICS), rc=True, shifts=(0, 1))
    assert statuses(tmp_path) == ["scored"] * 5
    for score in STATISTICS:
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
    monkeypatch.setattr(parts, "REMEMBERED", 40)
    assert score_variants(predictor, genome, rows, tmp_path / "b").statuses["duplicate"] == 0
    np.testing.assert_allclose(values(tmp_path / "b")[0], values(tmp_path / "b")[100], rtol=1e-2, atol=1e-5)


def test_an_answer_that_is_not_finite_fails_its_row_alone(genome: Genome, tmp_path: Path) -> None:
    whole = builders.predictor("basenji2")
    rows = small.rows(small.snv(genome, 100), small.snv(genome, 100), small.snv(genome, 5000))
    rows.insert(1, rows[1]._replace(name="again"))
    broken = Scorer("odd", lambda ref, alt: _nan_above(ref, alt, float(sad_of(whole, genome, rows[0]))), "odd")
    summary = score_variants(whole, genome, rows, tmp_path, scores=("SAD", broken))
    assert statuses(tmp_path) == ["failed", "failed", "failed", "scored"]  # duplicates fail with what they repeat
    assert summary.statuses["failed"] == 3
    assert np.isnan(values(tmp_path)[:3]).all()
    assert np.isfinite(values(tmp_path)[3]).all()


def sad_of(predictor: Predictor, genome: Genome, row: Any) -> torch.Tensor:
    made = haplotypes(genome, predictor.window, judge(genome, predictor.window, row))
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
    local = Scorer("near", sad, "alt - ref around the variant", Centre(1))
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


def test_progress_counts_every_row_once(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 150), ("chr1", 0, "A", "C"))
    for _ in range(2):  # scored, then found
        seen: list[int] = []
        score_variants(predictor, genome, rows, tmp_path, progress=seen.append)
        assert sum(seen) == 151
    assert max(seen) <= PART_ROWS


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
    done = len(list((tmp_path / "cut" / ".parts").glob("0*.safetensors")))
    assert done - -(-450 // PART_ROWS) in (0, 1)  # what was told, and perhaps one that was being written
    score_variants(predictor, genome, iter(rows), tmp_path / "cut", command="distal score")
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert not (tmp_path / "cut" / ".parts").exists()
    score_variants(predictor, genome, rows, tmp_path / "cut", command="again")  # a finished run is left as it is
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


@pytest.mark.parametrize("swap", [False, True])
def test_a_flipped_row_is_scored_in_its_own_direction_when_asked(
    predictor: Predictor, genome: Genome, tmp_path: Path, swap: bool
) -> None:
    chrom, pos, ref, alt = small.snv(genome, 9000)
    rows = small.rows((chrom, pos, ref, alt), (chrom, pos, alt, ref), (chrom, pos, alt, ref))
    policy = "swap" if swap else "skip"
    summary = score_variants(predictor, genome, rows, tmp_path, dtype="float32", ref_mismatch=policy)
    found = values(tmp_path)
    if swap:
        assert statuses(tmp_path) == ["scored", "ref_flipped", "duplicate"]
        np.testing.assert_allclose(found[1], -found[0], rtol=1e-6)
        assert np.array_equal(found[1], found[2])
    else:
        assert statuses(tmp_path) == ["scored", "ref_flipped", "ref_flipped"]
        assert np.isnan(found[1:]).all()
    assert summary.facts["ref_mismatch"] == policy


def test_a_file_of_another_genome_can_be_refused(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    good = small.snv(genome, 9000)
    rows = small.rows(good, (good[0], good[1], good[3], good[2]))
    with pytest.raises(InputError, match=rf"line 4: chr1:9000 has REF {good[3]}"):
        score_variants(predictor, genome, rows, tmp_path / "a", ref_mismatch="fail")
    assert score_variants(predictor, genome, rows[:1], tmp_path / "b", ref_mismatch="fail").statuses["scored"] == 1
    with pytest.raises(InputError, match="skip, swap, fail"):
        score_variants(predictor, genome, rows, tmp_path / "c", ref_mismatch="ignore")


def test_equivalent_writings_are_one_variant(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    path = tmp_path / "r.fa"
    left, right = "ACGT" * 700, "GTTC" * 700
    path.write_text(f">chr1\n{left}CACACACAG{right}\n")
    repeat = len(left)  # 1-based position of the base before CACACACAG
    rows = small.rows(("chr1", repeat, "TCA", "T"), ("chr1", repeat + 6, "ACA", "A"), ("chr1", repeat + 3, "CAC", "C"))
    summary = score_variants(predictor, Genome(path), rows, tmp_path / "out")
    assert summary.statuses["scored"] == 1
    assert summary.statuses["duplicate"] == 2
    assert np.array_equal(values(tmp_path / "out")[0], values(tmp_path / "out")[1])
    assert np.array_equal(values(tmp_path / "out")[0], values(tmp_path / "out")[2])


def test_workers_and_shards_change_not_a_bit(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    some = small.alleles(genome, 500)
    rows = small.rows(*some[:400], *some[350:])  # with duplicates in earlier parts
    score_variants(predictor, genome, rows, tmp_path / "one", command="distal score")
    for workers in (2, 3):
        out = tmp_path / f"w{workers}"
        score_variants(predictor, genome, iter(rows), out, command="distal score", engine=LocalEngine(workers))
        assert digests(out) == digests(tmp_path / "one")
    for count in (1, 3, 7):
        out = tmp_path / f"s{count}"
        for i in reversed(range(count)):
            shard = Shard(i + 1, count)
            assert score_variants(predictor, genome, rows, out, command="a shard", shard=shard) is None
            assert not (out / "scores").exists()
        assert len(list((out / ".parts").glob("0*.safetensors"))) == -(-len(rows) // PART_ROWS)
        score_variants(predictor, genome, rows, out, command="distal score")
        assert digests(out) == digests(tmp_path / "one")


def test_what_a_lost_disk_left_half_is_scored_again(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 300))
    score_variants(predictor, genome, rows, tmp_path / "whole", command="distal score")
    score_variants(predictor, genome, rows, tmp_path / "cut", command="distal score", shard=Shard(1, 1))
    first, second, third = sorted((tmp_path / "cut" / ".parts").glob("0*.safetensors"))
    first.write_bytes(first.read_bytes()[:-100])
    second.write_bytes(b"")
    third.write_bytes(b"no part at all, but longer than the eight bytes that begin one")
    score_variants(predictor, genome, rows, tmp_path / "cut", command="distal score")
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


_SCRIPT = """
import sys
from distal.io import vcf
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.predictor import load
from distal.scoring.variants import score_variants
import resource, torch
torch.set_num_threads(1)
model, fasta, source, out = sys.argv[1:5]
score_variants(load(model), Genome(fasta), vcf.read(source), out)
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
    for done in (3, 12):  # killed early, killed late
        with start(model, genome.path, source, cut) as process:
            while process.poll() is None and len(list((cut / ".parts").glob("0*.safetensors"))) < done:
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
    assert json.loads(facts["formulas"])["SAD"] == "sum over B of (alt - ref); B = all bins of the output"
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
