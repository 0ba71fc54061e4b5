"""Reads of BAM and CRAM files as stretches: worked reads of every kind, and pysam's own pile-up as oracle."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pysam
import pytest

from distal.errors import InputError
from distal.io import alignments
from distal.io.alignments import Counting

SIZE = 500
READS = (
    # name, flag, start, mapping quality, CIGAR, start of the mate, template length
    ("forward", 0, 100, 60, "10M", -1, 0),
    ("reverse", 16, 200, 60, "10M", -1, 0),
    ("spliced", 0, 300, 60, "5M100N5M", -1, 0),
    ("left", 99, 20, 60, "10M", 50, 40),  # first of a proper pair, forward
    ("left", 147, 50, 60, "10M", 20, -40),  # its mate: the second of the pair, reverse
    ("poor", 0, 10, 3, "10M", -1, 0),
    ("duplicate", 1024, 10, 60, "10M", -1, 0),
    ("secondary", 256, 10, 60, "10M", -1, 0),
    ("supplementary", 2048, 10, 60, "10M", -1, 0),
    ("failed", 512, 10, 60, "10M", -1, 0),
    ("unmapped", 4, 10, 60, "10M", -1, 0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reads")
    (folder / "genome.fa").write_text(f">chr1\n{'ACGT' * (SIZE // 4)}\n")
    for name, mode in (("x.bam", "wb"), ("x.cram", "wc")):
        header = pysam.AlignmentHeader.from_references(["chr1"], [SIZE])
        with pysam.AlignmentFile(
            str(folder / name), mode, header=header, reference_filename=str(folder / "genome.fa")
        ) as file:
            for read in READS:
                file.write(_segment(header, *read))
    return folder


def _segment(
    header: pysam.AlignmentHeader, name: str, flag: int, start: int, quality: int, cigar: str, mate: int, length: int
) -> pysam.AlignedSegment:
    segment = pysam.AlignedSegment(header)
    segment.query_name, segment.flag, segment.reference_start, segment.mapping_quality = name, flag, start, quality
    segment.reference_id, segment.cigarstring, segment.query_sequence = 0, cigar, "A" * 10
    segment.query_qualities = pysam.qualitystring_to_array("I" * 10)
    if mate >= 0:
        segment.next_reference_id, segment.next_reference_start, segment.template_length = 0, mate, length
    return segment


def counted(path: Path, counting: Counting, fasta: Path | None = None) -> list[tuple[int, int]]:
    spans = list(alignments.read(path, counting, fasta))
    assert all(each.chrom == "chr1" and (each.values == 1).all() for each in spans)
    return sorted(pair for each in spans for pair in zip(each.starts.tolist(), each.ends.tolist(), strict=True))


BASES = [(20, 30), (50, 60), (100, 110), (200, 210), (300, 305), (405, 410)]


@pytest.mark.parametrize("name", ["x.bam", "x.cram"])
def test_aligned_bases_without_introns(folder: Path, name: str) -> None:
    assert counted(folder / name, Counting(), folder / "genome.fa") == BASES


def test_ends_shifted_and_lengthened(folder: Path) -> None:
    # forward reads from their first base on, reverse reads (base 209, base 59) back from their last
    ends = [(20, 21), (59, 60), (100, 101), (209, 210), (300, 301)]
    assert counted(folder / "x.bam", Counting("ends")) == ends
    moved = [(24, 25), (54, 55), (104, 105), (204, 205), (304, 305)]
    assert counted(folder / "x.bam", Counting("ends", shift=(4, -5))) == moved
    longer = [(20, 220), (0, 60), (100, 300), (10, 210), (300, 500)]
    assert counted(folder / "x.bam", Counting("ends", length=200)) == sorted(longer)


def test_fragments_are_counted_once_a_pair(folder: Path) -> None:
    assert counted(folder / "x.bam", Counting("fragments")) == [(20, 60)]


def test_strands_are_those_of_the_first_of_a_pair(folder: Path) -> None:
    assert counted(folder / "x.bam", Counting(strand="-")) == [(200, 210)]
    assert counted(folder / "x.bam", Counting(strand="+")) == [pair for pair in BASES if pair != (200, 210)]
    assert counted(folder / "x.bam", Counting("fragments", strand="-")) == []


def test_mapping_quality(folder: Path) -> None:
    assert counted(folder / "x.bam", Counting(mapq=0)) == sorted([*BASES, (10, 20)])
    assert counted(folder / "x.bam", Counting(mapq=61)) == []


def test_the_pile_is_pysams(folder: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    header = pysam.AlignmentHeader.from_references(["chr1"], [SIZE])
    with pysam.AlignmentFile(str(tmp_path / "x.bam"), "wb", header=header) as file:
        for start in np.sort(random.integers(0, SIZE - 60, 300)).tolist():
            file.write(
                _segment(
                    header,
                    "r",
                    int(random.choice([0, 16])),
                    start,
                    60,
                    str(random.choice(["10M", "4M30N6M", "3M2D7M"])),
                    -1,
                    0,
                )
            )
    pysam.index(str(tmp_path / "x.bam"))
    pile = Counter(base for start, end in counted(tmp_path / "x.bam", Counting()) for base in range(start, end))
    with pysam.AlignmentFile(str(tmp_path / "x.bam")) as file:
        expected = np.sum(file.count_coverage("chr1", quality_threshold=0), axis=0)
    np.testing.assert_array_equal([pile[base] for base in range(SIZE)], expected)


def test_files_that_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.bam").write_text("chr1\t0\t10\n")
    (tmp_path / "cut.bam").write_bytes((folder / "x.bam").read_bytes()[:-40])
    for name in ("text.bam", "cut.bam", "missing.bam"):
        with pytest.raises(InputError, match=f"{name} cannot be read as BAM or CRAM"):
            counted(tmp_path / name, Counting())
