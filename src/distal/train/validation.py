"""How well a predictor's tracks correlate with measured ones; knows no file and no training."""

from __future__ import annotations

from itertools import islice

import numpy as np

from distal.data import dataset
from distal.data.dataset import Examples
from distal.io.fasta import Genome
from distal.predictor import Predictor, averaged
from distal.train.metrics import PearsonR


def correlate(predictor: Predictor, examples: Examples, rc: bool = False, genome: Genome | None = None) -> PearsonR:
    """Moments of prediction against measurement over every measured bin of every window, raw values, per track.

    With `rc` both strands are averaged. `genome` supplies bases around the stored windows to models that read more.
    """
    pearson = PearsonR(len(examples.table))
    work = dataset.tiles(examples, predictor.window, genome)
    while group := list(islice(work, predictor.batch_size)):
        values = averaged(predictor, np.stack([tile.codes for tile in group]), rc).cpu().numpy()
        for tile, value in zip(group, values, strict=True):
            pearson.update(value[tile.output], tile.targets)
    return pearson
