"""Which enhancer regulates which gene, as CRISPR interference found it: every method and baseline, ranked by AUPRC.

Knows pairs, windows and scores; not the table's columns. *Our protocol*, since the paper's isn't public: the pairs of
ENCODE's benchmark (Gschwind et al. 2023: Fulco/Nasser, Gasperini and Schraivogel in K562) whose element and start site
lie in the genome that is given, at most `max_distance` apart; a gene's signal at the table's one start site;
average precision, and an interval by bootstrap over genes, since the pairs of a gene aren't independent.

Baselines have what the experiment's cells showed: reads of DNase-seq and H3K27ac in the element. Activity is
sqrt(DNase x H3K27ac) and contact the power law of `interpret.contact`. The ABC model takes their product as a share of
the sum over all elements of the cell within 5 Mb; the table names only those that were tested, densely around some
genes and thinly around others, and the share of their sum says more of that than of the element: both are given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, spellings
from distal.errors import InputError
from distal.evals import statistics
from distal.files import replacing
from distal.incremental import Incremental
from distal.interpret.contact import PowerLaw
from distal.interpret.elements import activity
from distal.interpret.enhancers import Asking, ask, view
from distal.interpret.promoters import Promoter
from distal.interpret.views import Floats
from distal.io.chain import Chains
from distal.io.fasta import Genome
from distal.io.links import Experiment
from distal.models.layers import RelativeAttention
from distal.predictor import Predictor, predict

ABC_BP = 5_000_000
MAX_DISTANCE = 65_000
LIMITS = (0, 3_000, 12_500, 34_500)
"""Distances at which Karollus et al. (2023) cut the pairs; the last class ends with the pairs."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A tested pair where it lies in the genome that is read."""

    experiment: Experiment
    element: Interval
    tss: int
    """0-based."""

    @property
    def distance(self) -> int:
        """Bases from the element's middle to the start site."""
        return abs(self.element.center - self.tss)


@dataclass(frozen=True, slots=True)
class Placed:
    """The pairs that can be scored, the genome of each, and the rest in numbers."""

    pairs: tuple[Pair, ...]
    unplaced: int
    """Pairs that the chain doesn't lift, or that lie where no genome reaches."""
    far: int
    """Pairs further apart than was asked for."""
    elements: dict[Interval, Experiment]
    """Every element of the table that could be placed, for the sums of ABC."""

    def columns(self) -> tuple[Floats, Floats, Floats]:
        """Distance (1 at least), reads of DNase-seq and of H3K27ac in the element, [pairs] each."""
        distance = np.array([max(pair.distance, 1) for pair in self.pairs], dtype=np.float64)
        dnase, acetyl = (
            np.array([getattr(pair.experiment, name) for pair in self.pairs]) for name in ("dnase", "h3k27ac")
        )
        return distance, dnase, acetyl


def place(
    table: Iterable[Experiment],
    genomes: Sequence[Genome],
    chains: Chains | None = None,
    max_distance: int = MAX_DISTANCE,
) -> Placed:
    """Where the pairs of a table lie, lifted by `chains` where the genome is another assembly than the table's.

    Raises `InputError` where none is left, or all are of one class.
    """
    pairs, unplaced, far = [], 0, 0
    elements: dict[Interval, Experiment] = {}
    places = lru_cache(None)(lambda where: _placed(where, genomes, chains))  # an element is tested with many genes
    for row in table:
        element, tss = (places(where) for where in (row.element, row.tss))
        if element is not None:
            elements.setdefault(element, row)
        if element is None or tss is None or element.chrom != tss.chrom:
            unplaced += 1
        elif abs(element.center - tss.start) >= max_distance:
            far += 1
        else:
            pairs.append(Pair(row, element, tss.start))
    if len({pair.experiment.regulated for pair in pairs}) < 2:
        raise InputError(
            f"of the pairs {len(pairs)} are at most {max_distance:,} bp apart and in the genome, all of one class; "
            "give more of the genome, another chain file or a larger distance"
        )
    return Placed(tuple(pairs), unplaced, far, elements)


def _placed(interval: Interval, genomes: Sequence[Genome], chains: Chains | None) -> Interval | None:
    """Where an interval lies, under the genome's name and without strand; its longest stretch where it is broken up."""
    if not any(name in genome.sizes for genome in genomes for name in spellings(interval.chrom)):
        return None
    found = [interval] if chains is None else chains.lift(interval)
    best = max(found, key=lambda stretch: stretch.width, default=None)
    genome = None if best is None else _holding(best, genomes)
    return None if best is None or genome is None else Interval(genome.resolve(best.chrom), best.start, best.end)


def _holding(interval: Interval, genomes: Sequence[Genome]) -> Genome | None:
    """The first genome that has the whole interval."""
    for genome in genomes:
        try:
            size = genome.sizes[genome.resolve(interval.chrom)]
        except InputError:
            continue
        if interval.start >= 0 and interval.end <= size:
            return genome
    return None


# --- scores


def baselines(placed: Placed) -> dict[str, Floats]:
    """Scores that need no model, [pairs]: by name, larger means likelier."""
    distance, dnase, acetyl = placed.columns()
    found = {
        "1/distance": 1 / distance,
        "DNase/distance": dnase / distance,
        "H3K27ac/distance": acetyl / distance,
        "activity x contact": np.array([_touching(pair.experiment, pair.element, pair.tss) for pair in placed.pairs]),
        "share of activity x contact": np.array([_abc(pair, placed.elements) for pair in placed.pairs]),
    }
    return {name: scores for name, scores in found.items() if np.isfinite(scores).all()}


def _abc(pair: Pair, elements: dict[Interval, Experiment]) -> float:
    near = (
        _touching(silenced, element, pair.tss)
        for element, silenced in elements.items()
        if element.chrom == pair.element.chrom and abs(element.center - pair.tss) <= ABC_BP
    )
    whole = float(np.nansum(list(near)))
    return _touching(pair.experiment, pair.element, pair.tss) / whole if whole > 0 else 0.0


def _touching(experiment: Experiment, element: Interval, tss: int) -> float:
    return math.sqrt(experiment.dnase * experiment.h3k27ac) * PowerLaw()(element, tss)


def by_model(
    predictor: Predictor,
    placed: Placed,
    genomes: Sequence[Genome],
    asking: Asking,
    accessibility: str = "",
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Floats]:
    """A model's scores, [pairs], by name. An element that no window reaches scores 0. `progress` hears of each gene.

    Beside the methods asked for: the gradient of the signal itself; the gradient x the activity that was measured,
    which is ABC with the gradient for contact; and, where `accessibility` names tracks, the predicted activity, over
    distance and x gradient, for which nothing need be measured.
    """
    pairs, scores = placed.pairs, dict[str, Floats]()
    groups: dict[tuple[str, int], list[int]] = {}
    for row, pair in enumerate(pairs):
        groups.setdefault((pair.element.chrom, pair.tss), []).append(row)
    pass_ = Incremental(predictor)
    for (chrom, tss), rows in groups.items():
        promoter = Promoter(pairs[rows[0]].experiment.gene, chrom, ".", (tss,))
        genome = _holding(Interval(chrom, tss, tss + 1), genomes)
        assert genome is not None
        seen = view(pass_, genome, promoter, asking)
        elements = [pairs[row].element for row in rows]
        for method in asking.methods:
            found = np.nan_to_num(ask(seen, method, elements, asking))
            scores.setdefault(method, np.zeros(len(pairs)))[rows] = np.abs(found)
            if method == "gradient":
                unscaled = found * (1 + seen.slope.value)
                scores.setdefault("gradient of the signal", np.zeros(len(pairs)))[rows] = unscaled
        pass_.forget()
        progress(len(rows))
    return scores | _combined(predictor, placed, genomes, scores, accessibility, asking.rc)


def _combined(
    predictor: Predictor,
    placed: Placed,
    genomes: Sequence[Genome],
    scores: dict[str, Floats],
    accessibility: str,
    rc: bool,
) -> dict[str, Floats]:
    distance, dnase, acetyl = placed.columns()
    found = dict[str, Floats]()
    if "gradient" in scores:
        found["gradient x DNase"] = scores["gradient"] * dnase
        found["gradient x activity"] = scores["gradient"] * np.sqrt(dnase * acetyl)
    if accessibility:
        predicted = accessible(predictor, [pair.element for pair in placed.pairs], genomes, accessibility, rc)
        found["predicted DNase/distance"] = predicted / distance
        if "gradient" in scores:
            found["gradient x predicted DNase"] = scores["gradient"] * predicted
    return {name: values for name, values in found.items() if np.isfinite(values).all()}


def accessible(
    predictor: Predictor, elements: Sequence[Interval], genomes: Sequence[Genome], query: str, rc: bool
) -> Floats:
    """Predicted signal over each element in a window of its own, mean over the tracks of `query`, [elements]."""
    known: dict[Interval, float] = {}
    for element in elements:
        genome = _holding(element, genomes)
        if element not in known and genome is not None:
            known[element] = activity(element, list(predict(predictor, genome, [element], query, rc)))
    return np.array([known[element] for element in elements])


# --- the table


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well one score ranks the pairs that are regulated above those that aren't."""

    model: str
    """Empty for a baseline."""
    method: str
    low: int
    high: int
    """Bases from the element to the start site, `[low, high)`."""
    pairs: int
    positives: int
    auprc: float
    auprc_low: float
    auprc_high: float
    auroc: float
    difference: float
    """AUPRC less that of the reference baseline on the same pairs; NaN for that itself."""
    difference_low: float
    difference_high: float
    p: float
    """Two-sided, by paired bootstrap over genes."""


def rank(
    placed: Placed,
    scores: dict[tuple[str, str], Floats],
    reference: tuple[str, str],
    limits: Sequence[int] = LIMITS,
) -> list[Ranking]:
    """Each score's ranking of all pairs, and of those between neighbouring `limits` where these are of both kinds.

    `scores` float64 [pairs] by model and method; `reference` names the one that the others are compared with.
    """
    distance = np.array([pair.distance for pair in placed.pairs])
    labels = np.array([pair.experiment.regulated for pair in placed.pairs])
    genes = np.array([f"{pair.element.chrom}:{pair.tss}" for pair in placed.pairs])
    furthest = int(distance.max()) + 1
    classes = [(0, furthest), *pairwise([*(limit for limit in limits if limit < furthest), furthest])]
    rows = []
    for low, high in dict.fromkeys(classes):
        here = (distance >= low) & (distance < high)
        if len(set(labels[here].tolist())) == 2:
            known = scores[reference][here]
            for (model, method), values in scores.items():
                extent = (low, high, len(labels[here]), int(labels[here].sum()))
                rows.append(Ranking(model, method, *extent, *_measured(labels[here], values[here], known, genes[here])))
    return rows


def _measured(
    labels: NDArray[np.bool_], values: Floats, known: Floats, genes: NDArray[np.str_]
) -> tuple[float, float, float, float, float, float, float, float]:
    """AUPRC with its interval, AUROC, and the difference of the AUPRC from that of `known` with interval and p."""
    area = statistics.bootstrap(statistics.auprc, labels, values, groups=genes)
    roc = statistics.auroc(labels, values)
    if np.array_equal(values, known):
        return area.value, area.low, area.high, roc, math.nan, math.nan, math.nan, math.nan
    more = statistics.paired_bootstrap(statistics.auprc, labels, values, known, groups=genes)
    return area.value, area.low, area.high, roc, more.value, more.low, more.high, more.p


def able(predictor: Predictor, asking: Asking) -> Asking:
    """What a model can be asked: without attention where it has none. Raises `InputError` where nothing is left."""
    if any(isinstance(module, RelativeAttention) for module in predictor.module.modules()):
        return asking
    return replace(asking, methods=tuple(method for method in asking.methods if method != "attention"))


def write_scores(path: str | Path, placed: Placed, scores: dict[tuple[str, str], Floats]) -> None:
    """Every pair with every score, a line each; the file appears whole or not at all."""
    names = [f"{model}:{method}" if model else method for model, method in scores]
    lines = ["\t".join(("chrom", "start", "end", "gene", "tss", "distance", "regulated", "effect", "dataset", *names))]
    for row, pair in enumerate(placed.pairs):
        at, found = pair.element, pair.experiment
        cells = (at.chrom, at.start, at.end, found.gene, pair.tss, pair.distance, found.regulated, found.effect)
        numbers = (f"{values[row]:.6g}" for values in scores.values())
        lines.append("\t".join(map(str, (*cells, found.dataset, *numbers))))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
