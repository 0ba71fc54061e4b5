"""How well a model predicts measured tracks on held-out windows; knows what is compared, not how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distal.data import dataset
from distal.data.dataset import Examples
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.predictor import Predictor
from distal.train.metrics import mean_by
from distal.train.validation import correlate


@dataclass(frozen=True, slots=True)
class TrackScore:
    """One track over all measured bins."""

    channel: int
    name: str
    assay: str
    biosample: str
    pearson: float
    """NaN when the measurement never changes."""
    r2: float


@dataclass(frozen=True, slots=True)
class AssayScore:
    """Means over the tracks of an assay whose measurement changes."""

    assay: str
    tracks: int
    pearson: float
    r2: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Predictions against measurements of one head on one split."""

    model: str
    head: str
    split: str
    windows: int
    bins: int
    """Measured bins over all windows."""
    bin_bp: int
    rc: bool
    """Whether both strands were averaged."""
    pearson: float
    """Mean over the tracks whose measurement changes."""
    assays: tuple[AssayScore, ...]
    tracks: tuple[TrackScore, ...]

    def table(self) -> list[dict[str, Any]]:
        """One row per assay, and one for all tracks."""
        rows = [{"assay": row.assay, "tracks": row.tracks, "pearson": row.pearson, "r2": row.r2} for row in self.assays]
        r2 = mean_by(["all"] * len(self.tracks), np.array([track.r2 for track in self.tracks]))
        return [*rows, {"assay": "all", "tracks": len(self.tracks), "pearson": self.pearson, "r2": r2["all"]}]


def evaluate(
    predictor: Predictor, data: str | Path, split: str = "test", rc: bool = False, genome: Genome | None = None
) -> Evaluation:
    """Correlate predicted with measured tracks over every measured bin of a split, raw values, per track.

    Targets are summed to the model's bins. A model with a short window reads several tiles a window, so that every
    measured bin is predicted exactly once. With `rc` both strands are averaged. A model that reads more than the
    records hold needs the `genome` of the data set. Raises `InputError` when model and data don't fit together.
    """
    examples = dataset.load(data, split, predictor.window.bin_bp)
    _check_tracks(predictor, examples, Path(data))
    moments = correlate(predictor, examples, rc, genome)
    pearson, r2 = moments.pearson(), moments.r2()
    tracks = tuple(
        TrackScore(row.index, row.name, row.assay, row.biosample, float(r), float(explained))
        for row, r, explained in zip(examples.table.rows, pearson, r2, strict=True)
    )
    names = [row.assay for row in tracks]
    by_assay = zip(mean_by(names, pearson).items(), mean_by(names, r2).values(), strict=True)
    return Evaluation(
        model=predictor.spec.name,
        head=predictor.head,
        split=split,
        windows=len(examples),
        bins=moments.count,
        bin_bp=examples.bin_bp,
        rc=rc,
        pearson=mean_by(["all"] * len(tracks), pearson)["all"],
        assays=tuple(AssayScore(name, names.count(name), r, explained) for (name, r), explained in by_assay),
        tracks=tracks,
    )


def _check_tracks(predictor: Predictor, examples: Examples, data: Path) -> None:
    """Track i of the data must be channel i of the model; a model without a track table is only counted."""
    theirs, ours = predictor.tracks.names, examples.table.names
    what = f"{predictor.spec.name} (head {predictor.head})"
    if len(theirs) != len(ours):
        raise InputError(f"{what} has {len(theirs)} tracks, {data} has {len(ours)}; choose the head of this data set")
    if predictor.head in predictor.spec.targets:
        for channel, (predicted, measured) in enumerate(zip(theirs, ours, strict=True)):
            if predicted != measured:
                raise InputError(
                    f"channel {channel} of {what} is {predicted}, in {data / 'targets.txt'} it is {measured}"
                )
