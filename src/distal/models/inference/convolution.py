"""The convolutional stage over any range of bins: one-hot DNA in, bins out; knows what a bin sees, no architecture.

Signals are [sequences, positions, channels], so that every convolution is a sum of matrix products. A range of bins is
computed from the letters that its bins see and no others: at the window's ends with the zeros that padding puts
there, elsewhere without any padding. So a long window is computed in tiles, and a few bins alone, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from distal.dna import Codes
from distal.models.inference.arithmetic import Arithmetic
from distal.models.inference.minimal import FiveTaps
from distal.models.inference.scratch import Scratch
from distal.models.layers import GELUS
from distal.models.letters import one_hot

TILE_BP = 1 << 15
"""Letters of a window that go through the convolutions together on a CPU: 100 MB for a signal of 768 channels."""
_FEW_INPUTS = 8  # channels; a kernel over fewer is one product with all its positions side by side


@dataclass(frozen=True, eq=False)
class Gelu:
    """GELU of `scale`·x + `shift`, one number each per channel (a batch norm, or nothing), divided by `gain`.

    x·σ(1.702 x) is silu(1.702 x) / 1.702, and torch has a fast silu: the first factor is in `scale` and `shift`, the
    second, `gain`, is left to the weights that follow.
    """

    kind: str
    scale: Tensor
    shift: Tensor
    gain: float

    @classmethod
    def after(cls, kind: str, scale: Tensor, shift: Tensor) -> Gelu:
        """The GELU called `kind` in `layers.GELUS`, after an affine map of each channel."""
        return cls(kind, scale * 1.702, shift * 1.702, 1 / 1.702) if kind == "sigmoid" else cls(kind, scale, shift, 1.0)

    def __call__(self, x: Tensor, out: Tensor) -> Tensor:
        """[..., C] -> [..., C] in `out`."""
        torch.addcmul(self.shift, x, self.scale, out=out)
        return F.silu(out, inplace=True) if self.kind == "sigmoid" else out.copy_(GELUS[self.kind](out))


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution [N, L, inputs] -> [N, L − 2·reach, outputs] that reads nothing beyond what it is given."""

    taps: Tensor
    """Narrowed weights [kernel, inputs, outputs]."""
    bias: Tensor | None
    arithmetic: Arithmetic
    dilation: int = 1
    five: FiveTaps | None = None
    """The same weights, for exact products of long sequences on a CPU."""

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor | None, arithmetic: Arithmetic, dilation: int = 1) -> Convolution:
        """From torch's layout [outputs, inputs, kernel]; the kernel must be odd."""
        if weight.shape[2] % 2 == 0:
            raise ValueError(f"a kernel of {weight.shape[2]} has no middle")
        taps = arithmetic.narrow(weight.permute(2, 1, 0).contiguous())
        few = len(taps) == 5 and dilation == 1 and arithmetic.exact and taps.device.type == "cpu"
        bias = None if bias is None else bias.contiguous()
        return cls(taps, bias, arithmetic, dilation, FiveTaps.of(taps, bias) if few else None)

    @property
    def reach(self) -> int:
        """Positions that an output sees on either side."""
        return (len(self.taps) // 2) * self.dilation

    def __call__(self, x: Tensor, out: Tensor, scratch: Scratch) -> Tensor:
        """[N, L, inputs] -> `out` [N, L − 2·reach, outputs], which is contiguous."""
        kernel, inputs, outputs = self.taps.shape
        length = x.shape[1] - 2 * self.reach
        if kernel > 1 and (inputs <= _FEW_INPUTS or x.device.type != "cpu" or not self.arithmetic.exact):
            wide = self.dilation * (kernel - 1) + 1
            beside = x.unfold(1, wide, 1)[..., :: self.dilation].transpose(2, 3).reshape(-1, kernel * inputs)
            self._product(beside, self.taps.view(-1, outputs), out.view(-1, outputs))
            return out
        if kernel == 1:
            self._product(x.reshape(-1, inputs), self.taps[0], out.view(-1, outputs))
            return out
        for row, total in zip(x, out, strict=True):
            if self.five is not None and self.five.pays(length):
                self.five(row, total, scratch)
                continue
            self._product(row[:length], self.taps[0], total)
            for tap in range(1, kernel):
                start = tap * self.dilation
                total.addmm_(row[start : start + length], self.taps[tap])
        return out

    def _product(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        if not self.arithmetic.exact:
            self.arithmetic.matmul(x, weight, out)
            if self.bias is not None:
                out += self.bias
        elif self.bias is not None:
            torch.addmm(self.bias, x, weight, out=out)
        else:
            torch.mm(x, weight, out=out)


class Maximum:
    """Pooling of neighbouring pairs of positions by their maximum."""

    def __call__(self, x: Tensor, scratch: Scratch) -> Tensor:
        """[N, 2L, C] -> [N, L, C]."""
        out = scratch.take("pooled", (x.shape[0], x.shape[1] // 2, x.shape[2]), x)
        return torch.maximum(x[:, 0::2], x[:, 1::2], out=out)


@dataclass(frozen=True, eq=False)
class SoftmaxPair:
    """Attention pooling of neighbouring pairs (`layers.SoftmaxPool`): x1 + σ(d·W)·d with d = x0 − x1."""

    weight: Tensor
    """Narrowed, [C, C]."""
    arithmetic: Arithmetic

    def __call__(self, x: Tensor, scratch: Scratch) -> Tensor:
        """[N, 2L, C] -> [N, L, C]."""
        second = x[:, 1::2]
        shape = second.shape
        difference = torch.sub(x[:, 0::2], second, out=scratch.take("active", shape, x))
        share = scratch.take("pooled", shape, x)
        flat = difference.view(-1, shape[-1])
        self.arithmetic.matmul(flat, self.weight, out=share.view(-1, shape[-1]))
        return torch.addcmul(second, share.sigmoid_(), difference, out=share)


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A residual branch over single positions: x + W·gelu(x), its bias left to what follows."""

    gelu: Gelu
    weight: Tensor
    """Narrowed, [C, C]."""
    arithmetic: Arithmetic

    def __call__(self, x: Tensor, scratch: Scratch) -> Tensor:
        """[N, L, C] -> the same, in place."""
        active = self.gelu(x, scratch.take("active", x.shape, x))
        flat, total = active.view(-1, x.shape[-1]), x.view(-1, x.shape[-1])
        if self.arithmetic.exact:
            total.addmm_(flat, self.weight)
        else:
            total += self.arithmetic.matmul(flat, self.weight)
        return x


Step = Callable[[Tensor, Scratch], Tensor]


@dataclass(frozen=True, eq=False)
class Block:
    """GELU → convolution → residual branch, and then pooling of pairs; only the convolution need be there."""

    gelu: Gelu | None
    convolution: Convolution
    residual: Step | None = None
    pool: Step | None = None
    kept: bool = False
    """Whether what leaves the block before pooling belongs to the bins' features (a U-net reads it)."""

    @property
    def outputs(self) -> int:
        """Channels that leave the block."""
        return self.convolution.taps.shape[2]


class Job(NamedTuple):
    """Bins [first, last) of a window to be computed."""

    codes: Codes
    """Of the whole window, uint8 [input_bp]."""
    first: int
    last: int


class Plan(NamedTuple):
    """A range of bins, traced back to the letters that it sees."""

    bins: int
    first: int
    last: int
    """Letters [first, last) of the window."""
    padding: tuple[tuple[int, int], ...]
    """Zeros before and behind each block's input."""
    skipped: tuple[int, ...]
    """Positions of each block's output, before pooling, that lie left of the range."""

    @property
    def shape(self) -> object:
        """Ranges of one shape can be computed together."""
        return self.bins, self.padding, self.skipped


class Tower:
    """All blocks in a row: codes [L] to bins [T, width].

    A bin's features are the outputs of the blocks that are kept, finest first, and then the last block's.
    """

    def __init__(self, blocks: Sequence[Block], alphabet: Tensor, input_bp: int) -> None:
        self._blocks = tuple(blocks)
        self._alphabet = alphabet
        self._scratch = Scratch()
        self.bin_bp = math.prod(2 if block.pool else 1 for block in blocks)
        self.bins = input_bp // self.bin_bp
        self.reach = -self._plan(0, 1, bounded=False).first
        """Letters that a bin sees on either side of its own."""
        self.widths = [*(block.outputs * positions for block, positions in self._kept()), blocks[-1].outputs]
        """Features of a bin: of each kept block its positions in the bin times its channels, and the last block's."""
        self._letters = TILE_BP if alphabet.device.type == "cpu" else 32 * TILE_BP

    def touched(self, first: int, last: int) -> tuple[int, int]:
        """The bins that see any of the letters [first, last)."""
        start = (first - self.reach) // self.bin_bp
        end = -(-(last + self.reach) // self.bin_bp)
        return max(0, start), min(self.bins, end)

    def __call__(self, jobs: Sequence[Job]) -> list[Tensor]:
        """For each job the features of its bins, [last − first, sum of widths]; memory is that of one tile."""
        tiles = [(i, job.codes, first, last) for i, job in enumerate(jobs) for first, last in self._tiles(job)]
        groups: dict[object, list[tuple[int, Codes, Plan]]] = {}
        for place, (_, codes, first, last) in enumerate(tiles):
            plan = self._plan(first, last)
            groups.setdefault(plan.shape, []).append((place, codes, plan))
        found: dict[int, Tensor] = {}
        for members in groups.values():
            plan = members[0][2]
            together = max(1, self._letters // (plan.last - plan.first))
            for start in range(0, len(members), together):
                some = members[start : start + together]
                codes = np.stack([codes[plan.first : plan.last] for _, codes, plan in some])
                for (place, *_), features in zip(some, self._run(codes, plan), strict=True):
                    found[place] = features
        if len(tiles) > len(jobs):
            self._scratch.forget()  # hundreds of MB, which whatever follows a whole window can use
        parts: list[list[Tensor]] = [[] for _ in jobs]
        for place, (i, *_) in enumerate(tiles):
            parts[i].append(found[place])
        return [part[0] if len(part) == 1 else torch.cat(part) for part in parts]

    def _tiles(self, job: Job) -> list[tuple[int, int]]:
        step = max(1, TILE_BP // self.bin_bp)
        return [(start, min(start + step, job.last)) for start in range(job.first, job.last, step)]

    def _kept(self) -> list[tuple[Block, int]]:
        """The kept blocks, finest first, and their positions in a bin."""
        kept, positions = [], self.bin_bp
        for block in self._blocks:
            if block.kept:
                kept.append((block, positions))
            positions //= 2 if block.pool else 1
        return kept

    def _plan(self, first: int, last: int, bounded: bool = True) -> Plan:
        """The bins [first, last) traced back; not `bounded`: as if the window had no ends."""
        low, high, length = first, last, self.bins
        padding, skipped = [], []
        positions = 1
        for block in reversed(self._blocks):
            factor = 2 if block.pool else 1
            low, high, length, positions = low * factor, high * factor, length * factor, positions * factor
            skipped.append(first * positions - low)
            low, high = low - block.convolution.reach, high + block.convolution.reach
            outside = (max(0, -low), max(0, high - length)) if bounded else (0, 0)
            padding.append(outside)
            low, high = low + outside[0], high - outside[1]
        return Plan(last - first, low, high, tuple(reversed(padding)), tuple(reversed(skipped)))

    def _run(self, codes: Codes, plan: Plan) -> Tensor:
        """Letters [N, last − first] of one plan's shape to features [N, bins, sum of widths]."""
        x = one_hot(codes, self._alphabet)
        features = []
        positions = self.bin_bp
        for block, (before, behind), skipped in zip(self._blocks, plan.padding, plan.skipped, strict=True):
            x = self._block(block, x, before, behind)
            if block.kept:
                inside = x[:, skipped : skipped + plan.bins * positions]
                features.append(inside.reshape(len(codes), plan.bins, -1).clone())
            if block.pool:
                x = block.pool(x, self._scratch)
                positions //= 2
        features.append(x)
        return torch.cat(features, -1) if len(features) > 1 else x.clone()

    def _block(self, block: Block, x: Tensor, before: int, behind: int) -> Tensor:
        """Everything up to the pooling, with as many zeros on either side of the convolution's input."""
        n, length, channels = x.shape
        if block.gelu is not None:
            active = self._scratch.take("active", (n, before + length + behind, channels), x)
            active[:, :before] = 0
            active[:, before + length :] = 0
            block.gelu(x, active[:, before : before + length])
        else:
            active = F.pad(x, (0, 0, before, behind)) if before or behind else x
        convolution = block.convolution
        shape = (n, active.shape[1] - 2 * convolution.reach, block.outputs)
        y = convolution(active, self._scratch.take("convolved", shape, x), self._scratch)
        return y if block.residual is None else block.residual(y, self._scratch)
