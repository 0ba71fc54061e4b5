"""Windows that neighbours share: the scores by hand, what they are compared with, and runs that may not be mixed."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests import builders
from tests.scoring import small

from distal.coords import Interval
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.io.scores import Scores
from distal.predictor import Predictor
from distal.scoring.alleles import haplotypes, judge
from distal.scoring.recipe import Recipe
from distal.scoring.run import read_summary
from distal.scoring.scorers import Scorer, named, sad
from distal.scoring.sharing import VARIANTS, measure
from distal.scoring.variants import run_recipe, score_variants

CELL = 512
"""Half of the model's output, the most there is: variants lie up to two bins from its middle."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return builders.predictor("basenji2")


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


def recipe(predictor: Predictor, genome: Genome, share_reference: int, **more: object) -> Recipe:
    plain = (named(["SAD"]), "", False, (0,), "float32", True, None, "skip", 1)
    return Recipe(predictor, genome, *plain, share_reference=share_reference, **more)  # type: ignore[arg-type]


def values(out: Path, score: str = "SAD") -> np.ndarray:
    with h5py.File(out / "scores" / "chr1.h5") as file:
        return file[score][:]


def test_variants_of_a_cell_score_as_in_its_window_by_hand(
    predictor: Predictor, genome: Genome, tmp_path: Path
) -> None:
    annotation = tmp_path / "genes.bed"
    annotation.write_text("chr1\t9300\t9301\tnear\t0\t+\n")
    # The first, a middle and the last base of a cell: 18 x 512 = 9,216 to 9,727; positions count from 1.
    pos = (9217, 9500, 9728)
    alleles = [small.snv(genome, at) for at in pos]
    ref = genome.fetch(Interval.from_one_based("chr1", 9728, 9728))
    alleles += [("chr1", 9728, ref, ref + "GATTACA" * 30), small.snv(genome, 5), small.snv(genome, small.SIZE)]
    names = ("SAD", "SAD_300", "SAD_tss")
    rows = small.rows(*alleles)
    genes = Genes.read(annotation)
    score_variants(
        predictor, genome, rows, tmp_path / "o", names, dtype="float32", genes=genes, share_reference=CELL
    )  # fmt: skip
    window = predictor.window
    starts = []
    for i, row in enumerate(rows):
        made = haplotypes(genome, window, judge(genome, window, row), CELL)
        starts.append(made.interval.start)
        pair = made.compared(*predictor.tensor(np.stack(made.sequences)))
        np.testing.assert_allclose(values(tmp_path / "o")[i], sad(*pair), rtol=1e-3, atol=1e-5)
        near = Interval.from_one_based("chr1", row.pos, row.pos).resize(300)
        bins = window.bins_touching(near, window.output_of(made.interval))
        near_sad = sad(*(signal[bins] for signal in pair))
        np.testing.assert_allclose(values(tmp_path / "o", "SAD_300")[i], near_sad, rtol=1e-3, atol=1e-5)
    # The cell's middle, base 9,472, is base 1,024 of 2,048; the cells of bases 4 and 19,999 are the first and the 40th.
    assert starts == [9472 - 1024] * 4 + [256 - 1024, 39 * 512 + 256 - 1024]
    with Scores(tmp_path / "o" / "scores" / "chr1.h5") as opened:
        found = opened.read(slice(None)).genes
    assert found is not None
    assert found.rows.tolist() == [0, 1, 2, 3]
    # The TSS at base 9,300 lies in the output, [8,960, 9,984), at 340: bin 2, so bins 1 to 3.
    made = haplotypes(genome, window, judge(genome, window, rows[1]), CELL)
    pair = made.compared(*predictor.tensor(np.stack(made.sequences)))
    near_sad = sad(*(signal[1:4] for signal in pair))
    np.testing.assert_allclose(found.values["SAD_tss"][1], near_sad, rtol=1e-3, atol=1e-5)


def test_the_order_of_rows_plays_no_part(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 40)[:20])
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    made = recipe(predictor, genome, CELL)
    run_recipe(made, rows, tmp_path / "a")
    run_recipe(made, [rows[i] for i in order], tmp_path / "b")
    np.testing.assert_allclose(values(tmp_path / "b"), values(tmp_path / "a")[order], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shared", [0, 128])
@pytest.mark.parametrize("full", [False, True])
def test_a_run_goes_on_only_as_it_began(
    predictor: Predictor, genome: Genome, tmp_path: Path, shared: int, full: bool
) -> None:
    rows = small.rows(small.snv(genome, 500))
    made = recipe(predictor, genome, shared, full_forward=full)
    run_recipe(made, rows, tmp_path, notes={"weather": {"wind": 3}}, command="distal score")
    assert read_summary(tmp_path).facts["share_reference"] == shared
    assert read_summary(tmp_path).facts["full_forward"] == full
    assert read_summary(tmp_path).notes == {"weather": {"wind": 3}}
    with h5py.File(tmp_path / "scores" / "chr1.h5") as file:
        assert json.loads(file.attrs["weather"]) == {"wind": 3}
        assert json.loads(file.attrs["share_reference"]) == shared
    again = run_recipe(made, rows, tmp_path)
    assert again is not None
    assert again.notes == {"weather": {"wind": 3}}
    with pytest.raises(InputError, match="differs in share_reference"):
        run_recipe(recipe(predictor, genome, 256, full_forward=full), rows, tmp_path)
    with pytest.raises(InputError, match="differs in full_forward"):
        run_recipe(recipe(predictor, genome, shared, full_forward=not full), rows, tmp_path)


def test_every_sequence_by_itself_gives_the_same_scores(predictor: Predictor, genome: Genome, tmp_path: Path) -> None:
    rows = small.rows(*small.alleles(genome, 12))
    for full in (False, True):
        score_variants(predictor, genome, rows, tmp_path / str(full), dtype="float32", full_forward=full)
    np.testing.assert_allclose(values(tmp_path / "True"), values(tmp_path / "False"), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("cell", [100, 640, -128])
def test_a_cell_that_does_not_fit_the_model_is_refused(predictor: Predictor, genome: Genome, cell: int) -> None:
    with pytest.raises(InputError, match="a multiple of that, at most 512"):
        recipe(predictor, genome, cell)


def test_what_sharing_costs_by_hand(predictor: Predictor, genome: Genome) -> None:
    chrom, at, ref, alt = small.snv(genome, 9217)
    other = small.snv(genome, 7000)
    rows = small.rows((chrom, at, ref, alt), (chrom, 9300, "A", "ACG"), (chrom, 9400, "A", "<DEL>"), other)
    found = measure(recipe(predictor, genome, CELL), rows)
    expected = []
    for row in (rows[0], rows[3]):
        judged = judge(genome, predictor.window, row)
        made = [haplotypes(genome, predictor.window, judged, cell) for cell in (CELL, 0)]
        shared, own = (sad(*predictor.tensor(np.stack(one.sequences))).numpy() for one in made)
        expected.append(np.linalg.norm(shared - own) / np.linalg.norm(own))
    assert found is not None
    assert (found.share_reference, found.variants) == (CELL, 2)
    assert found.largest == pytest.approx(max(expected), rel=1e-3)
    assert found.median == pytest.approx(sum(expected) / 2, rel=1e-3)
    assert found.largest > 1e-3, "the window does play a part"


def test_some_snvs_stand_for_the_file(predictor: Predictor, genome: Genome) -> None:
    rows = small.rows(*(small.snv(genome, at) for at in range(2000, 2400, 2)))
    made = recipe(predictor, genome, 128, full_forward=True)
    found = measure(made, iter(rows))
    assert found is not None
    assert found.variants == VARIANTS
    assert 0 <= found.median <= found.largest
    assert measure(made, rows) == found, "the same rows, the same variants"
    assert measure(made, []) is None
    same = genome.fetch(Interval.from_one_based("chr1", 900, 900))
    assert measure(made, small.rows(("chr1", 900, same, same), ("chr1", 900, "AC", "A"))) is None


def test_scores_of_ones_own_leave_the_measure_alone(predictor: Predictor, genome: Genome) -> None:
    rows = small.rows(small.snv(genome, 9217))
    broken = Scorer("NONE", lambda ref, alt: ref.sum(0).double() * float("nan"), "nothing")
    plain = recipe(predictor, genome, CELL)
    own = Recipe(predictor, genome, (broken,), "", True, (0, 1), "float16", True, None, "skip", 1, share_reference=CELL)
    assert measure(own, rows) != measure(plain, rows), "strands and shifts play a part"
    assert measure(own, rows) is not None
