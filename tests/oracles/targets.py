"""Targets of a window straight from a bigWig through pyBigWig, base by base and bin by bin, in Python's own numbers.

Written from the description of the programs (Basenji of 2020-06, its later form, Borzoi), not from distal's code: a
window is a Python list of floats, NaN where the bigWig has nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HALF_MAX = 65504.0


def read(path: Path, chrom: str, start: int, end: int) -> list[float]:
    """The value of each base, NaN where there is none, off the chromosome too."""
    import pyBigWig

    values = [math.nan] * (end - start)
    with pyBigWig.open(str(path)) as file:
        chrom = chrom if chrom in file.chroms() else chrom.removeprefix("chr")
        size = file.chroms().get(chrom, 0)
        low, high = max(start, 0), min(end, size)
        if low < high:
            values[low - start : high - start] = file.values(chrom, low, high)
    return values


def as_half(value: float) -> float:
    return float(np.float16(min(max(value, -HALF_MAX), HALF_MAX))) if not math.isnan(value) else value


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between order statistics; what is missing counts as 0."""
    ordered = sorted(0.0 if math.isnan(value) else value for value in values)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def filled(values: Sequence[float], low: float) -> list[float]:
    return [low if math.isnan(value) else value for value in values]


def pooled(values: Sequence[float], bin_bp: int, stat: str) -> list[float]:
    bins = [list(values[i : i + bin_bp]) for i in range(0, len(values), bin_bp)]
    means: dict[str, Callable[[list[float]], float]] = {
        "sum": math.fsum,
        "mean": lambda x: math.fsum(x) / len(x),
        "avg": lambda x: math.fsum(x) / len(x),
        "median": lambda x: float(np.median(x)),
        "max": max,
    }
    return [means[stat](x) for x in bins]


def rooted(values: Sequence[float], bin_bp: int, stat: str) -> list[float]:
    if stat == "peak":
        return [min(math.sqrt(4 * x), 1.0) for x in pooled(values, bin_bp, "mean")]
    if stat.endswith("_sqrt"):
        return [-1 + math.sqrt(1 + x) for x in pooled(values, bin_bp, stat.removesuffix("_sqrt"))]
    return pooled(values, bin_bp, stat)


def soft(values: Sequence[float], limit: float | None, shift: float) -> list[float]:
    if limit is None:
        return list(values)
    return [x if x <= limit else limit - shift + math.sqrt(x - limit + shift) for x in values]


def hard(values: Sequence[float], low: float, high: float) -> list[float]:
    return [min(max(x, low), high) for x in values]


def expected(
    recipe: str, values: Sequence[float], black: Sequence[bool], track: Any, crop_bp: int, bin_bp: int
) -> list[float]:
    """Targets of the window whose bases are `values`, before any ceiling; `track` is a row of a targets table."""
    inside = slice(crop_bp, len(values) - crop_bp)
    values = [as_half(value) for value in values]
    if recipe.startswith("basenji2"):
        low = percentile(values, 10)
        values = filled([low if b else v for v, b in zip(values, black, strict=True)], low)
        bins = pooled(values[inside], bin_bp, track.sum_stat)
        if track.clip is not None:
            bins = hard(bins, 0, track.clip) if recipe == "basenji2-hard" else soft(bins, track.clip, 0)
        return [x * track.scale for x in bins]
    values, black = values[inside], black[inside]
    low = percentile(values, 50) if len(values) >= 8 * bin_bp else 0.0
    values = filled(
        [min(max(v, -low), low) if b and not math.isnan(v) else v for v, b in zip(values, black, strict=True)], low
    )
    limit = math.inf if track.clip is None else track.clip
    if recipe == "basenji":
        bins = rooted([track.scale * x for x in values], bin_bp, track.sum_stat)
        return hard(soft(bins, track.clip_soft, 1), -limit, limit)
    power = 0.75 if track.sum_stat.endswith("_sqrt") else 1.0
    bins = [x**power for x in pooled(values, bin_bp, track.sum_stat.removesuffix("_sqrt"))]
    return [x * track.scale for x in hard(soft(bins, track.clip_soft, 0), -limit, limit)]
