"""Views of a promoter against their definitions written out, and a gene's table from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import builders
from torch import Tensor, nn

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import FullForward, Incremental
from distal.interpret.contact import PowerLaw
from distal.interpret.elements import Element
from distal.interpret.enhancers import Asking, link, share, view
from distal.interpret.promoters import Promoter
from distal.interpret.views import SIGMA_BP, View
from distal.io.fasta import Genome
from distal.predictor import Predictor

TSS = 3000
PLACES = [Interval("chr1", at, at + 60) for at in (2000, 2500, 2990, 3300, 3990)]
OUTSIDE = Interval("chr1", 4100, 4200)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"))


def seen(genome: Genome, family: str = "enformer", width: int = 200, rc: bool = False) -> View:
    made = builders.predictor(family)
    asking = Asking(query="assay=CAGE", rc=rc, width_bp=width)
    return view(Incremental(made), genome, Promoter("g", "chr1", "+", (TSS,)), asking)


def signal(view: View, codes: dna.Codes) -> float:
    """The mask's value by the module that was trained."""
    strands = [view.predictor.by_module(codes).double().numpy()]
    if view.rc:
        other = view.predictor.by_module(dna.reverse_complement(codes)).double().numpy()
        strands.append(other[::-1][:, view.predictor.tracks.partners])
    return float(np.mean([view.mask.value(values) for values in strands]))


@pytest.mark.parametrize("rc", [False, True])
def test_the_gradient_is_that_of_the_logarithm(genome: Genome, rc: bool) -> None:
    """A step along one letter, by central difference in float64, changes ln(1 + signal) as the slope says."""
    view = seen(genome, rc=rc)
    view.predictor.module.double()
    try:
        place = PLACES[1].center - view.input.start
        x = np.eye(4)[np.minimum(view.codes, 3)] * (view.codes < 4)[:, None]

        def value(step: float) -> float:
            moved = torch.from_numpy(x.copy())
            moved[place, view.codes[place]] += step
            with torch.no_grad():
                forward = view.predictor.module(moved[None], "human")[0].numpy()
                back = view.predictor.module(moved.flip(0, 1)[None], "human")[0].numpy()
            strands = [forward, back[::-1][:, view.predictor.tracks.partners]]
            return float(np.log1p(np.mean([view.mask.value(each) for each in strands[: 1 + rc]])))

        expected = abs(value(1e-4) - value(-1e-4)) / 2e-4
    finally:
        view.predictor.module.float()
    one = seen(genome, width=1, rc=rc).gradient([PLACES[1]])
    assert one[0] == pytest.approx(expected, rel=1e-4)


def test_a_wide_gradient_is_the_sum_of_narrow_ones_and_stops_at_the_window(genome: Genome) -> None:
    view, single = seen(genome), seen(genome, width=1)
    bases = [Interval("chr1", at, at + 1) for at in range(view.input.start, view.input.end)]
    by_base = single.gradient(bases)
    for place, found in zip(PLACES, view.gradient(PLACES), strict=True):
        low = max(place.center - 100 - view.input.start, 0)
        assert found == pytest.approx(by_base[low : place.center + 100 - view.input.start].sum(), rel=1e-6)
    assert np.isnan(view.gradient([OUTSIDE])[0])


def test_gaussian_weights_are_normalised_and_the_mean_letter_is_taken_off(genome: Genome) -> None:
    view = seen(genome)
    gradient = view.slope.gradient.astype(np.float64)
    owed = np.zeros(len(gradient))
    for i, code in enumerate(view.codes.tolist()):
        if code < 4:
            owed[i] = abs(gradient[i, code] - gradient[i].mean()) / (1 + view.slope.value)
    for place, found in zip(PLACES, view.gaussian(PLACES), strict=True):
        weights = [
            np.exp(-0.5 * ((at + view.input.start - place.center) / SIGMA_BP) ** 2)
            * (abs(at + view.input.start - place.center) <= 4 * SIGMA_BP)
            for at in range(len(owed))
        ]
        assert found == pytest.approx(np.average(owed, weights=weights), rel=1e-4)


def test_attention_over_all_of_the_window_is_whole(genome: Genome) -> None:
    view = seen(genome, width=128)
    starts = range(view.input.start, view.input.end, 128)
    found = view.attention([Interval("chr1", at, at + 128) for at in starts])
    np.testing.assert_allclose(found, view.look.mean(), rtol=1e-5)
    assert found.sum() == pytest.approx(1, rel=1e-5)
    half = seen(genome, width=64).attention([Interval("chr1", starts[5], starts[5] + 64)])
    assert half[0] == pytest.approx(found[5] / 2, rel=1e-5)


def test_basenji2_has_no_attention(genome: Genome) -> None:
    with pytest.raises(InputError, match="no attention"):
        seen(genome, "basenji2").attention(PLACES)


class CountG(nn.Module):
    """The G of each bin, and a tenth of those of the bin before."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, head: str) -> Tensor:
        del head
        counts = x[:, :, 2].unflatten(1, (-1, 128)).sum(2) * self.weight
        counts = counts + torch.cat([torch.zeros_like(counts[:, :1]), counts[:, :-1]], 1) / 10
        return counts[:, 4:-4, None].expand(-1, -1, 6)


def counting() -> Predictor:
    made = builders.predictor()
    return replace(made, module=CountG().eval())


def test_shuffling_leaves_the_promoters_own_bins_alone(genome: Genome) -> None:
    """A model that sees two bins: what is shuffled in front of the first of them counts, its own letters don't."""
    view = seen(genome)
    view = View(FullForward(counting()), view.input, view.codes, view.mask, width_bp=500)
    own = view.mask.bins
    inside = Interval("chr1", TSS - 10, TSS + 10)
    far = Interval("chr1", view.input.start + 100, view.input.start + 200)
    changes = view.ism([inside, far], 3, seed=0)
    assert changes[1] == 0
    for element in (inside, far):
        mutant = view._shuffled(element, 0, 0)
        first = view.predictor.window.crop_bp + own[0] * 128
        assert (mutant[first : first + 3 * 128] == view.codes[first : first + 3 * 128]).all()
        assert (mutant != view.codes).any()


@pytest.mark.parametrize("rc", [False, True])
def test_shuffles_are_what_the_whole_model_says_of_them(genome: Genome, rc: bool) -> None:
    view = seen(genome, rc=rc)
    found = view.ism([*PLACES, OUTSIDE], 2, seed=7)
    ref = np.log1p(signal(view, view.codes))
    for place, change in zip(PLACES, found, strict=False):
        mutants = [view._shuffled(place, number, 7) for number in range(2)]
        expected = np.mean([np.log1p(signal(view, mutant)) - ref for mutant in mutants])
        assert change == pytest.approx(expected, rel=1e-3, abs=1e-7)
    assert np.isnan(found[-1])


def test_an_elements_shuffles_are_its_own(genome: Genome) -> None:
    view = seen(genome)
    together, alone = view.ism(PLACES, 2, seed=1), view.ism(PLACES[3:4], 2, seed=1)
    assert alone[0] == pytest.approx(together[3], rel=1e-6)
    assert view.ism(PLACES[3:4], 2, seed=2)[0] != alone[0]


def linked(genome: Genome, promoters: list[Promoter], methods: tuple[str, ...] = ("gradient", "ism")):
    made = builders.predictor()
    asking = Asking(methods, "assay=CAGE", width_bp=200, shuffles=1)
    places = [Element(place, "e", activity) for place, activity in zip([*PLACES, OUTSIDE], range(1, 7), strict=True)]
    return link(Incremental(made), genome, promoters, places, PowerLaw(), asking)


def test_a_gene_is_the_sum_of_its_promoters(genome: Genome) -> None:
    one, two = Promoter("g", "chr1", "+", (TSS,)), Promoter("g", "chr1", "+", (3600,))
    first, second, both = (linked(genome, chosen) for chosen in ([one], [two], [one, two]))
    np.testing.assert_allclose(
        both.scores["gradient"],
        np.nan_to_num(first.scores["gradient"]) + np.nan_to_num(second.scores["gradient"]),
        rtol=1e-5,
    )
    assert first.change is not None
    np.testing.assert_array_equal(first.scores["ism"], np.abs(first.change))
    assert both.distance() == [min(abs(place.center - site) for site in (TSS, 3600)) for place in [*PLACES, OUTSIDE]]


def test_baselines_by_hand(genome: Genome) -> None:
    found = linked(genome, [Promoter("g", "chr1", "+", (TSS,))])
    away = [abs(place.center - TSS) for place in [*PLACES, OUTSIDE]]
    np.testing.assert_allclose(found.scores["inverse_distance"], [1 / each for each in away])
    # Everything lies within 5 kb, where the power law is flat: ABC is the share of activity.
    np.testing.assert_allclose(found.scores["abc"], np.arange(1, 7) / 21)
    both = np.arange(1, 6) * found.scores["gradient"][:5]
    np.testing.assert_allclose(found.scores["activity_gradient"][:5], both / both.sum())
    assert np.isnan(found.scores["activity_gradient"][5])
    assert "activity_gradient" not in linked(genome, list(found.promoters), ("attention",)).scores


def test_a_share_of_nothing_is_nothing() -> None:
    np.testing.assert_array_equal(share(np.array([0.0, np.nan])), [0.0, np.nan])


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"methods": ("saliency",)}, "not one of"), ({"methods": ()}, "no method"), ({"shuffles": 0}, "change nothing")],
)
def test_what_cannot_be_asked(asked: dict[str, object], why: str) -> None:
    with pytest.raises(InputError, match=why):
        Asking(**asked)
