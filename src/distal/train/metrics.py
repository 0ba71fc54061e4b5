"""Correlation and explained variance per track, in one pass over any number of bins or by rank; knows arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_CONSTANT = 1e-24  # a variance below this part of the squared mean is rounding: the values are all the same


class PearsonR:
    """Streaming moments of predictions against measurements, per track, float64.

    Blocks are summed around their own means and merged (Chan, Golub and LeVeque 1979), so neither the size of the
    values nor the number of bins costs digits, and the order of merging changes at most the last ones.
    """

    def __init__(self, tracks: int) -> None:
        self.count = 0
        self._means: Floats = np.zeros((2, tracks))
        self._squares: Floats = np.zeros((2, tracks))
        self._products: Floats = np.zeros(tracks)

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Add a block; both have shape [..., tracks]."""
        values = np.stack(
            [np.asarray(side, dtype=np.float64).reshape(-1, self._means.shape[1]) for side in (predictions, targets)]
        )
        block = PearsonR(self._means.shape[1])
        block.count = values.shape[1]
        if block.count == 0:
            return
        block._means = values.mean(axis=1)
        values -= block._means[:, None]
        block._squares = np.einsum("snt,snt->st", values, values)
        block._products = np.einsum("nt,nt->t", values[0], values[1])
        self.merge(block)

    def merge(self, other: PearsonR) -> None:
        """Add what another worker has seen of the same tracks."""
        count = self.count + other.count
        if count == 0:
            return
        apart = other._means - self._means
        weight = self.count * other.count / count
        self._squares += other._squares + apart**2 * weight
        self._products += other._products + apart[0] * apart[1] * weight
        self._means += apart * (other.count / count)
        self.count = count

    def moments(self) -> Floats:
        """All there is to know, to be sent to another process: [6, tracks]."""
        count = np.full_like(self._products, self.count)
        return np.stack([count, *self._means, *self._squares, self._products])

    @classmethod
    def of(cls, moments: Floats) -> PearsonR:
        """What `moments` came from."""
        seen = cls(moments.shape[1])
        seen.count = int(moments[0].max(initial=0))
        seen._means, seen._squares, seen._products = moments[1:3].copy(), moments[3:5].copy(), moments[5].copy()
        return seen

    def pearson(self) -> Floats:
        """Pearson's r of each track, [tracks]; 0 where the prediction is constant, NaN where the measurement is."""
        constant = self._squares <= _CONSTANT * self.count * self._means**2
        scale = np.sqrt(self._squares[0]) * np.sqrt(self._squares[1])
        r: Floats = np.divide(self._products, scale, out=np.zeros_like(scale), where=~constant.any(axis=0))
        r[constant[1]] = np.nan
        return r

    def r2(self) -> Floats:
        """1 - Σ(t - p)² / Σ(t - mean t)² of each track, [tracks]; NaN where the measurement is constant."""
        constant = self._squares[1] <= _CONSTANT * self.count * self._means[1] ** 2
        residual = self._squares.sum(axis=0) - 2 * self._products + self.count * (self._means[0] - self._means[1]) ** 2
        unexplained: Floats = np.divide(residual, self._squares[1], out=np.full_like(residual, np.nan), where=~constant)
        return 1 - unexplained


def spearman(predictions: ArrayLike, targets: ArrayLike) -> Floats:
    """Spearman's rho of each track over all rows of [n, tracks]: Pearson's r of the ranks, [tracks].

    Equal values share the mean of their ranks. 0 where the prediction is constant, NaN where the measurement is.
    Unlike the moments above it needs all values at once: it is for the genes' start sites, not for every bin.
    """
    ranked = [ranks(np.asarray(side, dtype=np.float64)) for side in (predictions, targets)]
    moments = PearsonR(ranked[0].shape[1])
    moments.update(*ranked)
    return moments.pearson()


def ranks(values: Floats) -> Floats:
    """Place of each value in its column of [n, columns], counted from 1, equal values sharing their mean place."""
    places = np.empty_like(values)
    for column, place in zip(values.T, places.T, strict=True):
        _, group, counts = np.unique(column, return_inverse=True, return_counts=True)
        place[:] = (np.cumsum(counts) - (counts - 1) / 2)[group]
    return places


def mean_by(groups: list[str], values: Floats) -> dict[str, float]:
    """Mean of `values` [tracks] over the tracks of each group, in order of first appearance; NaNs are left out.

    A group that is all NaN is NaN.
    """
    means: dict[str, float] = {}
    for group in dict.fromkeys(groups):
        chosen = values[[name == group for name in groups]]
        chosen = chosen[~np.isnan(chosen)]
        means[group] = float(chosen.mean()) if len(chosen) else float("nan")
    return means
