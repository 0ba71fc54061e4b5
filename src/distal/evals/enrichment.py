"""Whether cases have larger effects than their controls, group of tracks by group of tracks; knows numbers only.

An effect counts by its rank: u = -ln(share of all cases and controls whose score in that track is as large or larger).
Its mean is 1 whatever the track; the largest effects weigh most, and no threshold has to be chosen. A group of tracks
has the mean of theirs. The statistic is T = Σ w u(case), with the cases' weights w.

Its distribution, if cases are no different, comes of choosing the case anew in every set, each member with the same
probability. The p-value is the share of such choices that give T or more, the observed one counted: exact for any
number of permutations (Phipson and Smyth 2010). Where fewer than ten reached it, its tail is that of the same
distribution by Lugannani and Rice's saddlepoint formula, which needs no draws: with thousands of tracks p has to be far
below what a number of draws can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.data.chance import generator
from distal.evals.statistics import benjamini_hochberg
from distal.train.metrics import ranks

Floats = NDArray[np.float64]

FEWEST = 10
"""Draws that have to reach the observed statistic for their share to be the p-value."""
TOP = 0.05
_DRAWN = 512
_PRECISION = 1e-9


@dataclass(frozen=True, slots=True)
class Enriched:
    """One group of tracks."""

    group: str
    tracks: int
    enrichment: float
    """Weighted mean of u over cases, divided by that over their controls; 1: no difference."""
    top: float
    """Weighted share of cases among the `TOP` largest of all cases and controls, divided by that of their controls."""
    z: float
    """The statistic in standard deviations of its distribution."""
    p: float
    """One-sided: larger effects than controls have."""
    q: float
    """Benjamini and Hochberg's false discovery rate over all groups."""
    by: str
    """Where p is from: permutation or saddlepoint."""


def surprise(sizes: NDArray[np.float32]) -> Floats:
    """The u of absolute scores [members, tracks], column by column, each with mean 1; equal ones share a rank."""
    found: Floats = np.empty(sizes.shape)
    for start in range(0, sizes.shape[1], 64):  # ranks need several copies
        part = slice(start, start + 64)
        share = (ranks(sizes[:, part].astype(np.float64)) - 0.5) / len(sizes)
        found[:, part] = -np.log1p(-share)
    found /= found.mean(axis=0)
    return found


def specific(values: Floats) -> Floats:
    """Values [members, groups] without what a member has in all groups: what tells a cell type from the others."""
    apart: Floats = values - values.mean(axis=1, keepdims=True) + 1
    return apart


def compared(
    values: Floats,
    there: NDArray[np.bool_],
    weights: Floats,
    names: list[tuple[str, int]],
    permutations: int = 9999,
    seed: int = 0,
) -> list[Enriched]:
    """What is said of each group: `names` are (group, number of tracks), smallest p first.

    `values` [sets, members, groups], the case first; `there` [sets, members] where there is a member; `weights` [sets].
    """
    sizes = there.sum(axis=1)
    kept = np.where(there[:, :, None], values, 0.0)
    mean = kept.sum(axis=1) / sizes[:, None]
    variance = (kept**2).sum(axis=1) / sizes[:, None] - mean**2
    observed, expected = weights @ values[:, 0], weights @ mean
    spread = np.sqrt(np.maximum(weights**2 @ variance, 0))
    reached = _reached(kept, sizes, weights, observed, permutations, seed)
    p, by = (reached + 1) / (permutations + 1), ["permutation"] * len(observed)
    for group in np.flatnonzero((reached < FEWEST) & (spread > 0)).tolist():
        tail = saddlepoint(kept[:, :, group], there, weights, float(observed[group]))
        if not math.isnan(tail):
            p[group], by[group] = min(tail, (FEWEST + 1) / (permutations + 1)), "saddlepoint"
    controls = weights @ ((mean * sizes[:, None] - values[:, 0]) / (sizes - 1)[:, None])
    tops = _tops(values, there, weights)
    q = benjamini_hochberg(p)
    z = np.divide(observed - expected, spread, out=np.zeros_like(spread), where=spread > 0)
    found = [
        Enriched(
            *names[i], float(observed[i] / controls[i]), float(tops[i]), float(z[i]), float(p[i]), float(q[i]), by[i]
        )
        for i in range(len(names))
    ]
    return sorted(found, key=lambda one: (one.p, -one.z))


def _reached(
    values: Floats, sizes: NDArray[np.int64], weights: Floats, observed: Floats, permutations: int, seed: int
) -> NDArray[np.int64]:
    """How many of so many random choices of the cases give at least the observed statistic, [groups]."""
    random = generator("enrichment", seed)
    limit = observed - _PRECISION * np.abs(observed)
    reached = np.zeros(values.shape[2], dtype=np.int64)
    for start in range(0, permutations, _DRAWN):
        draws = min(_DRAWN, permutations - start)
        chosen = (random.random((draws, len(sizes))) * sizes).astype(np.int64)
        total = np.zeros((draws, values.shape[2]))
        for i, weight in enumerate(weights.tolist()):
            total += weight * values[i][chosen[:, i]]
        reached += (total >= limit).sum(axis=0)
    return reached


def _tops(values: Floats, there: NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted share of cases at or above the 1 - `TOP` quantile of all members, divided by that of controls."""
    high = (values >= np.quantile(values[there], 1 - TOP, axis=0)) & there[:, :, None]
    cases = weights @ high[:, 0]
    controls = weights @ (high[:, 1:].sum(axis=1) / (there.sum(axis=1) - 1)[:, None])
    shares: Floats = np.full(len(cases), np.nan)
    np.divide(cases, controls, out=shares, where=controls > 0)
    return shares


def saddlepoint(values: Floats, there: NDArray[np.bool_], weights: Floats, observed: float) -> float:
    """P(Σ w v(chosen) >= observed), where one of the members of each set is chosen, all with the same probability.

    `values` and `there` [sets, members]; Lugannani and Rice (1980). NaN where the formula says nothing: at or below
    the mean, and at the largest possible value.
    """
    terms = np.where(there, weights[:, None] * values, -np.inf)
    largest = terms.max(axis=1).sum()
    if observed >= largest - _PRECISION * abs(largest):
        return math.nan
    log_sizes = np.log(there.sum(axis=1))
    finite = np.where(there, terms, 0.0)

    def cumulants(theta: float) -> tuple[float, float, float]:
        """The generating function of T's cumulants and its first two derivatives at `theta`."""
        exponent = theta * terms
        top = exponent.max(axis=1, keepdims=True)
        mass = np.exp(exponent - top)
        total = mass.sum(axis=1)
        share = mass / total[:, None]
        first = (share * finite).sum(axis=1)
        second = (share * finite**2).sum(axis=1) - first**2
        return float((np.log(total) + top[:, 0] - log_sizes).sum()), float(first.sum()), float(second.sum())

    _, mean, variance = cumulants(1e-300)
    if observed <= mean or variance <= 0:
        return math.nan
    low, high = 0.0, (observed - mean) / variance
    while cumulants(high)[1] < observed and high < 1e9:
        low, high = high, 2 * high
    for _ in range(80):
        theta = (low + high) / 2
        low, high = (theta, high) if cumulants(theta)[1] < observed else (low, theta)
    k, _, variance = cumulants(theta)
    w = math.sqrt(max(2 * (theta * observed - k), 0.0))
    u = theta * math.sqrt(variance)
    if w < 1e-3 or u <= 0:
        return math.nan
    return math.erfc(w / math.sqrt(2)) / 2 + math.exp(-(w**2) / 2) / math.sqrt(2 * math.pi) * (1 / u - 1 / w)
