"""`distal eval expression`: the terminal's side of the benchmark; knows options, no model."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress, say
from distal.cli.options import BothStrands, Device, Head, Json, Model, Precision


def expression(
    *,
    model: Model,
    data: Path,
    genes: Path,
    split: str = "test",
    assay: str = "CAGE",
    fasta: Path | None = None,
    rc: BothStrands = False,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Expression of genes on held-out windows: across genes, and across tissues.

    A gene's signal is log(1 + the sum over the 128-bp bins with its start sites and one bin on either side), on the
    track of its strand. Across genes: correlation over genes, mean over experiments. Across tissues: correlation over
    experiments, each standardised over genes, mean over genes. Intervals: bootstrap over experiments, and over genes.

    Parameters
    ----------
    data
        Data set folder, as `distal data build` or Basenji writes it.
    genes
        Annotation of its genome (GTF, GFF3 or BED).
    split
        Which of its windows: test, valid or train.
    assay
        Tracks that say how much is expressed: CAGE, RNA ...
    fasta
        Genome of the data set, for models that read more than its records hold.
    """
    from distal.data import dataset
    from distal.evals import expression as benchmark
    from distal.evals.cases import table
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.predictor import load
    from distal.train.validation import predictions

    predictor = load(model, head, device, precision)
    examples = dataset.load(data, split, predictor.window.bin_bp)
    sites = benchmark.Sites.within(examples, Genes.read(genes))
    pieces = predictions(predictor, examples, rc, None if fasta is None else Genome(fasta))
    with progress("expression", None, "pieces") as advance:
        sums = benchmark.signal(pieces, sites, len(examples.table), advance)
    say(f"{predictor.spec.name}, {head}, {split}: {len(sites.names)} genes on {len(examples)} windows")
    emit(table(benchmark.cases(*sums, sites, examples.table, assay)), json)
