"""From a gene's name to its candidate enhancers: knows genomes, annotations and models, opens no file, draws nothing.

What is asked is in `enhancers`, the candidates in `elements`, the start sites in `promoters`; here they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from distal import markup
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import Incremental
from distal.interpret.contact import Contact, PowerLaw
from distal.interpret.elements import Element, called, kind, known, listed
from distal.interpret.enhancers import Asking, Links, link
from distal.interpret.promoters import Promoter, promoters, reach
from distal.interpret.views import WIDTH_BP
from distal.io.bedpe import Pair
from distal.io.links import Link
from distal.predictor import Predictor, predict
from distal.tracks import Tracks

if TYPE_CHECKING:
    from distal.io.bed import BedRow
    from distal.io.fasta import Genome
    from distal.io.genes import Gene, Genes


@dataclass(frozen=True, eq=False)
class GeneLinks:
    """The elements that may regulate a gene, and what there is around it."""

    gene: Gene
    """On the genome's name for its chromosome."""
    links: Links
    """The candidates in the order of their file, or from left to right, with every method's scores."""
    signal: tuple[Tracks, ...]
    """Predicted accessibility over all that the gene's windows read, stretch by stretch."""
    near: tuple[Gene, ...]
    """The genes of these stretches, `gene` among them."""
    cell_type: str
    """What the tracks that were asked for have in common; NA where that is nothing."""

    def __repr__(self) -> str:
        return f"GeneLinks({self.gene.name}: {len(self.links.elements):,} elements, {', '.join(self.links.scores)})"

    def _repr_html_(self) -> str:
        rows = self.rows()
        lines = [
            {
                "element": row.element.to_ucsc(),
                "class": row.kind,
                "bp to the TSS": abs(row.element.center - row.tss),
                **row.scores,
            }
            for row in rows[: markup.SHOWN]
        ]
        facts = {"elements": len(rows), "promoters": len(self.links.promoters)}
        return markup.card(f"Elements of {self.gene.name}", facts, markup.table(lines) + markup.rest(len(rows)))

    def order(self) -> list[int]:
        """The candidates by the first method's score, the largest first; those that no window sees come last."""
        first = next(iter(self.links.scores.values()))
        order: list[int] = np.argsort(-np.nan_to_num(first, nan=-1.0), kind="stable").tolist()
        return order

    def rows(self) -> list[Link]:
        """The rows of a table of links, in that order; each method's score, `ism_change` and `activity` by name."""
        return [self._row(place) for place in self.order()]

    def pairs(self) -> list[Pair]:
        """The links with a score of the first method, in that order, for genome browsers."""
        return [self._pair(row) for row in self.rows() if not np.isnan(next(iter(row.scores.values())))]

    def tss(self, element: Interval) -> int:
        """The gene's start site nearest to an element's middle, 0-based."""
        return min(self.gene.tss, key=lambda site: abs(site - element.center))

    def _row(self, place: int) -> Link:
        element = self.links.elements[place]
        at = element.interval
        scores = {name: float(values[place]) for name, values in self.links.scores.items()}
        if self.links.change is not None:
            scores["ism_change"] = float(self.links.change[place])
        scores["activity"] = element.activity
        name, id = self.gene.name, self.gene.id
        return Link(at, element.name, kind(at, self.near), name, id, self.tss(at), self.cell_type, scores)

    def _pair(self, row: Link) -> Pair:
        start = Interval(row.element.chrom, row.tss, row.tss + 1, self.gene.strand)
        return Pair(row.element, start, next(iter(row.scores.values())), f"{row.gene}|{row.name}")


def link_enhancers(
    predictor: Predictor,
    genome: Genome,
    genes: Genes,
    gene: str,
    elements: Iterable[BedRow] | None = None,
    query: str = "assay=CAGE",
    accessibility: str = "assay=DNASE",
    methods: Sequence[str] = ("gradient", "gaussian", "attention"),
    contact: Contact | None = None,
    rc: bool = False,
    *,
    width_bp: int = WIDTH_BP,
    shuffles: int = 10,
    seed: int = 0,
    cell_type: str = "",
    progress: Callable[[int], None] = lambda done: None,
) -> GeneLinks:
    """Which elements regulate `gene`, by what the model's prediction at its start sites owes to them.

    `gene` is a name or an identifier. Without `elements`, 500 bp are taken where the model predicts the most
    accessibility, one for every 5 kb. `query` selects the tracks that say how much the gene is expressed,
    `accessibility` those that say how open an element is. `methods` are some of `enhancers.METHODS`; 1/distance, ABC
    and, with gradient, activity x gradient come with them. `contact` is a power law of the distance unless given.
    `rc` averages both strands. `progress` hears of each promoter that is done, of which there are as many as
    `promoters.promoters(gene, window)`. Raises `InputError` where the annotation has no such gene or several, where
    none of the elements lies in what the model reads, and for tracks and methods that aren't there.
    """
    asking = Asking(tuple(methods), query, rc, width_bp, shuffles, seed)
    chosen = genes.one(gene)
    chosen = replace(chosen, chrom=genome.resolve(chosen.chrom))
    starts = promoters(chosen, predictor.window)
    signal = _around(predictor, genome, starts, accessibility, rc)
    candidates = _candidates(elements, signal, genome)
    links = link(Incremental(predictor), genome, starts, candidates, contact or PowerLaw(), asking, progress)
    near = dict.fromkeys(other for tracks in signal for other in genes.touching(tracks.interval))
    biosamples = {row.biosample for row in predictor.tracks.select(query)}
    cell_type = cell_type or (biosamples.pop() if len(biosamples) == 1 else "NA")
    return GeneLinks(chosen, links, tuple(signal), tuple(near), cell_type)


def _around(predictor: Predictor, genome: Genome, starts: Sequence[Promoter], query: str, rc: bool) -> list[Tracks]:
    """Predicted accessibility over all that the gene's windows read and the chromosome has."""
    regions = [read.clip(0, genome.sizes[read.chrom]) for read in reach(starts, predictor.window)]
    return list(predict(predictor, genome, regions, query, rc))


def _candidates(rows: Iterable[BedRow] | None, signal: Sequence[Tracks], genome: Genome) -> list[Element]:
    if rows is None:
        return [element for tracks in signal for element in called(tracks)]
    found = listed(known(rows, genome), signal)
    if not found:
        around = ", ".join(tracks.interval.to_ucsc() for tracks in signal)
        raise InputError(f"none of the elements lies in {around}, what the model reads around the gene; give others")
    return found
