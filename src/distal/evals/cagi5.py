"""CAGI5's saturation mutagenesis of 15 promoters and enhancers: two protocols; knows variants, effects and tracks.

Data: Kircher et al. 2019 (Nature Communications 10:3583), as the CAGI5 challenge released them: hg19, counted from 1,
plus strand; Value is the log2 fold change of expression, Confidence >= 0.1 (about p <= 1e-5) means an effect.

* *Enformer's* (Avsec et al. 2021): features are ALT - REF over the four bins nearest to the variant. **Training-free**:
  the first principal component of the CAGE and DNase tracks of the matched cell type over a locus' variants, turned to
  correlate positively with their mean. **Trained**: a LASSO per locus over all tracks. The article gives no exact
  means, and which bins, shifts and cell types is not all public: our protocol.
* *Karollus'* (Karollus et al. 2023): log2(1 + ALT) - log2(1 + REF) of the mean over the matched tracks of one assay,
  each summed over the variant's bin and two on either side; offsets -43, 0, 43 and both strands averaged first.

The test set is not public as a file of the challenge, so where only the training release is given the LASSO predicts
blocks of neighbouring positions that it has not seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distal import dna
from distal.coords import Variant
from distal.errors import InputError
from distal.evals.cases import OURS, PUBLISHED, STATISTICS, Case
from distal.io import lines, workbook
from distal.scoring import effects
from distal.scoring.effects import Signals
from distal.tracks import TrackTable
from distal.train.metrics import Floats

if TYPE_CHECKING:
    from distal.incremental import Pass
    from distal.io.islands import Patchwork

HAS_EFFECT = 0.1
"""Confidence from which a variant counts as having an effect."""
OFFSETS = (-43, 0, 43)
"""Karollus'."""
FOLDS = 5
_COLUMNS = ("Chrom", "Pos", "Ref", "Alt", "Value", "Confidence")
_WELL_KNOWN = 0.95


@dataclass(frozen=True, slots=True)
class Element:
    """What is known of an element besides its variants."""

    cell: str
    """Part of the description of matched tracks, without regard to case (Karollus et al.)."""
    replicates: float
    """Pearson's r of two replicates of the measurement."""


ELEMENTS = {
    "F9": Element("hepg2", 0.61),
    "GP1BB": Element("k562", 0.74),
    "HBB": Element("k562", 0.62),
    "HBG1": Element("k562", 0.78),
    "HNF4A": Element("hek293", 0.75),
    "IRF4": Element("mel", 0.98),
    "IRF6": Element("keratinocyte", 0.90),
    "LDLR": Element("hepg2", 0.99),
    "MSMB": Element("hek293", 0.75),
    "MYCrs6983267": Element("hek293", 0.55),
    "PKLR": Element("k562", 0.79),
    "SORT1": Element("hepg2", 0.98),
    "TERT-GBM": Element("glioblastoma", 0.90),
    "TERT-HEK293T": Element("hek293", 0.65),
    "ZFAND3": Element("pancreas", 0.72),
}


@dataclass(frozen=True, eq=False)
class Release:
    """The measured variants of one element, in order of position."""

    element: str
    variants: tuple[Variant, ...]
    values: Floats
    """[variants], log2 fold change."""
    confidence: Floats
    """[variants], 0 … 1."""


def read(path: str | Path) -> list[Release]:
    """The elements of a release: the challenge's workbook (.xlsx), or a folder of release_X.tsv files.

    Substitutions only. Raises `InputError` where there is none, or where a line is not understood.
    """
    path = Path(path)
    if path.is_dir():
        tables = {
            file.name.split(".")[0]: [line.split("\t") for line in lines.read_annotation(file)]
            for file in sorted(path.glob("*_*.tsv*"))
        }
    else:
        tables = dict(workbook.sheets(path))
    found = [_release(f"{path}, {name}", name.partition("_")[2], rows) for name, rows in tables.items()]
    if not found:
        raise InputError(f"{path} has no release_ELEMENT.tsv; give the CAGI5 release, a workbook or a folder of tables")
    return found


def _release(where: str, element: str, rows: Iterable[Sequence[str]]) -> Release:
    body = [row for row in rows if row and not row[0].startswith("##")]
    header = [cell.lstrip("#") for cell in body[0]] if body else []
    if element not in ELEMENTS or not set(_COLUMNS) <= set(header):
        raise InputError(f"{where}: needs an element of CAGI5 in its name and the columns {', '.join(_COLUMNS)}")
    places = [header.index(name) for name in _COLUMNS]
    parsed = []
    for number, row in enumerate(body[1:], start=2):
        try:
            chrom, pos, ref, alt, value, confidence = (row[place] for place in places)
            numbers = float(value), float(confidence)
            if len(ref) == len(alt) == 1 and alt != "-":
                chrom = "chr" + chrom.removeprefix("chr")
                parsed.append((Variant.from_vcf(chrom, int(pos), ref, alt), *numbers))
        except (ValueError, IndexError) as error:
            raise InputError(f"{where}: line {number} below the comments is not understood ({error})") from None
    parsed.sort(key=lambda one: (one[0].start, one[0].alt))
    return Release(
        element,
        tuple(variant for variant, _, _ in parsed),
        np.array([value for _, value, _ in parsed]),
        np.array([confidence for _, _, confidence in parsed]),
    )


def matched(table: TrackTable, assay: str, cell: str) -> list[int]:
    """Positions in `table` of an assay's tracks whose description has `cell` in it; of all its tracks if none has."""
    all_ = [i for i, row in enumerate(table.rows) if row.assay == assay]
    return [i for i in all_ if cell in table.rows[i].description.lower()] or all_


def first_component(features: Floats) -> Floats:
    """First principal component of standardised features [variants, tracks], turned to go with their mean."""
    scaled = _standardised(features)
    if not scaled.shape[1]:
        return np.zeros(len(features))
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    component: Floats = left[:, 0] * values[0]
    return -component if component @ scaled.mean(axis=1) < 0 else component


def _standardised(features: Floats) -> Floats:
    spread = features.std(axis=0)
    kept = spread > 1e-12 * np.abs(features).max(initial=0)
    scaled: Floats = (features[:, kept] - features[:, kept].mean(axis=0)) / spread[kept]
    return scaled


def blocks(positions: Sequence[int], count: int = FOLDS) -> list[NDArray[np.int64]]:
    """Rows of `count` blocks of neighbouring positions with about as many positions each, indices per block.

    The three changes of one base, and most of a transcription factor's site, fall into one block.
    """
    _, place = np.unique(np.asarray(positions), return_inverse=True)
    edges = np.linspace(0, place.max(initial=-1) + 1, count + 1).round()
    return [np.flatnonzero((place >= low) & (place < high)) for low, high in pairwise(edges)]


def trained(features: Floats, values: Floats, positions: Sequence[int]) -> Floats:
    """What a LASSO says of each block of positions that is fitted on the other blocks, [variants].

    The penalty is chosen by 10-fold cross-validation among the fitted variants, as R's cv.glmnet does. Raises
    `InputError` where scikit-learn is missing.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LassoCV
        from sklearn.model_selection import KFold
    except ImportError:
        raise InputError(
            "the trained form needs scikit-learn; `pip install 'distal[bench]'`, or leave it out"
        ) from None
    scaled = _standardised(features)
    predicted = np.zeros(len(values))
    for held in blocks(positions):
        fitted = np.setdiff1d(np.arange(len(values)), held)
        folds = KFold(10, shuffle=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            lasso = LassoCV(cv=folds, max_iter=5000).fit(scaled[fitted], values[fitted])
            predicted[held] = lasso.predict(scaled[held]) if len(held) else 0
    return predicted


@dataclass(frozen=True)
class Protocol:
    """How variants are read."""

    rc: bool = False
    shifts: tuple[int, ...] = (0,)
    own_windows: bool = False
    """Each variant at the middle of a window of its own, as published; else one window for all of an element's."""
    lasso: bool = True

    @property
    def karollus(self) -> str:
        """Whether it is Karollus' to the letter."""
        return PUBLISHED if self.rc and sorted(self.shifts) == list(OFFSETS) and self.own_windows else OURS


def cases(
    pass_: Pass,
    bases: Patchwork,
    release: Release,
    protocol: Protocol | None = None,
    progress: Callable[[int], object] = lambda n: None,
) -> list[Case]:
    """All methods and statistics on one element, rows grouped by position.

    Correlations are with the measured effect; AUROC and AUPRC ask whether |score| finds the variants that have one.
    Where no source of `bases` knows a base that was changed, the release's REF stands there.
    """
    protocol = protocol or Protocol()
    bases = with_ref(bases, release)
    window, table = pass_.predictor.window, pass_.predictor.tracks
    place = effects.own_window(window) if protocol.own_windows else effects.one_window(window, release.variants)
    spans = (effects.nearest_four, effects.five_around)
    four, five = effects.signals(pass_, bases, release.variants, spans, place, protocol.rc, protocol.shifts, progress)
    known = bases.known(place(release.variants[len(release.variants) // 2]))
    notes = "" if known > _WELL_KNOWN else f"only {known:.1%} of the window known, N elsewhere"
    scores = methods(four, five, table, release, protocol.lasso)
    return [case for name, column in scores.items() for case in _asked(release, name, column, protocol, notes)]


def with_ref(bases: Patchwork, release: Release) -> Patchwork:
    """`bases` with the REF of every variant, where nothing better is known: some lie beyond the element's ends."""
    return bases.also([(variant.interval, dna.encode(variant.ref)) for variant in release.variants])


def methods(four: Signals, five: Signals, table: TrackTable, release: Release, lasso: bool) -> dict[str, Floats]:
    """Scores of every method, [variants] each; a method whose tracks the model lacks is left out."""
    cell = ELEMENTS[release.element].cell
    cage, dnase = (matched(table, assay, cell) for assay in ("CAGE", "DNASE"))
    positions = [variant.start for variant in release.variants]
    found: dict[str, Floats] = {}
    if cage + dnase:
        found["Enformer's, training-free"] = first_component(four.difference[:, cage + dnase])
    if lasso:
        found["Enformer's, trained"] = trained(four.difference, release.values, positions)
    for name, columns in (("CAGE", cage), ("DNASE", dnase)):
        if columns:
            found[f"Karollus', {name}"] = five.log2_fold(columns)
    return found


def _asked(release: Release, name: str, scores: Floats, protocol: Protocol, notes: str) -> list[Case]:
    positions = np.array([variant.start for variant in release.variants])
    effect = (release.confidence >= HAS_EFFECT).astype(np.float64)
    known = f"replicates r {ELEMENTS[release.element].replicates:.2f}; the articles show figures only"
    faithful = protocol.karollus if name.startswith("Karollus") else OURS
    asked = {
        "pearson": (release.values, scores, known),
        "spearman": (release.values, scores, ""),
        "auroc": (effect, np.abs(scores), ""),
        "auprc": (effect, np.abs(scores), f"{effect.mean():.2f} by chance"),
    }
    return [
        Case("cagi5", f"{release.element}, {name}", statistic, truth, column, positions, faithful, published, notes)
        for statistic, (truth, column, published) in asked.items()
    ]


def means(found: Sequence[Case]) -> list[Case]:
    """Of each method and statistic the mean over the elements, for elements whose window is known and for all."""
    rows: dict[tuple[str, str, bool], dict[str, float]] = {}
    for case in found:
        element, _, method = case.name.partition(", ")
        value = STATISTICS[case.statistic](case.truth, case.scores)
        for whole in (False, True):
            if not (whole and case.notes) and not np.isnan(value):
                rows.setdefault((method, case.statistic, whole), {})[element] = value
    return [
        Case(
            "cagi5",
            f"mean {statistic} of elements{' with flanks' if whole else ''}, {method}",
            "mean",
            np.zeros(len(values)),
            np.array(list(values.values())),
            published="means not published as numbers" if statistic == "pearson" else "",
            units=tuple(values),
        )
        for (method, statistic, whole), values in rows.items()
        if len(values) > 1
    ]
