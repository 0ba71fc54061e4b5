"""Optimizers and clipping as the papers have them; knows parameters, no schedule."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from distal.train.config import OptimizerSection
from distal.train.distributed import whole


def build(chosen: OptimizerSection, model: nn.Module) -> torch.optim.Optimizer:
    """Adam or SGD with momentum, for the parameters that learn. Weight decay, if any, spares biases and scales."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if chosen.kind == "sgd":
        return torch.optim.SGD(learning, lr=chosen.lr, momentum=chosen.momentum)
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": chosen.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=chosen.lr, betas=chosen.betas, eps=chosen.eps)


def clip(chosen: OptimizerSection, parameters: Iterable[nn.Parameter]) -> float:
    """Shorten the gradient, as a whole or tensor by tensor, to the length `chosen.clip`; its length before."""
    learning = [parameter for parameter in parameters if parameter.grad is not None]
    if chosen.clip_by == "model":
        return float(whole(nn.utils.clip_grad_norm_(learning, chosen.clip)))
    gradients = [parameter.grad for parameter in learning if parameter.grad is not None]
    norms = torch.stack([whole(torch.linalg.vector_norm(gradient)) for gradient in gradients])
    for gradient, norm in zip(gradients, norms.tolist(), strict=True):
        _shorten(gradient, norm, chosen.clip)
    return float(torch.linalg.vector_norm(norms))


def _shorten(gradient: Tensor, norm: float, longest: float) -> None:
    if norm > longest:
        gradient.mul_(longest / norm)
