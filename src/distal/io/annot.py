"""Annotations of variants as LD score regression and signed LD profile regression read them; knows columns only.

``.annot.gz`` (LDSC) has ``CHR BP SNP CM`` and a column for each annotation, and a row for every variant of plink's
``.bim``, in its order. ``.sannot.gz`` (SLDP) has ``A1 A2`` behind CM too, and numbers that change their sign when the
two change places. Both are gzip, tab-separated, chromosomes without ``chr``.

Source: https://github.com/bulik/ldsc/wiki/LD-File-Formats, gprim/annotation.py in https://github.com/yakirr/gprim
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from distal.errors import InputError
from distal.files import replacing
from distal.io import lines

Pieces = Iterable[tuple[Sequence["Snp"], NDArray[Any]]]
"""Variants and their numbers, [variants, annotations]."""


class Snp(NamedTuple):
    """A line of plink's .bim. `pos` counts from 1."""

    chrom: str
    name: str
    cm: float
    """Position in centimorgan."""
    pos: int
    a1: str
    """The allele that effects are of."""
    a2: str


def write(path: Path, names: Sequence[str], pieces: Pieces, signed: bool) -> int:
    """Write an annotation file, with the alleles where it is `signed`; returns the number of variants."""
    count = 0
    with replacing(path) as temporary, temporary.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        file.write(_line(("CHR", "BP", "SNP", "CM", *(("A1", "A2") if signed else ()), *names)))
        for snps, values in pieces:
            for snp, numbers in zip(snps, values.tolist(), strict=True):
                place = (snp.chrom.removeprefix("chr"), str(snp.pos), snp.name, f"{snp.cm:g}")
                alleles = (snp.a1, snp.a2) if signed else ()
                file.write(_line((*place, *alleles, *(f"{number:.6g}" for number in numbers))))
            count += len(snps)
    return count


def _line(cells: Sequence[str]) -> bytes:
    return ("\t".join(cells) + "\n").encode()


def read_bim(path: str | Path) -> Iterator[Snp]:
    """The variants of plink's .bim. Raises `InputError`, with file and line, for a line that is none of it."""
    for number, line in enumerate(lines.read_annotation(Path(path)), start=1):
        cells = line.split()
        try:
            chrom, name, cm, pos, a1, a2 = cells
            yield Snp(chrom, name, float(cm), int(pos), a1.upper(), a2.upper())
        except ValueError:
            raise InputError(f"{path} line {number}: a .bim has chromosome, ID, cM, position and two alleles") from None
