"""The enhancer benchmark on a small genome: what is placed, what every score is, and how scores are ranked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal.coords import Interval
from distal.errors import InputError
from distal.evals import crispri, statistics
from distal.incremental import Incremental
from distal.interpret.enhancers import Asking, view
from distal.interpret.promoters import Promoter
from distal.io.chain import Chains
from distal.io.fasta import Genome
from distal.io.links import Experiment

ASKING = Asking(("gradient", "ism"), "assay=CAGE", width_bp=200, shuffles=1)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"), name="1")


def pair(
    start: int, tss: int, regulated: bool, dnase: float = 1.0, chrom: str = "chr1", acetyl: float = 4.0
) -> Experiment:
    element = Interval(chrom, start, start + 100)
    return Experiment(element, Interval(chrom, tss, tss + 1), f"g{tss}", regulated, -0.2, "set", dnase, acetyl)


TABLE = [
    pair(2500, 3000, True, 3.0),
    pair(3500, 3000, False, 1.0),
    pair(2200, 3000, False, 2.0),
    pair(3500, 4000, True, 5.0),
    pair(5900, 4000, False, 1.0),
    pair(1000, 4000, False, 1.0),
    pair(1000, 4000, False, chrom="chr7"),
]


@pytest.fixture(scope="module")
def placed(genome: Genome) -> crispri.Placed:
    return crispri.place(TABLE, [genome], max_distance=2000)


def test_pairs_lie_under_the_genomes_names_and_the_rest_is_counted(placed: crispri.Placed) -> None:
    assert [found.experiment for found in placed.pairs] == [*TABLE[:4], TABLE[4]]
    assert placed.pairs[0].element == Interval("1", 2500, 2600)
    assert [found.distance for found in placed.pairs] == [450, 550, 750, 450, 1950]
    assert (placed.far, placed.unplaced) == (1, 1)
    assert Interval("1", 1000, 1100) in placed.elements


def test_the_limit_of_distance_is_not_inside(genome: Genome) -> None:
    assert len(crispri.place(TABLE, [genome], max_distance=1950).pairs) == 4
    assert len(crispri.place(TABLE, [genome], max_distance=1951).pairs) == 5


def test_one_class_alone_is_no_benchmark(genome: Genome) -> None:
    with pytest.raises(InputError, match="all of one class"):
        crispri.place(TABLE[1:3], [genome])


def test_pairs_are_lifted(genome: Genome, tmp_path: Path) -> None:
    """A chain that moves chr1 by 100 bases, up to base 3,550 of the table's assembly."""
    path = tmp_path / "x.chain"
    path.write_text("chain 1 chr1 6000 + 0 3550 chr1 6000 + 100 3650 1\n3550\n\n")
    found = crispri.place(TABLE, [genome], Chains(path), 2000)
    assert [(each.element.start, each.element.end, each.tss) for each in found.pairs] == [
        (2600, 2700, 3100),
        (3600, 3650, 3100),
        (2300, 2400, 3100),
    ]
    assert found.unplaced == 4


def test_baselines_by_hand(placed: crispri.Placed) -> None:
    found = crispri.baselines(placed)
    distance = np.array([450, 550, 750, 450, 1950])
    dnase = np.array([3.0, 1, 2, 5, 1])
    np.testing.assert_allclose(found["1/distance"], 1 / distance)
    np.testing.assert_allclose(found["DNase/distance"], dnase / distance)
    np.testing.assert_allclose(found["H3K27ac/distance"], 4 / distance)
    # All lie within 5 kb of their start sites, where contact is the same: what is left is the activity, 2 sqrt(DNase).
    touching = found["activity x contact"]
    np.testing.assert_allclose(touching / touching[1], np.sqrt(dnase))
    # Elements of the table: DNase 3, 1 (twice the same), 2, 1, 1.
    np.testing.assert_allclose(
        found["share of activity x contact"], np.sqrt(dnase) / (math.sqrt(3) + 1 + math.sqrt(2) + 1 + 1)
    )


def test_baselines_without_measurements_are_left_out(genome: Genome) -> None:
    table = [pair(2500, 3000, True, math.nan), *TABLE[1:]]
    found = crispri.baselines(crispri.place(table, [genome], max_distance=2000))
    assert list(found) == ["1/distance", "H3K27ac/distance"]


def test_scores_are_those_of_each_start_sites_view(placed: crispri.Placed, genome: Genome) -> None:
    made = builders.predictor()
    heard: list[int] = []
    scores = crispri.by_model(made, placed, [genome], ASKING, "assay=DNASE", heard.append)
    assert heard == [3, 2]
    seen = view(Incremental(made), genome, Promoter("g", "1", ".", (3000,)), ASKING)
    elements = [each.element for each in placed.pairs[:3]]
    np.testing.assert_allclose(scores["gradient"][:3], seen.gradient(elements), rtol=1e-5)
    np.testing.assert_allclose(scores["ism"][:3], np.abs(seen.ism(elements, 1, 0)), rtol=1e-3)
    np.testing.assert_allclose(
        scores["gradient of the signal"][:3], seen.gradient(elements) * (1 + seen.slope.value), rtol=1e-5
    )
    dnase = np.array([3.0, 1, 2, 5, 1])
    np.testing.assert_allclose(scores["gradient x DNase"], scores["gradient"] * dnase)
    np.testing.assert_allclose(scores["gradient x activity"], scores["gradient"] * np.sqrt(dnase * 4))
    ratio = scores["gradient x predicted DNase"] / scores["predicted DNase/distance"]
    np.testing.assert_allclose(ratio, scores["gradient"] * [450, 550, 750, 450, 1950], rtol=1e-5)
    assert scores["gradient"][4] == 0  # beyond the window


def test_nothing_is_predicted_of_elements_unless_asked(placed: crispri.Placed, genome: Genome) -> None:
    scores = crispri.by_model(builders.predictor(), placed, [genome], Asking(("attention",), "assay=CAGE"))
    assert list(scores) == ["attention"]


def test_a_model_without_attention_is_not_asked_for_it() -> None:
    asking = Asking(("gradient", "attention"))
    assert crispri.able(builders.predictor("basenji2"), asking).methods == ("gradient",)
    assert crispri.able(builders.predictor(), asking) == asking


def test_rankings_are_the_statistics_of_each_class(placed: crispri.Placed) -> None:
    perfect, reverse = np.array([5.0, 1, 2, 9, 0]), np.array([0.0, 1, 2, 0, 3])
    scores = {("", "a"): reverse, ("m", "b"): perfect}
    rows = crispri.rank(placed, scores, ("", "a"), (0, 600))
    assert [(row.low, row.high, row.method, row.pairs, row.positives) for row in rows] == [
        (0, 1951, "a", 5, 2),
        (0, 1951, "b", 5, 2),
        (0, 600, "a", 3, 2),
        (0, 600, "b", 3, 2),
    ]
    truth = [True, False, False, True, False]
    assert [row.auprc for row in rows[:2]] == pytest.approx([statistics.auprc(truth, reverse), 1])
    assert [row.auroc for row in rows[:2]] == [0, 1]
    assert math.isnan(rows[0].difference)
    assert rows[1].difference == pytest.approx(1 - rows[0].auprc)
    assert rows[1].auprc_low <= rows[1].auprc <= rows[1].auprc_high


def test_every_pair_is_written_with_every_score(placed: crispri.Placed, tmp_path: Path) -> None:
    crispri.write_scores(tmp_path / "x.tsv", placed, {("", "a"): np.arange(5) / 3, ("m", "b"): np.zeros(5)})
    lines = (tmp_path / "x.tsv").read_text().splitlines()
    assert lines[0].split("\t")[-2:] == ["a", "m:b"]
    assert lines[2] == "1\t3500\t3600\tg3000\t3000\t550\tFalse\t-0.2\tset\t0.333333\t0"
    assert len(lines) == 6


def test_the_shared_pairs(shared: Path) -> None:
    """What the inventory of the shared data counted, and the baselines that were measured on it."""
    from distal.io.links import experiments

    data = shared / "data"
    genomes = [Genome(data / "sequence" / name) for name in ("GRCh37_chr20.fa.gz", "GRCh37_chrX_1_69999930.fa.gz")]
    table = experiments(data / "crispri/EPCrisprBenchmark_combined_data.training_K562.GRCh38.tsv.gz")
    placed = crispri.place(table, genomes, Chains(data / "annotation/hg38ToHg19.over.chain.gz"))
    labels = [each.experiment.regulated for each in placed.pairs]
    assert (len(labels), sum(labels)) == (106, 32)
    found = crispri.baselines(placed)
    areas = {name: statistics.auprc(labels, found[name]) for name in ("1/distance", "DNase/distance")}
    assert areas == pytest.approx({"1/distance": 0.654, "DNase/distance": 0.747}, abs=1e-3)
