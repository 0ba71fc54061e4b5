"""`distal eval eqtl`: the terminal's side of the benchmark; knows options, no model."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress, say
from distal.cli.options import Json


def eqtl(
    *,
    scores: Path,
    score: str = "SAD",
    pcs: Path | None = None,
    iterations: int = 100,
    published_indels: bool = False,
    workers: int = 1,
    json: Json = False,
) -> None:
    """Which fine-mapped eQTL variants are causal: random forests on variants' scores, as the articles have it.

    For each tissue, 8 shuffled folds, 100 times over, forests of 100 trees; the mean AUROC over the folds. The data
    (gs://dm-enformer/data/gtex_fine/vcf, <tissue>_pos.vcf and <tissue>_neg.vcf, hg38) are scored first, which downloads
    nothing: `distal score --model M --fasta hg38.fa --vcf Liver_pos.vcf --out SCORES/Liver_pos --rc --shifts -1,0,1`,
    the same for Liver_neg, and so on.

    Parameters
    ----------
    scores
        Folder with a run of `distal score`, or an .h5 file, for each <tissue>_pos and <tissue>_neg.
    score
        Which of their scores.
    pcs
        Learn from components that `distal pcs fit` made of common variants' scores (20 in the article).
    iterations
        How often the folds are drawn; 100 as published.
    published_indels
        Treat the negatives' indels as the original program does, by the positives' places.
    workers
        Processor cores for a forest.
    """
    from distal.evals import eqtl as benchmark
    from distal.evals.cases import table
    from distal.scoring.components import Components

    found = benchmark.tissues(scores, score, None if pcs is None else Components.load(pcs))
    answers = []
    with progress("eqtl", iterations * len(found), "iterations") as advance:
        for tissue in found:
            answers.append(benchmark.classify(tissue, iterations, published_indels, workers, advance))
    width = found[0].positive.shape[1]
    say(f"{len(found)} tissues, {sum(len(answer.labels) for answer in answers):,} variants, {width:,} features")
    features = f"{width:,} {'components' if pcs else 'tracks'}"
    emit(table(benchmark.cases(answers, features, iterations == benchmark.ITERATIONS)), json)
