"""Chains between assemblies: what each base becomes, counted one by one, and lines that are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.io import chain
from distal.io.chain import Chain, Chains
from distal.io.fasta import Genome

TEXT = """\
# two chains
chain 1000 chr1 500 + 100 160 chr9 1000 + 300 370 1
20	10	0
10	0	20
20

chain 900 chr1 500 + 200 230 chr2 400 - 50 80 2
30
"""


@pytest.fixture
def chains(tmp_path: Path) -> Chains:
    (tmp_path / "x.chain").write_text(TEXT)
    return Chains(tmp_path / "x.chain")


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (105, 115, [Interval("chr9", 305, 315, "+")]),  # in the first block, 300 - 100 = 200 further on
        (90, 110, [Interval("chr9", 300, 310, "+")]),  # only what is aligned counts
        (115, 135, [Interval("chr9", 315, 325, "+")]),  # 10 bases of chr1 that chr9 lacks: 130 follows 119
        (135, 145, [Interval("chr9", 325, 355, "+")]),  # 20 bases of chr9 that chr1 lacks lie between 139 and 140
        (120, 130, []),
        (205, 215, [Interval("chr2", 335, 345, "-")]),  # 55 to 65 from the other end: 400 - 65 = 335
        (110, 210, [Interval("chr9", 310, 370, "+"), Interval("chr2", 340, 350, "-")]),
        (160, 200, []),
    ],
)
def test_where_a_stretch_lies(chains: Chains, start: int, end: int, wanted: list[Interval]) -> None:
    assert chains.lift(Interval("chr1", start, end)) == wanted
    assert chains.lift(Interval("chr7", start, end)) == []


def test_a_packed_file_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "x.chain.gz").write_bytes(gzip.compress(TEXT.encode()))
    first, second = chain.read(tmp_path / "x.chain.gz")
    assert (first.target, first.query) == (Interval("chr1", 100, 160, "+"), Interval("chr9", 300, 370, "+"))
    assert second.query == Interval("chr2", 320, 350, "-")  # 400 - 80, 400 - 50


blocks = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=6)


@given(blocks, st.integers(0, 20), st.integers(0, 20), st.booleans(), st.integers(0, 90), st.integers(1, 60))
def test_what_is_lifted_spans_what_each_base_becomes(
    tmp_path_factory: pytest.TempPathFactory, rows, start, query_start, reverse, first, width
) -> None:
    """Bases mapped one by one, and none of the chain's arithmetic."""
    rows = [*rows[:-1], (rows[-1][0], 0, 0)]
    end, query_end = start + sum(w + t for w, t, _ in rows), query_start + sum(w + q for w, _, q in rows)
    size, strand = query_end + 5, "-" if reverse else "+"
    header = f"chain 1 a {end + 9} + {start} {end} b {size} {strand} {query_start} {query_end} 1"
    lines = [header, *(f"{w} {t} {q}" for w, t, q in rows[:-1]), str(rows[-1][0]), ""]
    path = tmp_path_factory.mktemp("chain") / "x.chain"
    path.write_text("\n".join(lines))
    becomes, here, there = {}, start, query_start
    for w, t, q in rows:
        becomes |= {here + i: size - 1 - (there + i) if reverse else there + i for i in range(w)}
        here, there = here + w + t, there + w + q
    found = [becomes[base] for base in range(first, first + width) if base in becomes]
    lifted = Chains(path).lift(Interval("a", first, first + width))
    assert lifted == ([Interval("b", min(found), max(found) + 1, strand)] if found else [])


HEADER = "chain 1 a 100 + 0 30 b 100 + 0 30 1"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("20 3\n", "line 1: no line of a UCSC chain file"),
        ("30\n", "line 1: no line"),
        (f"{HEADER}\n20 x 3\n10\n", "line 2: no line"),
        (f"{HEADER}\n20 0 0\n", "line 1: the chain has no last block"),
        (f"{HEADER}\n20 0 0\n11\n", "line 1: the blocks of the chain do not add up"),
        ("chain 1 a 100 + 0 30 b\n30\n", "line 1: .* is no chain"),
        (f"{HEADER.replace('30', '3.')}\n30\n", "line 1: .* is no chain"),
        (f"{HEADER.replace('a 100 +', 'a 100 -')}\n30\n", "target is on strand"),
        (f"{HEADER.replace('b 100 +', 'b 100 .')}\n30\n", "its query on"),
    ],
)
def test_what_is_no_chain_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "x.chain").write_text(text)
    with pytest.raises(InputError, match=complaint):
        Chains(tmp_path / "x.chain")


@pytest.mark.shared
def test_real_bases_are_the_same_on_both_assemblies(shared: Path) -> None:
    """A window of hg38's chr20 has the letters of GRCh37 where its chain says, and comes back where it was."""
    annotation, sequence = shared / "data/annotation", shared / "data/sequence"
    window = Interval("chr20", 20_218_655, 20_349_727)
    (lifted,) = Chains(annotation / "hg38ToHg19.over.chain.gz").lift(window)
    (back,) = Chains(annotation / "hg19ToHg38.over.chain.gz").lift(lifted)
    assert (back.start, back.end, lifted.width) == (window.start, window.end, window.width)
    windows = Genome(sequence / "hg38_baskerville_tiny_windows.fa.gz")
    (name,) = (name for name in windows.sizes if name.startswith("chr20"))
    ours, theirs = windows.fetch(Interval(name, 0, window.width)), Genome(sequence / "GRCh37_chr20.fa.gz").fetch(lifted)
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) / window.width > 0.999


def test_a_chain_says_what_it_spans(tmp_path: Path) -> None:
    (tmp_path / "x.chain").write_text(TEXT)
    for each in chain.read(tmp_path / "x.chain"):
        assert isinstance(each, Chain)
        assert each.starts[0] == each.target.start
        assert each.starts[-1] + each.widths[-1] == each.target.end
