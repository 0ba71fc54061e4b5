"""What a model's prediction at a promoter owes to stretches of sequence around it: knows one window, no genes or file.

The number that is looked at is ln(1 + signal): the signal is summed over the promoter's bins and averaged over the
tracks (a `Mask`'s value). Its slope is the signal's divided by 1 + signal. Silencing an enhancer takes away a share of
a gene's expression, and shares are what experiments report; the slope of the signal itself ranks the elements of a
strong gene above those of a weak one. Four ways to ask (Avsec et al. 2021; `sonnet_bench_crispr.py` of Basenji):

- *gradient*: |slope x letter| summed over `WIDTH_BP` around the element's middle;
- *gaussian*: |slope less the mean of the four letters', at the letter that is there|, averaged with Gaussian weights of
  `SIGMA_BP` around the element's middle, to four standard deviations;
- *attention*: the share of the attention of the promoter's bins that falls on `WIDTH_BP` around the element's middle,
  mean over heads and layers;
- *ism*: the change when `WIDTH_BP` around the element's middle are shuffled, mean over shuffles. What of that lies in
  the promoter's own bins stays as it is: a shuffled promoter would tell nothing of the element.

Elements whose middle is outside the window have no score, NaN; windows cut off at the edge count as far as they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.data.chance import generator
from distal.dna import Codes, N
from distal.errors import InputError
from distal.incremental import Pass
from distal.interpret import attention, gradients, shuffles
from distal.interpret.attention import Attention
from distal.interpret.gradients import Mask, Slope
from distal.predictor import Predictor

Floats = NDArray[np.float64]

WIDTH_BP = 2000
SIGMA_BP = 200
_SIGMAS = 4


@dataclass(frozen=True, eq=False)
class View:
    """One promoter's window. What is asked twice is computed once."""

    pass_: Pass
    input: Interval
    codes: Codes
    mask: Mask
    rc: bool = False
    """Whether predictions, and what follows from them, are averaged over both strands."""
    width_bp: int = WIDTH_BP

    def __post_init__(self) -> None:
        if self.codes.shape != (self.input.width,):
            raise ValueError(f"codes must be [{self.input.width}], not {list(self.codes.shape)}")
        if self.width_bp < 1:
            raise InputError(f"a width of {self.width_bp} bp holds no base; give 2000 or so")

    @property
    def predictor(self) -> Predictor:
        """The model that looks."""
        return self.pass_.predictor

    @cached_property
    def slope(self) -> Slope:
        """The signal at the promoter, and its gradient [input_bp, 4]."""
        x = gradients.letters(self.predictor, self.codes)
        return gradients.slope(self.predictor, x, self.mask, self.rc)

    @cached_property
    def look(self) -> Attention:
        """Where the promoter's bins look. Raises `InputError` for a model without attention."""
        return attention.attention(self.predictor, self.codes, self.mask.bins, self.rc)

    def gradient(self, elements: Sequence[Interval]) -> Floats:
        """See the top of this file; not below 0, [elements]."""
        owed = self._owed(self.slope.gradient)
        ends = np.concatenate([[0.0], np.cumsum(owed)])
        return self._each(elements, lambda element: ends[(part := self._around(element)).stop] - ends[part.start])

    def gaussian(self, elements: Sequence[Interval]) -> Floats:
        """See the top of this file; not below 0, [elements]."""
        found = self.slope.gradient
        owed = self._owed(found - found.mean(axis=1, keepdims=True))
        reach = np.arange(-_SIGMAS * SIGMA_BP, _SIGMAS * SIGMA_BP + 1)
        bell = np.exp(-0.5 * (reach / SIGMA_BP) ** 2)

        def score(element: Interval) -> float:
            places = element.center - self.input.start + reach
            inside = (places >= 0) & (places < len(owed))
            return float(np.average(owed[places[inside]], weights=bell[inside]))

        return self._each(elements, score)

    def attention(self, elements: Sequence[Interval]) -> Floats:
        """See the top of this file; a position that lies half in counts half. From 0 to 1, [elements]."""
        size = self.look.position_bp
        ends = np.concatenate([[0.0], np.cumsum(self.look.mean(), dtype=np.float64)])
        edges = np.arange(len(ends)) * size

        def score(element: Interval) -> float:
            part = self._around(element)
            before, behind = np.interp([part.start, part.stop], edges, ends)
            return float(behind - before)

        return self._each(elements, score)

    def ism(self, elements: Sequence[Interval], count: int, seed: int) -> Floats:
        """The mean change of ln(1 + signal) over `count` shuffles, below 0 where the element adds to it; [elements].

        An element's shuffles depend on the seed and the element, not on the others.
        """
        seen = [element for element in elements if self._sees(element)]
        signals = self._signals(seen, count, seed)
        ref = np.log1p(next(signals))
        changes = {element: np.mean([np.log1p(next(signals)) - ref for _ in range(count)]) for element in seen}
        return self._each(elements, lambda element: float(changes[element]))

    def _signals(self, elements: Sequence[Interval], count: int, seed: int) -> Iterator[float]:
        """The signal of the sequence as it is, then of each element's shuffles."""

        def sequences() -> Iterator[Codes]:
            yield self.codes
            for element in elements:
                for number in range(count):
                    yield self._shuffled(element, number, seed)

        for members in self.pass_.members(sequences(), self.rc, (0,), self.mask.channels):
            values = [member[self.mask.bins].double().sum(0).mean().item() for member in members]
            yield float(np.mean(values))

    def _shuffled(self, element: Interval, number: int, seed: int) -> Codes:
        part = self._around(element)
        places = np.arange(part.start, part.stop)
        places = places[~self._own[places]]
        key = (seed, element.chrom, element.center, number)
        mutant = self.codes.copy()
        mutant[places] = shuffles.dinucleotide(self.codes[places], generator("ism", *key))
        return mutant

    @cached_property
    def _own(self) -> NDArray[np.bool_]:
        """Which bases lie in the promoter's bins, [input_bp]."""
        window = self.predictor.window
        own = np.zeros(window.input_bp, dtype=np.bool_)
        for bin in self.mask.bins.tolist():
            start = window.crop_bp + bin * window.bin_bp
            own[start : start + window.bin_bp] = True
        return own

    def _owed(self, gradient: NDArray[np.floating]) -> Floats:
        """|slope of ln(1 + signal)| at the letter that is there, 0 at an N, [input_bp]."""
        at = np.minimum(self.codes, N - 1).astype(np.int64)[:, None]
        chosen = np.abs(np.take_along_axis(gradient, at, axis=1)[:, 0], dtype=np.float64)
        return np.where(self.codes < N, chosen, 0.0) / (1 + self.slope.value)

    def _around(self, element: Interval) -> slice:
        """The indices of `width_bp` around the element's middle, as far as they lie in the window."""
        part = element.resize(self.width_bp).clip(self.input.start, self.input.end)
        return slice(part.start - self.input.start, part.end - self.input.start)

    def _sees(self, element: Interval) -> bool:
        return element.chrom == self.input.chrom and self.input.start <= element.center < self.input.end

    def _each(self, elements: Sequence[Interval], score: Callable[[Interval], float]) -> Floats:
        return np.array([score(element) if self._sees(element) else np.nan for element in elements], dtype=np.float64)
