"""Expression across genes and tissues: bins by hand, correlations by numpy, planted specificity."""

from __future__ import annotations

import numpy as np
import pytest

from distal.coords import Interval
from distal.data.dataset import InMemory
from distal.errors import InputError
from distal.evals import expression
from distal.evals.expression import Sites
from distal.io.genes import Genes
from distal.io.gtf import Feature
from distal.tracks import Track, TrackTable
from distal.train.validation import Predicted

TABLE = TrackTable(
    (
        Track(0, "a+", "CAGE:a", strand_pair=1),
        Track(1, "a-", "CAGE:a", strand_pair=0),
        Track(2, "b", "CAGE:b"),
        Track(3, "c", "CAGE:c"),
        Track(4, "d", "RNA:d"),
    )
)


def examples(bin_bp: int = 128, bins: int = 40, windows: int = 2) -> InMemory:
    """Windows of which all but 256 bp on either side is measured."""
    signal = np.random.default_rng(0).gamma(1.0, size=(windows, bins, 5)).astype(np.float32)
    width = 512 + bins * bin_bp
    intervals = tuple(Interval("chr1", i * 10_000, i * 10_000 + width) for i in range(windows))
    return InMemory(np.zeros((windows, width), dtype=np.uint8), signal, bin_bp, 256, TABLE, intervals)


def genes(*starts: tuple[str, str, int]) -> Genes:
    return Genes(
        Feature(
            "transcript",
            Interval("chr1", at, at + 9, "+") if strand == "+" else Interval("chr1", at - 8, at + 1, "-"),
            gene,
            "",
            f"{gene}.{i}",
        )
        for i, (gene, strand, at) in enumerate(starts)
    )


def test_worked_bins() -> None:
    # the first window measures from 256 on: 1000 is in bin (1000 - 256) // 128 = 5; 300 in bin 0, which has no left
    # neighbour; the second one from 10,256 on: 10,700 is in bin 3
    annotation = genes(("g", "+", 1000), ("g", "+", 1100), ("h", "-", 300), ("h", "-", 10_700), ("i", "+", 2000))
    found = Sites.within(examples(), annotation)
    assert found.names == ("g:+", "i:+", "h:-")
    assert found.forward == (True, True, False)
    assert found.bins == {0: [(4, 0), (5, 0), (6, 0), (7, 0), (12, 1), (13, 1), (14, 1)], 1: [(2, 2), (3, 2), (4, 2)]}
    # with bins of 32 bp the same bases: each becomes four
    fine = Sites.within(examples(32, 160), annotation)
    assert [bin for bin, gene in fine.bins[1]] == list(range(8, 20))
    assert sorted({bin // 4 for bin, gene in fine.bins[0] if gene == 0}) == [4, 5, 6, 7]


def test_too_few_genes_and_no_track_are_refused() -> None:
    with pytest.raises(InputError, match="2 genes start"):
        Sites.within(examples(), genes(("g", "+", 1000), ("i", "+", 2000)))
    with pytest.raises(InputError, match="no DNASE track"):
        expression.experiments(TABLE, "DNASE")
    assert expression.experiments(TABLE, "CAGE") == [("a+", 0, 1), ("b", 2, 2), ("c", 3, 3)]


@pytest.mark.parametrize("bin_bp", [32, 128])
def test_it_is_numpys_over_genes_and_over_experiments(bin_bp: int) -> None:
    data = examples(bin_bp, 40 * 128 // bin_bp)
    starts = [(f"g{i}", "+-"[i % 2], 700 + 300 * (i % 8) + 10_000 * (i > 7)) for i in range(16)]
    sites = Sites.within(data, genes(*starts))
    assert len(sites.names) == 16
    half = data.bins // 2
    pieces = [
        Predicted(
            window, first, 2 * data.targets(window, first, first + half) ** 2, data.targets(window, first, first + half)
        )
        for window in range(2)
        for first in (0, half)
    ]
    p, t = expression.signal(pieces, sites, 5)
    by_hand = []
    for name in sites.names:
        at = next(at for gene, _, at in starts if name.startswith(f"{gene}:"))
        coarse = (at % 10_000 - 256) // 128
        by_hand.append(
            data.signal[at // 10_000, (coarse - 1) * 128 // bin_bp : (coarse + 2) * 128 // bin_bp]
            .astype(np.float64)
            .sum(axis=0)
        )
    np.testing.assert_allclose(t, by_hand, rtol=1e-6)
    genes_, ranked, tissues = expression.cases(p, t, sites, TABLE)
    x, y = (
        np.log1p(
            np.stack([[row[0 if ahead else 1], row[2], row[3]] for row, ahead in zip(side, sites.forward, strict=True)])
        )
        for side in (p, t)
    )
    assert genes_.units == ("a+", "b", "c")
    assert genes_.scores == pytest.approx([np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(3)])
    x, y = ((side - side.mean(0)) / side.std(0) for side in (x, y))
    assert tissues.scores == pytest.approx([np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)])
    assert tissues.units == sites.names
    assert len(ranked.scores) == 3


def test_height_is_not_specificity() -> None:
    # a prediction that knows how high every gene is, and not where: perfect across genes, nothing across tissues
    random = np.random.default_rng(1)
    height = random.normal(4, 1, size=(200, 1))
    where = random.normal(0, 0.05, size=(200, 5))
    sites = Sites(tuple(f"g{i}" for i in range(200)), (True,) * 200, {})
    measured = np.expm1(height + where)
    blind = np.expm1(height + random.normal(0, 0.05, size=(200, 5)))
    told = np.expm1(0 * height + 4 + where)
    across, _, tissues = (case.estimate(draws=50).value for case in expression.cases(blind, measured, sites, TABLE))
    assert across > 0.99
    assert abs(tissues) < 0.15
    across, _, tissues = (case.estimate(draws=50).value for case in expression.cases(told, measured, sites, TABLE))
    assert abs(across) < 0.3
    assert tissues > 0.85
    assert len(expression.cases(told, measured, sites, TABLE, "RNA")) == 2
