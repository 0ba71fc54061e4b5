"""BEDPE: what is written is read, and lines that are none are refused with their place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from distal.coords import Interval
from distal.errors import InputError
from distal.io.bedpe import Pair, read, write

PAIRS = [
    Pair(Interval("chr1", 100, 600, "."), Interval("chr1", 9000, 9001, "-"), 0.25, "GENE|e1"),
    Pair(Interval("chr1", 700, 900, "+"), Interval("chr2", 0, 5, "."), 1e-9),
]


def test_pairs_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "x.bedpe", PAIRS)
    assert list(read(tmp_path / "x.bedpe")) == PAIRS
    first = (tmp_path / "x.bedpe").read_text().split("\n")
    assert first[:2] == [
        "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2",
        "chr1\t100\t600\tchr1\t9000\t9001\tGENE|e1\t0.25\t.\t-",
    ]


def test_eight_columns_and_gzip_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "x.bedpe.gz"
    path.write_bytes(gzip.compress(b"# made by hand\n\nchr1\t0\t5\tchr1\t9\t12\tloop\t3\n"))
    assert list(read(path)) == [Pair(Interval("chr1", 0, 5), Interval("chr1", 9, 12), 3.0, "loop")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("chr1\t0\t5\tchr1\t9\t12\tloop", "7 columns"),
        ("chr1\t0\t5\tchr1\tnine\t12\tloop\t1", "invalid literal"),
        ("chr1\t7\t5\tchr1\t9\t12\tloop\t1", "before its start"),
        ("chr1\t0\t5\tchr1\t9\t12\tloop\tnan", "no finite number"),
        ("chr1\t0\t5\tchr1\t9\t12\tloop\t.", "could not convert"),
    ],
)
def test_other_lines_are_refused_with_their_number(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "x.bedpe").write_text(f"#names\n{line}\n")
    with pytest.raises(InputError, match=rf"x\.bedpe line 2: .*{why}"):
        list(read(tmp_path / "x.bedpe"))
