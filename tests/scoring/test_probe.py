"""Measuring a machine: what is tried, in which order, and what is left out; how fast it is, is nobody's claim."""

from __future__ import annotations

import pytest
import torch
from tests import builders
from tests.scoring import small

from distal.io.fasta import Genome
from distal.scoring import probe
from distal.scoring.estimate import count
from distal.scoring.probe import fast_bf16, free_memory, measure, resident
from distal.scoring.recipe import Recipe
from distal.scoring.scorers import named


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


def recipe(genome: Genome, batch_size: int = 4, precision: str = "fp32") -> Recipe:
    predictor = builders.predictor("basenji2", batch_size, precision)
    return Recipe(predictor, genome, named(["SAD"]), "", False, (0,), "float16", True, None, "skip", 1)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_grow_and_the_asked_one_is_among_them(genome: Genome, batch_size: int) -> None:
    made = recipe(genome, batch_size)
    _, sample = count(made, small.rows(*(small.snv(genome, pos) for pos in range(2000, 2200, 2))))
    found = measure(made, sample, seconds=20)
    windows = [one.windows for one in found.probes if one.precision == "fp32"]
    assert windows == sorted(set(windows)), "no batch is tried that is not larger than the one before"
    assert windows[0] == 2  # REF and ALT of one variant, the least there is
    assert found.nearest(made.predictor).batch_size <= max(batch_size, 1)
    assert all(one.seconds > 0 for one in found.probes)
    assert found.memory >= resident() / 2
    assert found.gpu_memory == 0


def test_without_time_one_batch_is_measured(genome: Genome) -> None:
    made = recipe(genome)
    _, sample = count(made, small.rows(*(small.snv(genome, pos) for pos in range(2000, 2200, 2))))
    (one,) = measure(made, sample, seconds=0).probes
    assert (one.precision, one.batch_size, one.windows) == ("fp32", 2, 2)
    assert one.per_window == one.seconds / 2


def test_bf16_is_measured_where_it_is_asked_for(genome: Genome) -> None:
    made = recipe(genome, precision="bf16")
    _, sample = count(made, small.rows(small.snv(genome, 2000)))
    found = measure(made, sample, seconds=20)
    assert [one.precision for one in found.probes] == ["bf16", "fp32"]
    assert found.nearest(made.predictor).precision == "bf16"


@pytest.mark.parametrize("fast", [False, True])
def test_bf16_is_measured_where_the_device_has_it(genome: Genome, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "fast_bf16", lambda device: fast)
    made = recipe(genome)
    _, sample = count(made, small.rows(small.snv(genome, 2000)))
    assert [one.precision for one in measure(made, sample).probes] == ["fp32", "bf16"][: 1 + fast]


def test_larger_batches_wait_for_memory(genome: Genome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "free_memory", lambda: -1)
    made = recipe(genome)
    _, sample = count(made, small.rows(*(small.snv(genome, pos) for pos in range(2000, 2200, 2))))
    assert len(measure(made, sample).probes) == 1


def test_what_the_machine_has() -> None:
    before = resident()
    assert before > 10e6
    held = torch.ones(10_000_000)
    assert resident() - before > 0.9 * held.nbytes
    assert 0 < free_memory() < 1e14
    assert fast_bf16(torch.device("cpu")) in (False, True)
    assert not fast_bf16(torch.device("mps"))
