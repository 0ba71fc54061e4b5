"""From the signal of every base of a window to the numbers that a model learns; knows bins and tracks, not files.

A recipe is a function of one track over one window. The published ones are those of Basenji2's data set (basenji of
2020-06), of the basenji that came after it, and of Borzoi: they differ in what stands in for bases that are blacklisted
or have no value, in what a clip does, and in when the scale comes. All is computed in float64 and fits float16.

One thing is not as published. Where a window lacks the value of even one base, the originals took a percentile of
NaN and made it 0; here a base without a value counts as 0 in the percentile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.coords import Window
from distal.errors import InputError
from distal.tracks import Track

Values = NDArray[np.float64]
Half = NDArray[np.float16]
Mask = NDArray[np.bool_]
Stat = Callable[[Values], Values]
"""The bases of bins, [bins, bin_bp], to a number for each, [bins]."""
HALF_MAX = float(np.finfo(np.float16).max)
_FEW_BINS = 8
_TOUCHED = 0.1


@dataclass(frozen=True, eq=False)
class Measured:
    """One track over one window: float64 [input_bp], NaN where the file says nothing."""

    bases: Values
    black: Mask
    """Blacklisted bases, [input_bp]."""
    track: Track
    window: Window


@dataclass(frozen=True)
class Recipe:
    """How the signal of a window becomes targets."""

    bins: Callable[[Measured], Values]
    """The targets of one track over one window, float64 [bins]."""
    stats: Mapping[str, Stat]
    """Each `sum_stat` of a targets table that it knows."""
    ceiling: float | None = None
    """The quantile of all targets of a track above which they are cut in the end."""

    def check(self, track: Track) -> None:
        """Raise `InputError` where the recipe does not know what `track` asks for."""
        if track.sum_stat not in self.stats:
            raise InputError(f"track {track.name}: sum_stat is {track.sum_stat!r}; give {', '.join(self.stats)}")


def basenji2(measured: Measured) -> Values:
    """Basenji2's data set, which Enformer shares: soft clip at `clip`, then scale."""
    track = measured.track
    return _soft(_pooled_2020(measured), track.clip, 0.0) * track.scale


def basenji2_hard(measured: Measured) -> Values:
    """The same program without its option --soft: hard clip to [0, `clip`], then scale."""
    track = measured.track
    bins = _pooled_2020(measured)
    return (bins if track.clip is None else np.clip(bins, 0.0, track.clip)) * track.scale


def basenji(measured: Measured) -> Values:
    """The later basenji: scale, then soft clip at `clip_soft`, then hard clip to ±`clip`."""
    track = measured.track
    bins = _STATS[track.sum_stat](track.scale * _central(measured))
    return _hard(_soft(bins, track.clip_soft, 1.0), track.clip)


def borzoi(measured: Measured) -> Values:
    """Borzoi: a power of 3/4 where `sum_stat` ends in _sqrt, soft clip at `clip_soft`, hard clip to ±`clip`, scale."""
    track = measured.track
    bins = _BORZOI_STATS[track.sum_stat](_central(measured))
    return _hard(_soft(bins, track.clip_soft, 0.0), track.clip) * track.scale


def _pooled_2020(measured: Measured) -> Values:
    """Whole window: blacklisted bases are set to the 10th percentile; then the centre is cut out and pooled."""
    bases = _rounded(measured.bases)
    low = _percentile(bases, 10.0)
    bases = np.where(measured.black | np.isnan(bases), low, bases)
    return _SIMPLE_STATS[measured.track.sum_stat](_binned(bases, measured.window))


def _central(measured: Measured) -> Values:
    """Centre [bins, bin_bp]: blacklisted bases are cut at the median (at 0 where there are few bins)."""
    window = measured.window
    inside = slice(window.crop_bp, window.crop_bp + window.output_bp)
    bases = _rounded(measured.bases[inside])
    low = _percentile(bases, 50.0) if window.bins >= _FEW_BINS else 0.0
    bases = np.where(measured.black[inside], np.clip(bases, -low, low), bases)
    return np.where(np.isnan(bases), low, bases).reshape(window.bins, window.bin_bp)


def _binned(bases: Values, window: Window) -> Values:
    return bases[window.crop_bp : window.crop_bp + window.output_bp].reshape(window.bins, window.bin_bp)


def _rounded(bases: Values) -> Values:
    """The precision in which all three programs hold what they read."""
    return np.clip(bases, -HALF_MAX, HALF_MAX).astype(np.float16).astype(np.float64)


def _percentile(bases: Values, percent: float) -> float:
    return float(np.percentile(np.nan_to_num(bases), percent))


def _soft(bins: Values, limit: float | None, offset: float) -> Values:
    """Above `limit`, grow as a square root does; `offset` 1 makes its slope begin at 1/2, 0 lets it begin upright."""
    if limit is None:
        return bins
    return np.where(bins > limit, limit - offset + np.sqrt(np.maximum(bins - limit, 0.0) + offset), bins)


def _hard(bins: Values, limit: float | None) -> Values:
    return bins if limit is None else np.clip(bins, -limit, limit)


def _mean(bases: Values) -> Values:
    mean: Values = bases.mean(axis=1)
    return mean


def _sum(bases: Values) -> Values:
    total: Values = bases.sum(axis=1)
    return total


def _root(pooled: Values) -> Values:
    return np.sqrt(1.0 + _from(-1.0, pooled)) - 1.0


def _power(pooled: Values) -> Values:
    return _from(0.0, pooled) ** 0.75


def _from(least: float, pooled: Values) -> Values:
    if pooled.min() < least:
        raise InputError(f"a bin is {pooled.min():g}, which has no root; give another sum_stat, or a file without it")
    return pooled


_SIMPLE_STATS: Mapping[str, Stat] = {
    "sum": _sum,
    "mean": _mean,
    "avg": _mean,
    "median": lambda bases: np.median(bases, axis=1),
    "max": lambda bases: bases.max(axis=1),
}
_STATS: Mapping[str, Stat] = {
    **_SIMPLE_STATS,
    "sum_sqrt": lambda bases: _root(_sum(bases)),
    "mean_sqrt": lambda bases: _root(_mean(bases)),
    "peak": lambda bases: np.clip(np.sqrt(_from(0.0, 4.0 * _mean(bases))), 0.0, 1.0),
}
_BORZOI_STATS: Mapping[str, Stat] = {
    **_SIMPLE_STATS,
    "sum_sqrt": lambda bases: _power(_sum(bases)),
    "mean_sqrt": lambda bases: _power(_mean(bases)),
}

RECIPES: Mapping[str, Recipe] = {
    "basenji2": Recipe(basenji2, _SIMPLE_STATS),
    "basenji2-hard": Recipe(basenji2_hard, _SIMPLE_STATS),
    "basenji": Recipe(basenji, _STATS, ceiling=0.9999999),
    "borzoi": Recipe(borzoi, _BORZOI_STATS),
}
"""By name, the published ways."""


def recipe(name: str) -> Recipe:
    """One of `RECIPES`. Raises `InputError` where there is none of that name."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def interpolated(bases: Values) -> Values:
    """Bases [width] with each gap (NaN) filled linearly between its neighbours; 0 stands before and behind them all."""
    gaps = np.isnan(bases)
    known = np.flatnonzero(~gaps)
    places = np.concatenate([[-1], known, [len(bases)]])
    filled: Values = np.interp(np.arange(len(bases)), places, np.concatenate([[0.0], bases[known], [0.0]]))
    return filled


def capped(bins: Values, unmappable: Values, quantile: float) -> Values:
    """Bins with those that reads cannot be mapped to, cut at a quantile of all bins of the window.

    `unmappable` [bins] is the share of each bin's bases; a bin that is touched by less than a tenth is none, as in
    Basenji (its option --umap_clip).
    """
    return np.where(unmappable >= _TOUCHED, np.minimum(bins, np.quantile(bins, quantile)), bins)


def half(bins: Values) -> Half:
    """Targets as they are stored: the nearest float16, the largest finite one beyond its range."""
    return np.clip(bins, -HALF_MAX, HALF_MAX).astype(np.float16)
