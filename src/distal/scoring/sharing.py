"""How far scores move where variants share windows: measured on a few variants; knows a recipe, prints nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import TYPE_CHECKING

import numpy as np

from distal.scoring.alleles import SCORED, Judged, judge
from distal.scoring.recipe import Recipe
from distal.scoring.scorers import named

if TYPE_CHECKING:
    from distal.io.vcf import VcfRow

VARIANTS = 8
"""How many are scored both ways."""
_CANDIDATES = 8 * VARIANTS
"""Rows that are looked at for so many."""
_SEED = 0


@dataclass(frozen=True)
class Sharing:
    """How far SAD moves from a variant's own window to a shared one, in parts of its size.

    Of a variant it is |SAD of the shared window - SAD of its own| / |SAD of its own|, each the length of the vector
    over the tracks that are scored.
    """

    share_reference: int
    """Bases whose variants share a window."""
    variants: int
    """SNVs that were scored both ways."""
    median: float
    largest: float


def measure(recipe: Recipe, rows: Iterable[VcfRow], n: int = VARIANTS) -> Sharing | None:
    """Score `n` SNVs of `rows` in the windows that `recipe` shares and in windows of their own.

    Which ones depends on the rows alone. None where there is none that can be scored, or that changes anything.
    """
    recipe = replace(recipe.on(0), scorers=named(["SAD"]), spread=False, genes=None)
    found = _sample(recipe, rows, n)
    own = _scores(replace(recipe, share_reference=0), found)
    moved = np.linalg.norm(_scores(recipe, found) - own, axis=1)
    sizes = np.linalg.norm(own, axis=1)
    parts = moved[sizes > 0] / sizes[sizes > 0]
    if not len(parts):
        return None
    return Sharing(recipe.share_reference, len(parts), float(np.median(parts)), float(parts.max()))


def _sample(recipe: Recipe, rows: Iterable[VcfRow], n: int) -> list[Judged]:
    """Some SNVs from anywhere in `rows`, each as likely as any other; memory doesn't grow with the rows."""
    draw = random.Random(_SEED)
    snvs = (row for row in rows if len(row.ref) == len(row.alt) == 1)
    drawn = nsmallest(_CANDIDATES, ((draw.random(), i, row) for i, row in enumerate(snvs)))
    judged = (judge(recipe.genome, recipe.predictor.window, row) for _, _, row in drawn)
    return [one for one in judged if one.status == SCORED][:n]


def _scores(recipe: Recipe, found: list[Judged]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """SAD of each, [n, tracks]."""
    values = [np.empty((0, len(recipe.table)))]
    for judged in found:
        values += [answer.values for answer in recipe.answers([recipe.haplotypes(judged)])]
    return np.concatenate(values)
