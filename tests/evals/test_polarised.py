"""Effects of derived alleles: the sign, what can't be polarised, and the sign test against scipy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.scoring.test_compare import row, write

from distal.evals.polarised import Shifts, effects, polarise, sign_test
from distal.evals.pool import Pool
from distal.io.named import Named

ALL = np.array([0, 1])


def aa(pos: int, text: str) -> Named:
    return Named("t", f"v{pos}", "", 0, "", "", (text,))


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    rows = [row("chr2", 7), row("chr1", 30), row("chr1", 10), row("chr1", 20, "G", "GA"), row("chr1", 40)]
    values = np.array([[1, -2], [3, 4], [5, -6], [-7, 8], [np.nan, np.nan]])
    return Pool.of(write(tmp_path / "s.h5", rows, ("a", "b"), SAD=values, D2=np.abs(values)))


def run(pool: Pool, listed: list[Named], score: str = "SAD", sure: bool = False) -> list[tuple[object, ...]]:
    found = []
    for rows, pairs, values in effects(pool, polarise(pool, listed, sure), score, ALL):
        found += [(each.pos, *pair, *value) for each, pair, value in zip(rows, pairs.tolist(), values, strict=True)]
    return found


def test_derived_minus_ancestral_by_place(pool: Pool) -> None:
    listed = [aa(7, "C|||"), aa(30, "a"), aa(10, "T"), aa(20, "GA"), aa(40, "A"), aa(99, "A")]
    assert run(pool, listed) == [(7, "C", "A", -1, 2), (20, "GA", "G", 7, -8), (30, "A", "C", 3, 4)]
    assert run(pool, listed, "D2") == [(7, "C", "A", 1, 2), (20, "GA", "G", 7, 8), (30, "A", "C", 3, 4)]
    assert [each[0] for each in run(pool, listed, sure=True)] == [7, 20]
    found = polarise(pool, [*listed, aa(30, "C")])
    assert (found.listed, found.neither, found.unknown) == (7, 1, 0)
    assert polarise(pool, [aa(7, "."), aa(10, ""), aa(30, "?|A|-|"), aa(20, "N")]).unknown == 4


def test_turning_every_allele_turns_every_effect(pool: Pool) -> None:
    there = run(pool, [aa(7, "A"), aa(30, "A"), aa(10, "A")])
    back = run(pool, [aa(7, "C"), aa(30, "C"), aa(10, "C")])
    assert [each[3:] for each in there] == [tuple(-value for value in each[3:]) for each in back]


def test_which_way_tracks_move(pool: Pool) -> None:
    shifts = Shifts(2)
    for sign in (1, 1, 1, 1, 1, -1, 0):
        shifts.add(np.array([[sign * 2.0, 1]]))
    first, second = shifts.rows(pool, "SAD", ALL)
    assert (first.track, first.variants, first.mean, first.up) == ("a", 7, pytest.approx(8 / 7), pytest.approx(5 / 6))
    assert first.p == pytest.approx(stats.binomtest(5, 6).pvalue)
    assert second.p == pytest.approx(2 / 128)
    assert (first.q, second.q) == (pytest.approx(first.p), pytest.approx(4 / 128))
    assert all(math.isnan(each.p) for each in shifts.rows(pool, "D2", ALL))


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_sign_test_is_exact(up: int, down: int) -> None:
    expected = stats.binomtest(up, up + down).pvalue if up + down else 1.0
    assert sign_test(up, down) == pytest.approx(expected, rel=1e-9)


def test_the_sign_test_of_very_many() -> None:
    assert sign_test(501_000, 499_000) == pytest.approx(stats.binomtest(501_000, 1_000_000).pvalue, rel=1e-6)
    assert sign_test(1_000_000, 0) == 0.0
