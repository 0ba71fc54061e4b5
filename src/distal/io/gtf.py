"""Gene annotations as rows that name their gene, from GTF, GFF3 and BED files; knows formats, looks nothing up.

Which format a file has is told by its content; any may be compressed with gzip. GTF and GFF3 count from 1 and include
both ends, BED is 0-based and half-open. Sources: https://mblab.wustl.edu/GTF22.html, the GFF3 specification 1.26
(https://github.com/The-Sequence-Ontology/Specifications), https://genome.ucsc.edu/FAQ/FAQformat.html#format1
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

from distal.coords import Interval
from distal.errors import InputError
from distal.io import lines

Kind = Literal["gene", "transcript", "exon"]


class Feature(NamedTuple):
    """One row of an annotation: a gene, a transcript of it, or an exon."""

    kind: Kind
    interval: Interval
    """0-based, half-open, with the strand, + or -."""
    gene: str
    """The gene's identifier."""
    name: str
    """The gene's name; empty where the row gives none."""
    transcript: str
    """The identifier of the transcript, or of the one that the exon belongs to; empty for a gene."""


Row = tuple[str, list[str]]
"""Where a line stands (``FILE line 7``), and its columns."""

_KINDS: dict[str, Kind] = {"gene": "gene", "transcript": "transcript", "exon": "exon"}
_GTF_VALUE = {
    key: re.compile(rf'(?:^|;)\s*{key}\s+(?:"([^"]*)"|([^";\s]+))') for key in ("gene_id", "gene_name", "transcript_id")
}
_PARTS = re.compile(r"CDS|.*_codon|.*UTR|intron")
"""Kinds of GFF3 rows that lie in a transcript and are none."""
_DIGITS = re.compile(r"[0-9]{1,15}")


def read(path: str | Path) -> Iterator[Feature]:
    """The genes, transcripts and exons of a file; rows of other kinds, and exons that belong to no gene, are left out.

    A row of a BED file is one TSS, of the gene in column 7 or, where there are only six columns, in column 4. It is one
    base wide, or has no width, as in lists that write the 1-based position into both columns. Rows of twelve columns
    are transcripts with their exons, and the gene is in column 4. Raises `InputError`, with file and line, for
    what is none of the three formats, and for a gene without a strand.
    """
    rows = _rows(Path(path))
    first = next(rows, None)
    if first is None:
        raise InputError(f"{path} has no line to read; give genes as a GTF, GFF3 or BED file")
    where, columns = first
    if len(columns) == 9 and _DIGITS.fullmatch(columns[3]):
        form = _gtf if re.match(r"\s*\w+\s+\S", columns[8]) else _gff3
    elif len(columns) >= 6 and _DIGITS.fullmatch(columns[1]):
        form = _bed
    else:
        raise InputError(f"{where}: this is no GTF or GFF3 (nine columns) and no BED (six or more, separated by tabs)")
    yield from form(chain([first], rows))


def _gtf(rows: Iterable[Row]) -> Iterator[Feature]:
    for where, columns in rows:
        kind = _KINDS.get(_kind(where, columns))
        if kind is not None:
            gene, name, transcript = (_gtf_value(columns[8], key) for key in ("gene_id", "gene_name", "transcript_id"))
            if not gene:
                raise InputError(f'{where}: the {kind} has no gene_id; column 9 of a GTF has `gene_id "..."; ...`')
            yield Feature(kind, _interval(where, columns), gene, name, "" if kind == "gene" else transcript)


def _gtf_value(attributes: str, key: str) -> str:
    match = _GTF_VALUE[key].search(attributes)
    return (match[1] or match[2] or "") if match else ""


class _Child(NamedTuple):
    """A row of a GFF3 file that has parents: an exon, or what may be a transcript."""

    kind: Literal["transcript", "exon"]
    interval: Interval
    id: str
    parents: list[str]


def _gff3(rows: Iterable[Row]) -> Iterator[Feature]:
    """A row's parents may come behind it: it waits for them until the file's end."""
    genes: dict[str, tuple[str, str]] = {}
    parents: dict[str, str] = {}
    waiting: list[_Child] = []
    for where, columns in rows:
        kind = _kind(where, columns)
        if _PARTS.fullmatch(kind):
            continue
        values = dict(part.strip().partition("=")[::2] for part in columns[8].split(";"))
        id = unquote(values.get("ID", ""))
        if kind.endswith("gene") and id:
            name = values.get("gene_name") or values.get("Name", "")
            genes[id] = unquote(values.get("gene_id", "")) or id, unquote(name)
            yield Feature("gene", _interval(where, columns), *genes[id], "")
        elif "Parent" in values and (kind == "exon" or id):
            above = [unquote(parent) for parent in values["Parent"].split(",")]
            child = _Child("exon" if kind == "exon" else "transcript", _interval(where, columns), id, above)
            if child.kind == "transcript":
                parents[id] = child.parents[0]
            told = list(_told(child, genes, parents))
            yield from told
            if not told:
                waiting.append(child)
    for child in waiting:
        yield from _told(child, genes, parents)


def _told(child: _Child, genes: dict[str, tuple[str, str]], parents: dict[str, str]) -> Iterator[Feature]:
    """An exon once for each of its transcripts, a gene's child as a transcript; nothing where no gene is above it."""
    for parent in child.parents:
        above = _highest(parent, parents)
        if above in genes and child.kind == "exon":
            yield Feature("exon", child.interval, *genes[above], "" if parent == above else parent)
        elif parent in genes:
            yield Feature("transcript", child.interval, *genes[parent], child.id)


def _highest(id: str, parents: dict[str, str]) -> str:
    """The last of a row's ancestors that the file has; a row that is its own ancestor ends where it began."""
    passed = set()
    while id in parents and id not in passed:
        passed.add(id)
        id = parents[id]
    return id


def _bed(rows: Iterable[Row]) -> Iterator[Feature]:
    for where, columns in rows:
        if len(columns) < 6 or not all(map(_DIGITS.fullmatch, columns[1:3])):
            raise InputError(f"{where}: a BED file of genes has whole numbers in columns 2 and 3, and the strand in 6")
        start, end = int(columns[1]), int(columns[2])
        if len(columns) == 12:
            yield from _blocks(where, columns, _placed(where, Interval, columns[0], start, end, columns[5]))
        elif end > 0 and end - start in (0, 1):
            tss = _placed(where, Interval.from_one_based, columns[0], end, end, columns[5])
            yield Feature("transcript", tss, columns[6] if len(columns) == 7 else columns[3], "", columns[3])
        else:
            raise InputError(
                f"{where}: the row is {end - start} bp wide; a row is one TSS (1 bp), or a transcript in twelve columns"
            )


def _blocks(where: str, columns: list[str], whole: Interval) -> Iterator[Feature]:
    """A row of twelve columns: the transcript, and its blocks as exons."""
    sizes, offsets = ([text for text in column.split(",") if text] for column in columns[10:12])
    if len(sizes) != len(offsets) or not all(map(_DIGITS.fullmatch, sizes + offsets)):
        raise InputError(f"{where}: columns 11 and 12 of a BED file are the sizes and starts of as many blocks")
    name = columns[3]
    yield Feature("transcript", whole, name, "", name)
    for size, offset in zip(map(int, sizes), map(int, offsets), strict=True):
        start = whole.start + offset
        yield Feature("exon", Interval(whole.chrom, start, start + size, whole.strand), name, "", name)


def _kind(where: str, columns: list[str]) -> str:
    if len(columns) != 9 or not all(map(_DIGITS.fullmatch, columns[3:5])):
        raise InputError(f"{where}: a line has nine columns separated by tabs, with whole numbers in columns 4 and 5")
    return columns[2]


def _interval(where: str, columns: list[str]) -> Interval:
    """Of a row of a GTF or GFF3."""
    return _placed(where, Interval.from_one_based, columns[0], int(columns[3]), int(columns[4]), columns[6])


def _placed(
    where: str, make: Callable[[str, int, int, str], Interval], chrom: str, start: int, end: int, strand: str
) -> Interval:
    if strand not in ("+", "-"):
        raise InputError(f"{where}: strand {strand!r} is neither + nor -, so where the gene starts is not known")
    try:
        return make(chrom, start, end, strand)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _rows(path: Path) -> Iterator[Row]:
    """Lines that hold something, as columns; what is behind ``##FASTA`` in a GFF3 is sequence."""
    for number, line in enumerate(lines.read_annotation(path), start=1):
        if line.startswith(("##FASTA", ">")):
            return
        if line.strip() and not line.startswith(("#", "track", "browser")):
            yield f"{path} line {number}", line.split("\t")
