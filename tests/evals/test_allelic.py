"""Allelic imbalance: reading and lifting, the questions by hand, and a model that is its own measurement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.evals import allelic
from distal.incremental import Incremental
from distal.io.chain import Chains
from distal.io.fasta import Genome

HEADER = "#chr\tstart\tend\tid\tref\talt\tref_comb_es\talt_comb_es\n"


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("allelic"), 8000)


def write(folder: Path, *rows: tuple[str, int, str, str, float, float]) -> Path:
    path = folder / "HepG2.tsv"
    lines = (f"{chrom}\t{at}\t{at + 1}\trs\t{ref}\t{alt}\t{low}\t{high}\n" for chrom, at, ref, alt, low, high in rows)
    path.write_text(HEADER + "".join(lines))
    return path


def base(genome: Genome, at: int) -> str:
    return genome.fetch(Interval("chr1", at, at + 1))


def test_rows_are_read_and_what_does_not_fit_is_counted(genome: Genome, tmp_path: Path) -> None:
    a, b = [at for at in range(3000, 3100) if base(genome, at) == "A"][:2]
    table = write(
        tmp_path, ("1", b, "A", "G", -0.5, 1), ("chr1", a, "A", "C", 1, 0), ("chr1", a, "C", "A", 1, 0),
        ("chr1", a, "AT", "A", 1, 0), ("chr9", a, "A", "C", 1, 0), ("chrM", a, "A", "C", 1, 0),
    )  # fmt: skip
    found = allelic.read(table, genome, chroms=("chr1", "chr9"))
    assert [str(variant) for variant in found.variants] == [f"chr1:{a + 1}:A>C", f"chr1:{b + 1}:A>G"]
    assert found.measured.tolist() == [-1, 1.5]
    assert found.left_out == {"not lifted": 1, "REF differs": 1, "not a SNV": 1}
    with pytest.raises(InputError, match="no SNV that lies on"):
        allelic.read(table, genome, chroms=("chrM",))
    (tmp_path / "x.tsv").write_text("a\tb\n")
    with pytest.raises(InputError, match="no column alt, alt_comb_es"):
        allelic.read(tmp_path / "x.tsv", genome)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_places_are_lifted_with_their_strand(strand: str, genome: Genome, tmp_path: Path) -> None:
    # 100 bases of chr7 from 50 on lie at [3000, 3100) of chr1, on either strand
    start = 3000 if strand == "+" else 8000 - 3100
    chain = f"chain 1 chr7 500 + 50 150 chr1 8000 {strand} {start} {start + 100} 1\n100\n\n"
    (tmp_path / "x.chain").write_text(chain)
    at = next(at for at in range(3010, 3090) if base(genome, at) == "A")
    place = 50 + (at - 3000 if strand == "+" else 3099 - at)
    ref, alt = ("A", "C") if strand == "+" else ("T", "G")
    table = write(tmp_path, ("chr7", place, ref, alt, 0, 1), ("chr7", 300, "A", "C", 0, 1))
    found = allelic.read(table, genome, Chains(tmp_path / "x.chain"))
    assert [str(variant) for variant in found.variants] == [f"chr1:{at + 1}:A>C"]
    assert found.left_out["not lifted"] == 1


def test_worked_questions() -> None:
    measured = np.array([3.0, -1, 0.5, 0.4, 0.3, 0.2, 0.1, -0.1, -0.2, -0.3] * 2)
    scores = np.sign(measured)
    scores[[0, 1]] *= -1
    values = {
        (case.name, case.statistic): case.estimate().value
        for case in allelic.asked("x", measured, scores, np.arange(20))
    }
    assert values["x, signs of the strongest 10%", "concordance"] == 0.5  # of two, 3.0 is wrong once
    assert values["x, all signs", "concordance"] == 0.9


@pytest.mark.parametrize("rc", [False, True])
def test_a_model_agrees_with_itself(rc: bool, genome: Genome, tmp_path: Path) -> None:
    through = Incremental(builders.predictor("basenji2"))
    places = [at for at in range(3000, 5000, 97) if base(genome, at) != "N"]
    rows = [("chr1", at, base(genome, at), "ACGT"[("ACGT".index(base(genome, at)) + 1) % 4], 0.0, 1.0) for at in places]
    data = allelic.read(write(tmp_path, *rows), genome)
    first = allelic.cases(through, genome, data, "biosample~HepG2", "x", rc)[0]
    itself = allelic.Imbalance(data.variants, first.scores, {"REF differs": 2})
    again = allelic.cases(through, genome, itself, "biosample~HepG2", "x", rc)
    assert [case.estimate(draws=20).value for case in again] == pytest.approx([1, 1, 1, 1])
    assert again[0].notes == "left out: 2 REF differs"
    assert again[0].groups is not None
    assert len(set(again[0].groups)) == 1  # all in 10 kb
    other = allelic.cases(through, genome, data, "assay=CAGE", "x", rc)[0]
    assert not np.allclose(other.scores, first.scores)


def test_fewer_are_evenly_spread() -> None:
    data = allelic.Imbalance(tuple(Variant("1", i, "A", "C") for i in range(10)), np.arange(10.0), {})
    assert allelic.thinned(data, 4).measured.tolist() == [0, 3, 6, 9]
    assert allelic.thinned(data, 10).measured.tolist() == list(range(10))
    with pytest.raises(InputError, match="1 or more"):
        allelic.thinned(data, 0)
