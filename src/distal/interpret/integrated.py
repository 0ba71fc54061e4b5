"""Integrated gradients: a prediction shared out over its letters, to the last per cent; knows modules, no genome.

Along the straight line from a baseline without information to the sequence, the mean gradient times the step of each
letter sums to the difference between the predictions at both ends (Sundararajan et al. 2017, arXiv:1703.01365).

**Where the steps are.** Of that line a sequence model notices little before letters become certain: mini Borzoi's CAGE
over HNF4A's promoter goes from 0.01 to 0.03 on the first 70 % of the way, to 0.5 on the rest, and back to 0.33, and 81
equal steps are wrong by 9 %. But what the gradient should integrate to over any stretch is known: the difference of the
predictions at its ends, which is cheap. So the way is cut into `FIRST_STEPS` stretches, each with the gradient at its
middle, and the one that is most wrong is cut into three (its gradient serves the middle one) until the sum is right to
one per cent, and what is wrong here and made good there is below five, or there are `MOST_STEPS`.

Letters that are not known, N, are the same at both ends and get nothing. Averaging over strands and shifts commutes
with the straight line, so the sum is right for the averaged prediction too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distal.dna import Codes, N
from distal.errors import InputError
from distal.interpret.gradients import Mask, letters, slope, value
from distal.predictor import Predictor

BASELINES = {"zero": 0.0, "uniform": 0.25}
"""What all four channels are at every base of a baseline: nothing, or every letter equally likely."""
FIRST_STEPS = 9
MOST_STEPS = 201
GAP = 0.01
"""How wrong the sum may be, in parts of the difference between the ends."""
HIDDEN = 5
"""How many times that all stretches may be wrong together where signs are left out."""


@dataclass(frozen=True, eq=False)
class Integral:
    """The mean gradient, float64 [input_bp, 4], on the way from a baseline to a sequence."""

    gradient: NDArray[np.float64]
    baseline: float
    """The value of the baseline's four channels."""
    from_value: float
    to_value: float
    steps: int
    gap: float
    """|sum of contributions - (to - from)| / |to - from|, 0 where float32 cannot tell."""


def integrate(
    predictor: Predictor,
    codes: Codes,
    mask: Mask,
    baseline: str = "uniform",
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    most_steps: int = MOST_STEPS,
    gap: float = GAP,
    progress: Callable[[int], None] = lambda done: None,
) -> Integral:
    """The mean gradient of the mask's value from a baseline, one of `BASELINES`, to a sequence uint8 [input_bp].

    No more than `most_steps` gradients are taken. `progress` is called with the number just done. Raises `InputError`
    for an unknown baseline.
    """
    if baseline not in BASELINES:
        raise InputError(f"baseline {baseline!r} is not one of {', '.join(BASELINES)}")
    x = letters(predictor, codes)
    known = torch.from_numpy(codes != N).to(x.device)[:, None]
    start = torch.where(known, torch.full_like(x, BASELINES[baseline]), x)
    step = (x - start).double().numpy(force=True)

    def value_at(part: float) -> float:
        return value(predictor, torch.lerp(start, x, part), mask, rc, shifts)

    def stretch(first: float, last: float, ends: tuple[float, float]) -> _Stretch:
        found = slope(predictor, torch.lerp(start, x, (first + last) / 2), mask, rc, shifts).gradient
        progress(1)
        return _Stretch(first, last, ends, found, float((step * found).sum()))

    edges = [i / FIRST_STEPS for i in range(FIRST_STEPS + 1)]
    values = [value_at(edge) for edge in edges]
    way = list(map(stretch, edges[:-1], edges[1:], pairwise(values)))
    difference = values[-1] - values[0]
    rounding = _ROUNDING * (abs(values[0]) + abs(values[-1]))
    allowed = max(gap * abs(difference), rounding)

    def right() -> bool:
        errors = [part.wrong for part in way]
        return abs(sum(errors)) <= allowed and sum(map(abs, errors)) <= HIDDEN * allowed

    while not right() and len(way) + 2 <= most_steps:
        worst = way.pop(max(range(len(way)), key=lambda i: abs(way[i].wrong)))
        one, two = (worst.first + third * worst.width / 3 for third in (1, 2))
        inner = value_at(one), value_at(two)
        way.append(stretch(worst.first, one, (worst.ends[0], inner[0])))
        way.append(replace(worst, first=one, last=two, ends=inner))
        way.append(stretch(two, worst.last, (inner[1], worst.ends[1])))
    mean = np.zeros(step.shape)
    for part in way:
        mean += part.width * part.gradient
    missing = abs(float((step * mean).sum()) - difference)
    share = missing / abs(difference) if missing > rounding else 0.0
    return Integral(mean, BASELINES[baseline], values[0], values[-1], len(way), share)


_ROUNDING = 1e-6
"""Of a prediction in float32."""


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A part of the way, from `first` to `last` of it, the predictions at its ends and the gradient at its middle."""

    first: float
    last: float
    ends: tuple[float, float]
    gradient: NDArray[np.floating[Any]]
    rise: float
    """How steeply the prediction rises at the middle, per way."""

    @property
    def width(self) -> float:
        return self.last - self.first

    @property
    def wrong(self) -> float:
        """What the gradient integrates to here, minus what it should."""
        return self.width * self.rise - (self.ends[1] - self.ends[0])
