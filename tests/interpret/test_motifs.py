"""Motifs: scores and p-values by counting all words; what a hit explains of contributions that are known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.dna import encode
from distal.interpret.motifs import BACKGROUND, UNITS, Hit, Scorer, apart, hits

GATA = np.array([[0.05, 0.05, 0.85, 0.05], [0.91, 0.03, 0.03, 0.03], [0.04, 0.03, 0.03, 0.9], [0.9, 0.04, 0.03, 0.03]])


def motif(seed: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(4), size=width)


def test_scores_are_log_ratios():
    """A row of 0.85 G, mixed with 1 % of 0.25: 0.844 / 0.25 = 1.755 bits."""
    scorer = Scorer.of(GATA)
    assert scorer.ratios[0, 2] == round(UNITS * np.log2((0.99 * 0.85 + 0.01 * 0.25) / 0.25))
    forward = scorer.scores(encode("TTGATATT"), reverse=False)
    assert np.argmax(forward) == 2
    assert forward[2] == scorer.ratios[[0, 1, 2, 3], [2, 0, 3, 0]].sum()
    turned = scorer.scores(encode("AATATCAA"), reverse=True)
    assert turned[2] == forward[2]


@given(st.integers(0, 99), st.integers(1, 5), st.booleans())
def test_p_values_are_those_of_all_words(seed, width, even):
    background = BACKGROUND if even else np.array([0.3, 0.2, 0.15, 0.35])
    scorer = Scorer.of(motif(seed, width), background)
    words = np.array(list(product(range(4), repeat=width)))
    scores = scorer.ratios[np.arange(width), words].sum(1)
    chances = background[words].prod(1)
    expected = [chances[scores >= score].sum() for score in scores]
    np.testing.assert_allclose(scorer.p_values(scores), expected, rtol=1e-9)


def test_a_place_with_n_is_no_hit():
    scorer = Scorer.of(GATA)
    scores = scorer.scores(encode("GATNGATA"), reverse=False)
    assert (scorer.p_values(scores)[:4] == 1).all()
    assert scorer.p_values(scores)[4] == pytest.approx(4**-4)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_contributions_that_are_a_motif_are_explained_by_it(strand):
    """Planted: at GATA (or TATC) the contributions are twice the motif, elsewhere nothing."""
    scorer = Scorer.of(GATA)
    codes = encode("CCCGATACCC" if strand == "+" else "CCCTATCCCC")
    ratios = scorer.ratios if strand == "+" else scorer.turned
    values = np.zeros((10, 4), dtype=np.float32)
    values[3:7] = 2 * (ratios - ratios.mean(1, keepdims=True)) / UNITS
    first, *rest = hits([Scorer.of(motif(1, 5)), scorer], codes, values, 0.01)
    assert (first.motif, first.start, first.end, first.strand, first.agrees) == (1, 3, 7, strand, True)
    assert first.explained == pytest.approx(1)
    assert first.contribution == pytest.approx(values[range(3, 7), codes[3:7]].sum(), rel=1e-5)
    assert all(hit.explained < 0.9 for hit in rest)
    (against, *_) = hits([scorer], codes, -values, 0.01)
    assert (against.explained, against.agrees) == (pytest.approx(1), False)


def test_half_of_a_peak_is_explained_by_half():
    """Equal squares at the motif and beside it: half."""
    scorer = Scorer.of(GATA)
    shape = (scorer.ratios - scorer.ratios.mean(1, keepdims=True)).astype(np.float32)
    values = np.concatenate([shape, shape[:, ::-1]])  # ATAG-like contributions on CCCC explain nothing of GATA
    (first, *_) = hits([scorer], encode("GATACCCC"), values, 4**-4 * 1.01)
    assert first.explained == pytest.approx(0.5, rel=1e-5)


def test_motifs_longer_than_the_peak_and_no_contributions():
    assert hits([Scorer.of(motif(0, 9))], encode("ACGTACGT"), np.zeros((8, 4), dtype=np.float32), 1.0) == []
    (hit, *_) = hits([Scorer.of(GATA)], encode("GATA"), np.zeros((4, 4), dtype=np.float32), 0.01)
    assert (hit.explained, hit.contribution) == (0.0, 0.0)


def test_of_overlapping_hits_the_first_is_kept():
    def hit(start: int, end: int) -> Hit:
        return Hit(0, start, end, "+", 1.0, 0.1, 0.0, 0.0, True)

    first, inside, beside, last = hit(5, 10), hit(6, 8), hit(10, 12), hit(0, 5)
    assert apart([first, inside, beside, last], 9) == [first, beside, last]
    assert apart([first, inside, beside, last], 1) == [first]
