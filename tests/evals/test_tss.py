"""Start sites: which bins a gene is read from, worked by hand, and correlations against plain numpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distal.coords import Interval
from distal.data.dataset import InMemory
from distal.evals.tss import FEWEST, GeneSignal, StartSites
from distal.io.genes import Genes
from distal.io.gtf import Feature
from distal.tracks import Track, TrackTable
from distal.train.validation import Predicted

TABLE = TrackTable(
    (Track(0, "a+", "TSS:a", strand_pair=1), Track(1, "a-", "TSS:a", strand_pair=0), Track(2, "b", "RNA:b"))
)


def examples(starts: list[int], chrom: str = "chr1", bins: int = 6) -> InMemory:
    """Windows of 600 bp more than `bins` bins of 100 bp, 300 on each side."""
    signal = np.random.default_rng(0).gamma(1.0, size=(len(starts), bins, 3)).astype(np.float32)
    intervals = tuple(Interval(chrom, start, start + 600 + bins * 100) for start in starts)
    bases = np.zeros((len(starts), 600 + bins * 100), dtype=np.uint8)
    return InMemory(bases, signal, 100, 300, TABLE, intervals)


def genes(*starts: tuple[str, str, int], chrom: str = "chr1") -> Genes:
    """(gene, strand, start site) of a transcript each, 50 bp long."""
    return Genes(
        Feature(
            "transcript",
            Interval(chrom, tss, tss + 50, "+") if strand == "+" else Interval(chrom, tss - 49, tss + 1, "-"),
            gene,
            "",
            f"{gene}.{number}",
        )
        for number, (gene, strand, tss) in enumerate(starts)
    )


def test_worked_places() -> None:
    # the window [1000, 2200) measures [1300, 1900): bins 0 … 5
    # a starts at 1450 and 1555: bins 1 and 2, so 0 1 2 and 1 2 3; b at 1899: bin 5, whose neighbour is not measured;
    # c at 1800 is bin 5 too; d on the other strand at 1799: bin 4, so 3 4 5
    sites = StartSites.within(
        examples([1000]),
        genes(("a", "+", 1450), ("a", "+", 1555), ("b", "-", 1899), ("c", "+", 1800), ("d", "-", 1799)),
    )
    assert sites.strands == ("+", "-")
    assert sites.places.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1], [4, 1], [5, 1]]


def test_a_start_site_counts_in_the_first_window_that_measures_it() -> None:
    # at 1950 it is bin 5 of the window that measures [1400, 2000), bin 3 of [1600, 2200), bin 1 of [1800, 2400)
    sites = StartSites.within(examples([1100, 1300, 1500]), genes(("a", "+", 1950)))
    assert sites.places.tolist() == [[6 + bin, 0] for bin in (2, 3, 4)]


def test_contigs_match_whatever_their_spelling_and_others_do_not() -> None:
    assert len(StartSites.within(examples([1000]), genes(("a", "+", 1500), chrom="1"))) == 1
    assert len(StartSites.within(examples([1000]), genes(("a", "+", 1500), chrom="2"))) == 0


def measured(data: InMemory, cuts: list[int]) -> list[Predicted]:
    """The measurement in pieces, beside a prediction that is three times as much and one."""
    pieces = []
    for window in range(len(data)):
        edges = [0, *sorted({cut % data.bins for cut in cuts} - {0}), data.bins]
        for first, last in pairwise(edges):
            targets = data.targets(window, first, last)
            pieces.append(Predicted(window, first, 3 * targets[:, [1, 0, 2]] + 1, targets))
    return pieces


@settings(max_examples=20)
@given(st.lists(st.integers(0, 30), max_size=4), st.integers(0, 2**32 - 1))
def test_it_is_numpys_correlation_over_the_genes_of_the_strand(cuts: list[int], seed: int) -> None:
    data = examples([0, 6000], bins=30)
    random = np.random.default_rng(seed)
    starts = [(f"g{i}", "+-"[i % 2], int(random.integers(400, 3200)) + 6000 * (i % 4 > 1)) for i in range(40)]
    sites = StartSites.within(data, genes(*starts))
    signal = GeneSignal(sites, 3)
    for piece in measured(data, cuts):
        signal.update(piece)
    pearson, spearman = signal.correlations(TABLE)
    sums = []  # one gene, one window, three bins
    for _, strand, tss in starts:
        window, bin = tss // 6000, (tss % 6000 - 300) // 100
        if 0 < bin < 29:
            bins = data.signal[window, bin - 1 : bin + 2].astype(np.float64)
            sums.append((strand, (3 * bins[:, [1, 0, 2]] + 1).sum(axis=0), bins.sum(axis=0)))
    for track, strand in enumerate("+-."):
        p, t = np.log1p([(p[track], t[track]) for of, p, t in sums if strand in (of, ".")]).T
        assert pearson[track] == pytest.approx(np.corrcoef(p, t)[0, 1], abs=1e-6)
        ranked = [[(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values] for values in (p, t)]
        assert spearman[track] == pytest.approx(np.corrcoef(*ranked)[0, 1], abs=1e-9)


def test_too_few_genes_say_nothing() -> None:
    data = examples([0], bins=30)
    sites = StartSites.within(data, genes(*((f"g{i}", "+", 500 + 300 * i) for i in range(FEWEST)), ("m", "-", 800)))
    signal = GeneSignal(sites, 3)
    for piece in measured(data, []):
        signal.update(piece)
    for values in signal.correlations(TABLE):
        assert np.isnan(values).tolist() == [False, True, False]
