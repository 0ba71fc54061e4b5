"""Contributions of bases: against captum, against one prediction per letter, and their sums."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients
from tests import builders

import distal
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import Incremental
from distal.interpret import contributions
from distal.interpret.contributions import Contributions, Locus, at_letters, locus
from distal.interpret.gradients import Mask, letters, value
from distal.interpret.integrated import integrate
from distal.io.fasta import Genome
from distal.predictor import Predictor

FAMILIES = ("enformer", "basenji2", "borzoi")
TARGET = Interval("chr1", 3000, 3100)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"))


def double(family: str) -> Predictor:
    predictor = builders.predictor(family)
    return replace(predictor, module=deepcopy(predictor.module).double())


def asked(predictor: Predictor, genome: Genome, region: Interval | None = None) -> Locus:
    return locus(predictor, genome, TARGET, "assay=CAGE", region)


def masked(predictor: Predictor, mask: Mask):
    """For captum: [n, L, 4] to the mask's value [n]."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        chosen = predictor.module(x, "human")[:, torch.from_numpy(mask.bins)][..., torch.from_numpy(mask.channels)]
        return chosen.sum(1).mean(-1)

    return forward


def test_a_locus_is_read_around_its_target(genome):
    predictor = builders.predictor()
    found = asked(predictor, genome)
    assert found.read == Interval("chr1", 3050 - 1024, 3050 + 1024)
    assert found.region == found.read
    assert found.mask.bins.tolist() == [3, 4]  # 974 of the window on: bins end at 1024 - 512 = 512 + 4 * 128
    assert found.target == Interval("chr1", 3050 - 128, 3050 + 128)
    assert found.mask.channels.tolist() == [0, 1]
    np.testing.assert_array_equal(found.codes, genome.codes(found.read))


def test_at_a_chromosome_s_end_the_region_is_what_there_is(genome):
    found = locus(builders.predictor(), genome, Interval("chr1", 100, 200))
    assert found.read.start < 0
    assert found.region == Interval("chr1", 0, found.read.end)


@pytest.mark.parametrize(
    ("target", "region", "words"),
    [
        (Interval("chr1", 1000, 4000), None, "wider than"),
        (TARGET, Interval("chr1", 100, 200), "is not inside"),
        (Interval("chr7", 1000, 4000), None, "chr7"),
    ],
)
def test_what_cannot_be_asked_is_refused(genome, target, region, words):
    with pytest.raises(InputError, match=words):
        locus(builders.predictor(), genome, target, region=region)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_x_input_is_captum_s(family, genome):
    predictor = double(family)
    question = asked(predictor, genome)
    found = contributions.gradient_x_input(predictor, question)
    oracle = InputXGradient(masked(predictor, question.mask))
    expected = oracle.attribute(letters(predictor, question.codes)[None].requires_grad_())[0].sum(-1)
    scale = float(expected.detach().abs().max())
    np.testing.assert_allclose(found.actual(), expected.detach().numpy(), rtol=1e-4, atol=1e-7 * scale)
    predicted = masked(predictor, question.mask)(letters(predictor, question.codes)[None])
    assert found.value == pytest.approx(float(predicted.detach()))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("baseline", ["zero", "uniform"])
def test_integrated_gradients_are_captum_s(family, baseline, genome):
    """At equal steps exactly; where steps are chosen, up to the error that both have."""
    predictor = double(family)
    question = asked(predictor, genome)
    x = letters(predictor, question.codes)[None]
    known = torch.from_numpy(question.codes < 4)[None, :, None]
    start = torch.where(known, {"zero": 0.0, "uniform": 0.25}[baseline], x)
    oracle = IntegratedGradients(masked(predictor, question.mask))
    options = {"n_steps": 9, "method": "riemann_middle", "internal_batch_size": 9}
    expected = oracle.attribute(x, start, **options)[0].sum(-1).numpy()
    found = contributions.integrated_gradients(predictor, question, baseline, most_steps=9)
    np.testing.assert_allclose(found.actual(), expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    assert found.facts["steps"] == 9


@pytest.mark.parametrize(
    ("family", "rc", "shifts"), [*((family, False, (0,)) for family in FAMILIES), ("borzoi", True, (1,))]
)
def test_integrated_gradients_sum_to_the_difference_of_the_predictions(family, rc, shifts, genome):
    """In float32, over the whole window, N and all."""
    predictor = builders.predictor(family)
    question = asked(predictor, genome)
    found = contributions.integrated_gradients(predictor, question, "uniform", rc, shifts)
    x = letters(predictor, question.codes)
    start = torch.where(torch.from_numpy(question.codes < 4)[:, None], 0.25, x)
    ends = [value(predictor, each, question.mask, rc, shifts) for each in (start, x)]
    assert found.value == pytest.approx(ends[1])
    assert found.facts["baseline_value"] == pytest.approx(ends[0])
    assert found.actual().sum(dtype=float) == pytest.approx(ends[1] - ends[0], rel=0.01)
    assert found.facts["gap"] <= 0.01


class Steep(torch.nn.Module):
    """A step of the share of G, where four fifths of the way are passed: what equal steps miss."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor, head: str) -> torch.Tensor:
        del head
        share = x.amax(-1).mean(1)  # 0.25 at the uniform baseline, 1 at the sequence
        return self.weight * torch.sigmoid(400 * (share - 0.85))[:, None, None].expand(-1, 8, 6)


def test_steps_go_where_the_prediction_changes():
    predictor = replace(builders.predictor(), module=Steep().eval())
    codes = np.random.default_rng(0).integers(0, 4, 2048).astype(np.uint8)
    mask = Mask(np.array([2]), np.array([0]))
    asked_at = []
    found = integrate(predictor, codes, mask, progress=asked_at.append)
    assert found.gap < 0.01
    assert found.steps < 60  # equal steps need more than 100
    assert sum(asked_at) >= found.steps
    few = integrate(predictor, codes, mask, most_steps=9)
    assert few.steps == 9
    assert few.gap > 0.1


def test_a_prediction_that_does_not_change_has_no_gap():
    predictor = builders.predictor()
    codes = np.full(2048, 4, dtype=np.uint8)
    found = integrate(predictor, codes, Mask(np.array([2]), np.array([0])))
    assert (found.gap, found.steps, found.from_value) == (0.0, 9, found.to_value)


def test_an_unknown_baseline_is_refused(genome):
    predictor = builders.predictor()
    with pytest.raises(InputError, match="zero, uniform"):
        contributions.integrated_gradients(predictor, asked(predictor, genome), "blurred")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rc", [False, True])
def test_mutagenesis_is_one_prediction_per_letter(family, rc, genome):
    predictor = builders.predictor(family)
    region = Interval("chr1", 3040, 3046)
    question = asked(predictor, genome, region)
    found = contributions.mutagenesis(Incremental(predictor), genome, question, rc)
    exact = replace(predictor, module=deepcopy(predictor.module).double())
    expected = np.zeros((6, 4))
    for i in range(6):
        for letter in range(4):
            mutant = question.codes.copy()
            mutant[question.here.start + i] = letter
            expected[i, letter] = value(exact, letters(exact, mutant), question.mask, rc)
    others = (expected.sum(1, keepdims=True) - expected) / 3
    known = genome.codes(region) < 4
    scale = np.abs(expected - others).max()
    np.testing.assert_allclose(found.hypothetical[known], (expected - others)[known], rtol=0, atol=1e-4 * scale)
    assert found.value == pytest.approx(value(predictor, letters(predictor, question.codes), question.mask, rc))


def test_mutagenesis_may_lie_outside_the_output(genome):
    """Bases that are read and not said: the window is the target's, not the region's."""
    predictor = builders.predictor()
    question = asked(predictor, genome, Interval("chr1", 2100, 2102))
    assert contributions.mutagenesis(Incremental(predictor), genome, question).actual().any()


def test_centred_gradients_sum_to_nothing_over_the_letters(genome):
    predictor = builders.predictor()
    question = asked(predictor, genome)
    plain = contributions.gradient_x_input(predictor, question).hypothetical
    centred = contributions.centred_gradient(predictor, question)
    np.testing.assert_allclose(centred.hypothetical, plain - plain.mean(1, keepdims=True), atol=1e-7)
    assert centred.method == "grad-centred"


def test_regions_are_cut_from_the_whole(genome):
    predictor = builders.predictor()
    region = Interval("chr1", 2900, 2950)
    part = contributions.gradient_x_input(predictor, asked(predictor, genome, region))
    question = asked(predictor, genome)
    whole = contributions.gradient_x_input(predictor, question)
    start = region.start - question.read.start
    np.testing.assert_array_equal(part.hypothetical, whole.hypothetical[start : start + 50])
    np.testing.assert_array_equal(part.codes, genome.codes(region))


def test_the_letter_that_is_there_and_nothing_for_n():
    hypothetical = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert at_letters(hypothetical, np.array([2, 4, 0], dtype=np.uint8)).tolist() == [2, 0, 8]


def test_shapes_are_checked(genome):
    predictor = builders.predictor()
    good = contributions.gradient_x_input(predictor, asked(predictor, genome))
    with pytest.raises(ValueError, match="hypothetical must be"):
        Contributions("grad", "", good.hypothetical[1:], good.codes, good.interval, good.target, good.table, 0.0)


@pytest.mark.parametrize("method", ["grad", "grad-centred", "ig", "ism"])
def test_the_public_function_answers_as_the_methods_do(genome, method):
    predictor, region, heard = builders.predictor(), Interval("chr1", 2990, 3010), []
    ways = {"rc": True, "shifts": (0,) if method == "ism" else (0, 1)}
    found = distal.contributions(
        predictor, genome, TARGET, "assay=CAGE", region, method, **ways, most_steps=9, progress=heard.append
    )
    question = asked(predictor, genome, region)
    assert sum(heard) <= contributions.steps(question, method, 9)
    by_method = {
        "grad": lambda: contributions.gradient_x_input(predictor, question, **ways),
        "grad-centred": lambda: contributions.centred_gradient(predictor, question, **ways),
        "ig": lambda: contributions.integrated_gradients(predictor, question, **ways, most_steps=9),
        "ism": lambda: contributions.mutagenesis(Incremental(predictor), genome, question, rc=True),
    }
    np.testing.assert_array_equal(found.hypothetical, by_method[method]().hypothetical)
    assert (found.method, found.interval, found.target) == (method, region, question.target)


def test_the_public_function_refuses(genome):
    predictor, region = builders.predictor(), Interval("chr1", 2990, 3010)
    with pytest.raises(InputError, match="say of which bases, with a region"):
        distal.contributions(predictor, genome, TARGET, method="ism")
    with pytest.raises(InputError, match="leave shifts out"):
        distal.contributions(predictor, genome, TARGET, region=region, method="ism", shifts=(0, 1))
    with pytest.raises(InputError, match="'magic' is not one of grad, grad-centred, ig, ism"):
        distal.contributions(predictor, genome, TARGET, method="magic")
