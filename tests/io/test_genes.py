"""Genes near a place: by hand, and against a search through all of them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.io.genes import Gene, Genes
from distal.io.gtf import Feature, Kind


def feature(
    kind: Kind,
    start: int,
    end: int,
    gene: str,
    transcript: str = "",
    strand: str = "+",
    chrom: str = "chr1",
    name: str = "",
) -> Feature:
    return Feature(kind, Interval(chrom, start, end, strand), gene, name, transcript)


GENES = Genes(
    [
        feature("gene", 100, 140, "A"),
        feature("transcript", 100, 140, "A", "A1", name="Alpha"),
        feature("exon", 100, 110, "A", "A1"),
        feature("exon", 130, 140, "A", "A1"),
        feature("transcript", 120, 140, "A", "A2"),
        feature("exon", 120, 135, "A", "A2"),
        feature("transcript", 200, 260, "B", "B1", "-"),
        feature("exon", 240, 260, "B", "B1", "-"),
        feature("exon", 200, 210, "B", "B1", "-"),
        feature("gene", 150, 300, "C", "", "-", "chr2"),
        feature("exon", 10, 20, "M", "M1", chrom="MT"),
    ]
)
A = Gene("A", "Alpha", "chr1", "+", (100, 120), ((100, 110), (120, 140)))
B = Gene("B", "B", "chr1", "-", (259,), ((200, 210), (240, 260)))
C = Gene("C", "C", "chr2", "-", (299,), ())  # a gene without transcripts starts with its own row
M = Gene("M", "M", "MT", "+", (10,), ((10, 20),))  # a transcript without a row starts with its first exon


def test_genes_are_put_together_from_their_rows() -> None:
    assert GENES.touching(Interval("chr1", 0, 1000)) == [A, B]
    assert GENES.touching(Interval("2", 0, 1000)) == [C]
    assert GENES.touching(Interval("chrM", 0, 1000)) == [M]
    assert GENES.touching(Interval("chr3", 0, 1000)) == []
    assert len(GENES) == 4
    assert GENES.chroms == ("chr1", "chr2", "MT")


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (90, 100, []),
        (90, 101, [A]),
        (109, 110, [A]),
        (110, 120, []),  # an intron
        (139, 200, [A]),
        (140, 200, []),
        (140, 201, [B]),
        (210, 240, []),
        (259, 260, [B]),
        (260, 270, []),
        (105, 105, []),  # no base
        (-50, 5, []),
    ],
)
def test_genes_that_touch_an_interval(start: int, end: int, found: list[Gene]) -> None:
    assert GENES.touching(Interval("1", start, end)) == found


@pytest.mark.parametrize(
    ("position", "distance", "gene"),
    [
        (0, -100, A),  # upstream
        (100, 0, A),
        (105, 5, A),
        (110, 10, A),  # 10 from both sites of A; the left one counts
        (111, -9, A),
        (189, 69, A),  # 69 from A's second site, 70 from B's
        (190, 69, B),  # downstream of a gene on the - strand is to the left
        (259, 0, B),
        (300, -41, B),
    ],
)
def test_the_nearest_start_site(position: int, distance: int, gene: Gene) -> None:
    found = GENES.tss_distance("chr1", position)
    assert found is not None
    assert found == (distance, gene)


def test_no_start_site() -> None:
    assert GENES.tss_distance("chr9", 5) is None
    assert GENES.tss_distance("MT", 3) == (-7, M)


def test_of_genes_at_the_same_distance_the_first_of_the_file_counts() -> None:
    rows = [
        feature("transcript", 200, 300, "second", "t", "-"),
        feature("transcript", 199, 300, "third", "t"),
        feature("transcript", 299, 400, "fourth", "t"),
    ]
    found = Genes(rows).tss_distance("chr1", 249)  # 50 from 299 (twice) and from 199
    assert found is not None
    assert (found[0], found[1].id) == (50, "second")
    found = Genes(rows[1:]).tss_distance("chr1", 249)
    assert found is not None
    assert (found[0], found[1].id) == (50, "third")
    found = Genes(rows[::-1]).tss_distance("chr1", 249)
    assert found is not None
    assert (found[0], found[1].id) == (-50, "fourth")


def test_one_identifier_on_two_contigs_or_strands_is_two_genes() -> None:
    rows = [feature("transcript", 5, 9, "G", "t", chrom=chrom) for chrom in ("X", "Y")]
    both = Genes([*rows, feature("transcript", 5, 9, "G", "t", "-", "X")])
    assert len(both) == 3
    assert [gene.tss for gene in both.touching(Interval("X", 0, 50))] == [(5,), (8,)]


def test_contigs_are_one_whatever_they_are_called() -> None:
    both = Genes(
        [feature("transcript", 5, 9, "G", "t", chrom="20"), feature("transcript", 7, 9, "H", "t", chrom="chr20")]
    )
    assert [gene.id for gene in both.touching(Interval("chr20", 0, 50))] == ["G", "H"]
    assert both.chroms == ("20",)


segments = st.tuples(st.integers(0, 300), st.integers(1, 60))
rows = st.lists(
    st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("xyz"), st.sampled_from("+-"), segments), max_size=25
)


@settings(max_examples=200)
@given(rows=rows, place=segments)
def test_against_a_search_through_all_bases(
    rows: list[tuple[str, str, str, tuple[int, int]]], place: tuple[int, int]
) -> None:
    features = [
        feature("exon", start, start + n, gene, transcript, strand) for gene, transcript, strand, (start, n) in rows
    ]
    genes = Genes(features)
    start, end = place[0], place[0] + place[1]
    covered: dict[tuple[str, str], set[int]] = {}
    sites: dict[tuple[str, str], dict[str, int]] = {}
    for gene, transcript, strand, (first, n) in rows:
        covered.setdefault((gene, strand), set()).update(range(first, first + n))
        at = sites.setdefault((gene, strand), {})
        mine = first if strand == "+" else first + n - 1
        at[transcript] = mine if transcript not in at else (min if strand == "+" else max)(at[transcript], mine)
    found = genes.touching(Interval("chr1", start, end))
    inside = set(range(start, end))
    expected = [key for key in covered if covered[key] & inside or inside & set(sites[key].values())]
    assert [(gene.id, gene.strand) for gene in found] == expected
    for own in found:
        key = (own.id, own.strand)
        assert {base for low, high in own.exons for base in range(low, high)} == covered[key]
        assert all(a[1] < b[0] for a, b in zip(own.exons, own.exons[1:], strict=False))
        assert own.tss == tuple(sorted(set(sites[key].values())))
    nearest = genes.tss_distance("1", start)
    if not rows:
        assert nearest is None
    else:
        assert nearest is not None
        away = {key: min(abs(start - site) for site in places.values()) for key, places in sites.items()}
        smallest = min(away.values())
        assert abs(nearest[0]) == smallest
        assert (nearest[1].id, nearest[1].strand) == next(key for key in away if away[key] == smallest)
        assert nearest[0] == nearest[1].downstream(start)
        sign = 1 if nearest[1].strand == "+" else -1
        assert start - sign * nearest[0] in nearest[1].tss


def test_they_travel_to_workers() -> None:
    there: Genes = pickle.loads(pickle.dumps(GENES))
    assert there.touching(Interval("chr1", 0, 1000)) == [A, B]
    assert there.tss_distance("chr1", 0) == (-100, A)
    assert there.digest() == GENES.digest()


def test_the_digest_is_that_of_what_they_say() -> None:
    rows = [feature("transcript", 5, 9, "G", "t"), feature("transcript", 50, 90, "H", "t")]
    assert Genes(rows).digest() == Genes([*rows, rows[0]]).digest()
    others = [rows[::-1], rows[:1], [rows[0], rows[1]._replace(name="h")], [*rows, feature("exon", 50, 60, "H", "t")]]
    assert len({Genes(other).digest() for other in (rows, *others)}) == 5


def test_a_file_without_genes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.gff3"
    path.write_text("chr1\tx\tregion\t1\t100\t.\t.\t.\tID=r\n")
    with pytest.raises(InputError, match=r"g\.gff3 has no gene, transcript or exon"):
        Genes.read(path)


def test_many_genes_are_small_and_quick_to_find() -> None:
    draw = np.random.default_rng(0)
    starts = np.sort(draw.integers(0, 60_000_000, 20_000)).tolist()
    genes = Genes([feature("exon", start, start + 500, f"g{i}", "t") for i, start in enumerate(starts)])
    assert len(pickle.dumps(genes)) < 150 * len(genes)
    found = genes.touching(Interval("chr1", starts[777], starts[777] + 1))
    assert "g777" in [gene.id for gene in found]
