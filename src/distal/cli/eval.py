"""`distal eval`: the terminal's side of the benchmarks; knows no model and no data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from distal.cli.console import emit, say


def tracks(
    *,
    model: str,
    data: Path,
    split: str = "test",
    head: str = "human",
    rc: bool = False,
    fasta: Path | None = None,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    json: bool = False,
) -> None:
    """Correlation of predicted with measured tracks on held-out windows.

    Pearson's r over all measured bins of the split (raw values, the model's bin width) for every track, and its mean
    per assay. Tracks whose measurement never changes are left out of means.

    Parameters
    ----------
    model
        A model's name or folder.
    data
        Data set folder: statistics.json, sequences.bed, targets.txt, tfrecords/.
    split
        Which of its windows: test, valid or train.
    head
        Which head of the model the data set belongs to.
    rc
        Average the predictions of both strands.
    fasta
        Genome of the data set, for models that read more than its records hold.
    device
        Where the model runs.
    precision
        fp32, or bf16 for matrix products; faster only where the hardware has it (`distal doctor` tells).
    json
        Print every track as JSON.
    """
    from distal.evals.run import evaluate
    from distal.io.fasta import Genome
    from distal.predictor import load

    predictor = load(model, head, device, precision)
    result = evaluate(predictor, data, split, rc, None if fasta is None else Genome(fasta))
    if json:
        emit(result, json=True)
        return
    strands = "both strands" if rc else "one strand"
    extent = f"{result.windows} windows, {result.bins:,} bins of {result.bin_bp} bp"
    say(f"{result.model}, {head}, {split}: {extent}, {strands}")
    emit(result.table())
