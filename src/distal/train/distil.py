"""What a model predicts over a genome as a data set for others to learn from; knows no loss and no student.

Hinton, Vinyals and Dean 2015 (arXiv:1503.02531): a teacher's predictions say more of a sequence than measurements do,
for they are free of noise, and any sequence has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.data.dataset import rebin
from distal.data.store import Plan, Store, Writer
from distal.dna import Codes
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.predictor import Predictor, averaged


def plan(predictor: Predictor, windows: Mapping[str, Sequence[Interval]], bin_bp: int, rc: bool) -> Plan:
    """The data set of a teacher's predictions over `windows` (by split), summed to bins of `bin_bp` bases.

    Raises `InputError` where windows aren't as long as what the teacher reads, and where its bins don't fit.
    """
    window, spec = predictor.window, predictor.spec
    if bin_bp % window.bin_bp or window.output_bp % bin_bp:
        raise InputError(f"{window.bins} bins of {window.bin_bp} bp cannot be summed to bins of {bin_bp} bp")
    for interval in (interval for some in windows.values() for interval in some):
        if interval.width != window.input_bp:
            raise InputError(f"{interval!r} has {interval.width:,} bp, {spec.name} reads {window.input_bp:,}")
    recipe = {"teacher": spec.name, "weights_sha256": spec.weights_sha256, "head": predictor.head, "rc": rc}
    placed = {split: tuple(some) for split, some in windows.items()}
    return Plan(window.input_bp, bin_bp, window.output_bp // bin_bp, placed, predictor.tracks, recipe)


def distil(
    predictor: Predictor, genome: Genome, writer: Writer, advance: Callable[[int], None] = lambda windows: None
) -> Store:
    """Fill the data set that `plan` has planned, or what is missing of it. `advance` hears how many windows are done.

    Windows that pass a chromosome's end are padded with N. Raises `InputError` for chromosomes that `genome` lacks.
    """
    rc = bool(writer.plan.recipe["rc"])
    for piece in writer.missing:
        codes = np.stack(
            [genome.codes(window) for window in _windows(writer.plan, piece.split, piece.first, piece.last)]
        )
        targets = [_predicted(predictor, one, writer.plan.bin_bp, rc) for one in codes]
        writer.write(piece, codes, np.stack(targets))
        advance(len(codes))
    return writer.finish()


def _windows(plan: Plan, split: str, first: int, last: int) -> list[Interval]:
    return [window for window in plan.windows[split][first:last] if window is not None]


def _predicted(predictor: Predictor, codes: Codes, bin_bp: int, rc: bool) -> NDArray[np.float32]:
    """Prediction for one window, codes [input_bp], as [bins, tracks]."""
    values = averaged(predictor, codes[None], rc)[0].float().cpu().numpy()
    return rebin(values, predictor.window.bin_bp, bin_bp)
