"""`distal enhancers`: elements that may regulate a gene as a table, BEDPE and a picture; knows options, no model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distal.cli.console import emit, progress
from distal.cli.ism import PICTURES
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Precision, words
from distal.coords import Interval, spellings
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.interpret.elements import Element
    from distal.interpret.enhancers import Links
    from distal.io.bed import BedRow
    from distal.io.fasta import Genome
    from distal.io.genes import Gene, Genes
    from distal.predictor import Predictor
    from distal.tracks import Tracks


def enhancers(
    *,
    model: Model,
    fasta: Fasta,
    genes: Path,
    gene: str,
    out: Path,
    elements: Path | None = None,
    tracks: str = "assay=CAGE",
    accessibility: str = "assay=DNASE",
    methods: str = "gradient,gaussian,attention",
    contacts: Path | None = None,
    bedpe: Path | None = None,
    figure: Path | None = None,
    cell_type: str = "",
    width: int = 2000,
    shuffles: int = 10,
    seed: int = 0,
    rc: BothStrands = False,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Which elements regulate a gene, by what a model's prediction at its start sites owes to them.

    Every promoter of the gene is read in a window of its own, and an element's scores are summed over them. Beside the
    methods asked for stand 1/distance, ABC (the element's share of activity x contact), and activity x gradient, ABC
    with the gradient for contact. Rows are ordered by the first method.

    Parameters
    ----------
    genes
        Annotation: GTF, GFF3 or BED of start sites.
    gene
        Name or identifier.
    out
        X.tsv, in the columns of ENCODE's CRISPR_comparison.
    elements
        BED file of candidates; their activity is column 5 if all have a number there. Without it, and for the activity
        of others, elements are where the model predicts open chromatin: 500 bp, one for every 5 kb.
    tracks
        Tracks that say how much the gene is expressed; those of the gene's strand are taken. Name a cell type here to
        ask for its enhancers: "assay=CAGE biosample~K562".
    accessibility
        Tracks that say how open an element is.
    methods
        Of gradient, gaussian, attention, ism; separated by commas.
    contacts
        BEDPE file of measured contacts for ABC (score in column 8, 0 for pairs that it lacks); a power law without it.
    bedpe
        X.bedpe: the links for genome browsers.
    figure
        X.png, X.svg or X.pdf: the links as arcs.
    cell_type
        What stands in the column CellType; what the tracks have in common when left out.
    width
        Bases around an element's middle that are looked at.
    shuffles
        Shuffled sequences an element, for ism.
    seed
        Of the shuffles.
    """
    from distal.incremental import Incremental
    from distal.interpret import contact
    from distal.interpret.enhancers import Asking, link
    from distal.interpret.promoters import promoters
    from distal.io.bedpe import read
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.predictor import load

    started = time.monotonic()
    _check(out, bedpe, figure)
    asking = Asking(words(methods), tracks, rc, width, shuffles, seed)
    predictor, genome, annotation = load(model, head, device, precision), Genome(fasta), Genes.read(genes)
    chosen = _one(annotation, gene)
    chosen = replace(chosen, chrom=genome.resolve(chosen.chrom))
    starts = promoters(chosen, predictor.window)
    signal = _predicted(predictor, genome, starts, accessibility, rc)
    candidates = _candidates(elements, signal, genome)
    measured = contact.PowerLaw() if contacts is None else contact.Measured(read(contacts))
    with progress("enhancers", len(starts), "promoters") as advance:
        links = link(Incremental(predictor), genome, starts, candidates, measured, asking, advance)
    biosamples = {row.biosample for row in predictor.tracks.select(tracks)}
    cell_type = cell_type or (biosamples.pop() if len(biosamples) == 1 else "NA")
    order = np.argsort(-np.nan_to_num(links.scores[asking.methods[0]], nan=-1.0), kind="stable")
    _write(out, bedpe, links, order.tolist(), chosen, annotation, cell_type)
    if figure is not None:
        _draw(figure, links, signal, annotation, chosen, predictor.spec.name)
    emit(
        {
            "files": [str(path) for path in (out, bedpe, figure) if path is not None],
            "gene": f"{chosen.name} ({chosen.strand})",
            "promoters": len(starts),
            "start sites": len(chosen.tss),
            "elements": len(candidates),
            "unseen": int(np.isnan(links.scores[asking.methods[0]]).sum()),
            "seconds": round(time.monotonic() - started, 2),
        },
        json,
    )


def _one(annotation: Genes, name: str) -> Gene:
    """The gene of that name. Raises `InputError` where several have it."""
    found = annotation.named(name)
    if len(found) > 1:
        which = ", ".join(f"{gene.id} on {gene.chrom}" for gene in found)
        raise InputError(f"{name} names {len(found)} genes: {which}; give the identifier of one")
    return found[0]


def _predicted(predictor: Predictor, genome: Genome, starts: Sequence[Any], query: str, rc: bool) -> list[Tracks]:
    """Predicted accessibility over all that the gene's windows read and the chromosome has."""
    from distal.interpret.promoters import reach
    from distal.predictor import predict

    regions = [read.clip(0, genome.sizes[genome.resolve(read.chrom)]) for read in reach(starts, predictor.window)]
    return list(predict(predictor, genome, regions, query, rc))


def _candidates(path: Path | None, signal: Sequence[Tracks], genome: Genome) -> list[Element]:
    from distal.interpret.elements import called, listed

    if path is None:
        return [element for tracks in signal for element in called(tracks)]
    found = listed(_rows(path, genome), signal)
    if not found:
        around = ", ".join(tracks.interval.to_ucsc() for tracks in signal)
        raise InputError(f"{path} has no element in {around}, what the model reads around the gene; give others")
    return found


def _rows(path: Path, genome: Genome) -> Iterator[BedRow]:
    """The rows of a BED file under the genome's names; those of chromosomes that it lacks are left out."""
    from distal.io import bed

    for row in bed.read(path):
        known = next((name for name in spellings(row.interval.chrom) if name in genome.sizes), None)
        if known is not None:
            yield replace(row, interval=replace(row.interval, chrom=known))


def _write(
    out: Path,
    bedpe: Path | None,
    links: Links,
    order: Sequence[int],
    gene: Gene,
    annotation: Genes,
    cell_type: str,
) -> None:
    from distal.interpret.elements import kind
    from distal.io import bedpe as pairs
    from distal.io.links import Link, write

    rows = []
    spread = [element.interval for element in links.elements]
    whole = Interval(spread[0].chrom, min(each.start for each in spread), max(each.end for each in spread))
    near = annotation.touching(whole)
    for place in order:
        element = links.elements[place]
        at = element.interval
        tss = min(gene.tss, key=lambda site: abs(site - at.center))
        scores = {name: float(values[place]) for name, values in links.scores.items()}
        if links.change is not None:
            scores["ism_change"] = float(links.change[place])
        scores["activity"] = element.activity
        rows.append(Link(at, element.name, kind(at, near), gene.name, gene.id, tss, cell_type, scores))
    write(out, rows)
    if bedpe is not None:
        pairs.write(bedpe, (_pair(row, gene.strand) for row in rows if not np.isnan(next(iter(row.scores.values())))))


def _pair(row: Any, strand: str) -> Any:
    from distal.io.bedpe import Pair

    start = Interval(row.element.chrom, row.tss, row.tss + 1, strand)
    return Pair(row.element, start, next(iter(row.scores.values())), f"{row.gene}|{row.name}")


def _draw(path: Path, links: Links, signal: Sequence[Tracks], annotation: Genes, gene: Gene, model: str) -> None:
    """Arcs of every score over the first stretch that the gene's windows read, the predicted accessibility below."""
    from distal import plots
    from distal.tracks import TrackTable

    shown = signal[0]
    mean = replace(
        shown,
        values=shown.values.mean(axis=1, keepdims=True),
        table=TrackTable((replace(shown.table.rows[0], description=_common(shown.table)),)),
    )
    scored = {
        name: [
            plots.Arc(element.interval, min(gene.tss, key=lambda site: abs(site - element.interval.center)), score)
            for element, score in zip(links.elements, values.tolist(), strict=True)
            if shown.interval.overlaps(element.interval)
        ]
        for name, values in links.scores.items()
    }
    bodies = {
        other.name: [Interval(other.chrom, start, end, other.strand) for start, end in other.exons]
        for other in annotation.touching(shown.interval)
        if other.exons
    }
    title = f"Candidate enhancers of {gene.name}, {model}"
    plots.save(plots.arcs(scored, shown.interval, mean, bodies, title), path)


def _common(table: Any) -> str:
    rows = table.rows
    return rows[0].description if len(rows) == 1 else f"{rows[0].assay}: mean of {len(rows)} tracks"


def _check(out: Path, bedpe: Path | None, figure: Path | None) -> None:
    for path, endings in ((out, (".tsv",)), (bedpe, (".bedpe",)), (figure, PICTURES)):
        if path is not None and path.suffix not in endings:
            raise InputError(f"{path}: the name must end in {', '.join(endings)}")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder; make it first")
