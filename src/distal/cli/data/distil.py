"""`distal data distil`: a model's predictions as a data set; knows options and file names only."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Precision


def distil(
    *,
    model: Model,
    fasta: Fasta,
    windows: Path,
    out: Path,
    head: Head = "human",
    bin_bp: int | None = None,
    rc: BothStrands = False,
    device: Device = "cpu",
    precision: Precision = "fp32",
    json: Json = False,
) -> None:
    """Make a data set of what a model predicts, for a smaller or another model to learn from.

    A recipe mixes it with measured tracks: `human = [{folder = "hg38"}, {folder = "distilled", weight = 3.0}]`. Run
    the same command again to go on where it stopped.

    Parameters
    ----------
    windows
        BED file of windows as long as what the model reads, with their split (`distal data splits`).
    out
        Folder of the data set.
    bin_bp
        Bases of a bin, over which the model's bins are summed; its own bins when left out.
    """
    from distal.data import store
    from distal.data.order import read_windows
    from distal.io.fasta import Genome
    from distal.predictor import load
    from distal.train import distil as teaching

    predictor, genome = load(model, head, device, precision), Genome(fasta)
    places = read_windows(windows, predictor.window, genome)
    plan = teaching.plan(predictor, places, bin_bp or predictor.window.bin_bp, rc)
    writer = store.create(out, plan)
    left = sum(piece.last - piece.first for piece in writer.missing)
    with progress(f"{predictor.spec.name} predicts", left, "windows") as advance:
        made = teaching.distil(predictor, genome, writer, advance)
    emit({"data": str(out), "windows": made.splits, "tracks": len(made.table), "recipe": dict(plan.recipe)}, json)
