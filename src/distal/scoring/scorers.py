"""From two predictions to one number per track: statistics, masks and the scores named after both; knows no file.

A statistic takes REF's and ALT's predictions float[bins, tracks], averaged over strands and shifts beforehand, over the
same bases (see `alleles`) and not negative, and gives float64[tracks]. Differences are formed in fp32, sums are taken
in float64. The sign is always ALT - REF. Names and definitions are Basenji's; its `logSAD` is SAR under another name.

A score is a statistic over the bins of a mask. ``SAD`` counts all bins, ``SAD_501`` those near the variant,
``SAD_tss`` and ``SAD_gene`` those of a gene: there is one score for each gene that the output touches.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.coords import Interval, Variant, Window
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.io.genes import Gene

Statistic = Callable[[Tensor, Tensor], Tensor]
"""(REF float[bins, tracks], ALT float[bins, tracks]) -> float64[tracks]."""
Bins = NDArray[np.bool_]
"""bool[bins]: which bins of the output count."""

_SMALLEST_PSEUDOCOUNT = 1e-6


def sad(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of ALT - REF."""
    return (alt - ref).sum(0, dtype=torch.float64)


def sadr(ref: Tensor, alt: Tensor) -> Tensor:
    """log2 of the ratio of the sums plus one: the sum is taken first, then the logarithm."""
    whole = ref.sum(0, dtype=torch.float64)
    return torch.log1p(sad(ref, alt) / (1 + whole)) / math.log(2)


def sar(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum over bins of log2((1 + ALT) / (1 + REF)): the logarithm is taken per bin, then summed."""
    return _log2_ratio(ref, alt).sum(0, dtype=torch.float64)


def sqrt_sad(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of √ALT - √REF."""
    return _root_difference(ref, alt).sum(0, dtype=torch.float64)


def sax(ref: Tensor, alt: Tensor) -> Tensor:
    """ALT - REF at the bin where it is largest in absolute value, with its sign (the first of equals)."""
    return _largest(alt - ref)


def saxr(ref: Tensor, alt: Tensor) -> Tensor:
    """log2((1 + ALT) / (1 + REF)) at the bin where it is largest in absolute value, with its sign."""
    return _largest(_log2_ratio(ref, alt))


def d1(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of |ALT - REF|."""
    return _length1(alt - ref)


def log_d1(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of |log2(1 + ALT) - log2(1 + REF)|."""
    return _length1(_log2_ratio(ref, alt))


def sqrt_d1(ref: Tensor, alt: Tensor) -> Tensor:
    """Sum of |√ALT - √REF|."""
    return _length1(_root_difference(ref, alt))


def d2(ref: Tensor, alt: Tensor) -> Tensor:
    """Euclidean distance: square root of the sum of (ALT - REF)²."""
    return _length2(alt - ref)


def log_d2(ref: Tensor, alt: Tensor) -> Tensor:
    """Euclidean distance of log2(1 + ALT) and log2(1 + REF)."""
    return _length2(_log2_ratio(ref, alt))


def sqrt_d2(ref: Tensor, alt: Tensor) -> Tensor:
    """Euclidean distance of √ALT and √REF."""
    return _length2(_root_difference(ref, alt))


def js(ref: Tensor, alt: Tensor) -> Tensor:
    """Symmetrised divergence of the two profiles in nats, ½ [KL(R‖A) + KL(A‖R)]: shape, not height.

    To both profiles the 25th percentile of REF over bins is added (at least 1e-6, so that a profile with empty bins
    has logarithms), then each is scaled to sum 1.
    """
    pseudocount = _quarter(ref).clamp(min=_SMALLEST_PSEUDOCOUNT)
    r, a = ref.double() + pseudocount, alt.double() + pseudocount
    r, a = r / r.sum(0), a / a.sum(0)
    return 0.5 * ((r - a) * (r / a).log()).sum(0)


def log_js(ref: Tensor, alt: Tensor) -> Tensor:
    """`js` of log2(1 + REF) and log2(1 + ALT)."""
    return js(torch.log1p(ref.double()) / math.log(2), torch.log1p(alt.double()) / math.log(2))


def _log2_ratio(ref: Tensor, alt: Tensor) -> Tensor:
    """log2((1 + ALT) / (1 + REF)) per bin, from the difference: small effects keep their digits."""
    return torch.log1p((alt - ref) / (1 + ref)) / math.log(2)


def _root_difference(ref: Tensor, alt: Tensor) -> Tensor:
    """√ALT - √REF per bin, from the difference: small effects keep their digits; 0 where both are 0."""
    roots = ref.sqrt() + alt.sqrt()
    return (alt - ref) / torch.where(roots == 0, 1, roots)


def _largest(difference: Tensor) -> Tensor:
    where = difference.abs().argmax(0, keepdim=True)
    return difference.gather(0, where).squeeze(0).double()


def _length1(difference: Tensor) -> Tensor:
    return difference.abs().sum(0, dtype=torch.float64)


def _length2(difference: Tensor) -> Tensor:
    return difference.double().square().sum(0).sqrt()


def _quarter(values: Tensor) -> Tensor:
    """25th percentile over bins in float64, interpolated as numpy does; `torch.quantile` refuses large tensors."""
    place = (len(values) - 1) * 0.25
    low = int(place)
    smallest = values.topk(min(low + 2, len(values)), dim=0, largest=False).values.double()
    return torch.lerp(smallest[low], smallest[-1], place - low)


_DIVERGENCE = "(KL(r|a) + KL(a|r)) / 2 in nats; r, a = {ref}, {alt} + max(1e-6, 25th percentile over B of {ref}), each "
STATISTICS: dict[str, tuple[Statistic, str]] = {
    "SAD": (sad, "sum over B of (alt - ref)"),
    "SADR": (sadr, "log2((1 + sum over B of alt) / (1 + sum over B of ref))"),
    "SAR": (sar, "sum over B of log2((1 + alt) / (1 + ref))"),
    "SAX": (sax, "alt - ref at the bin of B where |alt - ref| is largest"),
    "SAXR": (saxr, "x = log2((1 + alt) / (1 + ref)) at the bin of B where |x| is largest"),
    "D1": (d1, "sum over B of |alt - ref|"),
    "D2": (d2, "sqrt(sum over B of (alt - ref)^2)"),
    "logSAD": (sar, "sum over B of (log2(1 + alt) - log2(1 + ref))"),
    "sqrtSAD": (sqrt_sad, "sum over B of (sqrt(alt) - sqrt(ref))"),
    "logD1": (log_d1, "sum over B of |log2(1 + alt) - log2(1 + ref)|"),
    "logD2": (log_d2, "sqrt(sum over B of (log2(1 + alt) - log2(1 + ref))^2)"),
    "sqrtD1": (sqrt_d1, "sum over B of |sqrt(alt) - sqrt(ref)|"),
    "sqrtD2": (sqrt_d2, "sqrt(sum over B of (sqrt(alt) - sqrt(ref))^2)"),
    "JS": (js, _DIVERGENCE.format(ref="ref", alt="alt") + "scaled to sum 1 over B"),
    "logJS": (log_js, _DIVERGENCE.format(ref="log2(1 + ref)", alt="log2(1 + alt)") + "scaled to sum 1 over B"),
}
"""Name -> the statistic and its formula over the bins B of a mask."""


@dataclass(frozen=True)
class WholeOutput:
    """Every bin of the output."""

    formula = "all bins of the output"

    def bins(self, window: Window, output: Interval, variant: Variant) -> Bins | None:
        """None: all of them."""
        return None


@dataclass(frozen=True)
class Centre:
    """The bins near the variant."""

    bp: int

    @property
    def formula(self) -> str:
        """What B is."""
        before, behind = self.bp // 2, (self.bp - 1) // 2
        return (
            f"the bins that share a base with [m - {before}, m + {behind}], m = POS + floor(length of REF / 2) of the "
            "variant as it is normalised"
        )

    def bins(self, window: Window, output: Interval, variant: Variant) -> Bins | None:
        """bool[bins]: those that share a base with the `bp` bases centred on the middle of REF."""
        return _touching(window, output, [variant.interval.resize(self.bp)])


@dataclass(frozen=True)
class Promoters:
    """The bins at the transcription start sites of a gene."""

    formula = "the bins with a TSS of the gene and one bin on either side of each"

    def gene_bins(self, window: Window, output: Interval, gene: Gene) -> Bins:
        """bool[bins]: those with a TSS and one on either side; none for a TSS beyond the output."""
        starts = _touching(window, output, [Interval(output.chrom, position, position + 1) for position in gene.tss])
        wide = starts.copy()
        wide[1:] |= starts[:-1]
        wide[:-1] |= starts[1:]
        return wide


@dataclass(frozen=True)
class Exons:
    """The bins over the exons of a gene."""

    formula = "the bins that share a base with an exon of the gene"

    def gene_bins(self, window: Window, output: Interval, gene: Gene) -> Bins:
        """bool[bins]: those that share a base with an exon of any transcript."""
        return _touching(window, output, [Interval(output.chrom, start, end) for start, end in gene.exons])


VariantMask = WholeOutput | Centre
GeneMask = Promoters | Exons
Mask = VariantMask | GeneMask
"""Which bins count: for a variant, or for each gene near it."""


def _touching(window: Window, output: Interval, regions: Sequence[Interval]) -> Bins:
    bins = np.zeros(window.bins, dtype=np.bool_)
    for region in regions:
        bins[window.bins_touching(region, output)] = True
    return bins


@dataclass(frozen=True)
class Scorer:
    """A named score: the statistic, the formula that the files carry, and the bins that it is taken over."""

    name: str
    statistic: Statistic
    formula: str
    mask: Mask = WholeOutput()

    @property
    def per_gene(self) -> bool:
        """Whether there is a score for each gene near the variant, not one for the variant."""
        return isinstance(self.mask, Promoters | Exons)

    def __call__(self, ref: Tensor, alt: Tensor, bins: Bins | None) -> Tensor:
        """REF and ALT float[bins, tracks], and which bins count (None: all), to float64[tracks]; NaN if none does."""
        if bins is None or bins.all():
            return self.statistic(ref, alt)
        if not bins.any():
            return torch.full(ref.shape[1:], torch.nan, dtype=torch.float64, device=ref.device)
        chosen = torch.from_numpy(np.flatnonzero(bins)).to(ref.device)
        return self.statistic(ref.index_select(0, chosen), alt.index_select(0, chosen))

    def bins(self, window: Window, output: Interval, variant: Variant) -> Bins | None:
        """Which bins of `output`, the window's around `variant`, count; None means all. Not for a score per gene."""
        if isinstance(self.mask, Promoters | Exons):
            raise ValueError(f"{self.name} is a score per gene: ask for `gene_bins`")
        return self.mask.bins(window, output, variant)

    def gene_bins(self, window: Window, output: Interval, gene: Gene) -> Bins:
        """Which bins of `output` count for `gene`, which lies on the same chromosome. For scores per gene only."""
        if isinstance(self.mask, WholeOutput | Centre):
            raise ValueError(f"{self.name} is no score per gene: ask for `bins`")
        return self.mask.gene_bins(window, output, gene)


_NAME = re.compile(r"(?P<statistic>[A-Za-z0-9]+)(?:_(?P<mask>tss|gene|[1-9][0-9]{0,8}))?")


def named(scores: Sequence[str | Scorer]) -> tuple[Scorer, ...]:
    """Scorers by name; a `Scorer` of the caller's own stands for itself.

    A name is one of `STATISTICS`, alone or with a mask: ``SAD_501`` (the 501 bp around the variant, or any number),
    ``SAD_tss`` and ``SAD_gene`` (one score per gene). Raises `InputError` for an unknown name, for none, and for a
    name that comes twice.
    """
    if not scores:
        raise InputError(f"no score is asked for; {_known()}")
    chosen = tuple(_scorer(score) if isinstance(score, str) else score for score in scores)
    names = [scorer.name for scorer in chosen]
    if len(set(names)) < len(names):
        raise InputError(f"a score is asked for twice: {', '.join(names)}")
    return chosen


def _scorer(name: str) -> Scorer:
    match = _NAME.fullmatch(name)
    if match is None or match["statistic"] not in STATISTICS:
        raise InputError(f"score {name!r} is not known; {_known()}")
    statistic, formula = STATISTICS[match["statistic"]]
    mask = _mask(match["mask"])
    return Scorer(name, statistic, f"{formula}; B = {mask.formula}", mask)


def _mask(suffix: str | None) -> Mask:
    if suffix is None:
        return WholeOutput()
    if suffix.isdigit():
        return Centre(int(suffix))
    return Promoters() if suffix == "tss" else Exons()


def _known() -> str:
    return (
        f"there are {', '.join(STATISTICS)}, each also over part of the output: _501 (the 501 bp around the variant, "
        "or any other number), _tss or _gene (for each gene near it), as in SAD_501 and SADR_tss"
    )
