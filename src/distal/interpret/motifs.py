"""Which motifs lie under important bases; knows matrices, letters and contributions, no file and no model.

**Hits.** A motif's score at a place is the log2 ratio of the letters' probabilities, motif against background, summed
over its bases (a pseudocount of `PSEUDO` keeps it finite). Its p-value is exact for random letters of the background:
the distribution of all scores, rounded to `UNITS` a bit, is built base by base (Staden 1989, as in FIMO). Both strands
are read; a place with an N has no score.

**What a hit explains.** That letters look like a motif says nothing about the model. So each hit is also compared with
the hypothetical contributions over its bases: centred over the four letters, as the motif's log ratios are, they are
projected on the motif. The square of that, in parts of the contributions' sum of squares over the whole peak, is what
the motif alone explains of them: 1 where they are the motif, at whatever scale, 0 where nothing is in common. Hits
are ranked by it, which lets a long motif that is right at all its bases win over a short one inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.dna import Codes, N

PSEUDO = 0.01
"""Of the background, mixed into every row of a motif."""
UNITS = 100
"""Steps of a bit in which scores are counted for p-values."""
BACKGROUND = np.full(4, 0.25)


@dataclass(frozen=True, eq=False)
class Scorer:
    """A motif ready to be looked for: log ratios in `1/UNITS` bits, int64 [width, 4], and the tail of their sums.

    `tail` float64 [scores]: the probability of at least `lowest`, `lowest` + 1 ... units.
    """

    ratios: NDArray[np.int64]
    lowest: int
    tail: NDArray[np.float64]

    @classmethod
    def of(cls, probabilities: NDArray[np.float64], background: NDArray[np.float64] = BACKGROUND) -> Scorer:
        """Of a motif's probabilities [width, 4], against random letters of `background` [4]."""
        mixed = (1 - PSEUDO) * probabilities + PSEUDO * background
        ratios = np.rint(UNITS * np.log2(mixed / background)).astype(np.int64)
        lows, highs = ratios.min(axis=1), ratios.max(axis=1)
        chances = np.ones(1)
        for row, low, high in zip(ratios, lows, highs, strict=True):
            longer = np.zeros(len(chances) + int(high - low))
            for ratio, share in zip(row - low, background, strict=True):
                longer[ratio : ratio + len(chances)] += share * chances
            chances = longer
        tail = np.minimum(chances[::-1].cumsum()[::-1], 1.0)
        return cls(ratios, int(lows.sum()), tail)

    @property
    def width(self) -> int:
        """Bases of the motif."""
        return len(self.ratios)

    @property
    def turned(self) -> NDArray[np.int64]:
        """The ratios of the reverse complement."""
        return self.ratios[::-1, ::-1]

    def scores(self, codes: Codes, *, reverse: bool) -> NDArray[np.int64]:
        """Units at every place [L - width + 1] of letters [L]; below `lowest` where there is an N."""
        ratios = self.turned if reverse else self.ratios
        padded = np.concatenate([ratios, np.full((self.width, 1), min(self.lowest, 0) - 1 - self._most)], axis=1)
        places = np.lib.stride_tricks.sliding_window_view(codes, self.width)
        total: NDArray[np.int64] = padded[np.arange(self.width), places].sum(axis=1)
        return total

    @property
    def _most(self) -> int:
        return self.lowest + len(self.tail) - 1

    def p_values(self, scores: NDArray[np.int64]) -> NDArray[np.float64]:
        """The chance of at least such scores; 1 for a place with an N."""
        p: NDArray[np.float64] = np.where(scores < self.lowest, 1.0, self.tail[np.maximum(scores - self.lowest, 0)])
        return p


@dataclass(frozen=True)
class Hit:
    """A motif at [start, end) of the letters looked through."""

    motif: int
    """Which of the motifs that were looked for."""
    start: int
    end: int
    strand: str
    score: float
    """In bits."""
    p: float
    contribution: float
    """Sum of the contributions of its letters."""
    explained: float
    """Of the contributions over the whole peak, squared; see the top of this file."""
    agrees: bool
    """Whether letters of the motif add, rather than take away."""


def hits(scorers: Iterable[Scorer], codes: Codes, hypothetical: NDArray[np.float32], most_p: float = 1e-4) -> list[Hit]:
    """The motifs in a peak, letters uint8 [L] and hypothetical contributions [L, 4], best explanation first."""
    centred = hypothetical.astype(np.float64) - hypothetical.mean(axis=1, keepdims=True, dtype=np.float64)
    actual = np.where(codes < N, np.take_along_axis(hypothetical, (codes % N)[:, None].astype(np.int64), 1)[:, 0], 0)
    whole = float((centred**2).sum())
    found = [
        hit for i, scorer in enumerate(scorers) for hit in _of_motif(i, scorer, codes, centred, actual, whole, most_p)
    ]
    return sorted(found, key=lambda hit: (-hit.explained, hit.p, hit.motif, hit.start, hit.strand))


def _of_motif(
    motif: int,
    scorer: Scorer,
    codes: Codes,
    centred: NDArray[np.float64],
    actual: NDArray[np.float32],
    whole: float,
    most_p: float,
) -> Iterator[Hit]:
    if len(codes) < scorer.width:
        return
    for strand in "+-":
        scores = scorer.scores(codes, reverse=strand == "-")
        p = scorer.p_values(scores)
        ratios = (scorer.turned if strand == "-" else scorer.ratios).astype(np.float64)
        shape = ratios - ratios.mean(axis=1, keepdims=True)
        length = float(np.sqrt((shape**2).sum()))
        for start in np.flatnonzero(p <= most_p):
            bases = slice(int(start), int(start) + scorer.width)
            along = float((centred[bases] * shape).sum()) / length if length else 0.0
            yield Hit(
                motif,
                bases.start,
                bases.stop,
                strand,
                float(scores[start]) / UNITS,
                float(p[start]),
                float(actual[bases].sum(dtype=np.float64)),
                along**2 / whole if whole else 0.0,
                along > 0,
            )


def apart(found: Iterable[Hit], most: int) -> list[Hit]:
    """The first `most` hits that do not overlap one before them: of a family of motifs at one place, the best."""
    kept: list[Hit] = []
    for hit in found:
        if len(kept) < most and all(hit.end <= other.start or other.end <= hit.start for other in kept):
            kept.append(hit)
    return kept
