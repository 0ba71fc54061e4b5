"""The training losses: they know predictions and targets as tensors, nothing of models or data.

Predictions and targets have shape [n, bins, tracks] and are never negative; a loss is a scalar. All is computed in
float32 whatever comes: ln of a small softplus is lost in half precision.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_EPSILON = 1e-7  # Keras' epsilon, in Basenji2's and Enformer's loss
_BASENJI_EPSILON = 1e-6


def poisson(predictions: Tensor, targets: Tensor) -> Tensor:
    """Poisson negative log likelihood without its constant, mean of p - t ln(p + 1e-7) over all elements."""
    return _poisson(predictions.float(), targets.float()).mean()


def _poisson(p: Tensor, t: Tensor) -> Tensor:
    return p - t * (p + _EPSILON).log()


def mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error."""
    return (predictions.float() - targets.float()).square().mean()


def multinomial_basenji(
    predictions: Tensor, targets: Tensor, total_weight: float = 1.0, rescale: bool = False
) -> Tensor:
    """How the signal is spread over a window (multinomial), and how much there is of it (Poisson of the sums).

    Basenji's `poisson_multinomial`: 1e-6 is added to both sides first; S are sums over the L bins of a window and
    track. loss = (−Σ t ln(p / S_p) + total_weight · (S_p − S_t ln(S_p + 1e-7))) / L, mean over windows and tracks;
    `rescale` multiplies by 2 / (1 + total_weight), so that the size of the loss depends less on the weight.
    """
    p, t = predictions.float() + _BASENJI_EPSILON, targets.float() + _BASENJI_EPSILON
    total_p, total_t = p.sum(-2, keepdim=True), t.sum(-2, keepdim=True)
    spread = -(t * (p / total_p).log()).sum(-2)
    total = _poisson(total_p, total_t).squeeze(-2)
    return _combined(spread, total, total_weight, rescale) / p.shape[-2]


def multinomial_baskerville(
    predictions: Tensor,
    targets: Tensor,
    total_weight: float = 1.0,
    rescale: bool = False,
    weight_range: float = 1.0,
    weight_exp: int = 4,
) -> Tensor:
    """The same idea as Baskerville's `poisson_mn` has it (Borzoi): sums come before the epsilon, bins may be weighted.

    Both sides are multiplied by the weights of `position_weights`, whose sum W takes the place of L; S are the sums
    then. loss = (−Σ (t + 1e-7) ln((p + 1e-7) / S_p) + total_weight · (S_p − S_t ln(S_p + 1e-7))) / W.
    """
    weights = position_weights(predictions.shape[-2], weight_range, weight_exp).to(predictions.device)[:, None]
    p, t = predictions.float() * weights, targets.float() * weights
    total_p, total_t = p.sum(-2, keepdim=True), t.sum(-2, keepdim=True)
    spread = -((t + _EPSILON) * ((p + _EPSILON) / total_p).log()).sum(-2)
    total = _poisson(total_p, total_t).squeeze(-2)
    return _combined(spread, total, total_weight, rescale) / weights.sum()


def position_weights(bins: int, weight_range: float, weight_exp: int) -> Tensor:
    """exp(−(x/σ)^weight_exp), [bins], for x counted from the middle: 1 there, 1/weight_range half a window away."""
    if weight_range == 1.0:
        return torch.ones(bins)
    reach = bins / 2 - 0.5
    sigma = reach / math.log(weight_range) ** (1 / weight_exp)
    weights = torch.exp(-((torch.linspace(-reach, reach, bins).abs() / sigma) ** weight_exp))
    return weights / weights.max()


def _combined(spread: Tensor, total: Tensor, total_weight: float, rescale: bool) -> Tensor:
    loss = (spread + total_weight * total).mean()
    return loss * (2 / (1 + total_weight)) if rescale else loss
