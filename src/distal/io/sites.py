"""Variants from tables whose columns have names: plink's .pvar and tab-separated text; knows no VCF.

Lines that start with ``##`` come first (a .pvar may have them), then a line that names the columns, in any order, then
a variant a line, tab-separated; several ALT alleles are separated by commas. Columns that are not needed are not read.
Lists of ancestral and derived alleles are read too: the ancestral one stands for REF.
Without names there must be four columns (chromosome, position, REF, ALT) or five (the ID third): a .bim has no names,
and which of its alleles is the genome's it doesn't say. Positions count from 1.

Source: https://www.cog-genomics.org/plink/2.0/formats#pvar
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from distal.errors import InputError
from distal.io.vcf import VcfRow, alleles, checked

NAMES = {
    "chrom": ("chrom", "chr", "chromosome", "contig", "seqnames"),
    "pos": ("pos", "position", "bp", "base_pair_location"),
    "ref": ("ref", "reference", "ref_allele", "reference_allele"),
    "alt": ("alt", "alternate", "alternative", "alt_allele", "alternate_allele"),
}
POLARISED = {"ref": ("ancestral", "ancestral_allele", "aa"), "alt": ("derived", "derived_allele")}
"""What stands for REF and ALT in lists of changes along a lineage, where nothing is called REF or ALT."""
IDS = ("id", "rsid", "rs_id", "snp", "snpid", "snp_id", "variant_id", "variant", "marker", "name")
"""What the column of names may be called; the first that there is counts."""
_UNNAMED = {4: (0, 1, None, 2, 3), 5: (0, 1, 2, 3, 4)}


class _Columns(NamedTuple):
    """Where the five columns of a variant are, counted from 0, and how many there are in all."""

    chrom: int
    pos: int
    name: int | None
    ref: int
    alt: int
    width: int

    def of(self, fields: Sequence[str]) -> tuple[str, str, str, str, str]:
        name = "." if self.name is None else fields[self.name]
        return fields[self.chrom], fields[self.pos], name, fields[self.ref], fields[self.alt]


def rows(text: Iterable[str], source: str) -> Iterator[VcfRow]:
    """The rows of a table in file order, one per ALT allele; `text` are its lines, `source` its name in messages.

    Raises `InputError`, with file and line, where the columns are not known or a line doesn't have them.
    """
    columns, record = None, 0
    for number, line in enumerate(text, start=1):
        where = f"{source} line {number}"
        if not line or (columns is None and line.startswith("##")):
            continue
        fields = line.split("\t")
        if columns is None:
            columns = _named(fields, where)
            if columns is not None:
                continue
            columns = _unnamed(fields, where)
        yield from alleles(number, record, _site(fields, columns, where))
        record += 1
    if columns is None:
        raise InputError(f"{source} holds no variants and names no columns; is it the right file?")


def _site(fields: list[str], columns: _Columns, where: str) -> tuple[str, str, str, str, str]:
    if len(fields) != columns.width:
        raise InputError(f"{where}: {len(fields)} columns separated by tabs, not {columns.width}; is the line cut off?")
    if fields[0].startswith("#"):
        raise InputError(f"{where}: a comment between variants, or a damaged line; delete it")
    site = columns.of(fields)
    checked(site[0], site[1], where)
    return site


def _named(fields: list[str], where: str) -> _Columns | None:
    """The columns of a line that names them; None where it has a number for a position: it is a variant."""
    names = [field.strip().lower() for field in fields]
    names[0] = names[0].removeprefix("#").strip()
    found = {column: [i for i, name in enumerate(names) if name in known] for column, known in NAMES.items()}
    if not (found["ref"] or found["alt"]):
        found |= {column: [i for i, name in enumerate(names) if name in known] for column, known in POLARISED.items()}
    for column, places in found.items():
        if len(places) > 1:
            called = " and ".join(fields[place] for place in places)
            raise InputError(f"{where}: {called} both name the column {column}; rename one of them")
    if all(found.values()):
        name = next((names.index(known) for known in IDS if known in names), None)
        chrom, pos, ref, alt = (places[0] for places in found.values())
        return _Columns(chrom, pos, name, ref, alt, len(names))
    if any(found.values()) or not any(field.isdigit() for field in fields):
        missing = ", ".join(column for column, places in found.items() if not places)
        raise InputError(f"{where}: no column is named {missing}; name chrom, pos, ref and alt, separated by tabs")
    return None


def _unnamed(fields: list[str], where: str) -> _Columns:
    """The columns of a table without names, from its first line."""
    count = len(fields)
    if count not in _UNNAMED:
        raise InputError(
            f"{where}: {count} columns without names; put a line with chrom, pos, ref and alt above them (a .bim "
            "doesn't say which allele is the genome's: make a .pvar of it, `plink2 --ref-from-fa --make-just-pvar`)"
        )
    columns = _Columns(*_UNNAMED[count], count)
    if any(allele.isdigit() for allele in columns.of(fields)[3:]):
        raise InputError(f"{where}: the alleles are numbers; the columns must be chrom, pos, ref, alt")
    return columns
