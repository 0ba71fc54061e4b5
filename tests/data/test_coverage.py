"""Every kind of file as the signal of single bases: one pile written in six formats, options, and what is refused."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest

from distal.coords import Interval
from distal.data import coverage
from distal.data.coverage import InPlace, Prepared, Signal
from distal.errors import InputError
from distal.io import bigwig

FRAGMENTS = ((10, 30), (12, 25), (12, 25), (60, 61))
"""What lies on chr1, 0-based and half-open."""
PILE = np.sum([[start <= base < end for base in range(100)] for start, end in FRAGMENTS], axis=0).astype(float)
COVERED = (PILE > 0).astype(float)
ENDS = np.bincount([base for start, end in FRAGMENTS for base in (start, end - 1)], minlength=100).astype(float)
STARTS = np.bincount([start for start, _ in FRAGMENTS], minlength=100).astype(float)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same fragments in every format, and as much on a chromosome that no window lies on."""
    folder = tmp_path_factory.mktemp("signal")
    rows = [f"{chrom}\t{start}\t{end}" for chrom in ("chr1", "chrUn") for start, end in FRAGMENTS]
    (folder / "x.fragments.tsv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    (folder / "x.bed").write_text("\n".join(rows))
    edges = np.flatnonzero(np.diff(PILE, prepend=0, append=0))
    pieces = [(start, end, PILE[start]) for start, end in pairwise(edges) if PILE[start]]
    (folder / "x.bdg").write_text("".join(f"1\t{start}\t{end}\t{value:g}\n" for start, end, value in pieces))
    records = [(Interval("chr1", int(s), int(e)), np.array([v], np.float32), int(e - s)) for s, e, v in pieces]
    bigwig.write(folder / "x.bw", {"chr1": 100}, records)
    lines = [
        f"{chrom}\t{start + 1}\t{strand}\t1" for chrom in ("chr1", "chrUn") for start, _ in FRAGMENTS for strand in "+-"
    ]
    (folder / "x.tsv").write_text("\n".join(["chrom\tpos\tstrand\tcount", *lines]))
    header = pysam.AlignmentHeader.from_references(["chr1"], [100])
    with pysam.AlignmentFile(str(folder / "x.bam"), "wb", header=header) as file:
        for start, end in FRAGMENTS:
            row = ["r", "0", "chr1", str(start + 1), "60", f"{end - start}M", "*", "0", "0", "A" * (end - start), "*"]
            file.write(pysam.AlignedSegment.fromstring("\t".join(row), header))
    return folder


SIZES = {"chr1": 100, "chr2": 50}


def signal(folder: Path, text: str, out: Path, sizes: Mapping[str, int] = SIZES) -> Signal:
    source = coverage.source_of(text, folder)
    if source.in_place:
        return InPlace(source.path)
    coverage.prepare(source, folder / "genome.fa", sizes, out / "steps")
    return Prepared(out / "steps")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.bw", np.where(COVERED, PILE, np.nan)),
        ("x.bdg", np.where(COVERED, PILE, np.nan)),
        ("x.bam", PILE),
        ("x.bam?count=ends", STARTS),
        ("x.bam?count=ends&strand=-", None),
        ("x.fragments.tsv.gz", ENDS),
        ("x.fragments.tsv.gz?count=whole", PILE),
        ("x.bed", COVERED),
        ("x.bed?format=fragments", ENDS),
        ("x.tsv?strand=+", STARTS),
        ("x.tsv", 2 * STARTS),
    ],
)
def test_the_value_of_every_base(folder: Path, tmp_path: Path, text: str, expected: object) -> None:
    if expected is None:
        with pytest.raises(InputError, match=r"has nothing on the windows' chromosomes; those in it: none"):
            signal(folder, text, tmp_path)
        return
    found = signal(folder, text, tmp_path)
    assert list(found.chroms) == ["chr1"]
    for start, end in ((0, 100), (11, 13), (61, 90), (40, 40)):
        np.testing.assert_array_equal(found.bases(Interval("chr1", start, end)), np.asarray(expected)[start:end])
    assert np.isnan(found.bases(Interval("chr2", 0, 10))).all()


def test_off_the_chromosome(folder: Path, tmp_path: Path) -> None:
    # a bigWig knows where its chromosome ends; what is counted is 0 there
    assert np.isnan(InPlace(folder / "x.bw").bases(Interval("chr1", -5, 0))).all()
    np.testing.assert_array_equal(signal(folder, "x.bam", tmp_path).bases(Interval("chr1", 98, 103)), np.zeros(5))


def test_what_is_left_of_a_killed_preparation_is_cleared_away(folder: Path, tmp_path: Path) -> None:
    (tmp_path / ".part.steps").mkdir()
    (tmp_path / ".part.steps" / "chr1").write_bytes(b"half")
    np.testing.assert_array_equal(signal(folder, "x.bam", tmp_path).bases(Interval("chr1", 0, 100)), PILE)
    assert [path.name for path in tmp_path.iterdir()] == ["steps"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y.bw", "is not there"),
        ("x.txt", r"no known format; add \?format="),
        ("x.bw?format=wig", "no known format"),
        ("x.bw?strand=+", "bigwig files take no option, not 'strand'"),
        ("x.bam?count=pairs", "count is 'pairs'; give bases or ends or fragments"),
        ("x.bam?strand=x", r"strand is 'x'; give \+ or -"),
        ("x.bam?mapq=high", "mapq takes 1 whole number"),
        ("x.bam?shift=4", "shift takes 2 whole number"),
        ("x.bam?length=0", "a length of 0 counts no base"),
        ("x.bed?value=two", "value is 'two'; give one or signal"),
        ("x.fragments.tsv.gz?count=cells", "count is 'cells'; give ends or whole"),
    ],
)
def test_what_is_refused_before_a_file_is_opened(folder: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        coverage.source_of(text, folder)


def test_another_assembly_is_noticed(folder: Path, tmp_path: Path) -> None:
    source = coverage.source_of("x.tsv", folder)
    with pytest.raises(
        InputError, match=r"x\.tsv: chr1 goes on behind its 60 bases in the genome; is it another assembly"
    ):
        coverage.prepare(source, folder / "genome.fa", {"chr1": 60}, tmp_path / "steps")
    coverage.prepare(source, folder / "genome.fa", {"chr1": 61}, tmp_path / "steps")
    with pytest.raises(InputError, match=r"x\.bw: chr1 has 100 bases, 101 in the genome; is it another assembly"):
        coverage.check_sizes(coverage.source_of("x.bw", folder), {"1": 101})
    coverage.check_sizes(coverage.source_of("x.bw", folder), {"chr1": 100, "chr9": 5})
    coverage.check_sizes(source, {"chr1": 60})  # a table of counts says no lengths


def test_columns_that_a_table_lacks(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column sample"):
        signal(folder, "x.tsv?sample=a", tmp_path)


def test_a_bedgraph_that_contradicts_itself(tmp_path: Path) -> None:
    (tmp_path / "x.bedgraph").write_text("chr1\t0\t10\t1\nchr1\t9\t12\t2\n")
    with pytest.raises(InputError, match=r"x\.bedgraph: chr1:\[9, 12\) overlaps another stretch"):
        signal(tmp_path, "x.bedgraph", tmp_path)
    assert not (tmp_path / "steps").exists()


@pytest.mark.shared
def test_every_cut_of_a_real_file_is_counted(shared: Path, tmp_path: Path) -> None:
    # 50,000 fragments of chr20, both ends of each
    text = bz2.decompress((shared / "data/tracks/esatac/chr20.50000.bed.bz2").read_bytes()).decode()
    (tmp_path / "x.fragments.bed").write_text(text)
    found = signal(tmp_path, "x.fragments.bed", tmp_path, {"20": 63_025_520}).bases(Interval("20", 0, 14_000_000))
    expected = np.zeros(14_000_000)
    for line in text.splitlines():
        start, end = map(int, line.split("\t")[1:3])
        expected[start] += 1
        expected[end - 1] += 1
    assert expected.sum() == 100_000
    np.testing.assert_array_equal(found, expected)
