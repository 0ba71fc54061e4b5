"""Enrichment of large effects: against enumeration, uniform without a signal, first where a signal was planted."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.scoring.test_compare import row

from distal.errors import InputError
from distal.evals import enrichment, matching
from distal.evals.disease import Cases, enrich, grouped
from distal.evals.enrichment import Enriched, compared, saddlepoint, specific, surprise
from distal.evals.matching import Fact
from distal.evals.pool import Pool
from distal.io import scores
from distal.io.named import Named
from distal.io.scores import Block, Layout
from distal.tracks import Track, TrackTable

BIOSAMPLES = ("liver", "brain", "K562", "heart", "lung", "skin", "spleen", "colon")
TABLE = TrackTable(
    tuple(
        Track(i, f"T{i}", f"{assay}:{sample}")
        for i, (sample, assay) in enumerate(product(BIOSAMPLES, ("DNASE", "CAGE")))
    )
)
N = 3000


def by_enumeration(values: np.ndarray, weights: np.ndarray, observed: float) -> float:
    """P(T >= observed) over every choice of one member in each set."""
    totals = [sum(w * v for w, v in zip(weights, choice, strict=True)) for choice in product(*values)]
    return float(np.mean(np.array(totals) >= observed - 1e-9))


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_permutations_and_saddlepoint_against_enumeration(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values, weights = draw.exponential(size=(6, 4, 2)), draw.uniform(0.2, 1, 6)
    there = np.ones((6, 4), dtype=bool)
    for one in compared(values, there, weights, [("0", 1), ("1", 1)], 4000, seed):
        column = values[:, :, int(one.group)]
        exact = by_enumeration(column, weights, float(weights @ column[:, 0]))
        assert one.p == pytest.approx(exact, abs=5 * math.sqrt(0.25 / 4000))
        tail = saddlepoint(column, there, weights, float(weights @ column[:, 0]))
        if exact < 0.2 and not math.isnan(tail):
            assert tail == pytest.approx(exact, rel=0.35, abs=2 / 4**6)


def test_the_tail_far_out_is_that_of_the_binomial() -> None:
    values = np.tile([1.0, 0, 0, 0], (200, 1)) + np.random.default_rng(0).normal(0, 1e-3, (200, 4))
    there = np.ones((200, 4), dtype=bool)
    for hits in (70, 90, 120):
        exact = stats.binom.sf(hits - 1, 200, 0.25)
        assert saddlepoint(values, there, np.ones(200), hits - 0.5) == pytest.approx(exact, rel=0.1)
    assert math.isnan(saddlepoint(values, there, np.ones(200), 50.0 - 1))
    assert math.isnan(saddlepoint(values, there, np.ones(200), 1e6))


def test_a_worked_number() -> None:
    values = np.array([[[2.0], [0], [1]], [[3], [0], [9]]])
    there = np.array([[True, True, True], [True, True, False]])
    (one,) = compared(values, there, np.array([1.0, 2]), [("g", 3)], 999)
    assert (one.group, one.tracks) == ("g", 3)
    assert one.enrichment == pytest.approx((2 + 2 * 3) / (0.5 + 0))
    assert one.z == pytest.approx((8 - (1 + 3)) / math.sqrt(2 / 3 + 4 * 9 / 4))
    assert one.p == pytest.approx(1 / 6, abs=0.04)
    assert (one.q, one.by) == (one.p, "permutation")


def test_missing_members_have_no_say() -> None:
    draw = np.random.default_rng(1)
    values, there = draw.normal(size=(8, 5, 2)), np.ones((8, 5), dtype=bool)
    there[:3, 3:] = False
    moved = np.where(there[:, :, None], values, 1e9)
    names = [("a", 1), ("b", 1)]
    assert compared(values, there, np.ones(8), names, 99) == compared(moved, there, np.ones(8), names, 99)


def test_surprise_is_a_rank_with_mean_one() -> None:
    draw = np.random.default_rng(0)
    sizes = np.abs(draw.normal(size=(500, 70))).astype(np.float32)
    found = surprise(sizes)
    np.testing.assert_allclose(found.mean(axis=0), 1)
    np.testing.assert_allclose(surprise(sizes**3), found)  # ranks only
    top = sizes[:, 5].argmax()
    assert found[top, 5] == found[:, 5].max() == pytest.approx(math.log(1000), rel=0.01)
    assert (surprise(np.zeros((4, 1), np.float32)) == 1).all()
    np.testing.assert_allclose(specific(found).mean(axis=1), 1)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=30)
def test_controls_come_from_the_cell_and_serve_once(seed: int, controls: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.uniform(0, 10, 200)
    values[:5] = np.nan
    fact = Fact("x", values, (2, 5, 9.9))
    cases, barred = np.sort(draw.choice(200, 30, replace=False)), draw.choice(200, 20)
    found = matching.match(cases, [fact], 200, controls, seed, barred)
    drawn = found.members[:, 1:][found.members[:, 1:] >= 0]
    assert len(np.unique(drawn)) == len(drawn)
    assert not set(drawn) & (set(cases) | set(barred))
    assert set(found.cases) | set(found.left_out) == set(cases)
    cell = np.searchsorted(fact.edges, values)
    for members in found.members:
        assert len({int(cell[i]) for i in members if i >= 0}) == 1
    again = matching.match(cases, [fact], 200, controls, seed, barred)
    np.testing.assert_array_equal(found.members, again.members)
    assert len(matching.match(cases, [], 200, controls).cases) == 30


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pool, np.ndarray, np.ndarray]:
    """(pool, distance of each variant to a TSS, which biosample's element it lies in or -1).

    Effects are small but in elements, where they are large in the biosample's tracks and a little in the others; near
    start sites they are larger in all of them.
    """
    draw = np.random.default_rng(7)
    distance = 10 ** draw.uniform(2, 6, N)
    element = np.where(draw.random(N) < 0.3, draw.integers(0, len(BIOSAMPLES), N), -1)
    size = draw.exponential(size=(N, len(TABLE))) * 0.2
    for place in np.flatnonzero(element >= 0):
        size[place] += 0.3 * draw.exponential()
        size[place, 2 * element[place] : 2 * element[place] + 2] += 2 * draw.exponential()
    size *= (1 + 20 * np.exp(-distance / 5000))[:, None]
    values = (size * draw.choice([-1, 1], size.shape)).astype(np.float32)
    rows = [row("chr1", 10 * (i + 1)) for i in range(N)]
    path = tmp_path_factory.mktemp("simulated") / "chr1.h5"
    layout = Layout(N, scores.text_widths(rows), TABLE, ("SAD",), "float16", {})
    with scores.write(path, layout) as writer:
        writer.append(Block(rows, {"SAD": values}))
    return Pool.of(path), distance, element


def listed(places: np.ndarray, weights: np.ndarray) -> list[Named]:
    return [
        Named("t", f"v{10 * (i + 1)}", "", 0, "", "", (f"{w:.4f}",))
        for i, w in zip(places.tolist(), weights.tolist(), strict=True)
    ]


def test_a_planted_trait_is_ranked_first(simulated: tuple[Pool, np.ndarray, np.ndarray]) -> None:
    pool, distance, element = simulated
    fact = Fact("tss", distance, matching.DISTANCES)
    draw = np.random.default_rng(3)
    for wanted, sample in enumerate(BIOSAMPLES):
        causal = draw.choice(np.flatnonzero(element == wanted), 25, replace=False)
        others = draw.choice(N, 40, replace=False)  # half of a credible set and more is there by LD
        weights = np.concatenate([draw.uniform(0.5, 1, 25), draw.uniform(0.05, 0.6, 40)])
        cases = Cases.of(pool, listed(np.concatenate([causal, others]), weights), True)
        found = enrich(pool, cases, [fact], permutations=1999)
        first, *rest = found.groups
        assert first.group == sample
        assert first.q < 0.05
        assert first.tracks == 2
        assert first.enrichment > max(one.enrichment for one in rest)
        (narrow, *_) = enrich(pool, cases, [fact], specific=True, permutations=1999).groups
        assert (narrow.group, narrow.q < 0.05) == (sample, True)
        by_experiment = enrich(pool, cases, [fact], by="experiment", query="assay=DNASE", permutations=999)
        assert by_experiment.groups[0].group == f"DNASE:{sample}"


TRAITS, BLOCK = 1000, 200


@pytest.fixture(scope="module")
def without_signal(simulated: tuple[Pool, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """p and z of traits whose variants lie near genes and are otherwise any, [`TRAITS`, biosamples]."""
    pool, distance, _ = simulated
    fact = Fact("tss", distance, matching.DISTANCES)
    found = [one_without(pool, distance, [fact], seed) for seed in range(TRAITS)]
    return np.array([[one.p for one in groups] for groups in found]), np.array([[one.z for one in g] for g in found])


def one_without(pool: Pool, distance: np.ndarray, facts: list[Fact], seed: int) -> list[Enriched]:
    """Every biosample's answer, in their order."""
    draw = np.random.default_rng(seed)
    near = 0.6 ** np.searchsorted(matching.DISTANCES, distance)
    chosen = np.sort(draw.choice(N, 30, replace=False, p=near / near.sum()))
    cases = Cases(chosen, draw.uniform(0.1, 1, 30), chosen, 30)
    groups = enrich(pool, cases, facts, controls=6, permutations=199, seed=seed).groups
    return sorted(groups, key=lambda one: BIOSAMPLES.index(one.group))


def test_traits_without_signal_have_uniform_p_values(without_signal: tuple[np.ndarray, np.ndarray]) -> None:
    """Pooled, so that no seed has to be a lucky one: a right test fails each of these less than once in a hundred."""
    p, z = without_signal
    pooled = [stats.kstest(column, "uniform").pvalue for column in p.T]
    assert min(pooled) > 0.001 / len(BIOSAMPLES), pooled
    by_block = [stats.kstest(p[i : i + BLOCK, k], "uniform").pvalue for i in range(0, TRAITS, BLOCK) for k in range(8)]
    assert np.mean(np.array(by_block) > 0.01) >= 0.9, sorted(by_block)[:5]
    assert 0.03 < (p <= 0.05).mean() < 0.065
    assert np.abs(z.mean(axis=0)).max() < 3.5 / math.sqrt(TRAITS)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=0.1)


def test_without_matching_they_have_not(simulated: tuple[Pool, np.ndarray, np.ndarray]) -> None:
    pool, distance, _ = simulated
    p = [one_without(pool, distance, [], seed)[BIOSAMPLES.index("K562")].p for seed in range(25)]
    assert stats.kstest(p, "uniform").pvalue < 1e-3


def test_too_few_cases_and_wrong_weights(simulated: tuple[Pool, np.ndarray, np.ndarray]) -> None:
    pool, _, _ = simulated
    with pytest.raises(InputError, match="4 of 4 listed variants have scores"):
        enrich(pool, Cases.of(pool, listed(np.arange(4), np.ones(4)), False), [])
    with pytest.raises(InputError, match="the weight must be a number, 0 or larger"):
        Cases.of(pool, listed(np.arange(4), -np.ones(4)), True)


def test_lists_find_their_variants(tmp_path: Path) -> None:
    rows = [row("chr1", 5), row("chr1", 5, "A", "G")._replace(name="w"), row("chr2", 5, "AT", "A")]
    rows += [row("chr2", 9, status="ref_mismatch"), row("chrX", 7)]
    path = tmp_path / "s.h5"
    layout = Layout(5, scores.text_widths(rows), TABLE, ("SAD",), "float32", {})
    values = np.ones((5, len(TABLE)), np.float32)
    with scores.write(path, layout) as writer:
        writer.append(Block(rows, {"SAD": values}))
    pool = Pool.of(path)
    assert len(pool) == 4
    names = [
        Named("", ".", "1", 5, "C", "A", ("0.2",)),  # swapped, chromosome without chr
        Named("", "zzz", "1", 5, "", "", ("0.3",)),  # a place with two alleles
        Named("", "v7", "", 0, "", "", ("0.4",)),
        Named("", "v9", "", 0, "", "", ("0.5",)),  # not scored
        Named("", ".", "2", 5, "A", "T", ("0.6",)),  # other alleles
    ]
    places, items = pool.found(names)
    assert sorted(zip(items.tolist(), places.tolist(), strict=True)) == [(0, 0), (1, 0), (1, 1), (2, 3)]
    np.testing.assert_array_equal(pool.numbers(names), [0.2, 0.3, np.nan, 0.4])
    assert [one.name for one in pool.rows(np.array([0, 1, 3]))] == ["v5", "w", "v7"]
    cases = Cases.of(pool, names, True)
    assert (cases.places.tolist(), cases.weights.tolist()) == ([0, 1, 3], [0.3, 0.3, 0.4])
    assert cases.listed == 5


def test_groups_by_track_experiment_and_biosample() -> None:
    assert list(grouped(TABLE, "track"))[:2] == ["T0 DNASE:liver", "T1 CAGE:liver"]
    assert grouped(TABLE, "biosample")["brain"] == [2, 3]
    assert list(grouped(TABLE, "experiment"))[:2] == ["DNASE:liver", "CAGE:liver"]
    assert enrichment.TOP == 0.05
