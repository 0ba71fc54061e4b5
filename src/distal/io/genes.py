"""Genes, and which of them lie near a place: start sites and exons; knows positions, not the files they come from.

Contigs match whatever their spelling: chr20 is 20. A gene has the start sites of all its transcripts and the union of
their exons.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, spellings
from distal.errors import InputError
from distal.io import gtf

Array = NDArray[np.int64]

_CONTIG = 1 << 40
"""Further apart than two bases of any contig: positions of several genes are sorted and merged in one array."""
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Gene:
    """One gene on one strand of one contig."""

    id: str
    name: str
    """The identifier again where the file gives no name."""
    chrom: str
    """As the file spells it."""
    strand: str
    """``+`` or ``-``."""
    tss: tuple[int, ...]
    """0-based positions of the first bases of its transcripts, ascending."""
    exons: tuple[tuple[int, int], ...]
    """0-based half-open, ascending; those that overlap or abut are one. Empty in a file of start sites."""

    def downstream(self, position: int) -> int:
        """Bases from the nearest TSS to `position`, positive in the direction of transcription.

        Of two start sites at the same distance the one further left counts.
        """
        nearest = min(self.tss, key=lambda tss: abs(position - tss))
        return position - nearest if self.strand == "+" else nearest - position


class Genes:
    """Look-ups over an annotation: which genes touch an interval, which TSS is nearest. Pickles as its arrays."""

    def __init__(self, features: Iterable[gtf.Feature]) -> None:
        """Genes in the order in which `features` name them first; one identifier on two contigs is two genes."""
        gathered = _Gathered()
        for feature in features:
            gathered.add(feature)
        self._facts = [(id, name or id, chrom, strand) for (chrom, strand, id), name in gathered.names.items()]
        self._tss = _Runs.of(gathered.start_sites(), len(self._facts))
        self._exons = _Runs.of(gathered.exon_union(), len(self._facts))
        self._contigs = self._by_contig()
        self._gene = lru_cache(_KEPT)(self._made)

    @classmethod
    def read(cls, path: str | Path) -> Genes:
        """From a GTF, GFF3 or BED file (see `gtf.read`). Raises `InputError` where it holds no gene."""
        genes = cls(gtf.read(path))
        if not len(genes):
            raise InputError(f"{path} has no gene, transcript or exon; give a GTF, GFF3 or BED file of genes")
        return genes

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        return f"Genes({len(self):,} on {', '.join(self.chroms[:3])}{', ...' if len(self.chroms) > 3 else ''})"

    @property
    def chroms(self) -> tuple[str, ...]:
        """The contigs that have a gene, as the file first spells them, in its order."""
        return tuple({_contig(chrom): chrom for _, _, chrom, _ in reversed(self._facts)}.values())[::-1]

    def digest(self) -> str:
        """SHA-256 (hex) of all that the look-ups go by, in order; the same for two files that say the same."""
        made = hashlib.sha256("".join("\t".join(facts) + "\n" for facts in self._facts).encode())
        for rows in (self._tss.rows, self._exons.rows):
            made.update(np.ascontiguousarray(rows, dtype="<i8").tobytes() + b"\n")
        return made.hexdigest()

    def named(self, name: str) -> list[Gene]:
        """The genes of that name or identifier, without regard to case and to an identifier's version, in file order.

        Raises `InputError` where there is none.
        """
        wanted = name.lower()
        found = [
            self._gene(gene)
            for gene, (id, known, _, _) in enumerate(self._facts)
            if wanted in (known.lower(), id.lower(), id.lower().partition(".")[0])
        ]
        if not found:
            near = get_close_matches(name, {known for _, known, _, _ in self._facts}, n=1)
            meant = f"did you mean {near[0]}?" if near else "give a name or an identifier that it has"
            raise InputError(f"the annotation has no gene {name!r}; {meant}")
        return found

    def one(self, name: str) -> Gene:
        """The gene of that name or identifier (see `named`). Raises `InputError` where several have it, or none."""
        found = self.named(name)
        if len(found) > 1:
            which = ", ".join(f"{gene.id} on {gene.chrom}" for gene in found)
            raise InputError(f"{name} names {len(found)} genes: {which}; give the identifier of one")
        return found[0]

    def touching(self, interval: Interval) -> list[Gene]:
        """The genes with a TSS or a base of an exon inside `interval`, in the order of the file."""
        contig = self._contigs.get(_contig(interval.chrom))
        if contig is None or not interval.width:
            return []
        found = np.union1d(contig.starting(interval), contig.transcribed(interval))
        return [self._gene(gene) for gene in found.tolist()]

    def tss_distance(self, chrom: str, position: int) -> tuple[int, Gene] | None:
        """Signed distance of the 0-based `position` to the nearest TSS, and its gene; None where the contig has none.

        Positive is downstream: the direction in which the gene is transcribed. Of several genes at the same distance
        the first of the file counts.
        """
        contig = self._contigs.get(_contig(chrom))
        if contig is None or not contig.tss.size:
            return None
        gene = self._gene(contig.nearest(position))
        return gene.downstream(position), gene

    def _made(self, gene: int) -> Gene:
        exons = zip(*(column.tolist() for column in self._exons.columns(gene)), strict=True)
        return Gene(*self._facts[gene], tuple(self._tss.columns(gene)[0].tolist()), tuple(exons))

    def _by_contig(self) -> dict[str, _Contig]:
        keys = np.array([_contig(chrom) for _, _, chrom, _ in self._facts], dtype=object)
        contigs = {}
        for key in dict.fromkeys(keys.tolist()):
            wanted = keys == key
            contigs[key] = _Contig.of(self._tss.of_genes(wanted), self._exons.of_genes(wanted))
        return contigs

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_gene"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._gene = lru_cache(_KEPT)(self._made)


@lru_cache(_KEPT)
def _contig(chrom: str) -> str:
    """One of the spellings of a contig, the same for all of them."""
    return min(spellings(chrom))


class _Gathered:
    """What the rows of an annotation say of each gene, as compact as they come."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str, str], str] = {}
        """(contig, strand, identifier) -> name, in order of first appearance."""
        self._number: dict[tuple[str, str, str], int] = {}
        self._extents: dict[tuple[int, str], tuple[int, int]] = {}
        """(gene, transcript) -> start, end; transcript "" is the gene's own row."""
        self._exons = array("q")

    def add(self, feature: gtf.Feature) -> None:
        """Take in one row."""
        at = feature.interval
        key = (at.chrom, at.strand, feature.gene)
        gene = self._number.setdefault(key, len(self._number))
        self.names[key] = self.names.get(key) or feature.name
        start, end = self._extents.get((gene, feature.transcript), (at.start, at.end))
        self._extents[gene, feature.transcript] = min(start, at.start), max(end, at.end)
        if feature.kind == "exon":
            self._exons.extend((gene, at.start, at.end))

    def start_sites(self) -> Array:
        """(gene, position of the first base of a transcript), [n, 2] ascending, no pair twice.

        A gene without transcripts starts with its own row.
        """
        strands = [strand for _, strand, _ in self._number]
        split = {gene for gene, transcript in self._extents if transcript}
        sites = [
            (gene, start if strands[gene] == "+" else end - 1)
            for (gene, transcript), (start, end) in self._extents.items()
            if transcript or gene not in split
        ]
        return np.unique(np.array(sites, dtype=np.int64).reshape(-1, 2), axis=0)

    def exon_union(self) -> Array:
        """(gene, start, end) of all transcripts' exons, [n, 3] ascending; those that overlap or abut are joined."""
        rows = np.frombuffer(self._exons, dtype=np.int64).reshape(-1, 3)
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        if not len(rows):
            return rows
        starts, ends = (rows[:, 0] * _CONTIG + rows[:, i] for i in (1, 2))
        furthest = np.maximum.accumulate(ends)
        first = np.flatnonzero(np.concatenate([[True], starts[1:] > furthest[:-1]]))
        last = np.append(first[1:], len(rows)) - 1
        return np.column_stack([rows[first, 0], rows[first, 1], furthest[last] - rows[first, 0] * _CONTIG])


@dataclass(frozen=True, eq=False)
class _Runs:
    """Rows [n, 1 + k], the gene first and ascending, and where the rows of each gene begin."""

    rows: Array
    begins: Array

    @classmethod
    def of(cls, rows: Array, genes: int) -> _Runs:
        return cls(rows, np.searchsorted(rows[:, 0], np.arange(genes + 1)))

    def columns(self, gene: int) -> tuple[Array, ...]:
        """What there is of one gene, without the gene's number."""
        return tuple(self.rows[self.begins[gene] : self.begins[gene + 1], 1:].T)

    def of_genes(self, wanted: NDArray[np.bool_]) -> Array:
        """The rows of the genes that are `wanted`, bool[genes]."""
        chosen: Array = self.rows[wanted[self.rows[:, 0]]]
        return chosen


@dataclass(frozen=True, eq=False)
class _Contig:
    """The start sites and exons of one contig, sorted."""

    tss: Array
    tss_gene: Array
    """Of equal positions the first of the file comes first."""
    exon_start: Array
    exon_end: Array
    exon_gene: Array
    furthest: Array
    """The largest end of an exon so far: ascending, so that it can be searched."""

    @classmethod
    def of(cls, tss: Array, exons: Array) -> _Contig:
        """From (gene, position) and (gene, start, end)."""
        tss = tss[np.lexsort((tss[:, 0], tss[:, 1]))]
        exons = exons[np.argsort(exons[:, 1], kind="stable")]
        return cls(tss[:, 1], tss[:, 0], exons[:, 1], exons[:, 2], exons[:, 0], np.maximum.accumulate(exons[:, 2]))

    def starting(self, interval: Interval) -> Array:
        """The genes with a TSS in `interval`."""
        low, high = np.searchsorted(self.tss, (interval.start, interval.end))
        return self.tss_gene[low:high]

    def transcribed(self, interval: Interval) -> Array:
        """The genes with a base of an exon in `interval`."""
        low = np.searchsorted(self.furthest, interval.start, side="right")
        high = np.searchsorted(self.exon_start, interval.end)
        return self.exon_gene[low:high][self.exon_end[low:high] > interval.start]

    def nearest(self, position: int) -> int:
        """The gene with the TSS nearest to `position`, of several the first of the file."""
        right = int(np.searchsorted(self.tss, position))
        sides = self.tss[max(0, right - 1) : right + 1]
        away = int(np.abs(sides - position).min())
        genes = []
        for place in {position - away, position + away}:
            at = int(np.searchsorted(self.tss, place))
            if at < len(self.tss) and self.tss[at] == place:
                genes.append(int(self.tss_gene[at]))
        return min(genes)
