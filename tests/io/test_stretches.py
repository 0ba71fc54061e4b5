"""The text formats of measured signal: bedGraph, peaks, fragments, counts per base; worked lines, and lines refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from distal.errors import InputError
from distal.io import bedgraph, columns, counts, fragments, narrowpeak
from distal.io.spans import Spans

Read = Callable[[Path], Iterator[Spans]]


def stretches(read: Read, path: Path, text: str) -> list[tuple[str, int, int, float]]:
    """What a reader makes of a file with this text, stretch by stretch."""
    path.write_text(text)
    return [
        (spans.chrom, *row)
        for spans in read(path)
        for row in zip(spans.starts.tolist(), spans.ends.tolist(), spans.values.tolist(), strict=True)
    ]


def test_bedgraph(tmp_path: Path) -> None:
    text = "# made\ntrack type=bedGraph\nchr1\t0\t10\t1.5\n\nchr1\t10\t11\t-2\nchr2\t5\t6\t1e3\n"
    expected = [("chr1", 0, 10, 1.5), ("chr1", 10, 11, -2.0), ("chr2", 5, 6, 1000.0)]
    assert stretches(bedgraph.read, tmp_path / "x.bedgraph", text) == expected
    assert stretches(bedgraph.read, tmp_path / "s.bedgraph", text.replace("\t", "  ")) == expected
    (tmp_path / "x.bedgraph.gz").write_bytes(gzip.compress(text.encode()))
    assert [spans.chrom for spans in bedgraph.read(tmp_path / "x.bedgraph.gz")] == ["chr1", "chr2"]


def test_peaks_are_one_high_or_as_high_as_their_signal(tmp_path: Path) -> None:
    text = "chr1\t10\t20\tp1\t900\t.\t7.5\t3\t2\t5\nchr1\t15\t30\tp2\t900\t.\t2.5\t3\t2\t5\n"
    ones = stretches(partial(narrowpeak.read, signal=False), tmp_path / "x.narrowPeak", text)
    assert ones == [("chr1", 10, 20, 1.0), ("chr1", 15, 30, 1.0)]
    high = stretches(partial(narrowpeak.read, signal=True), tmp_path / "x.narrowPeak", text)
    assert high == [("chr1", 10, 20, 7.5), ("chr1", 15, 30, 2.5)]
    with pytest.raises(InputError, match="line 1: there is no column signalValue"):
        stretches(partial(narrowpeak.read, signal=True), tmp_path / "x.bed", "chr1\t10\t20\n")


def test_fragments_are_counted_at_both_ends_or_whole(tmp_path: Path) -> None:
    # bases 10 to 13 of a fragment: the transposase cut at 10 and at 13
    text = "# id=x\nchr1\t10\t14\tAAAC-1\t3\nchr1\t12\t13\tAAAG-1\t1\n"
    ends = stretches(partial(fragments.read, whole=False), tmp_path / "fragments.tsv", text)
    assert sorted(ends) == [("chr1", 10, 11, 1.0), ("chr1", 12, 13, 1.0), ("chr1", 12, 13, 1.0), ("chr1", 13, 14, 1.0)]
    whole = stretches(partial(fragments.read, whole=True), tmp_path / "fragments.tsv", text)
    assert whole == [("chr1", 10, 14, 1.0), ("chr1", 12, 13, 1.0)]


TSS = "sample\tchrom\tpos1\tstrand\tcount\na\tI\t1\t+\t2\nb\tI\t7\t-\t5\na\tI\t7\t-\t1\na\tII\t3\t+\t4\n"


def test_counts_of_some_lines(tmp_path: Path) -> None:
    # the first base of a chromosome is 1 in the file and 0 here
    path = tmp_path / "x.tsv"
    assert stretches(counts.read, path, TSS) == [("I", 0, 1, 2), ("I", 6, 7, 5), ("I", 6, 7, 1), ("II", 2, 3, 4)]
    minus = partial(counts.read, where={"strand": ["-"]})
    assert stretches(minus, path, TSS) == [("I", 6, 7, 5), ("I", 6, 7, 1)]
    both = partial(counts.read, where={"strand": ["-"], "sample": ["a", "c"]})
    assert stretches(both, path, TSS) == [("I", 6, 7, 1)]


def test_counts_of_a_column_and_positions_from_0(tmp_path: Path) -> None:
    text = "chr\tstart\tplus\tminus\nI\t0\t2\t0.5\n"
    assert stretches(partial(counts.read, count="minus"), tmp_path / "x.tsv", text) == [("I", 0, 1, 0.5)]
    assert stretches(partial(counts.read, count="plus"), tmp_path / "x.tsv", text) == [("I", 0, 1, 2)]
    with pytest.raises(InputError, match=r"no column count or counts or score or value .*\(chr, start, plus, minus\)"):
        stretches(counts.read, tmp_path / "x.tsv", text)
    with pytest.raises(InputError, match="no column strand"):
        stretches(partial(counts.read, count="plus", where={"strand": ["+"]}), tmp_path / "x.tsv", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t1\t2\t3\nchr1\t5\tx\t1\n", "line 2: end must be a whole number"),
        ("chr1\t1\t2\t3\n\n#\nchr1\t5\t6\n", "line 4: there is no column value"),
        ("chr1\t1\t2\tnan\n", "line 1: value must be a number"),
        ("chr1\t5\t5\t1\n", "line 1: the end must lie behind the start"),
        ("chr1\t-1\t5\t1\n", "line 1: the end must lie behind the start, and the start not below 0"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stretches(bedgraph.read, tmp_path / "x.bedgraph", text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "cut.bedgraph.gz").write_bytes(gzip.compress(b"chr1\t0\t1\t1\n" * 9999)[:-20])
    for name in ("cut.bedgraph.gz", "missing.bedgraph"):
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            list(bedgraph.read(tmp_path / name))


def test_an_empty_file_has_no_stretch(tmp_path: Path) -> None:
    assert stretches(bedgraph.read, tmp_path / "x.bedgraph", "") == []
    assert stretches(counts.read, tmp_path / "x.tsv", "\n\n") == []
    assert stretches(counts.read, tmp_path / "x.tsv", TSS.split("\n")[0]) == []


def test_pieces_join_to_the_whole(tmp_path: Path) -> None:
    # more lines than one piece has: line numbers and chromosomes go on where the piece before ended
    n = columns.PIECE + 10
    rows = [f"chr{1 + 2 * i // n}\t{i}\t{i + 1}\t{i % 7}" for i in range(n)]
    spans = list(bedgraph.read(_written(tmp_path / "x.bedgraph", rows)))
    assert [len(each.starts) for each in spans] == [n // 2, columns.PIECE - n // 2, 10]
    np.testing.assert_array_equal(np.concatenate([each.starts for each in spans]), np.arange(n))
    rows[-1] = "chr2\tx\t1\t1"
    with pytest.raises(InputError, match=f"line {n}: start"):
        list(bedgraph.read(_written(tmp_path / "x.bedgraph", rows)))


def _written(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows))
    return path


@pytest.mark.shared
def test_the_start_sites_of_yeast(shared: Path) -> None:
    path = shared / "data/tracks/yeast/S288C_STRIPEseq_TSS_counts.tsv.gz"
    found: dict[str, float] = {}
    for spans in counts.read(path, where={"sample": ["S288C_WT_1"], "strand": ["+"]}):
        found[spans.chrom] = found.get(spans.chrom, 0) + spans.values.sum()
    expected: dict[str, float] = {}
    with gzip.open(path, "rt") as file:
        for line in file:
            sample, chrom, _, strand, count = line.split("\t")
            if (sample, strand) == ("S288C_WT_1", "+"):
                expected[chrom] = expected.get(chrom, 0) + int(count)
    assert found == expected
    assert len(found) == 17
