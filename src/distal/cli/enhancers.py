"""`distal enhancers`: elements that may regulate a gene as a table, BEDPE and a picture; knows options, no model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distal.cli.console import command_line, emit, progress
from distal.cli.ism import PICTURES
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Precision, words
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.interpret.linking import GeneLinks
    from distal.io.fasta import Genome
    from distal.predictor import Predictor


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
    report: Path | None = None,
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
    report
        X.html: one page that opens from disk, with the arcs, the table, and the best elements letter by letter.
    cell_type
        What stands in the column CellType; what the tracks have in common when left out.
    width
        Bases around an element's middle that are looked at.
    shuffles
        Shuffled sequences an element, for ism.
    seed
        Of the shuffles.
    """
    from distal.interpret import contact
    from distal.interpret.linking import link_enhancers
    from distal.interpret.promoters import promoters
    from distal.io import bed
    from distal.io import bedpe as loops
    from distal.io import links as table
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.predictor import load

    started = time.monotonic()
    _check(out, bedpe, figure, report)
    predictor, genome, annotation = load(model, head, device, precision), Genome(fasta), Genes.read(genes)
    with progress("enhancers", len(promoters(annotation.one(gene), predictor.window)), "promoters") as advance:
        found = link_enhancers(
            predictor,
            genome,
            annotation,
            gene,
            None if elements is None else bed.read(elements),
            tracks,
            accessibility,
            words(methods),
            None if contacts is None else contact.Measured(loops.read(contacts)),
            rc,
            width_bp=width,
            shuffles=shuffles,
            seed=seed,
            cell_type=cell_type,
            progress=advance,
        )
    table.write(out, found.rows())
    if bedpe is not None:
        loops.write(bedpe, found.pairs())
    if figure is not None:
        from distal import plots
        from distal.plots import findings

        plots.save(findings.enhancers(found, predictor.spec.name), figure)
    if report is not None:
        _write_report(report, found, predictor, genome, tracks, rc)
    scores = next(iter(found.links.scores.values()))
    emit(
        {
            "files": [str(path) for path in (out, bedpe, figure, report) if path is not None],
            "gene": f"{found.gene.name} ({found.gene.strand})",
            "promoters": len(found.links.promoters),
            "start sites": len(found.gene.tss),
            "elements": len(scores),
            "unseen": int(np.isnan(scores).sum()),
            "seconds": round(time.monotonic() - started, 2),
        },
        json,
    )


def _write_report(path: Path, found: GeneLinks, predictor: Predictor, genome: Genome, tracks: str, rc: bool) -> None:
    from distal.web.reports.enhancers import DRAWN, Report, report

    made = Report(found, predictor, genome, tracks, rc)
    with progress("report", min(DRAWN, len(found.links.elements)), "elements drawn") as advance:
        report(path, made, command_line(), advance)


def _check(out: Path, bedpe: Path | None, figure: Path | None, report: Path | None) -> None:
    for path, endings in ((out, (".tsv",)), (bedpe, (".bedpe",)), (figure, PICTURES), (report, (".html",))):
        if path is not None and path.suffix not in endings:
            raise InputError(f"{path}: the name must end in {', '.join(endings)}")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder; make it first")
