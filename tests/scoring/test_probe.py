"""Measuring a machine: what is tried, in which order, and what is left out; how fast it is, is nobody's claim."""

from __future__ import annotations

import mmap
from dataclasses import replace

import pytest
import torch
from tests import builders
from tests.scoring import small

from distal.io.fasta import Genome
from distal.scoring import probe
from distal.scoring.estimate import count
from distal.scoring.parts import Part
from distal.scoring.probe import Sequences, fast_bf16, measure, resident
from distal.scoring.recipe import Recipe
from distal.scoring.scorers import named


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


def recipe(genome: Genome, precision: str = "fp32", share_reference: int = 0, full_forward: bool = False) -> Recipe:
    predictor = builders.predictor("basenji2", precision=precision)
    plain = Recipe(predictor, genome, named(["SAD"]), "", False, (0,), "float16", True, None, "skip", 1)
    return replace(plain, share_reference=share_reference, full_forward=full_forward)


def first_part(made: Recipe, genome: Genome) -> Part:
    """A row that nothing is read for, an insertion, 19 SNVs close together."""
    chrom, pos, ref, _ = small.snv(genome, 2050)
    alleles = [(chrom, 7, ref, "<DEL>"), (chrom, pos, ref, f"{ref}GATTACA")]
    alleles += [small.snv(genome, at) for at in range(2052, 2090, 2)]
    part = count(made, small.rows(*alleles))[1]
    assert part is not None
    assert len(part.wanted) == 20
    return part


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shared", [0, 256])
def test_more_and_more_variants_are_timed(genome: Genome, shared: int, full: bool) -> None:
    made = recipe(genome, share_reference=shared, full_forward=full)
    found = measure(made, first_part(made, genome), seconds=60)
    one = found.probes[0]
    # An insertion has ALT and the moved REF. Cells of 256 bp end at 2,048 and 2,304: all variants lie in one.
    assert one.timed == Sequences(1 if shared else 20, 2 + 19)
    assert one.precision == "fp32"
    assert one.reference > 0
    assert one.expected(one.timed) == pytest.approx(one.seconds)
    assert found.memory >= resident() / 2
    assert found.gpu_memory == 0


def test_without_time_one_variant_is_measured(genome: Genome) -> None:
    made = recipe(genome)
    (one,) = measure(made, first_part(made, genome), seconds=0).probes
    assert (one.precision, one.timed) == ("fp32", Sequences(1, 2))
    assert one.seconds > 0


def test_bf16_is_measured_where_it_is_asked_for(genome: Genome) -> None:
    made = recipe(genome, precision="bf16")
    found = measure(made, first_part(made, genome), seconds=60)
    assert [one.precision for one in found.probes] == ["bf16", "fp32"]


@pytest.mark.parametrize("fast", [False, True])
def test_bf16_is_measured_where_the_device_has_it(genome: Genome, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "fast_bf16", lambda device: fast)
    made = recipe(genome)
    part = first_part(made, genome)
    assert [one.precision for one in measure(made, part, 60).probes] == ["fp32", "bf16"][: 1 + fast]
    assert [one.precision for one in measure(made, part, 0).probes] == ["fp32"]


def test_what_the_machine_has() -> None:
    before = resident()
    assert before > 10e6
    with mmap.mmap(-1, 40_000_000) as held:  # new memory, whatever this process has freed before
        held.write(bytes(len(held)))
        assert resident() - before > 0.9 * len(held)
    assert fast_bf16(torch.device("cpu")) in (False, True)
    assert not fast_bf16(torch.device("mps"))
