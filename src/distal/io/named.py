"""What a file says of variants that it names by alleles, by place or by ID; knows columns, not what they are for.

Lists of associated variants, credible sets, allele frequencies, LD scores and ancestral alleles come as VCF (INFO), as
tables with a line of names (tabs, or spaces where it has no tab), or as bare IDs, one a line. Positions count from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from distal.errors import InputError
from distal.io import lines, vcf
from distal.io.sites import IDS, NAMES, POLARISED
from distal.io.vcf import checked


class Named(NamedTuple):
    """One variant of a list. What the list doesn't say is empty, or 0."""

    where: str
    """``FILE line 7``."""
    name: str
    chrom: str
    pos: int
    ref: str
    alt: str
    values: tuple[str, ...]
    """What was asked for, as it is written; empty where there is none."""

    def number(self, column: int) -> float:
        """A value as a number; NaN where there is none. Raises `InputError` where it is something else."""
        text = self.values[column]
        if text in ("", ".", "NA", "nan", "NaN"):
            return float("nan")
        try:
            return float(text)
        except ValueError:
            raise InputError(f"{self.where}: {text!r} is not a number") from None


def read(path: str | Path, columns: Sequence[Sequence[str]] = ()) -> Iterator[Named]:
    """The variants of a file, one a line and ALT allele, with what stands beside them.

    Each entry of `columns` holds the names that one column or INFO key may have, in lower case. Raises `InputError`,
    with file and line, for a line that names no variant, and where a table has no column of an entry.
    """
    with closing(lines.read(path)) as text:
        first = next(text, None)
        if first is None:
            raise InputError(f"{path} is empty; give a VCF, a table with a line of names, or an ID on each line")
        whole, source = chain([first], text), lines.shown(path)
        if first.startswith(("##fileformat=VCF", "#CHROM\tPOS\tID\tREF\tALT\tQUAL")):
            for row, values in vcf.beside(whole, source, columns):
                yield Named(f"{source} line {row.line}", row.name, row.chrom, row.pos, row.ref, row.alt, values)
        else:
            yield from _table(whole, source, columns)


def _table(text: Iterator[str], source: str, columns: Sequence[Sequence[str]]) -> Iterator[Named]:
    table: _Table | None = None
    for number, line in enumerate(text, start=1):
        where = f"{source} line {number}"
        if not line.strip() or (table is None and line.startswith("##")):
            continue
        if table is None:
            table = _Table.of(line, columns, where)
            if table.width > 1 or line.lstrip("#").strip().lower() in IDS:
                continue
        yield from table.variants(line, where)


class _Table(NamedTuple):
    """Where in a line of a table what stands."""

    spaced: bool
    width: int
    name: int | None
    place: tuple[int, int] | None
    alleles: tuple[int, int] | None
    columns: tuple[int, ...]

    @classmethod
    def of(cls, line: str, columns: Sequence[Sequence[str]], where: str) -> _Table:
        """From the line of names; a line of one word that is no name is the first of a list of IDs."""
        spaced = "\t" not in line
        names = [name.strip().lower() for name in _cells(line.lstrip("#"), spaced)]
        name, chrom, pos, ref, alt = (_first(names, known) for known in (IDS, *NAMES.values()))
        if ref is None and alt is None:
            ref, alt = (_first(names, known) for known in POLARISED.values())
        place = None if chrom is None or pos is None else (chrom, pos)
        alleles = None if ref is None or alt is None or place is None else (ref, alt)
        wanted = [(known, _first(names, known)) for known in columns]
        if len(names) == 1 and name is None and not columns:
            return cls(spaced, 1, 0, None, None, ())
        if name is None and place is None:
            raise InputError(f"{where}: no column names the variants; give an id, or chrom and pos (and ref, alt)")
        for known, found in wanted:
            if found is None:
                raise InputError(f"{where}: there is no column {' or '.join(known)}; it has {', '.join(names)}")
        return cls(spaced, len(names), name, place, alleles, tuple(found for _, found in wanted if found is not None))

    def variants(self, line: str, where: str) -> Iterator[Named]:
        """The variants of a line, one for each ALT."""
        cells = _cells(line, self.spaced)
        if len(cells) != self.width:
            raise InputError(f"{where}: {len(cells)} columns, the line of names has {self.width}; is it cut off?")
        name = cells[self.name] if self.name is not None else "."
        values = tuple(cells[column] for column in self.columns)
        chrom, pos, ref, alts = "", "0", "", ""
        if self.place is not None:
            chrom, pos = (cells[column] for column in self.place)
            checked(chrom, pos, where)
        if self.alleles is not None:
            ref, alts = (cells[column].upper() for column in self.alleles)
        for alt in alts.split(","):
            yield Named(where, name or ".", chrom, int(pos), ref, alt, values)


def _cells(line: str, spaced: bool) -> list[str]:
    return line.split() if spaced else [cell.strip() for cell in line.split("\t")]


def _first(names: Sequence[str], known: Sequence[str]) -> int | None:
    """Place of the first of `known` that is among the names."""
    return next((names.index(name) for name in known if name in names), None)
