"""How well a model predicts measured tracks on held-out windows; knows what is compared, not how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from distal.data import dataset
from distal.data.dataset import Examples
from distal.errors import InputError
from distal.evals import baselines
from distal.evals.tss import GeneSignal, StartSites
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.predictor import Predictor
from distal.train.metrics import Floats, PearsonR, mean_by
from distal.train.validation import Predicted, predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Agreement with the measurement, of one track or on average. NaN where a measurement never changes."""

    pearson: float
    """Over all measured bins, raw values, as is `r2`."""
    r2: float
    tss_pearson: float | None = None
    """Over genes, log(1 + signal at their start sites), as is `tss_spearman`; None where no genes were given."""
    tss_spearman: float | None = None
    kmer_pearson: float | None = None
    """What a ridge regression on k-mer counts reaches, and so below; None where it wasn't asked for."""
    kmer_r2: float | None = None
    kmer_tss_pearson: float | None = None
    kmer_tss_spearman: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackScore(Scores):
    """One track."""

    channel: int
    name: str
    assay: str
    biosample: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssayScore(Scores):
    """Means over the tracks of an assay whose measurement changes."""

    assay: str
    tracks: int


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
    genes: int
    """Genes with a start site in the windows; 0 where no genes were given."""
    pearson: float
    """Mean over the tracks whose measurement changes."""
    assays: tuple[AssayScore, ...]
    tracks: tuple[TrackScore, ...]

    def table(self) -> list[dict[str, Any]]:
        """One row per assay, and one for all tracks."""
        means = {name: mean_by(["all"] * len(self.tracks), column)["all"] for name, column in self._columns().items()}
        rows = [*self.assays, AssayScore(assay="all", tracks=len(self.tracks), **means)]
        return [{"assay": row.assay, "tracks": row.tracks, **_known(row)} for row in rows]

    def by_track(self) -> list[dict[str, Any]]:
        """One row per track."""
        return [{"track": row.name, "assay": row.assay, **_known(row)} for row in self.tracks]

    def _columns(self) -> dict[str, Floats]:
        rows = [_known(track) for track in self.tracks]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _known(row: Scores) -> dict[str, float]:
    """The scores that were asked for."""
    values = asdict(row)
    return {field.name: values[field.name] for field in fields(Scores) if values[field.name] is not None}


def evaluate(
    predictor: Predictor,
    data: str | Path,
    split: str = "test",
    rc: bool = False,
    genome: Genome | None = None,
    genes: Genes | None = None,
    baseline: bool = False,
) -> Evaluation:
    """Compare predicted with measured tracks over every measured bin of a split, per track.

    Targets are summed to the model's bins. A model with a short window reads several tiles a window, so that every
    measured bin is predicted exactly once. With `rc` both strands are averaged. A model that reads more than the
    records hold needs the `genome` of the data set. With `genes` their start sites are compared too, and with
    `baseline` a k-mer regression, fitted to the splits `train` and `valid` of `data`, answers the same questions.
    Raises `InputError` when model, data and genes don't fit together.
    """
    examples = dataset.load(data, split, predictor.window.bin_bp)
    _check_tracks(predictor, examples, Path(data))
    sites = None if genes is None else _sites(examples, genes, Path(data))
    columns = _scores(predictions(predictor, examples, rc, genome), examples, sites)
    if baseline:
        train, valid = (dataset.load(data, known, examples.bin_bp) for known in ("train", "valid"))
        ridge = baselines.fit(train, valid)
        theirs = _scores(ridge.predictions(examples), examples, sites)
        columns |= {f"kmer_{name}": column for name, column in theirs.items()}
    tracks = tuple(
        TrackScore(channel=row.index, name=row.name, assay=row.assay, biosample=row.biosample, **_row(columns, i))
        for i, row in enumerate(examples.table.rows)
    )
    return Evaluation(
        model=predictor.spec.name,
        head=predictor.head,
        split=split,
        windows=len(examples),
        bins=len(examples) * examples.bins,
        bin_bp=examples.bin_bp,
        rc=rc,
        genes=0 if sites is None else len(sites),
        pearson=mean_by(["all"] * len(tracks), columns["pearson"])["all"],
        assays=_by_assay([row.assay for row in tracks], columns),
        tracks=tracks,
    )


def _scores(pieces: Iterable[Predicted], examples: Examples, sites: StartSites | None) -> dict[str, Floats]:
    """Each score of every track, [tracks], under its name in `Scores`."""
    moments = PearsonR(len(examples.table))
    signal = None if sites is None else GeneSignal(sites, len(examples.table))
    for piece in pieces:
        moments.update(piece.values, piece.targets)
        if signal is not None:
            signal.update(piece)
    columns = {"pearson": moments.pearson(), "r2": moments.r2()}
    if signal is not None:
        columns["tss_pearson"], columns["tss_spearman"] = signal.correlations(examples.table)
    return columns


def _row(columns: dict[str, Floats], track: int) -> dict[str, float]:
    return {name: float(column[track]) for name, column in columns.items()}


def _by_assay(assays: list[str], columns: dict[str, Floats]) -> tuple[AssayScore, ...]:
    means = {name: mean_by(assays, column) for name, column in columns.items()}
    return tuple(
        AssayScore(assay=assay, tracks=assays.count(assay), **{name: mean[assay] for name, mean in means.items()})
        for assay in dict.fromkeys(assays)
    )


def _sites(examples: Examples, genes: Genes, data: Path) -> StartSites:
    if None in examples.intervals:
        raise InputError(f"{data} has no sequences.bed, so no gene can be found in its windows; leave out the genes")
    sites = StartSites.within(examples, genes)
    if not len(sites):
        raise InputError(f"no gene starts in the windows of {data}; give the annotation of its genome")
    return sites


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
