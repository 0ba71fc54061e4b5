"""Which elements regulate a gene: every method's score of every candidate, one table; knows no file and no figure.

A gene's scores are summed over its promoters, as in `basenji`'s benchmark, and methods that need no model stand beside
those that do: distance, and the ABC model (Fulco et al. 2019), an element's share of activity x contact among the
candidates of the gene. What a model sees can take the place of contact: `activity_gradient` is the share of
activity x gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import Pass
from distal.interpret.contact import Contact
from distal.interpret.elements import Element
from distal.interpret.gradients import Mask
from distal.interpret.promoters import Promoter, on_strand, total
from distal.interpret.views import WIDTH_BP, Floats, View
from distal.io.fasta import Genome

METHODS = ("gradient", "gaussian", "attention", "ism")
"""The ways to ask a model, in the order of a table's columns; see `views`."""
BASELINES = ("inverse_distance", "abc", "activity_gradient")


@dataclass(frozen=True, slots=True)
class Asking:
    """How a model is asked: by which methods, of which tracks, and by how many shuffles."""

    methods: tuple[str, ...] = ("gradient", "gaussian", "attention")
    query: str = ""
    rc: bool = False
    width_bp: int = WIDTH_BP
    shuffles: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for method in self.methods:
            if method not in METHODS:
                raise InputError(f"method {method!r} is not one of {', '.join(METHODS)}")
        if not self.methods:
            raise InputError(f"no method is asked for; name some of {', '.join(METHODS)}")
        if self.shuffles < 1:
            raise InputError(f"{self.shuffles} shuffles change nothing; ask for one at least")


@dataclass(frozen=True, eq=False)
class Links:
    """The candidates of one gene and what each method says of them.

    `scores` has float64 [elements] for each method asked for, then for the baselines; larger means likelier. NaN where
    the element's middle lies in no promoter's window. `change` [elements] is what shuffling does to ln(1 + signal),
    below 0 where the element adds to it; None where it wasn't asked for.
    """

    promoters: tuple[Promoter, ...]
    elements: tuple[Element, ...]
    scores: dict[str, Floats]
    change: Floats | None = None

    def __post_init__(self) -> None:
        for name, scores in self.scores.items():
            if scores.shape != (len(self.elements),):
                raise ValueError(f"{name} must be [{len(self.elements)}], not {list(scores.shape)}")

    def __repr__(self) -> str:
        gene = self.promoters[0].gene if self.promoters else "no gene"
        return f"Links({gene}: {len(self.elements):,} elements, {', '.join(self.scores)})"

    def distance(self) -> list[int]:
        """Bases from each element's middle to the gene's nearest start site."""
        return [min(promoter.distance(element.interval) for promoter in self.promoters) for element in self.elements]


def view(pass_: Pass, genome: Genome, promoter: Promoter, asking: Asking) -> View:
    """A promoter's window. Raises `InputError` where the chromosome or a track isn't there."""
    predictor = pass_.predictor
    read = promoter.read(predictor.window)
    channels = on_strand(predictor.tracks.select(asking.query), promoter.strand).channels
    mask = Mask(promoter.bins(predictor.window), channels)
    return View(pass_, read, genome.codes(read), mask, asking.rc, asking.width_bp)


def link(
    pass_: Pass,
    genome: Genome,
    promoters: Sequence[Promoter],
    elements: Sequence[Element],
    contact: Contact,
    asking: Asking,
    progress: Callable[[int], None] = lambda done: None,
) -> Links:
    """Score the candidates of the gene that `promoters` belong to. `progress` hears of each promoter that is done."""
    places = [element.interval for element in elements]
    parts: dict[str, list[Floats]] = {method: [] for method in asking.methods}
    for promoter in promoters:
        seen = view(pass_, genome, promoter, asking)
        for method, found in parts.items():
            found.append(ask(seen, method, places, asking))
        progress(1)
    scores = {method: total(found) for method, found in parts.items()}
    change = scores.get("ism")
    if change is not None:
        scores["ism"] = np.abs(change)
    activity = np.array([element.activity for element in elements], dtype=np.float64)
    near = [min(promoter.distance(place) for promoter in promoters) for place in places]
    touching = [sum(contact(place, site) for promoter in promoters for site in promoter.tss) for place in places]
    scores["inverse_distance"] = 1 / np.maximum(near, 1.0)
    scores["abc"] = share(activity * np.array(touching))
    if "gradient" in scores:
        scores["activity_gradient"] = share(activity * scores["gradient"])
    return Links(tuple(promoters), tuple(elements), scores, change)


def ask(seen: View, method: str, elements: Sequence[Interval], asking: Asking) -> Floats:
    """One method's scores, [elements]; of shuffling, the change with its sign."""
    match method:
        case "gradient":
            return seen.gradient(elements)
        case "gaussian":
            return seen.gaussian(elements)
        case "attention":
            return seen.attention(elements)
        case _:
            return seen.ism(elements, asking.shuffles, asking.seed)


def share(values: Floats) -> Floats:
    """Each value's share of their sum; NaNs don't count, and of nothing every share is 0."""
    whole = np.nansum(values)
    return values / whole if whole > 0 else np.where(np.isnan(values), np.nan, 0.0)
