"""The training loss: knows predictions and targets as tensors, nothing of models or data."""

from __future__ import annotations

from torch import Tensor

_EPSILON = 1e-7  # Keras' epsilon, in Basenji2's and Enformer's loss


def poisson(predictions: Tensor, targets: Tensor) -> Tensor:
    """Poisson negative log likelihood without its constant, mean of p - t ln(p + 1e-7) over all elements, in float32.

    Both have shape [..., bins, tracks]; half-precision predictions are widened first (ln of a small softplus is lost in
    half precision). Returns a scalar.
    """
    p, t = predictions.float(), targets.float()
    return (p - t * (p + _EPSILON).log()).mean()
