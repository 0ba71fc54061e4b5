"""Fills of a net file: what is read of a line, which of them stand at the top, and lines that are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.io import net
from distal.io.net import Fill

TEXT = """\
##matrix=axtChain 16 91 -114 -31 -123
# netSyntenic
net chr1 1000
 fill 100 500 chr4 - 7000 400 id 3 score 9876 ali 350 qDup 0 type top
  gap 200 60 chr4 - 7300 20
   fill 210 40 chr9 + 55 45 id 8 score 55 ali 38 type nonSyn
  gap 300 10 chr4 - 7200 0
 fill 700 90 chr4 + 8000 80

net chrX 50
 fill 0 50 chrX + 10 50 id 9 ali 50
"""
FILLS = [
    Fill(Interval("chr1", 100, 600), Interval("chr4", 7000, 7400, "-"), 350, top=True),
    Fill(Interval("chr1", 210, 250), Interval("chr9", 55, 100, "+"), 38, top=False),
    Fill(Interval("chr1", 700, 790), Interval("chr4", 8000, 8080, "+"), 80, top=True),
    Fill(Interval("chrX", 0, 50), Interval("chrX", 10, 60, "+"), 50, top=True),
]


@pytest.mark.parametrize("packed", [False, True])
def test_fills_in_file_order(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "x.net"
    path.write_bytes(gzip.compress(TEXT.encode()) if packed else TEXT.encode())
    fills = list(net.read(path))
    assert fills == FILLS
    assert [fill.shorter for fill in fills] == [400, 40, 80, 50]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 10**6)),
        max_size=5,
    ),
    st.booleans(),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows, top) -> None:
    path, indent = tmp_path_factory.mktemp("net") / "x.net", " " if top else "   "
    path.write_text("net c 1\n" + "".join(f"{indent}fill {a} {b} d + {c} {d}\n" for a, b, c, d in rows))
    wanted = [Fill(Interval("c", a, a + b), Interval("d", c, c + d, "+"), min(b, d), top) for a, b, c, d in rows]
    assert list(net.read(path)) == wanted


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("chain 1 chr1 100", "line 2: no line of a UCSC net file"),
        (" fill 1 2 chr4 + 5", "line 2: a fill has"),
        (" fill 1 two chr4 + 5 6", "line 2: a fill has"),
        (" fill 1 2 chr4 ? 5 6", "line 2: a fill has"),
        (" fill 1 2 chr4 + 5 6 ali many", "line 2: a fill has"),
        ("net", "line 2: no line"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, line: str, match: str) -> None:
    path = tmp_path / "x.net"
    path.write_text(f"net chr1 10\n{line}\n")
    with pytest.raises(InputError, match=match):
        list(net.read(path))


def test_a_fill_belongs_to_a_chromosome(tmp_path: Path) -> None:
    path = tmp_path / "x.net"
    path.write_text(" fill 1 2 chr4 + 5 6\n")
    with pytest.raises(InputError, match="line 1"):
        list(net.read(path))
