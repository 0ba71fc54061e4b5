"""Scores on arrays small enough to be worked out by hand, and against formulas written in plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from distal.coords import Variant, Window
from distal.errors import InputError
from distal.scoring.scorers import SCORERS, Scorer, named, near, sad

WINDOW = Window(32, 4, 4)
VARIANT = Variant("chr1", 100, "A", "C")

REF = torch.tensor([[0.0], [1.0], [3.0], [0.0]])
ALT = torch.tensor([[1.0], [1.0], [1.0], [0.0]])


def score(name: str, ref: Tensor = REF, alt: Tensor = ALT) -> Tensor:
    return SCORERS[name](ref, alt, WINDOW, VARIANT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAD", -1.0),  # 1 + 0 - 2 + 0
        ("SAR", 0.0),  # log2(2/1) + 0 + log2(2/4) + 0 = 1 - 1
        ("SADR", math.log2(4 / 5)),  # sums 3 and 4, plus one each
        ("SAX", -2.0),  # the largest of 1, 0, |-2|, 0
        ("D1", 3.0),  # 1 + 0 + 2 + 0
        ("D2", math.sqrt(5)),  # 1 + 4
        ("logD2", math.sqrt(2)),  # 1² + 1²
    ],
)
def test_worked_numbers(name: str, value: float) -> None:
    result = score(name)
    assert result.shape == (1,)
    assert result.dtype == torch.float64
    assert result.item() == pytest.approx(value, abs=1e-7)


def test_js_worked() -> None:
    # 25th percentile of 0, 0, 1, 3 lies at place 0.75 between 0 and 0: 0, raised to 1e-6.
    # r = 0, 1/4, 3/4, 0 and a = 1/3, 1/3, 1/3, 0, both a hair above. ½ Σ (r - a) ln(r / a):
    r = (np.array([0, 1, 3, 0]) + 1e-6) / (4 + 4e-6)
    a = (np.array([1, 1, 1, 0]) + 1e-6) / (3 + 4e-6)
    assert score("JS").item() == pytest.approx(0.5 * ((r - a) * np.log(r / a)).sum(), rel=1e-9)


def test_js_takes_the_quarter_of_ref_as_numpy_does() -> None:
    draw = np.random.default_rng(0)
    r, a = draw.gamma(2.0, size=(2, 37, 5)).astype(np.float32)
    quarter = np.percentile(r.astype(np.float64), 25, axis=0)
    p, q = (r + quarter) / (r + quarter).sum(0), (a + quarter) / (a + quarter).sum(0)
    expected = 0.5 * ((p * np.log(p / q)).sum(0) + (q * np.log(q / p)).sum(0))
    np.testing.assert_allclose(score("JS", torch.from_numpy(r), torch.from_numpy(a)), expected, rtol=1e-6)


def test_definitions_in_float64() -> None:
    draw = np.random.default_rng(1)
    r, a = draw.gamma(0.5, size=(2, 896, 6))
    log = np.log2(1 + a) - np.log2(1 + r)
    expected = {
        "SAD": a.sum(0) - r.sum(0),
        "SAR": log.sum(0),
        "SADR": np.log2(a.sum(0) + 1) - np.log2(r.sum(0) + 1),
        "SAX": np.take_along_axis(a - r, np.abs(a - r).argmax(0)[None], 0)[0],
        "D1": np.abs(a - r).sum(0),
        "D2": np.sqrt(((a - r) ** 2).sum(0)),
        "logD2": np.sqrt((log**2).sum(0)),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(score(name, torch.from_numpy(r), torch.from_numpy(a)), value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SCORERS)
def test_no_change_scores_exactly_zero(name: str) -> None:
    ref = torch.rand(896, 7) * 50
    assert torch.equal(score(name, ref, ref.clone()), torch.zeros(7, dtype=torch.float64))


@pytest.mark.parametrize(("name", "signed"), [(n, n in ("SAD", "SAR", "SADR", "SAX")) for n in SCORERS])
def test_signed_scores_turn_round_with_the_alleles(name: str, signed: bool) -> None:
    ref, alt = torch.rand(2, 64, 5).double() + 1
    there, back = score(name, ref, alt), score(name, alt, ref)
    if signed:
        torch.testing.assert_close(there, -back)
    else:
        assert (there > 0).all()


def test_small_effects_on_a_large_signal_keep_their_digits() -> None:
    ref = torch.full((896, 1), 300.0)
    alt = ref.clone()
    alt[447] += 2**-12  # exact in fp32 beside 300; log2 of each separately would round it to a fifth of itself
    assert score("SAD", ref, alt).item() == 2**-12
    assert score("SAR", ref, alt).item() == pytest.approx(math.log2(1 + 2**-12 / 301), rel=1e-6)


def test_float64_sums() -> None:
    ref, alt = torch.zeros(4, 1), torch.tensor([[1e8], [1.0], [-1e8], [1.0]])
    assert score("SAD", ref, alt).item() == 2.0  # in fp32 the ones vanish beside 1e8


def test_a_mask_keeps_the_bins_near_the_variant() -> None:
    # output = window indices [8, 24), variant at 15: output base 7, the last base of bin 1
    assert near(0)(WINDOW, VARIANT).tolist() == [False, True, False, False]
    assert near(1)(WINDOW, VARIANT).tolist() == [False, True, True, False]
    assert near(1000)(WINDOW, VARIANT).all()
    local = Scorer("SAD-0", sad, "alt - ref in the variant's bin", near(0))
    assert local(REF, ALT + 10, WINDOW, VARIANT).tolist() == [10.0]
    assert Scorer("SAD", sad, "", near(1000))(REF, ALT, WINDOW, VARIANT).tolist() == [-1.0]


def test_scores_are_found_by_name() -> None:
    own = Scorer("mine", sad, "mine")
    assert [scorer.name for scorer in named(("SAR", own, "SAD"))] == ["SAR", "mine", "SAD"]
    with pytest.raises(InputError, match="'sad' is not known; there are SAD, SAR"):
        named(("sad",))
    with pytest.raises(InputError, match="twice"):
        named(("SAD", "SAD"))
    with pytest.raises(InputError, match="no score"):
        named(())
