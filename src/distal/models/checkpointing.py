"""Activation checkpointing: cheap work is done again in the backward pass instead of being kept; knows no architecture.

What fills memory in training are the many full-length results of cheap steps (normalisation, activation, pooling,
attention weights); what takes the time are matrix products. So the cheap steps in front of a convolution, and in a
transformer block all but the linear layers, are repeated, and hardly a matrix product is: `convolve_again` for the
former, `repeatable` for the latter. Gradients are the same: dropout repeats its masks, and a layer that keeps running
statistics asks `repeating` whether this pass counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv1d_input, conv1d_weight
from torch.utils.checkpoint import (
    CheckpointPolicy,
    SelectiveCheckpointContext,
    checkpoint,
    create_selective_checkpoint_contexts,
)

_REPEATING: ContextVar[bool] = ContextVar("repeating", default=False)
_FEW_CHANNELS = 32  # below, a matrix product per kernel position is too thin to be fast
_CACHED = 3 * 2**19  # numbers, six megabytes: they and a handful of temporaries stay in the cache that cores share
_KEPT = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default}


class Checkpointed(nn.Module):
    """A module that can be told, by `checkpoint_activations`, to repeat its cheap work in the backward pass."""

    checkpointed = False


def checkpoint_activations(model: nn.Module, on: bool = True) -> None:
    """Make every module of `model` that can repeat its cheap work in the backward pass do so, or keep its results."""
    for module in model.modules():
        if isinstance(module, Checkpointed):
            module.checkpointed = on


def repeating() -> bool:
    """Whether this forward pass is a repetition, which must leave running statistics alone."""
    return _REPEATING.get()


@contextmanager
def _repetition() -> Iterator[None]:
    token = _REPEATING.set(True)
    try:
        yield
    finally:
        _REPEATING.reset(token)


def repeatable(function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """``function(*inputs)``: results of linear layers are kept for the backward pass, all else in it is repeated."""
    y: Tensor = checkpoint(function, *inputs, use_reentrant=False, context_fn=_contexts)
    return y


def _contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    first, again = create_selective_checkpoint_contexts(_policy)  # type: ignore[no-untyped-call]
    return first, _both(again)


@contextmanager
def _both(context: AbstractContextManager[Any]) -> Iterator[None]:
    with context, _repetition():
        yield


def _policy(_: SelectiveCheckpointContext, operation: Any, *__: Any, **___: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in _KEPT else CheckpointPolicy.PREFER_RECOMPUTE


Prepare = Callable[[Tensor, slice], Tensor]
"""Some channels of an input [B, channels, L], and which they are -> the same channels of the convolution's input."""


def convolve_again(conv: nn.Conv1d, prepare: Prepare, x: Tensor, parameters: Iterable[nn.Parameter] = ()) -> Tensor:
    """``conv(prepare(x))`` for x [B, C, L], of which x alone is kept; `prepare` is repeated in the backward pass.

    `prepare` must treat each channel by itself. On CPUs it gets as many at once as a cache holds: what it allocates on
    its way then costs no trip to the memory, and no new pages. `parameters` are those that it uses. `conv` has an odd
    kernel, stride 1, padding "same" and one group.
    """
    y: Tensor = _Convolution.apply(prepare, conv.dilation[0], x, conv.weight, conv.bias, *parameters)  # type: ignore[no-untyped-call]
    return y


class _Convolution(torch.autograd.Function):
    """The convolution of what `prepare` makes of x; between the passes it keeps x and the weights."""

    @staticmethod
    def forward(
        ctx: Any, prepare: Prepare, dilation: int, x: Tensor, weight: Tensor, bias: Tensor | None, *parameters: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.prepare, ctx.dilation, ctx.parameters = prepare, dilation, parameters
        ctx.arithmetic = _arithmetic(x.device.type)
        return F.conv1d(_prepared(prepare, x), weight, bias, padding="same", dilation=dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        _, _, needs_x, needs_weight, needs_bias, *needs = ctx.needs_input_grad
        of_weight = of_bias = None
        of_sources: list[Tensor | None] = [None] * (1 + len(needs))
        with _repetition(), ctx.arithmetic():
            if needs_weight:
                prepared = _prepared(ctx.prepare, x).to(gradient.dtype)
                of_weight = kernel_gradient(gradient, prepared, weight.shape[2], ctx.dilation)
                del prepared
            if needs_bias:
                of_bias = gradient.sum((0, 2))
            if needs_x or any(needs):
                gradient = _input_gradient(gradient, weight.to(gradient.dtype), ctx.dilation)
                of_sources = _through(ctx.prepare, gradient, x, ctx.parameters, [needs_x, *needs])
        return None, None, of_sources[0], of_weight, of_bias, *of_sources[1:]


def _tiles(x: Tensor) -> list[slice]:
    """The channels of [B, C, L], in runs that a CPU's cache holds."""
    channels = x.shape[1]
    size = max(_CACHED * channels // max(x.numel(), 1), 1) if x.device.type == "cpu" else channels
    return [slice(start, min(start + size, channels)) for start in range(0, channels, size)]


def _channels(x: Tensor, tile: slice) -> Tensor:
    """Some channels of x, contiguous if x is: the order in which batch norm sums depends on it."""
    return x[:, tile].contiguous() if x.is_contiguous() else x[:, tile]


def _prepared(prepare: Prepare, x: Tensor) -> Tensor:
    """`prepare` of all channels, without a graph."""
    whole = None
    with torch.no_grad():
        for tile in _tiles(x):
            part = prepare(_channels(x, tile), tile)
            if whole is None:
                whole = part.new_empty(x.shape)
            whole[:, tile] = part
    assert whole is not None
    return whole


def _input_gradient(gradient: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Gradient [B, I, L] of the input of a "same" convolution, from its output's [B, O, L]."""
    batch, _, length = gradient.shape
    shape, reach = (batch, weight.shape[1], length), dilation * (weight.shape[2] // 2)
    of_input: Tensor = conv1d_input(shape, weight, gradient, padding=reach, dilation=dilation)  # type: ignore[no-untyped-call]
    return of_input


def _through(
    prepare: Prepare, gradient: Tensor, x: Tensor, parameters: Iterable[Tensor], needs: list[bool]
) -> list[Tensor | None]:
    """What the `gradient` of ``prepare(x)`` means for x and the parameters; None for those that need not know."""
    of_x = torch.empty_like(x) if needs[0] else None
    wanted = list(compress(parameters, needs[1:]))
    totals = [torch.zeros_like(parameter) for parameter in wanted]
    for tile in _tiles(x):
        with torch.enable_grad():
            part = _channels(x, tile).detach().requires_grad_(needs[0])
            y = prepare(part, tile)
        sources = [part] * needs[0] + wanted
        found = list(torch.autograd.grad(y, sources, gradient[:, tile].to(y.dtype)))
        if of_x is not None:
            of_x[:, tile] = found.pop(0)
        for total, share in zip(totals, found, strict=True):
            total += share
    of_parameters = iter(totals)
    return [of_x, *(next(of_parameters) if need else None for need in needs[1:])]


def _arithmetic(device: str) -> Callable[[], AbstractContextManager[Any]]:
    """Autocast as it is now, to be entered in the backward pass."""
    if not torch.is_autocast_enabled(device):
        return nullcontext
    return partial(torch.autocast, device, dtype=torch.get_autocast_dtype(device))


def kernel_gradient(gradient: Tensor, x: Tensor, kernel: int, dilation: int = 1) -> Tensor:
    """Gradient [O, I, kernel] of a "same" convolution's weight, from its output's [B, O, L] and its input [B, I, L].

    On CPUs one matrix product per position of the kernel and sequence, which is faster than oneDNN's own.
    """
    reach, (outputs, inputs) = kernel // 2, (gradient.shape[1], x.shape[1])
    if x.device.type != "cpu" or inputs < _FEW_CHANNELS:
        shape = (outputs, inputs, kernel)
        of_kernel: Tensor = conv1d_weight(x, shape, gradient, padding=dilation * reach, dilation=dilation)  # type: ignore[no-untyped-call]
        return of_kernel
    weight = x.new_zeros(kernel, outputs, inputs)
    for position, of_position in enumerate(weight):
        shift = (position - reach) * dilation  # output l sees input l + shift
        start, end = max(0, -shift), x.shape[2] - max(0, shift)
        if start < end:
            for g, sequence in zip(gradient, x, strict=True):
                of_position.addmm_(g[:, start:end], sequence[:, start + shift : end + shift].T)
    return weight.permute(1, 2, 0)
