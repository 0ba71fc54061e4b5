"""Enformer, Basenji2 and Borzoi for inference: built from the trained modules, exact, with changes carried through.

A `Network` has two halves. Its tower turns letters into bins (`convolution`); the rest, over all bins of a window,
turns the bins' features into predictions. What a variant does to the few bins that see it is a `Change`; the rest of
the network takes REF's features and any number of changes, and gives REF's prediction and the change of each. Batch
norms are folded into the convolutions behind them, so the numbers differ from the modules' by rounding alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distal.dna import Codes
from distal.models import borzoi, enformer
from distal.models.basenji2 import Basenji2, DilatedResidual
from distal.models.basenji2 import ConvBlock as Basenji2Block
from distal.models.borzoi import Borzoi, UnetStep
from distal.models.borzoi import ConvBlock as BorzoiBlock
from distal.models.enformer import ConvBlock as EnformerBlock
from distal.models.enformer import Enformer
from distal.models.inference import attention, convolution
from distal.models.inference.arithmetic import EXACT, Arithmetic
from distal.models.inference.convolution import Convolution, Job, Maximum, Pointwise, SoftmaxPair, Tower
from distal.models.inference.pointwise import Affine, Chain, Gelu, Linear, Map, Select, Softplus
from distal.models.inference.scratch import Scratch
from distal.models.layers import Residual, SoftmaxPool, TransformerBlock, crop
from distal.models.letters import alphabet

_Kind = TypeVar("_Kind", bound=nn.Module)
_WHOLE = 16  # channels; rows of a matrix product then begin where a processor reads them at once
_TOGETHER = 8
"""Changes that go through a transformer at once on a GPU; a CPU takes one at a time, which its caches hold."""


class Change(NamedTuple):
    """What is different in some neighbouring bins, ALT less REF; the others are the same."""

    first: int
    values: Tensor
    """[bins, width]"""

    def within(self, bins: int) -> Tensor:
        """Over all bins of a window, [bins, width], zero where nothing is different."""
        return F.pad(self.values, (0, 0, self.first, bins - self.first - len(self.values)))


class Outputs(NamedTuple):
    """REF's prediction [N, bins, channels], and the change of it that each change of the features leads to."""

    prediction: Tensor
    changes: Iterator[Change]


class Network(ABC):
    """A model for inference. Predictions are float[bins, channels] in the dtype of the weights."""

    tower: Tower

    def __init__(self, heads: nn.ModuleDict, plain: Arithmetic, carried: Arithmetic) -> None:
        self._plain = plain
        self._heads = dict(zip(heads, _all(nn.Linear, heads.values()), strict=True))
        self._whole = {name: Linear.of(head, plain, plain) for name, head in self._heads.items()}

    def features(self, codes: Codes) -> Tensor:
        """Letters [N, input_bp] to the features of all bins [N, T, width]."""
        return torch.stack(self.tower([Job(row, 0, self.tower.bins) for row in codes]))

    @abstractmethod
    def outputs(self, x: Tensor, changes: Sequence[Change], head: str, channels: Tensor) -> Outputs:
        """What the features x [N, T, width] and changes of them lead to; where there are changes, N must be 1.

        `channels` int64 are those of the head that are wanted. The changes are to be taken before the next call.
        """

    def __call__(self, codes: Codes, channels: Tensor, head: str) -> Tensor:
        """Letters [N, input_bp] to [N, bins, channels]."""
        return self.outputs(self.features(codes), (), head, channels).prediction

    def _head(self, name: str, channels: Tensor) -> tuple[Map, ...]:
        """From what the head reads to the channels: few of them are computed alone, many are picked from all."""
        whole = self._heads[name]
        if 2 * len(channels) < whole.out_features:
            return Linear(whole.weight[channels], whole.bias[channels], self._plain, self._plain), Softplus()
        everything = torch.arange(whole.out_features, device=channels.device)
        picked = () if torch.equal(channels, everything) else (Select(channels),)
        return self._whole[name], *picked, Softplus()


class _Transforming(Network):
    """A network with a transformer, through which any change reaches every bin."""

    _blocks: list[attention.Block]
    _step: int

    def _transformed(self, x: Tensor, changes: Sequence[Change]) -> tuple[Tensor, Tensor]:
        """[N, T, C] and changes of it to [N, rows, C] and these changes, [n, rows, C]."""
        deltas = x.new_empty(len(changes), *x.shape[1:])  # one piece of memory, written over by block after block
        if not self._blocks:
            for delta, change in zip(deltas, changes, strict=True):
                delta.copy_(change.within(x.shape[1]))
            return x, deltas
        first, *others = self._blocks
        x, state = first(x, followed=bool(changes))
        if state is not None:
            for delta, change in zip(deltas, changes, strict=True):
                delta[: x.shape[1]] = first.difference_of_few(state, change.first, change.values[None])[0]
        deltas = deltas[:, : x.shape[1]]
        for block in others:
            x, state = block(x, followed=bool(changes))
            if state is not None:
                for some in torch.split(deltas, self._step):
                    some[:, : x.shape[1]] = block.difference(state, some)
            deltas = deltas[:, : x.shape[1]]
        return x, deltas


class EnformerNetwork(_Transforming):
    """Enformer. Its last block lets only the bins through that are predicted."""

    def __init__(self, module: Enformer, n: float, plain: Arithmetic, carried: Arithmetic) -> None:
        super().__init__(module.heads, plain, carried)
        config = module.config
        shift = module.final.conv.weight.new_zeros(config.channels // 2)
        blocks = []
        for i, part in enumerate([module.stem, *module.tower]):
            first, residual, pool = part
            if i:
                norm = Affine.of(first.norm)
                gelu = convolution.Gelu.after("sigmoid", norm.scale, norm.shift + norm.scale * shift)
                weights = Convolution.of(first.conv.weight * gelu.gain, first.conv.bias, plain)
            else:
                gelu, weights = None, Convolution.of(first.weight, first.bias, plain)
            branch, shift = _residual(residual, plain)
            blocks.append(convolution.Block(gelu, weights, branch, _pooling(pool, plain)))
        self._shift = shift
        self.tower = Tower(blocks, alphabet(n).to(shift), config.input_bp)
        bins = self.tower.bins
        left = (bins - config.bins) // 2
        features = enformer.position_features(bins, config.position_features).to(shift)
        last = len(module.transformer) - 1
        scratch = Scratch()
        self._crop = slice(left, left + config.bins)
        self._blocks = [
            attention.Block(block, features, self._crop if i == last else slice(0, bins), plain, carried, scratch)
            for i, block in enumerate(_all(TransformerBlock, module.transformer))
        ]
        self._step = 1 if shift.device.type == "cpu" else _TOGETHER
        final = module.final
        self._final = Affine.of(final.norm), Gelu("sigmoid"), Linear.of(final.conv, plain, plain), Gelu("sigmoid")

    def outputs(self, x: Tensor, changes: Sequence[Change], head: str, channels: Tensor) -> Outputs:
        """See `Network.outputs`."""
        x, deltas = self._transformed(x + self._shift, changes)
        if not self._blocks:
            x, deltas = x[:, self._crop], deltas[:, self._crop]
        chain = Chain(*self._final, *self._head(head, channels))
        y, given = chain(x)
        return Outputs(y, (Change(0, chain.difference(given, delta[None])[0]) for delta in deltas))


class BorzoiNetwork(_Transforming):
    """Borzoi. Its U-net reads what the tower knows of finer positions, which the bins' features hold."""

    def __init__(self, module: Borzoi, n: float, plain: Arithmetic, carried: Arithmetic) -> None:
        super().__init__(module.heads, plain, carried)
        config, kind = module.config, module.config.gelu
        stem = Convolution.of(module.stem.weight, module.stem.bias, plain)
        blocks = [convolution.Block(None, stem, pool=Maximum())]
        for i, block in enumerate(_all(BorzoiBlock, module.tower)):
            norm = Affine.of(block.norm)
            gelu = convolution.Gelu.after(kind, norm.scale, norm.shift)
            weights = Convolution.of(block.conv.weight * gelu.gain, block.conv.bias, plain)
            kept = i >= len(config.tower) - config.upsamplings
            blocks.append(convolution.Block(gelu, weights, pool=Maximum(), kept=kept))
        self.tower = Tower(blocks, alphabet(n).to(module.stem.weight), config.input_bp)
        features = borzoi.position_features(self.tower.bins, config.position_features).to(module.stem.weight)
        rows = slice(0, self.tower.bins)
        scratch = Scratch()
        self._blocks = [
            attention.Block(block, features, rows, plain, carried, scratch)
            for block in _all(TransformerBlock, module.transformer)
        ]
        self._step = 1 if module.stem.weight.device.type == "cpu" else _TOGETHER
        self._steps = [_UnetStep(step, kind, plain) for step in _all(UnetStep, module.unet)]
        self._bins = config.bins
        self._gelu = Gelu(kind)

    def outputs(self, x: Tensor, changes: Sequence[Change], head: str, channels: Tensor) -> Outputs:
        """See `Network.outputs`."""
        *finer, x = torch.split(x, self.tower.widths, -1)
        parts = [torch.split(change.values, self.tower.widths, -1) for change in changes]
        x, deltas = self._transformed(
            x, [Change(change.first, part[-1]) for change, part in zip(changes, parts, strict=True)]
        )
        states = []
        for step, skip in zip(self._steps, reversed(finer), strict=True):
            x, state = step(x, skip)
            states.append(state)
        chain = Chain(self._gelu, *self._head(head, channels))
        y, given = chain(crop(x, self._bins))

        def followed(change: Change, part: Sequence[Tensor], delta: Tensor) -> Change:
            skips = [Change(change.first, fine).within(self.tower.bins)[None] for fine in part[:-1]]
            for step, state, skip in zip(self._steps, states, reversed(skips), strict=True):
                delta = step.difference(state, delta, skip)
            return Change(0, chain.difference(given, crop(delta, self._bins))[0])

        every = zip(changes, parts, torch.split(deltas, 1), strict=True)
        return Outputs(y, (followed(*each) for each in every))


class _UnetStep:
    """`borzoi.UnetStep`: twice as many positions, with the tower's view of them. Changes are carried as REF is."""

    def __init__(self, module: UnetStep, kind: str, plain: Arithmetic) -> None:
        self._coarse, self._fine = (
            Chain(Affine.of(block.norm), Gelu(kind), Linear.of(block.conv, plain, plain))
            for block in (module.coarse, module.fine)
        )
        self._depthwise = module.depthwise.weight
        self._pointwise = Linear.of(module.pointwise, plain, plain)

    def __call__(self, x: Tensor, skip: Tensor) -> tuple[Tensor, tuple[list[Tensor], list[Tensor]]]:
        """[N, L, C] and the tower's features [N, T, positions · channels] to [N, 2L, C] and what a change needs."""
        coarse, given = self._coarse(x)
        fine, given_fine = self._fine(_positions(skip, 2 * x.shape[1]))
        return self._pointwise(self._spread(coarse, fine)), (given, given_fine)

    def difference(self, state: tuple[list[Tensor], list[Tensor]], delta: Tensor, skip: Tensor) -> Tensor:
        """Changes [n, L, C] and [n, T, positions · channels] to [n, 2L, C]."""
        given, given_fine = state
        coarse = self._coarse.difference(given, delta)
        fine = self._fine.difference(given_fine, _positions(skip, 2 * delta.shape[1]))
        return self._pointwise.carry(self._spread(coarse, fine))

    def _spread(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Twice the coarse positions, the fine ones added, convolved channel by channel: linear, so good for both."""
        x = coarse.repeat_interleave(2, 1) + fine
        kernel = self._depthwise
        return F.conv1d(x.transpose(1, 2), kernel, padding="same", groups=len(kernel)).transpose(1, 2)


class Basenji2Network(Network):
    """Basenji2. A change reaches a little further with each dilated layer, and only what it has reached is computed."""

    def __init__(self, module: Basenji2, n: float, plain: Arithmetic, carried: Arithmetic) -> None:
        super().__init__(module.heads, plain, carried)
        config, kind = module.config, module.config.gelu
        blocks = []
        parts = (module.stem, *_all(Basenji2Block, module.tower))
        inputs = parts[0].conv.in_channels
        for part in parts:
            outputs = part.conv.out_channels
            if part is not parts[-1]:
                outputs = -(-outputs // _WHOLE) * _WHOLE
            gelu = _plain_gelu(kind, inputs, part.conv.weight)
            weight, bias = _widened(*_folded(part), inputs, outputs)
            blocks.append(convolution.Block(gelu, Convolution.of(weight * gelu.gain, bias, plain), pool=Maximum()))
            inputs = outputs
        self.tower = Tower(blocks, alphabet(n).to(module.stem.conv.weight), config.input_bp)
        self._layers = [_DilatedLayer(layer, kind, plain, carried) for layer in _all(DilatedResidual, module.dilated)]
        self._left, self._bins = (self.tower.bins - config.bins) // 2, config.bins
        self._final = Gelu(kind), _linear(module.final, plain, plain), Gelu(kind)

    def outputs(self, x: Tensor, changes: Sequence[Change], head: str, channels: Tensor) -> Outputs:
        """See `Network.outputs`."""
        for layer in self._layers:
            x, state = layer(x)
            changes = [layer.difference(state, change) for change in changes]
        chain = Chain(*self._final, *self._head(head, channels))
        y, given = chain(crop(x, self._bins))
        return Outputs(y, (self._read(chain, given, change) for change in changes))

    def _read(self, chain: Chain, given: Sequence[Tensor], change: Change) -> Change:
        """The change of the prediction, in the predicted bins that it reaches."""
        first = max(change.first - self._left, 0)
        last = max(first, min(change.first + len(change.values) - self._left, self._bins))
        inside = change.values[first + self._left - change.first :][: last - first]
        return Change(first, chain.difference([x[0, first:last] for x in given], inside))


class _DilatedLayer:
    """`basenji2.DilatedResidual`: x + W2·gelu(W1 * gelu(x)), W1 three positions far apart; batch norms folded."""

    def __init__(self, module: DilatedResidual, kind: str, plain: Arithmetic, carried: Arithmetic) -> None:
        dilation = module.dilated.conv.dilation[0]
        self._gelu = Gelu(kind)
        weight, bias = _folded(module.dilated)
        self._wide = Convolution.of(weight, bias, plain, dilation)
        self._carried_wide = Convolution.of(weight, None, carried, dilation)
        self._back = _linear(module.pointwise, plain, carried)

    def __call__(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """[N, T, C] -> the same, and what a change needs."""
        hidden = self._apply(self._wide, self._gelu(x), self._wide.reach)
        return x + self._back(self._gelu(hidden)), (x, hidden)

    def difference(self, state: tuple[Tensor, Tensor], change: Change) -> Change:
        """A change of x to that of the output, which reaches `dilation` bins further."""
        x, hidden = (signal[0] for signal in state)
        reach, start, end = self._wide.reach, change.first, change.first + len(change.values)
        first, last = max(0, start - reach), min(len(x), end + reach)
        active = self._gelu.difference(x[start:end], change.values)
        wide = self._apply(self._carried_wide, active[None], 2 * reach)[0]
        wide = wide[first - (start - reach) :][: last - first]
        active = self._gelu.difference(hidden[first:last], wide)
        delta = self._back.carry(active)
        delta[start - first : end - first] += change.values
        return Change(first, delta)

    @staticmethod
    def _apply(wide: Convolution, x: Tensor, padding: int) -> Tensor:
        x = F.pad(x, (0, 0, padding, padding))
        shape = (len(x), x.shape[1] - 2 * wide.reach, wide.taps.shape[2])
        return wide(x, torch.empty(shape, dtype=x.dtype, device=x.device), Scratch())


@torch.inference_mode()
def network(module: nn.Module, n: float = 0.0, plain: Arithmetic = EXACT, carried: Arithmetic = EXACT) -> Network:
    """The network of one of the three models, with its weights; the module must be in evaluation mode.

    `n` is the value of all four channels at an N. `plain` is the arithmetic of predictions, `carried` that of changes.
    Most weights are shared with the module, those of convolutions are copies.
    """
    module = deepcopy(module, {id(weight): weight.detach() for weight in module.parameters()})  # the same memory
    if isinstance(module, Enformer):
        return EnformerNetwork(module, n, plain, carried)
    if isinstance(module, Basenji2):
        return Basenji2Network(module, n, plain, carried)
    if isinstance(module, Borzoi):
        return BorzoiNetwork(module, n, plain, carried)
    raise TypeError(f"{type(module).__name__} is none of Enformer, Basenji2, Borzoi")


def _all(kind: type[_Kind], modules: Iterable[nn.Module]) -> list[_Kind]:
    """The modules, which are of one kind, for torch's containers forget it."""
    found = [module for module in modules if isinstance(module, kind)]
    assert len(found) == len(list(modules))
    return found


def _plain_gelu(kind: str, channels: int, like: Tensor) -> convolution.Gelu:
    return convolution.Gelu.after(kind, like.new_ones(channels), like.new_zeros(channels))


def _residual(residual: Residual, plain: Arithmetic) -> tuple[Pointwise, Tensor]:
    """Enformer's residual branch over single positions, and its bias."""
    (block,) = _all(EnformerBlock, residual)
    norm = Affine.of(block.norm)
    gelu = convolution.Gelu.after("sigmoid", norm.scale, norm.shift)
    weight = (block.conv.weight[..., 0] * gelu.gain).t().contiguous()
    assert block.conv.bias is not None
    return Pointwise(gelu, plain.narrow(weight), plain), block.conv.bias


def _pooling(pool: nn.Module, plain: Arithmetic) -> convolution.Step:
    if isinstance(pool, SoftmaxPool):
        return SoftmaxPair(plain.narrow(pool.logits.weight[..., 0].t().contiguous()), plain)
    return Maximum()


def _folded(block: Basenji2Block) -> tuple[Tensor, Tensor]:
    """Weights [outputs, inputs, kernel] and bias of a convolution with the batch norm behind it."""
    norm = Affine.of(block.norm)
    return block.conv.weight * norm.scale[:, None, None], norm.shift


def _widened(weight: Tensor, bias: Tensor, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    """A convolution with channels added, which are zero."""
    more = outputs - weight.shape[0]
    return F.pad(weight, (0, 0, 0, inputs - weight.shape[1], 0, more)), F.pad(bias, (0, more))


def _linear(block: Basenji2Block, plain: Arithmetic, carried: Arithmetic) -> Linear:
    weight, bias = _folded(block)
    return Linear(weight.flatten(1), bias, plain, carried)


def _positions(features: Tensor, length: int) -> Tensor:
    """[N, T, positions · channels] -> [N, length, channels]."""
    return features.reshape(len(features), length, -1)
