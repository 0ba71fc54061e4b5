"""Scores on arrays small enough to be worked out by hand, and against formulas written in plain numpy."""

from __future__ import annotations

import math
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Variant, Window
from distal.errors import InputError
from distal.io.genes import Gene
from distal.scoring.scorers import STATISTICS, Centre, Exons, Promoters, Scorer, WholeOutput, named, sad

WINDOW = Window(32, 4, 4)
VARIANT = Variant("chr1", 100, "A", "C")
OUTPUT = WINDOW.output_of(WINDOW.input_around(VARIANT))  # chr1:[93, 109), the variant is the last base of bin 1

REF = torch.tensor([[0.0], [1.0], [3.0], [0.0]])
ALT = torch.tensor([[1.0], [1.0], [1.0], [0.0]])
SIGNED = ("SAD", "SADR", "SAR", "SAX", "SAXR", "logSAD", "sqrtSAD")
MASKS = ("", "_501", "_tss", "_gene")


def score(name: str, ref: Tensor = REF, alt: Tensor = ALT) -> Tensor:
    return named((name,))[0](ref, alt, None)


def gene(tss: tuple[int, ...] = (), exons: tuple[tuple[int, int], ...] = ()) -> Gene:
    return Gene("g", "G", "1", "+", tss, exons)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAD", -1.0),  # 1 + 0 - 2 + 0
        ("SADR", math.log2(4 / 5)),  # sums 3 and 4, plus one each
        ("SAR", 0.0),  # log2(2/1) + 0 + log2(2/4) + 0 = 1 - 1
        ("logSAD", 0.0),  # the same: 1 + 1 + 1 + 0 - (0 + 1 + 2 + 0)
        ("SAX", -2.0),  # the largest of 1, 0, |-2|, 0
        ("SAXR", 1.0),  # of 1, 0, |-1|, 0 the first of equals
        ("D1", 3.0),  # 1 + 0 + 2 + 0
        ("D2", math.sqrt(5)),  # 1 + 4
        ("logD1", 2.0),  # 1 + 1
        ("logD2", math.sqrt(2)),  # 1² + 1²
        ("sqrtSAD", 2 - math.sqrt(3)),  # 1 + 1 + 1 + 0 - (0 + 1 + √3 + 0)
        ("sqrtD1", math.sqrt(3)),  # 1 + 0 + (√3 - 1) + 0
        ("sqrtD2", math.sqrt(5 - 2 * math.sqrt(3))),  # 1 + (√3 - 1)² = 1 + 3 - 2√3 + 1
    ],
)
def test_worked_numbers(name: str, value: float) -> None:
    result = score(name)
    assert result.shape == (1,)
    assert result.dtype == torch.float64
    assert result.item() == pytest.approx(value, abs=3e-7)


def test_js_worked() -> None:
    # 25th percentile of 0, 0, 1, 3 lies at place 0.75 between 0 and 0: 0, raised to 1e-6.
    # r = 0, 1/4, 3/4, 0 and a = 1/3, 1/3, 1/3, 0, both a hair above. ½ Σ (r - a) ln(r / a):
    r = (np.array([0, 1, 3, 0]) + 1e-6) / (4 + 4e-6)
    a = (np.array([1, 1, 1, 0]) + 1e-6) / (3 + 4e-6)
    assert score("JS").item() == pytest.approx(0.5 * ((r - a) * np.log(r / a)).sum(), rel=1e-9)
    # of the logarithms log2(1 + ·): 0, 1, 2, 0 and 1, 1, 1, 0
    r, a = (np.array([0, 1, 2, 0]) + 1e-6) / (3 + 4e-6), (np.array([1, 1, 1, 0]) + 1e-6) / (3 + 4e-6)
    assert score("logJS").item() == pytest.approx(0.5 * ((r - a) * np.log(r / a)).sum(), rel=1e-9)


def divergence(r: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    quarter = np.maximum(np.percentile(r, 25, axis=0), 1e-6)
    p, q = (r + quarter) / (r + quarter).sum(0), (a + quarter) / (a + quarter).sum(0)
    result: NDArray[np.float64] = 0.5 * ((p * np.log(p / q)).sum(0) + (q * np.log(q / p)).sum(0))
    return result


@pytest.mark.parametrize("bins", [1, 2, 3, 4, 5, 6, 37, 896])
def test_js_takes_the_quarter_of_ref_as_numpy_does(bins: int) -> None:
    r, a = np.random.default_rng(0).gamma(2.0, size=(2, bins, 5))
    np.testing.assert_allclose(score("JS", torch.from_numpy(r), torch.from_numpy(a)), divergence(r, a), atol=1e-15)


def slow(name: str, r: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every statistic as its formula says, in float64 [bins, tracks] -> [tracks]."""
    scale, kind = next((s, name.removeprefix(s)) for s in ("log", "sqrt", "") if name.startswith(s))
    if name in ("SAR", "SAXR"):
        scale, kind = "log", {"SAR": "SAD", "SAXR": "SAX"}[name]
    x, y = {"log": (np.log2(1 + r), np.log2(1 + a)), "sqrt": (np.sqrt(r), np.sqrt(a)), "": (r, a)}[scale]
    values: dict[str, NDArray[np.float64]] = {
        "SAD": y.sum(0) - x.sum(0),
        "SADR": np.log2(a.sum(0) + 1) - np.log2(r.sum(0) + 1),
        "SAX": np.take_along_axis(y - x, np.abs(y - x).argmax(0)[None], 0)[0],
        "D1": np.abs(y - x).sum(0),
        "D2": np.sqrt(((y - x) ** 2).sum(0)),
        "JS": divergence(x, y),
    }
    return values[kind]


@pytest.mark.parametrize("name", STATISTICS)
def test_definitions_in_float64(name: str) -> None:
    r, a = np.random.default_rng(1).gamma(0.5, size=(2, 896, 6))
    result = score(name, torch.from_numpy(r), torch.from_numpy(a))
    np.testing.assert_allclose(result, slow(name, r, a), rtol=1e-9, atol=1e-9)
    single = score(name, torch.from_numpy(r).float(), torch.from_numpy(a).float())
    np.testing.assert_allclose(single, slow(name, r, a), rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize("name", STATISTICS)
def test_a_mask_is_the_same_as_having_only_its_bins(name: str) -> None:
    draw = np.random.default_rng(2)
    r, a = draw.gamma(0.5, size=(2, 64, 6))
    bins = draw.random(64) < 0.3
    scorer = named((name,))[0]
    masked = scorer(torch.from_numpy(r), torch.from_numpy(a), bins)
    np.testing.assert_allclose(masked, slow(name, r[bins], a[bins]), rtol=1e-9, atol=1e-9)
    assert torch.equal(
        scorer(torch.from_numpy(r), torch.from_numpy(a), np.ones(64, dtype=bool)),
        score(name, torch.from_numpy(r), torch.from_numpy(a)),
    )
    empty = scorer(torch.from_numpy(r).float(), torch.from_numpy(a).float(), np.zeros(64, dtype=bool))
    assert empty.dtype == torch.float64
    assert empty.shape == (6,)
    assert empty.isnan().all()


@pytest.mark.parametrize("name", STATISTICS)
def test_no_change_scores_exactly_zero(name: str) -> None:
    ref = torch.rand(896, 7) * 50
    ref[:300] = 0  # as where bases are deleted and behind a ReLU
    assert torch.equal(score(name, ref, ref.clone()), torch.zeros(7, dtype=torch.float64))


@pytest.mark.parametrize("name", STATISTICS)
def test_signed_scores_turn_round_with_the_alleles(name: str) -> None:
    ref, alt = torch.rand(2, 64, 5).double() + 1
    there, back = score(name, ref, alt), score(name, alt, ref)
    if name in SIGNED:
        torch.testing.assert_close(there, -back)
    else:
        assert (there > 0).all()


def test_small_effects_on_a_large_signal_keep_their_digits() -> None:
    ref = torch.full((896, 1), 300.0)
    alt = ref.clone()
    alt[447] += 2**-12  # exact in fp32 beside 300; log2 of each separately would round it to a fifth of itself
    assert score("SAD", ref, alt).item() == 2**-12
    for name in ("SAR", "logSAD", "SAXR", "logD1", "logD2"):
        assert score(name, ref, alt).item() == pytest.approx(math.log2(1 + 2**-12 / 301), rel=1e-6)
    for name in ("sqrtSAD", "sqrtD1", "sqrtD2"):
        assert score(name, ref, alt).item() == pytest.approx(2**-12 / (2 * math.sqrt(300)), rel=1e-6)


def test_float64_sums() -> None:
    ref, alt = torch.zeros(4, 1), torch.tensor([[1e8], [1.0], [-1e8], [1.0]])
    assert score("SAD", ref, alt).item() == 2.0  # in fp32 the ones vanish beside 1e8


# -------------------------------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize(
    ("bp", "expected"),
    [
        (1, [0, 1, 0, 0]),  # base 100 is the last of bin 1, [97, 101)
        (2, [0, 1, 0, 0]),  # [99, 101): the even one lies on the left
        (3, [0, 1, 1, 0]),  # [99, 102)
        (7, [0, 1, 1, 0]),  # [97, 104)
        (9, [1, 1, 1, 0]),  # [96, 105): the last base of bin 0
        (10, [1, 1, 1, 0]),  # [95, 105)
        (11, [1, 1, 1, 1]),  # [95, 106)
        (501, [1, 1, 1, 1]),
    ],
)
def test_bins_near_the_variant(bp: int, expected: list[int]) -> None:
    scorer = named((f"SAD_{bp}",))[0]
    bins = scorer.bins(WINDOW, OUTPUT, VARIANT)
    assert bins is not None
    assert bins.tolist() == [bool(x) for x in expected]
    assert not scorer.per_gene


def test_bins_near_an_indel_are_those_around_the_middle_of_ref() -> None:
    # [100, 105) has its middle at 102: 3 bp are [101, 104), in bin 2 = [101, 105)
    bins = Centre(3).bins(WINDOW, OUTPUT, Variant("chr1", 100, "ACGTA", "A"))
    assert bins is not None
    assert bins.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("tss", "expected"),
    [
        ((), [0, 0, 0, 0]),
        ((92,), [0, 0, 0, 0]),  # the base before the output
        ((93,), [1, 1, 0, 0]),
        ((97,), [1, 1, 1, 0]),
        ((100,), [1, 1, 1, 0]),
        ((101,), [0, 1, 1, 1]),
        ((108,), [0, 0, 1, 1]),
        ((109,), [0, 0, 0, 0]),
        ((93, 109), [1, 1, 0, 0]),
        ((93, 108), [1, 1, 1, 1]),
    ],
)
def test_bins_at_start_sites(tss: tuple[int, ...], expected: list[int]) -> None:
    scorer = named(("SADR_tss",))[0]
    assert scorer.gene_bins(WINDOW, OUTPUT, gene(tss=tss)).tolist() == [bool(x) for x in expected]
    assert scorer.per_gene


def test_bins_over_exons() -> None:
    scorer = named(("SADR_gene",))[0]
    assert scorer.gene_bins(WINDOW, OUTPUT, gene()).tolist() == [False] * 4
    assert scorer.gene_bins(WINDOW, OUTPUT, gene(exons=((80, 93), (96, 97)))).tolist() == [True, False, False, False]
    assert scorer.gene_bins(WINDOW, OUTPUT, gene(exons=((96, 98), (108, 300)))).tolist() == [True, True, False, True]
    assert scorer.per_gene


@settings(max_examples=60)
@given(
    bp=st.integers(1, 60),
    start=st.integers(90, 108),
    length=st.integers(1, 8),
    tss=st.lists(st.integers(80, 120), max_size=3),
    exons=st.lists(st.tuples(st.integers(80, 110), st.integers(1, 20)), max_size=3),
)
def test_masks_base_by_base(bp: int, start: int, length: int, tss: list[int], exons: list[tuple[int, int]]) -> None:
    def touched(bases: set[int]) -> list[bool]:
        return [any(OUTPUT.start + 4 * b + i in bases for i in range(4)) for b in range(4)]

    variant = Variant("chr1", start, "A" * length, "C" * length)
    middle = start + length // 2
    near = Centre(bp).bins(WINDOW, OUTPUT, variant)
    assert near is not None
    assert near.tolist() == touched(set(range(middle - bp // 2, middle - bp // 2 + bp)))
    own = gene(tuple(tss), tuple((s, s + n) for s, n in exons))
    hit = touched(set(tss))
    wide = [any(hit[max(0, b - 1) : b + 2]) for b in range(4)]
    assert Promoters().gene_bins(WINDOW, OUTPUT, own).tolist() == wide
    assert Exons().gene_bins(WINDOW, OUTPUT, own).tolist() == touched({s + i for s, n in exons for i in range(n)})


def test_scores_of_a_variant_and_of_a_gene_are_not_mixed_up() -> None:
    whole, tss = named(("SAD", "SAD_tss"))
    assert whole.bins(WINDOW, OUTPUT, VARIANT) is None
    with pytest.raises(ValueError, match="is a score per gene"):
        tss.bins(WINDOW, OUTPUT, VARIANT)
    with pytest.raises(ValueError, match="is no score per gene"):
        whole.gene_bins(WINDOW, OUTPUT, gene())


# -------------------------------------------------------------------------------------------------------------- names


def test_scores_are_found_by_name() -> None:
    own = Scorer("mine", sad, "mine")
    assert own.mask == WholeOutput()
    assert [scorer.name for scorer in named(("SAR", own, "SAD"))] == ["SAR", "mine", "SAD"]
    assert named(("D2_2001",))[0].mask == Centre(2001)
    with pytest.raises(InputError, match="twice"):
        named(("SAD", "SAD"))
    with pytest.raises(InputError, match="no score"):
        named(())


@pytest.mark.parametrize(
    "name", ["sad", "SAD_", "SAD_0", "SAD_0501", "SAD_-1", "SAD_TSS", "SAD_501_tss", "_501", "", "SAD "]
)
def test_other_names_are_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(InputError, match=re.escape(repr(name)) + " is not known; there are SAD, SADR, .*SADR_tss"):
        named((name,))


def test_the_vocabulary_is_the_published_one() -> None:
    wanted = "SAD SADR SAR SAX SAXR D1 D2 logSAD sqrtSAD logD1 logD2 sqrtD1 sqrtD2 JS logJS"
    assert set(STATISTICS) == set(wanted.split())


@pytest.mark.parametrize("scorer", named([name + mask for name in STATISTICS for mask in MASKS]), ids=lambda s: s.name)
def test_scorers_travel_to_workers(scorer: Scorer) -> None:
    there = pickle.loads(pickle.dumps(scorer))
    assert there == scorer
    assert torch.equal(there(REF, ALT, None), scorer(REF, ALT, None))


def test_formulas_say_which_bins() -> None:
    formulas = {scorer.name: scorer.formula for scorer in named([n + mask for n in STATISTICS for mask in MASKS])}
    assert formulas["SAD"] == "sum over B of (alt - ref); B = all bins of the output"
    assert formulas["SADR_tss"] == (
        "log2((1 + sum over B of alt) / (1 + sum over B of ref)); "
        "B = the bins with a TSS of the gene and one bin on either side of each"
    )
    assert (
        "B = the bins that share a base with [m - 250, m + 250], m = POS + floor(length of REF / 2)"
        in formulas["SAD_501"]
    )
    assert "[m - 2, m + 1]" in named(("SAD_4",))[0].formula
    assert formulas["JS_gene"].endswith("B = the bins that share a base with an exon of the gene")
    assert "max(1e-6, 25th percentile over B of ref)" in formulas["JS"]
    assert len(set(formulas.values())) == len(formulas), "no two scores have the same formula"
    assert all(" B" in text for text in formulas.values())


ARITHMETIC = {"SAX", "SAXR", "JS", "logJS"}


@pytest.mark.parametrize("name", sorted(set(STATISTICS) - ARITHMETIC))
def test_formulas_are_what_is_computed(name: str) -> None:
    """The text in the files, read as arithmetic over arrays, gives the score."""
    r, a = np.random.default_rng(4).gamma(1.0, size=(2, 32))
    text = named((name,))[0].formula.partition(";")[0]
    text = re.sub(r"\|(.+?)\|", r"abs(\1)", text).replace("^", "**")
    text = re.sub(r"sum over B of (alt|ref)", r"total(\1)", text)
    text = re.sub(r"sum over B of (.*)$", r"total(\1)", text)
    if text.startswith("sqrt(total("):
        text = text[:-2] + "))"
    names = {"alt": a, "ref": r, "log2": np.log2, "sqrt": np.sqrt, "abs": np.abs, "total": np.sum}
    expected = eval(text, {"__builtins__": {}}, names)
    tensors = (torch.from_numpy(x)[:, None] for x in (r, a))
    assert score(name, *tensors).item() == pytest.approx(expected, rel=1e-12)
