"""What sequence composition alone predicts: ridge regression on k-mer counts, the bar that a network has to clear.

Knows windows of bases and their signal, no network. A bin is described by how often each 4-mer begins in it, in the
256 bp on either side and in the bins from there to 1,024 bp on either side. Both strands of every training window are
fitted; the penalty is chosen per track by Pearson's r on the validation windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distal.data.dataset import Examples
from distal.dna import Codes, N, reverse_complement
from distal.train.metrics import Floats, PearsonR
from distal.train.validation import Predicted

K = 4
NEAR_BP, FAR_BP = 256, 1024
PENALTIES = 10.0 ** np.arange(-4, 2.1, 0.5)
"""Of standardised counts, per training bin."""
MOST_BINS = 1 << 18
"""A thousand numbers per track are well known by then."""


def features(codes: Codes, bin_bp: int) -> Floats:
    """4-mer counts in five bands around each bin, [bins, 5 · 256]; words with an N count nowhere.

    `codes` [L] are the bases of the bins and of `flank` bins more on either side.
    """
    counts = kmer_counts(codes, bin_bp)
    total = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    near, far = -(-NEAR_BP // bin_bp), flank(bin_bp)
    bins = np.arange(far, len(counts) - far)
    bands = ((0, 1), (-near, 0), (1, near + 1), (-far, -near), (near + 1, far + 1))
    return np.concatenate([total[bins + end] - total[bins + start] for start, end in bands], axis=1)


def flank(bin_bp: int) -> int:
    """How many bins on either side have a say."""
    return -(-FAR_BP // bin_bp)


def kmer_counts(codes: Codes, bin_bp: int) -> NDArray[np.int64]:
    """How often each 4-mer (AAAA, AAAC, … TTTT) begins in each bin of `codes` [L]: [L / bin_bp, 256]."""
    letters = np.lib.stride_tricks.sliding_window_view(codes, K).astype(np.int64)
    words = letters @ (4 ** np.arange(K)[::-1])
    whole = np.flatnonzero((letters != N).all(axis=1))
    shape = len(codes) // bin_bp, 4**K
    return np.bincount(whole // bin_bp * 4**K + words[whole], minlength=shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True, eq=False)
class KmerRidge:
    """A fitted regression: signal = counts · weights + offset, but not below 0."""

    weights: Floats
    """[features, tracks]."""
    offset: Floats
    """[tracks]."""

    def predictions(self, examples: Examples) -> Iterator[Predicted]:
        """Every measured bin of every window exactly once, window by window."""
        for window, (counts, targets) in enumerate(_windows(examples, range(len(examples)))):
            values = np.maximum(counts @ self.weights + self.offset, 0).astype(np.float32)
            yield Predicted(window, 0, values, targets)


def fit(train: Examples, valid: Examples, most: int = MOST_BINS) -> KmerRidge:
    """The regression that `train` teaches, with the penalties that suit `valid`.

    Where `train` has more bins than `most`, evenly spaced windows of it are looked at.
    """
    gram, products, mean, means, bins = _moments(train, most)
    scale = np.sqrt(np.diagonal(gram) / bins) + 1e-9
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale) / bins)
    rotated = vectors.T @ (products / scale[:, None] / bins)
    best = np.full(len(means), -np.inf)
    weights = np.zeros_like(products)
    for penalty in PENALTIES:
        tried = vectors @ (rotated / (values + penalty)[:, None]) / scale[:, None]
        found = KmerRidge(tried, means - mean @ tried)
        r = np.nan_to_num(_pearson(found, valid))
        better = r > best
        best[better], weights[:, better] = r[better], tried[:, better]
    return KmerRidge(weights, means - mean @ weights)


def _moments(train: Examples, most: int) -> tuple[Floats, Floats, Floats, Floats, int]:
    """Over both strands: Σ(x − x̄)(x − x̄)ᵀ, Σ(x − x̄)yᵀ, x̄, ȳ, and the number of bins."""
    step = -(-len(train) * train.bins // most)
    size = 5 * 4**K
    gram, products = np.zeros((size, size)), np.zeros((size, len(train.table)))
    sums, totals, bins = np.zeros(size), np.zeros(len(train.table)), 0
    for x, y in _strands(train, range(0, len(train), step)):
        gram += x.T @ x
        products += x.T @ y
        sums += x.sum(axis=0)
        totals += y.sum(axis=0)
        bins += len(x)
    mean, means = sums / bins, totals / bins
    return gram - bins * np.outer(mean, mean), products - bins * np.outer(mean, means), mean, means, bins


def _strands(examples: Examples, chosen: range) -> Iterator[tuple[Floats, Floats]]:
    """Features and targets of the chosen windows, on one strand and on the other."""
    for counts, targets in _windows(examples, chosen):
        yield counts, targets.astype(np.float64)
    partners = examples.table.partners
    for window in chosen:
        codes = reverse_complement(_bases(examples, window))
        targets = examples.targets(window, 0, examples.bins)
        yield features(codes, examples.bin_bp), targets[::-1, partners].astype(np.float64)


def _windows(examples: Examples, chosen: range) -> Iterator[tuple[Floats, NDArray[np.float32]]]:
    for window in chosen:
        counts = features(_bases(examples, window), examples.bin_bp)
        yield counts, examples.targets(window, 0, examples.bins)


def _bases(examples: Examples, window: int) -> Codes:
    """The measured bins of a window and what lies around them, N where the window ends."""
    around = flank(examples.bin_bp) * examples.bin_bp
    return examples.codes(window, examples.crop_bp - around, examples.bins * examples.bin_bp + 2 * around)


def _pearson(ridge: KmerRidge, examples: Examples) -> Floats:
    moments = PearsonR(len(examples.table))
    for piece in ridge.predictions(examples):
        moments.update(piece.values, piece.targets)
    return moments.pearson()
