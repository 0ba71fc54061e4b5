"""A predictor's tracks beside the measured ones, bin by bin, and their correlation; knows no file and no training."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distal.data import dataset
from distal.data.dataset import Examples
from distal.io.fasta import Genome
from distal.predictor import Predictor, averaged
from distal.train.metrics import PearsonR


class Predicted(NamedTuple):
    """Some neighbouring bins of a window: what was predicted and what was measured, [bins, tracks] each."""

    window: int
    first: int
    """The first of the bins, counted from the window's first measured one."""
    values: NDArray[np.float32]
    targets: NDArray[np.float32]


def predictions(
    predictor: Predictor, examples: Examples, rc: bool = False, genome: Genome | None = None
) -> Iterator[Predicted]:
    """Every measured bin of every window exactly once, window by window.

    With `rc` both strands are averaged. `genome` supplies bases around the stored windows to models that read more.
    """
    bins = 0
    work = dataset.tiles(examples, predictor.window, genome)
    while group := list(islice(work, predictor.batch_size)):
        values = averaged(predictor, np.stack([tile.codes for tile in group]), rc).cpu().numpy()
        for tile, value in zip(group, values, strict=True):
            window, first = divmod(bins, examples.bins)
            yield Predicted(window, first, value[tile.output], tile.targets)
            bins += len(tile.targets)


def correlate(predictor: Predictor, examples: Examples, rc: bool = False, genome: Genome | None = None) -> PearsonR:
    """Moments of prediction against measurement over every measured bin of every window, raw values, per track."""
    pearson = PearsonR(len(examples.table))
    for piece in predictions(predictor, examples, rc, genome):
        pearson.update(piece.values, piece.targets)
    return pearson
