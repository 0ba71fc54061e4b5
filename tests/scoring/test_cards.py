"""Evidence cards: what stands on them, against the score file itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.io.scores import sample

from distal.coords import Interval
from distal.io.genes import Genes
from distal.io.gtf import Feature
from distal.io.scores import Derived, Scores, extended
from distal.scoring.cards import cards, markdown

GENES = Genes(
    [
        Feature("gene", Interval("20", 1100, 2000, "+"), "G1", "NEAR", ""),
        Feature("gene", Interval("20", 0, 90, "-"), "G2", "NEARER", ""),
        Feature("gene", Interval("20", 5_000_000, 5_000_100, "+"), "G3", "FAR", ""),
    ]
)


def test_a_card_says_what_the_file_says(tmp_path: Path) -> None:
    path = sample.make(tmp_path / "s.h5", dtype="float32")
    with extended(path) as writer:
        writer.derive(Derived("SAD_quantile", "float32", {}, "SAD", lambda block: block.values["SAD"] / 1e10))
    with Scores(path) as scores:
        one, odd = cards(scores, np.array([0, 2]), [0.9, None], genes=GENES)
        (single,) = cards(scores, np.array([3]), [None], ["SAR"], "assay=DNASE", top=1)
    assert (one.title, one.id, one.status, one.weight) == ("chr20:101:A>C", "rs1", "scored", 0.9)
    assert [evidence.score for evidence in one.scores] == ["SAD", "SAR"]
    sad, sar = one.scores
    assert [(effect.track, effect.value) for effect in sad.tracks] == [("CNhs1", -2.0), ("ENCFF1", 1.5)]
    assert sad.tracks[0].quantile == pytest.approx(-2e-10)
    assert sar.tracks[0].quantile is None
    assert (sad.formula, sar.formula) == (sample.FORMULAS["SAD"], "")
    assert [(each.biosample, each.tracks, each.mean_size, each.up) for each in sad.biosamples] == [
        ("søvn", 1, 0.75, 0),
        ("liver", 1, 0.25, 1),
    ]
    assert [(gene.name, gene.tss_distance) for gene in one.genes] == [("NEARER", -11), ("NEAR", -1000)]
    assert one.provenance["model"] == "tiny"
    assert one.provenance["file"] == "s.h5"
    assert (odd.status, odd.scores, len(odd.genes)) == ("ref_mismatch", (), 2)
    assert (single.genes, [len(evidence.tracks) for evidence in single.scores]) == ((), [1])
    text = markdown(one)
    assert text.startswith("# chr20:101:A>C (rs1)\n\nStatus: **scored**; weight 0.9\n")
    assert "| CNhs1 | CAGE:søvn | -2 | -0.0000 |" in text
    assert "| NEARER | G2 | - | -11 |" in text
    assert "There are no scores" in markdown(odd)
    assert "Genes" not in markdown(single)
