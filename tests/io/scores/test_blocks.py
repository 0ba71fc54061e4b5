"""Blocks of rows: taking some of them takes their scores on genes along; narrow numbers are never infinite."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.io.scores.sample import GENES, ROWS, VALUES

from distal.io.scores import Block, GeneAt, GeneScores, ScoreRow, clipped, text_widths


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=8))
def test_rows_take_their_genes_along(index: list[int], rows: list[int]) -> None:
    rows = sorted(rows)
    genes = [GeneAt(f"g{i}", "", "+", i) for i in range(len(rows))]
    scores = np.arange(2.0 * len(rows)).reshape(-1, 2)
    block = Block(ROWS, VALUES, GeneScores(np.array(rows, dtype=np.int64), genes, {"SADR_gene": scores}))
    taken = block.take(index)
    expected = [(new, i) for new, old in enumerate(index) for i, row in enumerate(rows) if row == old]
    assert taken.genes is not None
    assert taken.genes.rows.tolist() == [new for new, _ in expected]
    assert taken.genes.genes == [genes[i] for _, i in expected]
    np.testing.assert_array_equal(taken.genes.values["SADR_gene"], scores[[i for _, i in expected]])
    assert list(taken.rows) == [ROWS[i] for i in index]
    np.testing.assert_array_equal(taken.values["SAD"], VALUES["SAD"][index])


def test_a_stretch_is_not_copied() -> None:
    block = Block(ROWS, VALUES, GENES)
    for index, shared in ((range(1, 4), True), ([1, 2, 3], True), ([2, 1], False), ([1, 3], False), ([-2, -1], False)):
        taken = block.take(index)
        assert np.shares_memory(taken.values["SAD"], VALUES["SAD"]) == shared
        np.testing.assert_array_equal(taken.values["SAD"], VALUES["SAD"][list(index)])
        assert list(taken.rows) == [ROWS[i] for i in index]


def test_a_block_without_genes_stays_without() -> None:
    assert Block(ROWS, VALUES).take([1, 0]).genes is None


def test_clipping_keeps_nan_and_never_makes_inf() -> None:
    found = clipped(np.array([np.inf, -np.inf, np.nan, 65_519.0, 1e-9]), "float16")
    assert found.tolist()[:2] == [65504, -65504]
    assert np.isnan(found[2])
    assert found.tolist()[3:] == [65504, 0]
    assert clipped(np.array([np.inf], dtype="float16"), "float16").tolist() == [65504]


def test_widths_are_counted_in_bytes() -> None:
    rows = [ScoreRow("chr1", 1, "sø", "A", "C", "scored"), ScoreRow("1", 1, "\udcff", "ACGT", "", "failed")]
    # ø takes two bytes in UTF-8; a byte that is no UTF-8 takes one
    assert text_widths(rows) == {"name": 3, "chrom": 4, "ref": 4, "alt": 1, "status": 6}
    assert text_widths([]) == dict.fromkeys(("name", "chrom", "ref", "alt", "status"), 0)
