"""`distal eval`: the terminal's side of the benchmarks; knows no model and no data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distal.cli.console import emit, say
from distal.cli.eval_allelic import allelic as allelic
from distal.cli.eval_cagi5 import cagi5 as cagi5
from distal.cli.eval_crispri import crispri as crispri
from distal.cli.eval_direction import direction as direction
from distal.cli.eval_eqtl import eqtl as eqtl
from distal.cli.eval_expression import expression as expression
from distal.cli.eval_long_range import long_range as long_range
from distal.cli.eval_report import report as report

if TYPE_CHECKING:
    from distal.evals.run import Evaluation


def tracks(
    *,
    model: str,
    data: Path,
    split: str = "test",
    head: str = "human",
    rc: bool = False,
    fasta: Path | None = None,
    genes: Path | None = None,
    baseline: bool = False,
    per: Literal["assay", "track"] = "assay",
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    card: bool = False,
    json: bool = False,
) -> None:
    """Correlation of predicted with measured tracks on held-out windows.

    Pearson's r and R2 over all measured bins of the split (raw values, the model's bin width) for every track, and
    their means per assay. Tracks whose measurement never changes are left out of means.

    With --genes also Pearson's r and Spearman's rho over genes (tss_): log(1 + signal) of the bins around their start
    sites, for tracks of one strand over the genes of that strand. With --baseline the same for a ridge regression on
    k-mer counts (kmer_) that is fitted to the data set's training windows, its penalty chosen on the validation ones.

    Parameters
    ----------
    model
        A model's name or folder.
    data
        Data set folder, as `distal data build` or Basenji writes it.
    split
        Which of its windows: test, valid or train.
    head
        Which head of the model the data set belongs to.
    rc
        Average the predictions of both strands.
    fasta
        Genome of the data set, for models that read more than its records hold.
    genes
        Annotation of the genome (GTF, GFF3 or BED), to compare genes by the signal at their start sites.
    baseline
        Put a k-mer regression beside the model.
    per
        What a row of the table is: an assay's mean, or a track.
    device
        Where the model runs.
    precision
        fp32, or bf16 for matrix products; faster only where the hardware has it (`distal doctor` tells).
    card
        Also write the means into the model's card, the README.md of its folder, with the command that gives them.
    json
        Print every track as JSON.
    """
    from distal.evals.run import evaluate
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.predictor import load

    predictor = load(model, head, device, precision)
    genome, annotation = None if fasta is None else Genome(fasta), None if genes is None else Genes.read(genes)
    result = evaluate(predictor, data, split, rc, genome, annotation, baseline)
    if card:
        _write_card(model, result, Path(data).name)
    if json:
        emit(result, json=True)
        return
    say(f"{result.model}, {_extent(result)}")
    emit(result.by_track() if per == "track" else result.table())


def _extent(result: Evaluation) -> str:
    strands = "both strands" if result.rc else "one strand"
    starts = f", {result.genes:,} genes" if result.genes else ""
    extent = f"{result.windows} windows, {result.bins:,} bins of {result.bin_bp} bp"
    return f"{result.head}, {result.split}: {extent}{starts}, {strands}"


def _write_card(model: str, result: Evaluation, data: str) -> None:
    """The block of this head and split; the command has the names of model and data, for paths are anyone's own."""
    from distal.models import cards, zoo

    command = f"distal eval tracks --model {result.model} --data {data} --head {result.head} --split {result.split}"
    options = " --rc" if result.rc else ""
    body = f"{_extent(result)}\n\n{cards.table(result.table())}\n\n    {command}{options}"
    say(f"wrote {cards.put(zoo.find(model), f'tracks {result.head} {result.split}', body)}")
