"""`distal eval direction`: the terminal's side of the benchmark; knows options, no model."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress, say
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Precision


def direction(
    *,
    model: Model,
    eqtls: Path,
    genes: Path,
    fasta: Fasta,
    tracks: str = "assay=CAGE",
    rc: BothStrands = False,
    max_distance: int | None = None,
    fdr: float = 0.05,
    rows: Path | None = None,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Direction of eQTLs: does the model predict whether ALT raises or lowers its gene?

    Predicted is the log2 fold change of the signal at the gene's start sites, measured the slope. How often the signs
    agree, over all rows, over the third and the tenth with the strongest predictions, and by distance to the start
    site; AUROC of the sign; correlations; 95 % bootstrap intervals over genes. Nothing is downloaded.

    Parameters
    ----------
    eqtls
        Table of GTEx's columns: gene_id, chr, pos or variant_pos, ref, alt, slope and, if there is one, qval.
    genes
        Annotation of the same assembly (GTF, GFF3, or BED of start sites) with the table's gene identifiers.
    tracks
        Which tracks tell of expression; those of the other strand than a gene's are left out.
    max_distance
        Bases between variant and nearest start site at most; as far as the model's output reaches when left out.
    fdr
        Rows with a larger qval are left out.
    rows
        Also write every row of the table, with its status and prediction, to this file.
    """
    from distal.evals import direction as benchmark
    from distal.evals.cases import table
    from distal.incremental import Incremental
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.predictor import load

    genome = Genome(fasta)
    through = Incremental(load(model, head, device, precision))
    predictor = through.predictor
    predictor.tracks.select(tracks)
    placed = benchmark.place(benchmark.read(eqtls), genome, Genes.read(genes), predictor.window, max_distance, fdr)
    with progress("direction", sum(one.view is not None for one in placed), "rows") as advance:
        found = benchmark.scored(through, genome, placed, tracks, rc, advance)
    if rows is not None:
        benchmark.write(rows, found)
    say(f"{predictor.spec.name}, {head}: {len(found):,} rows, {benchmark.counted(found)}")
    emit(table(benchmark.cases(found, tracks)), json)
