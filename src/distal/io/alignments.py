"""Aligned reads from BAM and CRAM files as stretches to be counted; knows flags and strands, not assays.

pysam's coordinates are 0-based and half-open, nothing is converted. Reads that are unmapped, secondary, supplementary,
duplicates or that failed quality checks are never counted. No index is needed: the file is read from end to end.
Source: the SAM specification, https://samtools.github.io/hts-specs
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pysam

from distal.errors import InputError
from distal.io.spans import Spans

Stretch = tuple[int, int]
_CHUNK = 1 << 18
_UNWANTED = pysam.FUNMAP | pysam.FSECONDARY | pysam.FQCFAIL | pysam.FDUP | pysam.FSUPPLEMENTARY


@dataclass(frozen=True)
class Counting:
    """What is counted of each read."""

    what: Literal["bases", "ends", "fragments"] = "bases"
    """``bases``: those it is aligned to, no skipped intron. ``ends``: its 5' end (a TSS, a cut). ``fragments``: all
    bases from one outer end of a proper pair to the other, once a pair."""
    strand: str = ""
    """Only reads on this strand, ``+`` or ``-``; the second of a pair counts as its first does."""
    mapq: int = 10
    """The least mapping quality."""
    shift: Stretch = (0, 0)
    """Bases that the 5' ends of forward and reverse reads move to the right; ATAC-seq has 4 and -5."""
    length: int = 1
    """Bases that are counted from a 5' end on, in the read's direction."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise InputError(f"a length of {self.length} counts no base; give 1 or more")


def read(path: Path, counting: Counting, fasta: Path | None = None) -> Iterator[Spans]:
    """The stretches that the reads of a file are counted on, each with 1; `fasta` is what a CRAM was made against.

    Raises `InputError` for a file that is no BAM or CRAM, or that is damaged.
    """
    try:
        with pysam.AlignmentFile(str(path), reference_filename=str(fasta) if fasta else None) as file:
            yield from _spans(file, counting)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as BAM or CRAM ({error}); copy or make it again") from None


def _spans(file: pysam.AlignmentFile, counting: Counting) -> Iterator[Spans]:
    stretches = {"bases": _bases, "ends": _ends(counting), "fragments": _fragment}[counting.what]
    chrom, edges = "", array("q")
    for aligned in file.fetch(until_eof=True):
        if _counts(aligned, counting):
            if aligned.reference_name != chrom or len(edges) >= 2 * _CHUNK:
                yield from _made(chrom, edges)
                chrom, edges = str(aligned.reference_name), array("q")
            for start, end in stretches(aligned):
                edges.extend((start, end))
    yield from _made(chrom, edges)


def _made(chrom: str, edges: array[int]) -> Iterator[Spans]:
    if edges:
        starts, ends = np.frombuffer(edges, dtype=np.int64).reshape(-1, 2).T
        yield Spans(chrom, np.maximum(starts, 0), np.maximum(ends, 0), np.ones(len(starts)))


def _counts(aligned: pysam.AlignedSegment, counting: Counting) -> bool:
    if aligned.flag & _UNWANTED or aligned.mapping_quality < counting.mapq:
        return False
    reverse = aligned.is_reverse != aligned.is_read2
    return not counting.strand or reverse == (counting.strand == "-")


def _bases(aligned: pysam.AlignedSegment) -> list[Stretch]:
    return aligned.get_blocks()


def _fragment(aligned: pysam.AlignedSegment) -> list[Stretch]:
    """The whole template, told by the leftmost read of a proper pair."""
    if not aligned.is_proper_pair or aligned.template_length <= 0:
        return []
    return [(aligned.reference_start, aligned.reference_start + aligned.template_length)]


def _ends(counting: Counting) -> Callable[[pysam.AlignedSegment], list[Stretch]]:
    forward, reverse = counting.shift

    def end(aligned: pysam.AlignedSegment) -> list[Stretch]:
        if aligned.is_reverse:
            behind = int(aligned.reference_end or 0) + reverse
            return [(behind - counting.length, behind)]
        start = aligned.reference_start + forward
        return [(start, start + counting.length)]

    return end
