"""Homologous pieces stay together, and what short alignments leak is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.data import homology, splits
from distal.data.regions import Regions
from distal.data.splits import Division, Piece, Plan
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.io.net import Fill

WIDE = 5000
PIECES = [Piece(genome, Interval("c", i * WIDE, (i + 1) * WIDE)) for genome in (0, 1) for i in range(4)]


def fill(ours: tuple[int, int], theirs: tuple[int, int], strand: str = "+", top: bool = True, aligned: int = 0) -> Fill:
    return Fill(Interval("c", *ours), Interval("c", *theirs, strand), aligned, top)


FILLS = st.lists(
    st.builds(
        lambda a, b, c, d, strand, top, share: fill((a, a + b), (c, c + d), strand, top, share * min(b, d) // 4),
        st.integers(0, 18_000),
        st.integers(0, 9000),
        st.integers(0, 18_000),
        st.integers(0, 9000),
        st.sampled_from("+-"),
        st.booleans(),
        st.integers(0, 4),
    ),
    max_size=6,
)


def numbers(groups: list[list[Piece]]) -> list[list[int]]:
    return [[PIECES.index(piece) for piece in group] for group in groups]


def test_a_long_alignment_joins_what_it_touches() -> None:
    # Ours: 3,900-12,000 has 1,100 bases of piece 0, all of 1, 2,000 of 2. Theirs: 16,000-20,000 lies in piece 3 (7).
    joins = fill((3_900, 12_000), (16_000, 20_000))
    assert numbers(homology.components(PIECES, [joins])) == [[0, 1, 2, 7], [3], [4], [5], [6]]
    # From 3,976 on it has 1,024 of piece 0, which is not more than 1,024.
    assert numbers(homology.components(PIECES, [fill((3_976, 12_000), (16_000, 20_000))]))[:2] == [[0], [1, 2, 7]]
    # Too short on one side, or nested in the gap of another: it joins nothing.
    nested = fill((3_900, 12_000), (16_000, 20_000), top=False)
    assert homology.long([joins, nested], 4000) == [joins]
    assert homology.long([joins, nested], 4001) == []
    assert len(homology.components(PIECES, [])) == 8


def test_contigs_are_cut_between_alignments() -> None:
    # Between 30 and 40: at 35. 40-60 and 50-80 overlap. 80-95 begins where they end: at 80. On d, two contigs.
    sides = [Interval("c", *side) for side in ((40, 60), (10, 30), (50, 80), (80, 95))] + [Interval("d", 3, 8)]
    contigs = [Interval("c", 0, 100), Interval("d", 0, 5), Interval("d", 6, 9)]
    pieces = [Interval("c", 0, 35), Interval("c", 35, 80), Interval("c", 80, 100), *contigs[1:]]
    assert list(homology.cut(contigs, sides)) == pieces
    assert list(homology.cut(contigs, [])) == contigs


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(2000, 9000)), min_size=2, max_size=8))
def test_alignments_that_lie_apart_stay_apart(spans):
    """One behind the other in both genomes, they would all be joined by the pieces between them."""
    fills, start = [], 0
    for gap, width in spans:
        start += gap
        fills.append(fill((start, start + width), (start, start + width)))
        start += width
    contig = [Interval("c", 0, start + 100)]
    contigs = [list(homology.cut(contig, [each.target for each in fills]))] * 2
    groups = splits.divide(contigs, 100_000, Plan.folds(2), 0, lambda pieces: homology.components(pieces, fills)).groups
    assert [len(group) for group in groups] == [2] * len(spans)  # a piece of each genome
    assert all(group[0].interval == group[1].interval for group in groups)
    uncut = splits.divide([contig] * 2, 100_000, Plan.folds(2), 0, lambda pieces: homology.components(pieces, fills))
    assert [len(group) for group in uncut.groups] == [2]


@given(FILLS)
def test_components_against_growing_sets(fills):
    """Sets of pieces that share an alignment are merged until nothing changes."""
    sets = [{i} for i in range(len(PIECES))]
    for each in fills:
        sides = (each.target, each.query)
        touched = {
            i
            for i, piece in enumerate(PIECES)
            if Regions.of([piece.interval]).covered(sides[piece.genome]) > homology.TOUCH_BP
        }
        apart = [s for s in sets if not s & touched]
        sets = [*apart, set().union(*(s for s in sets if s & touched))]
    found = numbers(homology.components(PIECES, fills))
    assert sorted(found) == sorted(sorted(s) for s in sets if s)


@given(FILLS, st.integers(1, 9000), st.integers(0, 5), st.booleans())
def test_no_component_straddles_splits(fills, long_bp, seed, by_fold):
    joins = homology.long(fills, long_bp)
    sides = ([join.target for join in joins], [join.query for join in joins])
    contigs = [list(homology.cut([Interval("c", 0, 4 * WIDE)], mine)) for mine in sides]
    plan = Plan.folds(3) if by_fold else Plan.parse("0.2", "0.2")
    division = splits.divide(contigs, WIDE, plan, seed, lambda pieces: homology.components(pieces, joins))
    for genome in (0, 1):  # nothing lost, nothing twice
        mine = [piece.interval for piece, _ in division if piece.genome == genome]
        assert list(Regions.of(mine)) == [Interval("c", 0, 4 * WIDE)]
        assert sum(x.width for x in mine) == 4 * WIDE
    for join in joins:
        touched = (Regions.of([join.target]), Regions.of([join.query]))
        held = {split for piece, split in division if touched[piece.genome].covered(piece.interval) > homology.TOUCH_BP}
        assert len(held) <= 1


def test_leaks_are_aligned_bases_of_different_splits() -> None:
    # Ours: a quarter in piece 0 (train), three in 1 (test). Theirs runs backwards: its last half, in piece 5 (test),
    # pairs with our first half: train with test for a quarter; its first half, in 4 (train), with our second half.
    division = Division(("train", "test"), [[piece] for piece in PIECES], ["train", "test"] * 4)
    turned = fill((4000, 8000), (4500, 5500), "-", aligned=800)
    assert homology.leaks(division, [turned]) == {("test", "train"): 400, ("train", "test"): 200}
    # Forwards the first quarter is train with train; the second is test with train; the last half test with test.
    assert homology.leaks(division, [fill((4000, 8000), (4500, 5500), aligned=800)]) == {("test", "train"): 200}
    assert homology.leaks(division, []) == {}


@given(FILLS, st.lists(st.sampled_from(["train", "test"]), min_size=8, max_size=8))
def test_leaks_against_a_walk_along_the_alignment(fills, labels):
    division = Division(("train", "test"), [[piece] for piece in PIECES], labels)
    along = (np.arange(2000) + 0.5) / 2000
    named = np.array([*labels[:4], "", *labels[4:], ""])
    wanted = Counter[tuple[str, str]]()
    for each in fills:
        back = 1 - along if each.query.strand == "-" else along
        ours = (each.target.start + along * each.target.width) // WIDE
        theirs = (each.query.start + back * each.query.width) // WIDE
        sides = (named[np.minimum(ours, 4).astype(int)], named[np.minimum(theirs, 4).astype(int) + 5])
        for pair in ("train", "test"), ("test", "train"):
            wanted[pair] += each.aligned * np.mean((sides[0] == pair[0]) & (sides[1] == pair[1]))
    found = homology.leaks(division, fills)
    for pair in {*found, *wanted}:
        assert found.get(pair, 0) == pytest.approx(wanted[pair], abs=25 * len(fills))


def test_nothing_leaks_where_all_is_joined() -> None:
    fills = [fill((i * WIDE, (i + 1) * WIDE), (i * WIDE, (i + 1) * WIDE), aligned=4000) for i in range(4)]
    contigs = [[Interval("c", 0, 4 * WIDE)]] * 2
    plan = Plan.parse("0.25", "0.25")
    joined = splits.divide(contigs, WIDE, plan, 0, lambda pieces: homology.components(pieces, fills))
    assert homology.leaks(joined, fills) == {}
    parted = splits.divide(contigs, WIDE, plan, 0)
    assert sum(homology.leaks(parted, fills).values()) > 0


def test_names_are_those_of_the_genomes(tmp_path: Path) -> None:
    for name, chrom in (("one", "chr20"), ("two", "2")):
        (tmp_path / f"{name}.fa").write_text(f">{chrom}\n{'ACGT' * 10}\n")
    genomes = (Genome(tmp_path / "one.fa"), Genome(tmp_path / "two.fa"))
    path = tmp_path / "x.net"
    path.write_text("net 20 40\n fill 0 9 chr2 + 1 8\n fill 9 3 chrUn + 0 3\nnet chr4 9\n fill 0 9 chr2 + 0 9\n")
    net = homology.Net(path, genomes)
    wanted = [Fill(Interval("chr20", 0, 9), Interval("2", 1, 9, "+"), 8, True)]
    assert list(net) == wanted
    assert list(net) == wanted  # read anew
    with pytest.raises(InputError, match=r"aligns no sequence of two\.fa with one of one\.fa"):
        list(homology.Net(path, genomes[::-1]))
