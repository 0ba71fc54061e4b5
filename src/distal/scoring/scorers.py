"""From two predictions to one number per track: masks, statistics and the named scores; knows no file and no genome.

A statistic takes REF's and ALT's predictions float[bins, tracks], averaged over strands and shifts beforehand and over
the same bases (see `alleles`), and gives float64[tracks]. Differences are formed in fp32, sums are taken in float64.
The sign is always ALT - REF. Names and definitions are Basenji's; its `logSAD` is SAR under another name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Interval, Variant, Window
from distal.errors import InputError

Statistic = Callable[[Tensor, Tensor], Tensor]
"""(REF float[bins, tracks], ALT float[bins, tracks]) -> float64[tracks]."""
Mask = Callable[[Window, Variant], NDArray[np.bool_]]
"""(window, the variant it is centred on) -> bool[bins], the bins that count."""

_SMALLEST_PSEUDOCOUNT = 1e-6


def sad(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of ALT - REF."""
    return (alt - ref).sum(0, dtype=torch.float64)


def sar(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum over bins of log2((1 + ALT) / (1 + REF)): the logarithm is taken per bin, then summed (Basenji's logSAD)."""
    return _log2_ratio(ref, alt).sum(0, dtype=torch.float64)


def sadr(ref: Tensor, alt: Tensor) -> Tensor:
    """log2 of the ratio of the sums plus one: the sum is taken first, then the logarithm."""
    whole = ref.sum(0, dtype=torch.float64)
    return torch.log1p(sad(ref, alt) / (1 + whole)) / math.log(2)


def sax(ref: Tensor, alt: Tensor) -> Tensor:
    """ALT - REF at the bin where it is largest in absolute value, with its sign (the first of equals)."""
    difference = alt - ref
    where = difference.abs().argmax(0, keepdim=True)
    return difference.gather(0, where).squeeze(0).double()


def d1(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of |ALT - REF|."""
    return (alt - ref).abs().sum(0, dtype=torch.float64)


def d2(ref: Tensor, alt: Tensor) -> Tensor:
    """Euclidean distance: square root of the sum of (ALT - REF)²."""
    return _length(alt - ref)


def log_d2(ref: Tensor, alt: Tensor) -> Tensor:
    """Euclidean distance of log2(1 + ALT) and log2(1 + REF)."""
    return _length(_log2_ratio(ref, alt))


def js(ref: Tensor, alt: Tensor) -> Tensor:
    """Symmetrised divergence of the two profiles in nats, ½ [KL(R‖A) + KL(A‖R)]: shape, not height.

    To both profiles the 25th percentile of REF over bins is added (at least 1e-6), then each is scaled to sum 1.
    """
    pseudocount = _quarter(ref).clamp(min=_SMALLEST_PSEUDOCOUNT)
    r, a = ref.double() + pseudocount, alt.double() + pseudocount
    r, a = r / r.sum(0), a / a.sum(0)
    return 0.5 * ((r - a) * (r / a).log()).sum(0)


def _log2_ratio(ref: Tensor, alt: Tensor) -> Tensor:
    """log2((1 + ALT) / (1 + REF)) per bin, from the difference: small effects keep their digits."""
    return torch.log1p((alt - ref) / (1 + ref)) / math.log(2)


def _length(difference: Tensor) -> Tensor:
    return difference.double().square().sum(0).sqrt()


def _quarter(values: Tensor) -> Tensor:
    """25th percentile over bins, linearly interpolated as numpy does; `torch.quantile` refuses large tensors."""
    place = (len(values) - 1) * 0.25
    low = int(place)
    ordered = values.double().sort(0).values
    return torch.lerp(ordered[low], ordered[min(low + 1, len(values) - 1)], place - low)


def whole_output(window: Window, variant: Variant) -> NDArray[np.bool_]:
    """Every bin of the output."""
    return np.ones(window.bins, dtype=np.bool_)


def near(bp: int) -> Mask:
    """The bins that share a base with REF or with the `bp` bases on either side of it."""

    def mask(window: Window, variant: Variant) -> NDArray[np.bool_]:
        reach = Interval(variant.chrom, variant.start - bp, variant.end + bp)
        bins = np.zeros(window.bins, dtype=np.bool_)
        bins[window.bins_touching(reach, window.output_of(window.input_around(variant)))] = True
        return bins

    return mask


@dataclass(frozen=True)
class Scorer:
    """A named score: the statistic, the bins that it is taken over, and the formula that the files carry."""

    name: str
    statistic: Statistic
    formula: str
    mask: Mask = whole_output

    def __call__(self, ref: Tensor, alt: Tensor, window: Window, variant: Variant) -> Tensor:
        """REF and ALT float[bins, tracks] over `window` around `variant` to float64[tracks]."""
        bins = self.mask(window, variant)
        if bins.all():
            return self.statistic(ref, alt)
        chosen = torch.from_numpy(np.flatnonzero(bins)).to(ref.device)
        return self.statistic(ref.index_select(0, chosen), alt.index_select(0, chosen))


SCORERS = {
    scorer.name: scorer
    for scorer in (
        Scorer("SAD", sad, "sum over bins of (alt - ref)"),
        Scorer("SAR", sar, "sum over bins of log2((1 + alt) / (1 + ref))"),
        Scorer("SADR", sadr, "log2((1 + sum over bins of alt) / (1 + sum over bins of ref))"),
        Scorer("SAX", sax, "alt - ref at the bin where |alt - ref| is largest"),
        Scorer("D1", d1, "sum over bins of |alt - ref|"),
        Scorer("D2", d2, "sqrt(sum over bins of (alt - ref)^2)"),
        Scorer("logD2", log_d2, "sqrt(sum over bins of log2((1 + alt) / (1 + ref))^2)"),
        Scorer(
            "JS",
            js,
            "(KL(r|a) + KL(a|r)) / 2 in nats; r, a = ref, alt + max(1e-6, 25th percentile of ref), scaled to sum 1",
        ),
    )
}
"""The scores there are, by name."""


def named(scores: Sequence[str | Scorer]) -> tuple[Scorer, ...]:
    """Scorers by name; a `Scorer` of the caller's own stands for itself.

    Raises `InputError` for an unknown name, for none, and for a name that comes twice.
    """
    unknown = [score for score in scores if isinstance(score, str) and score not in SCORERS]
    if unknown or not scores:
        asked = f"score {unknown[0]!r} is not known" if unknown else "no score is asked for"
        raise InputError(f"{asked}; there are {', '.join(SCORERS)}")
    chosen = tuple(SCORERS[score] if isinstance(score, str) else score for score in scores)
    names = [scorer.name for scorer in chosen]
    if len(set(names)) < len(names):
        raise InputError(f"a score is asked for twice: {', '.join(names)}")
    return chosen
