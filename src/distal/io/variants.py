"""Where variants come from: any file that holds some, or texts; knows which reader a file needs, judges no allele.

A file is told by what is in it, never by its name: VCF, BCF, plink's .pvar, tab-separated text; plain, gzip or bgzip;
``-`` is standard input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

from distal.coords import Variant, spellings
from distal.errors import InputError
from distal.files import is_pipe
from distal.io import lines, sites, vcf
from distal.io.vcf import VcfRow

if TYPE_CHECKING:
    from distal.io.fasta import Genome

_SHOWN = 3
"""Contigs that a note names."""


@dataclass(frozen=True)
class Source:
    """Variants to score: a file (`of`) or texts (`of_texts`). Pickles; opens nothing before it is asked for rows."""

    path: str
    """The file, ``-`` for standard input; empty for texts."""
    texts: tuple[str, ...] = ()
    once: bool = False
    """Whether `rows` can be called only once: a pipe."""
    is_vcf: bool = False
    """Whether it is a VCF or BCF that can be read again, so that an annotated copy can be made."""

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """The variants of a file. `InputError` for a file that cannot be read; a pipe is looked at by `rows`."""
        if is_pipe(path):
            return cls(str(path), once=True)
        with closing(lines.read(path)) as text:
            return cls(str(path), is_vcf=_is_vcf(_head(text)))

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Self:
        """Variants such as ``chr20:42984160:C>T``, positions counted from 1. `InputError` for any other text."""
        made = cls("", texts=tuple(texts))
        for _ in made.rows():
            pass
        return made

    def rows(self) -> Iterator[VcfRow]:
        """The variants in order, one a row and ALT allele; memory does not grow with their number.

        Raises `InputError`, with file and line, for a line that is no variant, and for a file that is cut off.
        """
        if not self.path:
            yield from (_typed(i, text) for i, text in enumerate(self.texts))
            return
        with closing(lines.read(self.path)) as text:
            head = _head(text)
            reader = vcf.rows if _is_vcf(head) else sites.rows
            yield from reader(chain(head, text), lines.shown(self.path))

    def contigs(self) -> dict[str, int | None]:
        """The contigs that the header declares, with their lengths; empty where there are none, and for a pipe."""
        return vcf.contigs(self.path) if self.path and not self.once else {}


def _typed(record: int, text: str) -> VcfRow:
    variant = Variant.parse(text)
    return VcfRow(record + 1, record, variant.chrom, variant.pos, variant.name, variant.ref, variant.alt)


def _head(text: Iterable[str]) -> list[str]:
    """The lines of `text` down to the first that is neither empty nor starts with ``##``."""
    head = []
    for line in text:
        head.append(line)
        if line and not line.startswith("##"):
            break
    return head


def _is_vcf(head: list[str]) -> bool:
    """Whether a file that begins like that is a VCF: it says so, or its columns are a VCF's."""
    if not head or any(line.startswith("##fileformat=VCF") for line in head):
        return bool(head)
    columns = head[-1].split("\t")
    return len(columns) >= 5 and all(a == b for a, b in zip(columns, vcf.COLUMNS, strict=False))


def check_genome(source: Source, genome: Genome) -> list[str]:
    """Sentences on what `source`'s header has and `genome` has not; `InputError` for a contig of another length.

    Only the mitochondrion may differ: UCSC's hg19 has another one (16,571 bases) than the files that were made with it.
    """
    notes, absent, contigs = [], [], source.contigs()
    for name, length in contigs.items():
        here = _resolved(genome, name)
        if here is None:
            absent.append(name)
        elif length not in (None, genome.sizes[here]):
            said = f"{name} has {length:,} bases in {source.path} and {genome.sizes[here]:,} in {genome.path}"
            if "M" not in spellings(here):
                raise InputError(f"{said}; give the genome build that the variants were called on")
            notes.append(f"{said}: another mitochondrial sequence, where positions may not be the same")
    if absent:
        some = ", ".join(absent[:_SHOWN]) + (", …" if len(absent) > _SHOWN else "")
        notes.append(f"{len(absent)} of {len(contigs)} contigs of {source.path} are not in {genome.path}: {some}")
    return notes


def _resolved(genome: Genome, name: str) -> str | None:
    try:
        return genome.resolve(name)
    except InputError:
        return None
