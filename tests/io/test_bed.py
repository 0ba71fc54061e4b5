"""BED rows, what is skipped, and lines that are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.io import bed
from distal.io.bed import BedRow

TEXT = """\
browser position chr7:127471196-127495720
track name="pairs" description="x"
# a comment
chr1\t0\t100

chr1\t100\t200\tpeak\t12.5\t-\textra\r
chr2 5 5 insertion
chrX\t7\t9\t\t.\t0
"""
ROWS = [
    BedRow(Interval("chr1", 0, 100)),
    BedRow(Interval("chr1", 100, 200, "-"), "peak", 12.5),
    BedRow(Interval("chr2", 5, 5), "insertion"),
    BedRow(Interval("chrX", 7, 9)),
]


@pytest.mark.parametrize("kind", ["bed", "gzip", "bgzip"])
def test_rows_in_file_order(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.bed"  # compression is told by content, not by name
    if kind == "bgzip":
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(TEXT.encode())
    else:
        path.write_bytes(gzip.compress(TEXT.encode()) if kind == "gzip" else TEXT.encode())
    assert list(bed.read(path)) == ROWS


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "x.bed"
    path.write_text("chr1\t0\t1\nnonsense\n")
    rows = bed.read(path)
    assert next(rows).interval == Interval("chr1", 0, 1)
    with pytest.raises(InputError, match="line 2"):
        next(rows)


@given(
    st.lists(
        st.tuples(st.sampled_from(["chr1", "X"]), st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from("+-."))
    )
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int, str]]) -> None:
    path = tmp_path_factory.mktemp("bed") / "x.bed"
    path.write_text("".join(f"{c}\t{start}\t{start + width}\tn\t0\t{strand}\n" for c, start, width, strand in rows))
    expected = [Interval(c, start, start + width, strand) for c, start, width, strand in rows]
    assert [row.interval for row in bed.read(path)] == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t5", "at least chromosome, start and end"),
        ("\t5\t9", "at least chromosome, start and end"),
        ("chrom\tstart\tend", "start 'start' and end 'end' must be whole numbers; put # before header lines"),
        ("chr1\t-5\t9", "start '-5'"),
        ("chr1\t5\t9.0", "end '9.0'"),
        ("chr1\t1_0\t20", "start '1_0'"),
        ("chr1\t5\t" + "9" * 30, "must be whole numbers"),
        ("chr1\t9\t5", "end 5 lies before the start 9"),
        ("\x00\x01\x02", "at least chromosome"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "x.bed"
    path.write_text(f"chr1\t0\t1\n{line}\n")
    with pytest.raises(InputError, match=message) as error:
        list(bed.read(path))
    assert str(error.value).startswith(f"{path} line 2: ")


def test_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.bed.gz").write_bytes(gzip.compress(TEXT.encode() * 99)[:-20])
    for path in (tmp_path, tmp_path / "missing.bed", tmp_path / "cut.bed.gz"):
        with pytest.raises(InputError, match="cannot be read"):
            list(bed.read(path))


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    def rows(name: str) -> list[BedRow]:
        return list(bed.read(shared / "data" / name))

    fold = rows("targets/borzoi_sequences_human.bed.gz")
    assert {row.interval.width for row in fold} == {196_608}
    assert {row.name for row in fold} == {f"fold{i}" for i in range(8)}
    windows = rows("tracks/baskerville_tiny/hg38/sequences.bed")
    assert [row.name for row in windows].count("train") == 45
    assert {row.interval.width for row in windows} == {65_536}
    genes = rows("annotation/CollapsedGeneBounds.hg19.bed.gz")
    assert (genes[0].interval, genes[0].name) == (Interval("chr1", 34_610, 36_081, "-"), "FAM138A")
    assert rows("annotation/GENCODEv19-TSSs.bed.gz")[0].interval == Interval("chr1", 11_869, 11_869, "+")
    for name in ("hg19-blacklist.v2.bed", "wgEncodeHg19ConsensusSignalArtifactRegions.bed", "refseq.hg19.chr20.bed"):
        assert rows(f"annotation/{name}")
