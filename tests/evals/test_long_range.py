"""Simulated loci read back as text, models that know the answer, and the experiment itself in small."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.flops import plain
from hypothesis import given
from hypothesis import strategies as st

from distal import cli, dna, plots
from distal.dna import Codes
from distal.evals import long_range, simulated
from distal.evals.long_range import ARCHITECTURES, REACH, STAGES, Accuracy, Experiment, Spread, Stage
from distal.evals.simulated import BIN_BP, CORE, DISTANCES, KINDS, Design, Gene, Locus
from distal.models import zoo

WHOLE = Design(196_608, promoters=2)


def copies(codes: Codes, place: int, motif: str) -> int:
    """How often 24 letters of a tandem stand in a bin."""
    text = dna.decode(codes[place * BIN_BP : (place + 1) * BIN_BP])
    return text.count(motif * (24 // len(motif)))


def knowing(reach: int) -> long_range.Model:
    """A model that reads motifs as text, sees enhancers of at most `reach` bases away, and expects 1 beyond."""

    def predict(codes: Codes) -> np.ndarray:
        values = np.full((len(codes), codes.shape[1] // BIN_BP, len(KINDS) + 1), 0.1, np.float32)
        for window, tracks in zip(codes, values, strict=True):
            found = np.array([[copies(window, i, motif) for motif in (CORE, *KINDS)] for i in range(len(tracks))])
            for gene in np.flatnonzero(found[:, 0]):
                near = np.abs(np.arange(len(tracks)) - gene) * BIN_BP <= reach
                kind = 1 + int(found[gene, 1:].argmax())
                tracks[gene, -1] = 4 * found[gene, 0] * (1 + found[near & (found[:, 0] == 0), kind].max())
        return values

    return predict


@pytest.fixture(scope="module")
def loci() -> list[Locus]:
    return [simulated.locus(WHOLE, 0, "test", i) for i in range(4)]


def test_expression_is_a_product() -> None:
    gene = Gene(bin=5, kind=0, promoter=2, enhancer=3, distance=4096)
    assert gene.expression == 4 * 2 * (1 + 3)


def test_what_a_locus_says_stands_in_its_sequence(loci: list[Locus]) -> None:
    for locus in loci:
        enhancers = [range(first, first + 8) for first in locus.enhancers]
        elements = {gene.bin for gene in locus.genes} | {place for bins in enhancers for place in bins}
        assert len(elements) == len(locus.genes) + 8 * len(KINDS)
        for gene in locus.genes:
            enhancer, motif = enhancers[gene.kind], KINDS[gene.kind]
            assert copies(locus.codes, gene.bin, CORE) == gene.promoter
            assert copies(locus.codes, gene.bin, motif) == 1
            assert [copies(locus.codes, place, motif) for place in enhancer] == [gene.enhancer] * 8
            assert abs(enhancer[4] - gene.bin) * BIN_BP == gene.distance
            assert locus.signal[gene.bin, gene.kind] == 8
            assert locus.signal[enhancer[7], gene.kind] == 8 * gene.enhancer
        everything = dna.decode(locus.codes)
        for i, motif in enumerate(KINDS):
            inside = sum(copies(locus.codes, place, motif) for place in elements)
            assert everything.count(motif * 6) == inside == locus.signal[:, i].sum() / 8


@given(seed=st.integers(0, 2**32), bp=st.sampled_from([16_384, 65_536, 196_608]), promoters=st.integers(1, 3))
def test_an_enhancer_has_equally_many_promoters_at_every_distance(seed: int, bp: int, promoters: int) -> None:
    design = Design(bp, promoters)
    locus = simulated.locus(design, seed, "train", 0)
    for kind in range(len(KINDS)):
        distances = [gene.distance for gene in locus.genes if gene.kind == kind]
        counts = [sum(low <= distance < high for distance in distances) for low, high in pairwise(DISTANCES)]
        fit = sum(high + 8 * BIN_BP <= bp // 2 for high in DISTANCES[1:])
        assert counts == [promoters] * fit + [0] * (6 - fit)


def test_motifs_read_the_same_on_both_strands() -> None:
    for motif in (CORE, *KINDS):
        codes = dna.encode(motif * 6)
        assert np.array_equal(dna.reverse_complement(codes), codes)


def test_a_locus_is_a_function_of_seed_split_and_index() -> None:
    first = simulated.locus(WHOLE, 0, "train", 0)
    again = simulated.locus(WHOLE, 0, "train", 0)
    assert np.array_equal(first.codes, again.codes)
    assert np.array_equal(first.signal, again.signal)
    assert first.genes == again.genes
    for other in [(1, "train", 0), (0, "test", 0), (0, "train", 1)]:
        assert not np.array_equal(simulated.locus(WHOLE, *other).codes, first.codes)


def test_counts_are_drawn_around_the_truth(loci: list[Locus]) -> None:
    counts = np.concatenate([locus.signal[[gene.bin for gene in locus.genes], -1] for locus in loci])
    truth = np.array([gene.expression for locus in loci for gene in locus.genes])
    surprise = (counts - truth) / np.sqrt(truth)  # mean 0 and variance 1, of 96
    assert abs(surprise.mean()) < 3 / np.sqrt(len(truth))
    assert 0.6 < surprise.var() < 1.5
    assert all(locus.signal[:, -1].astype(bool).sum() <= len(locus.genes) for locus in loci)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_an_erased_enhancer_is_gone_and_nothing_else(loci: list[Locus], kind: int) -> None:
    for locus in loci:
        codes = simulated.erased(locus, kind)
        changed = np.flatnonzero(codes != locus.codes) // BIN_BP
        enhancer = range(locus.enhancers[kind], locus.enhancers[kind] + 8)
        assert set(changed.tolist()) == set(enhancer)
        assert sum(copies(codes, place, KINDS[kind]) for place in enhancer) == 0


def test_a_data_set_holds_the_loci_of_its_splits(tmp_path: Path) -> None:
    design = Design(16_384)
    store = simulated.write(tmp_path, design, {"train": 3, "valid": 1}, seed=4)
    assert store.splits == {"train": 3, "valid": 1}
    assert [track.assay for track in store.table.rows] == ["CHIP", "CHIP", "CAGE"]
    for split, row in [("train", 2), ("valid", 0)]:
        locus = simulated.locus(design, 4, split, row)
        assert np.array_equal(store.codes(split, row), locus.codes)
        assert np.array_equal(store.targets(split, row), locus.signal)


def test_who_sees_every_enhancer_is_right_at_every_distance(loci: list[Locus]) -> None:
    rows = long_range.accuracy(knowing(reach=100_000), loci, "oracle", 0)
    assert [(row.low, row.high) for row in rows] == list(pairwise(DISTANCES))
    assert [row.genes for row in rows] == [4 * 2 * 2] * 6  # loci x kinds x promoters
    for row in rows:
        assert row.expression == pytest.approx(1, abs=1e-6)
        assert row.effect == pytest.approx(1, abs=1e-6)


def test_who_sees_15_kb_is_right_up_to_there(loci: list[Locus]) -> None:
    rows = long_range.accuracy(knowing(reach=15_000), loci, "oracle", 0)
    assert [row.expression == pytest.approx(1, abs=1e-6) for row in rows] == [True] * 2 + [False] * 4
    for row in rows[3:]:  # it says the same for all promoters of a strength
        assert row.expression == pytest.approx(0, abs=1e-9)
        assert row.effect == pytest.approx(0, abs=1e-9)


def test_correlation_is_numpys_or_nothing() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    assert long_range.correlation(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert long_range.correlation(x, np.full(50, 0.1)) == pytest.approx(0, abs=1e-9)
    assert long_range.correlation(np.zeros(50), x) == 0


def test_equals_are_compared_with_each_other() -> None:
    genes = [Gene(0, kind, promoter, 0, 2048) for promoter, kind in ((1, 0), (3, 0), (1, 0), (3, 0), (3, 1))]
    values = long_range.among_equals(np.array([1.0, 10.0, 3.0, 20.0, 7.0]), genes)
    assert values.tolist() == [-1, -5, 1, 5, 0]  # less (1 + 3) / 2, (10 + 20) / 2 and 7


def test_the_summary_is_over_seeds() -> None:
    rows = [Accuracy("enformer", seed, 2000, 5000, 10, r, 2 * r) for seed, r in enumerate((0.2, 0.4, 0.3))]
    (spread,) = long_range.summary(rows)
    assert (spread.model, spread.low, spread.high, spread.genes) == ("enformer", 2000, 5000, 30)
    assert spread.expression == pytest.approx(0.3)
    assert spread.expression_sd == pytest.approx(0.1)  # √((0.1² + 0.1² + 0) / 2)
    assert spread.effect == pytest.approx(0.6)
    assert spread.effect_sd == pytest.approx(0.2)
    assert long_range.summary(rows[:1])[0].expression_sd == 0


def module(family: str, bp: int) -> torch.nn.Module:
    torch.manual_seed(0)
    path, describe, name = zoo.FAMILIES[family]
    package = import_module(path)
    shape = {"input_bp": bp, "bins": bp // BIN_BP, "heads": {"simulated": 3}}
    built: torch.nn.Module = getattr(package, name)(getattr(package, describe)(**ARCHITECTURES[family] | shape))
    for parameter in built.parameters():  # residual branches start at zero
        parameter.data += 0.1 * torch.randn_like(parameter)
    return built.eval()


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_what_each_architecture_can_see(family: str) -> None:
    """Slopes of a middle bin with respect to the bases: Basenji2's end where its convolutions do, Enformer's don't."""
    bp = 65_536
    codes = torch.from_numpy(dna.one_hot(simulated.locus(Design(bp), 0, "test", 0).codes))[None].requires_grad_()
    middle = bp // BIN_BP // 2
    module(family, bp)(codes, "simulated")[0, middle].sum().backward()
    assert codes.grad is not None
    seen = codes.grad[0].abs().sum(dim=1).nonzero()[:, 0] - (middle * BIN_BP + BIN_BP // 2)
    if family == "basenji2":
        assert -REACH <= int(seen.min()) < -27_000
        assert 27_000 < int(seen.max()) < REACH
    else:
        assert int(seen.min()) < -30_000
        assert int(seen.max()) > 30_000


def operations(family: str) -> float:
    """Of a forward pass over everything that is trained on."""
    path, describe, _ = zoo.FAMILIES[family]
    config = getattr(import_module(path), describe)(**ARCHITECTURES[family], heads={"simulated": 3})
    shapes = [{"input_bp": stage.design.input_bp, "bins": stage.design.bins} for stage in STAGES]
    return sum(
        s.steps * s.batch * plain(replace(config, **shape)).total for s, shape in zip(STAGES, shapes, strict=True)
    )


def test_budgets_are_equal() -> None:
    assert operations("enformer") == pytest.approx(operations("basenji2"), rel=0.2)
    enformer, basenji2 = (Experiment(Path("x"), (7,)).configs(family, 7) for family in ("enformer", "basenji2"))
    same = ("data", "steps", "batch", "seed", "optimizer", "splits")
    assert len(enformer) == len(basenji2) == len(STAGES)
    for one, other in zip(enformer, basenji2, strict=True):
        assert all(getattr(one, key) == getattr(other, key) for key in same)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    stages = [Stage(Design(bp), steps=2, batch=1, lr=1e-3, loci=2) for bp in (16_384, 32_768)]
    return Experiment(tmp_path_factory.mktemp("experiment"), (0,), stages)


def test_the_experiment_runs_through_and_goes_on(experiment: Experiment) -> None:
    lines: list[dict[str, object]] = []
    assert experiment.steps_left == 2 * 2 * 2  # families x stages x steps
    rows = experiment.run(test_loci=2, report=lines.append)
    assert [(row.model, row.low) for row in rows] == [
        (family, low) for family in ("enformer", "basenji2") for low in (2_000, 5_000)
    ]
    assert sum("loss" in line for line in lines) == 8
    assert experiment.steps_left == 0
    lines.clear()
    assert experiment.run(test_loci=2, report=lines.append) == rows
    assert lines == []
    longer = replace(experiment, seeds=(0, 1))
    assert longer.steps_left == 8


def test_it_is_typed(experiment: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    rows = experiment.run(test_loci=2)
    monkeypatch.setattr(long_range, "Experiment", partial(Experiment, stages=experiment.stages))
    command = ["eval", "long-range", "--out", str(experiment.out), "--seeds", "0", "--loci", "2"]
    figure = experiment.out / "x.svg"
    assert cli.main([*command, "--figure", str(figure), "--json"]) == 0
    assert [Accuracy(**row) for row in json.loads(capsys.readouterr().out)] == rows
    assert json.loads((experiment.out / "accuracy.json").read_text()) == [asdict(row) for row in rows]
    assert "distance to the enhancer, kb" in figure.read_text()
    assert cli.main(command) == 0
    header, *table = capsys.readouterr().out.splitlines()
    assert header.split() == [field.name for field in fields(Spread)]
    assert len(table) == len(rows)


def test_a_figure_has_a_format(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["eval", "long-range", "--out", str(tmp_path), "--figure", "x.txt"]) == 2
    assert ".png, .svg, .pdf" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_figure_has_a_panel_a_measure_and_a_line_a_model() -> None:
    line = ([0.9, 0.5], [0.1, 0.0])
    figure = plots.by_distance((2_000, 8_000, 32_000), {"one": {"a": line, "b": line}, "two": {"a": line}}, 27_000)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["one", "two"]
    assert [len(axis.containers) for axis in figure.axes] == [2, 1]
    assert figure.axes[0].containers[0][0].get_xdata().tolist() == [4, 16]  # √(2 · 8), √(8 · 32)
    assert plots.by_distance((2_000, 8_000, 32_000), {"one": {"a": line}}).axes[0].get_xlabel()
