"""Sets of bases against Python's own sets, and what a genome leaves unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.data import regions
from distal.data.regions import Regions
from distal.io.fasta import Genome

INTERVAL = st.builds(
    lambda chrom, start, width: Interval(chrom, start, start + width),
    st.sampled_from(["a", "b"]),
    st.integers(0, 40),
    st.integers(0, 12),
)
INTERVALS = st.lists(INTERVAL, max_size=8)


def bases(intervals: list[Interval] | Regions) -> set[tuple[str, int]]:
    return {(x.chrom, base) for x in intervals for base in range(x.start, x.end)}


@given(INTERVALS, INTERVALS)
def test_algebra_is_that_of_sets(one, other):
    a, b = Regions.of(one), Regions.of(other)
    assert bases(a) == bases(one)
    assert bases(a | b) == bases(one) | bases(other)
    assert bases(a & b) == bases(one) & bases(other)
    assert bases(a - b) == bases(one) - bases(other)
    assert (a - b).bases == len(bases(one) - bases(other))


@given(INTERVALS, INTERVALS, INTERVAL)
def test_stretches_ascend_apart_and_any_interval_is_counted(one, other, wanted):
    union = Regions.of(one) | Regions.of(other)
    same = Regions.of([*other, *one])
    assert {chrom: edges.tolist() for chrom, edges in union.edges.items()} == {
        chrom: edges.tolist() for chrom, edges in same.edges.items()
    }
    for chrom, edges in union.edges.items():
        assert (edges[1:] > edges[:-1]).all(), chrom
    assert union.covered(wanted) == len(bases(union) & bases([wanted]))


@given(INTERVALS, st.integers(0, 20))
def test_short_stretches_are_left_out(intervals, least):
    every = Regions.of(intervals)
    assert list(every.at_least(least)) == [x for x in every if x.width >= least]


def test_whole_genome_minus_what_it_leaves_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a: 7 known, 4 N (one of them written R), 5 known; b: all N. Reading 8 bases at a time cuts the first run in two.
    monkeypatch.setattr(regions, "_READ_BP", 8)
    path = tmp_path / "x.fa"
    path.write_text(">a\nacgtACGNnRNACGTA\n>b\nNNNNNNNNNNNN\n")
    genome, read = Genome(path), []
    gaps = regions.unknown(genome, read.append)
    assert list(gaps) == [Interval("a", 7, 11), Interval("b", 0, 12)]
    assert list(regions.whole(genome.sizes) - gaps) == [Interval("a", 0, 7), Interval("a", 11, 16)]
    assert read == [8, 8, 8, 4]


@pytest.mark.shared
def test_gaps_of_chromosome_20(shared: Path) -> None:
    # 63,025,520 - 3,520,000 in gaps. The second one, round the centromere, is found across the end of a read.
    genome = Genome(shared / "data" / "sequence" / "GRCh37_chr20.fa.gz")
    gaps = regions.unknown(genome)
    assert [gap.width for gap in gaps] == [60_000, 3_100_000, 150_000, 50_000, 50_000, 50_000, 60_000]
    assert (regions.whole(genome.sizes) - gaps).bases == 59_505_520
