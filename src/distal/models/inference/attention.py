"""A transformer block for inference: REF's signal, and how a change of it passes through; knows no architecture.

A block is called with REF's signal [N, T, C] and gives the next one, together with what a difference needs to follow:
REF's normalised signals, keys, queries, values and attention weights. These live until the next block's turn.

With δ a change, and ALT's numbers primed (the attention is Enformer's, `layers.RelativeAttention`):

    δS = δq·kᵀ + (q + δq)·δkᵀ + δq·rᵀ        logits; r: the keys of the distances
    A' − A = A (e^δS − 1 − m) / (1 + m)      with m = Σ A (e^δS − 1) over the keys
    δo = (A' − A)·(v + δv) + A·δv

so that every product has δ in it, and rounding its operands costs digits of the effect, not of the signal. The few
positions where δ is largest hold most of the effect; what they are multiplied with is not rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distal.models.inference.arithmetic import Arithmetic
from distal.models.inference.differences import Normalised
from distal.models.inference.pointwise import Linear
from distal.models.inference.scratch import Scratch
from distal.models.layers import RelativeAttention, TransformerBlock

_CHUNK = 256
"""Queries whose logits are held at once on a CPU: with 8 heads and 1,536 keys 12 MB, which its caches hold."""
_LOUD = 16
"""Positions whose change is carried unrounded, of Enformer's one in a hundred. A weak effect is often what remains of
strong ones that cancel, and has their rounding."""


@dataclass(frozen=True)
class LayerNorm:
    """(x − mean) / sd · weight + bias over channels."""

    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, norm: nn.LayerNorm) -> LayerNorm:
        """With the weights of torch's."""
        return cls(norm.weight, norm.bias, norm.eps)

    def __call__(self, x: Tensor) -> tuple[Tensor, Normalised]:
        """[..., C] -> the same shape, and what a difference needs."""
        state = Normalised.of(x, self.eps)
        return torch.addcmul(self.bias, state.values, self.weight), state

    def difference(self, state: Normalised, delta: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        return state.difference(delta) * self.weight


@dataclass(frozen=True, eq=False)
class _Attended:
    """What is known of REF's attention, heads apart: [N, heads, T, size]."""

    query: Tensor
    """Of the queries that are computed."""
    keys: Tensor
    values: Tensor
    weights: Tensor | None
    """[N, heads, queries, T]; None where no difference will follow."""
    output: Tensor
    """Means of the values, [N, heads, queries, size]."""


class _Changes(NamedTuple):
    """Of queries, keys and values, heads apart: [n, heads, positions, size]."""

    query: Tensor
    keys: Tensor
    values: Tensor


class _Loud(NamedTuple):
    """The positions where the values change most, and ALT's values and their change there."""

    places: Tensor
    """[n, 1, 1, k]"""
    values: Tensor
    """[n, heads, k, size]"""
    d_values: Tensor

    def products(self, change: Tensor, weights: Tensor, total: Tensor) -> Tensor:
        """Of changes of attention weights and of the weights, [n, heads, queries, T], with what is loud."""
        places = self.places.expand(*change.shape[:-1], -1)
        moved = (change.gather(-1, places) @ self.values).div_(1 + total)
        return moved.add_(weights.expand_as(change).gather(-1, places) @ self.d_values)


class _Operands(NamedTuple):
    """What the changes of all queries are multiplied with, the first three narrowed."""

    keys: Tensor
    """REF's and their change, [n, heads, 2·key, T]."""
    values: Tensor
    """ALT's; zero where they are loud."""
    d_values: Tensor
    """Zero where they are loud."""
    d_keys: Tensor
    loud: _Loud | None
    """None where nothing is rounded."""


class Attention:
    """`layers.RelativeAttention` over T positions, for the queries in `rows`."""

    def __init__(
        self,
        module: RelativeAttention,
        features: Tensor,
        rows: slice,
        plain: Arithmetic,
        carried: Arithmetic,
        scratch: Scratch,
    ) -> None:
        linear = {
            name: Linear.of(getattr(module, name), plain, carried) for name in ("query", "keys", "values", "output")
        }
        self._query, self._keys, self._values, self._output = linear.values()
        self._heads, self._scale = module.heads, module.key**-0.5
        self._content_bias, self._position_bias = module.content_bias, module.position_bias
        distances = self._split(module.positions(features)).transpose(-1, -2)  # [heads, key, 2T−1]
        distances = F.pad(distances, (0, 1))  # one more, so that a chunk's products are a round number
        self._distances = plain.narrow(distances)
        self._carried_distances = self._distances if carried is plain else carried.narrow(distances)
        self._length = (len(features) + 1) // 2
        self._rows = rows
        self._plain, self._carried = plain, carried
        self._scratch = scratch

    def __call__(self, x: Tensor, followed: bool) -> tuple[Tensor, _Attended]:
        """[N, T, C] -> [N, queries, C]; `followed`: keep the weights, for differences."""
        query = self._split(self._query(x[:, self._rows])) * self._scale
        keys, values = self._split(self._keys(x)), self._split(self._values(x))
        attended = torch.empty(*query.shape[:-1], values.shape[-1], dtype=x.dtype, device=x.device)
        weights = self._scratch.take("weights", (*query.shape[:-1], self._length), x) if followed else None
        turned, narrow_values = self._plain.narrow(keys.transpose(-1, -2)), self._plain.narrow(values)
        for rows in self._chunks(x.device, query.shape[-2]):
            logits = self._logits(query[..., rows, :], turned, rows)
            some = torch.softmax(logits, -1, out=logits if weights is None else weights[..., rows, :])
            attended[..., rows, :] = self._plain.matmul(some, narrow_values)
        return self._output(self._join(attended)), _Attended(query, keys, values, weights, attended)

    def difference(self, state: _Attended, delta: Tensor) -> Tensor:
        """A change [n, T, C] of x to that of the output [n, queries, C]; `state` is of one sequence."""
        changes = self._changes(delta)
        operands = self._operands(state, changes)
        query = changes.query[..., self._rows, :]
        attended = torch.empty(*query.shape[:-1], changes.values.shape[-1], dtype=delta.dtype, device=delta.device)
        for rows in self._chunks(delta.device, query.shape[-2]):
            attended[..., rows, :] = self._moved(state, operands, query[..., rows, :], rows)
        return self._output.carry(self._join(attended))

    def difference_of_few(self, state: _Attended, first: int, delta: Tensor) -> Tensor:
        """The same for a change [1, few, C] of the positions from `first` on, and of no other.

        Queries elsewhere see the change in these few keys alone, so with c these keys and o REF's output

            δo = (A_c (e^δS_c − 1)·(v_c + δv_c) + A_c·δv_c − m o) / (1 + m)

        which is little work, and exact: where the terms cancel, bf16 would be felt.
        """
        assert state.weights is not None
        changes = self._changes(delta)
        few = slice(first, first + delta.shape[1])
        weights = state.weights[..., few]
        change = (state.query + self._content_bias) @ changes.keys.transpose(-1, -2)
        change = change.expm1_().mul_(weights)
        total = change.sum(-1, keepdim=True)
        attended = change @ (state.values[..., few, :] + changes.values) + weights @ changes.values
        attended.sub_(total * state.output).div_(1 + total)
        again = _turned(total).flatten(0, 1).any(0)[:, 0]
        again[max(few.start - self._rows.start, 0) : max(few.stop - self._rows.start, 0)] = True  # changed themselves
        if not bool(again.any()):
            return self._output.carry(self._join(attended))
        dense = _Changes(*(_placed(each, few, self._length) for each in changes))
        operands, query = self._operands(state, dense), dense.query[..., self._rows, :]
        for rows in self._chunks(delta.device, len(again)):
            places = again[rows].nonzero()[:, 0].tolist()
            if places:
                some = slice(rows.start + places[0], rows.start + places[-1] + 1)
                attended[..., some, :] = self._moved(state, operands, query[..., some, :], some)
        return self._output.carry(self._join(attended))

    def _changes(self, delta: Tensor) -> _Changes:
        loud = None if self._carried.exact else _loudest(delta.square().sum(-1))
        carried = (linear.carry(delta, loud) for linear in (self._query, self._keys, self._values))
        query, keys, values = map(self._split, carried)
        return _Changes(query * self._scale, keys, values)

    def _operands(self, state: _Attended, changes: _Changes) -> _Operands:
        narrow = self._carried.narrow
        keys = torch.cat([state.keys.expand_as(changes.keys), changes.keys], -1)
        both = narrow(keys.transpose(-1, -2))
        d_values, loud = changes.values, None
        values = state.values + d_values
        if not self._carried.exact:
            places = _loudest(d_values.square().sum((1, 3)))
            rows = places[:, None, :, None].expand(-1, self._heads, -1, values.shape[-1])
            loud = _Loud(places[:, None, None], values.gather(2, rows), d_values.gather(2, rows))
            values, d_values = values.scatter(2, rows, 0.0), d_values.scatter(2, rows, 0.0)
        return _Operands(both, narrow(values), narrow(d_values), changes.keys, loud)

    def _moved(self, state: _Attended, operands: _Operands, d_query: Tensor, rows: slice) -> Tensor:
        """The change of the output of some queries, [n, heads, rows, size]."""
        assert state.weights is not None
        carried, weights, query = self._carried, state.weights[..., rows, :], state.query[..., rows, :]
        both = torch.cat([d_query, query + self._content_bias + d_query], -1)
        change = self._scratch.take("logits", (*both.shape[:-1], self._length), d_query)
        carried.matmul(both, operands.keys, out=change)
        change += self._by_distance(d_query, rows, self._carried_distances, carried)
        total = change.expm1_().mul_(weights).sum(-1, keepdim=True)
        turned = _turned(total)
        if bool(turned.any()):
            change = torch.addcmul(change, weights, -total)
            keys = self._plain.narrow((state.keys + operands.d_keys).transpose(-1, -2))
            alone = torch.softmax(self._logits(query + d_query, keys, rows), -1)
            change, total = torch.where(turned, alone - weights, change), total.masked_fill(turned, 0.0)
        else:
            change.addcmul_(weights, -total)
        attended = carried.matmul(change, operands.values).div_(1 + total)
        attended.add_(carried.matmul(weights.expand_as(change), operands.d_values))
        return attended if operands.loud is None else attended.add_(operands.loud.products(change, weights, total))

    def _logits(self, query: Tensor, turned_keys: Tensor, rows: slice) -> Tensor:
        """Logits [N, heads, rows, T] of the queries [N, heads, rows, key] that lie in `rows`."""
        logits = self._scratch.take("logits", (*query.shape[:-1], self._length), query)
        self._plain.matmul(query + self._content_bias, turned_keys, out=logits)
        return logits.add_(self._by_distance(query + self._position_bias, rows, self._distances, self._plain))

    def _by_distance(self, query: Tensor, rows: slice, distances: Tensor, arithmetic: Arithmetic) -> Tensor:
        """Products of queries with the distances to all keys, [N, heads, rows, T], as a view on what was computed.

        Query i of the chunk needs the distances −i … T − 1 − i, counted from the chunk's first: of the product with
        all distances that any of them needs, each row is read from one place further left than the row above.
        """
        count = rows.stop - rows.start
        first = self._length - (self._rows.start + rows.stop)  # the last query's distance to key 0
        width = self._length + count
        products = self._scratch.take("products", (*query.shape[:-1], width), query)
        arithmetic.matmul(query, distances[..., first : first + width], out=products)
        stride = (*products.stride()[:-2], width - 1, 1)
        return products.as_strided((*query.shape[:-1], self._length), stride, count - 1)

    def _chunks(self, device: torch.device, queries: int) -> Iterator[slice]:
        """Queries some at a time, on a CPU."""
        step = _CHUNK if device.type == "cpu" else queries
        return (slice(start, min(start + step, queries)) for start in range(0, queries, step))

    def _split(self, x: Tensor) -> Tensor:
        """[..., T, heads·size] -> [..., heads, T, size]."""
        return x.reshape(*x.shape[:-1], self._heads, -1).transpose(-2, -3)

    def _join(self, x: Tensor) -> Tensor:
        """The inverse of `_split`."""
        return x.transpose(-2, -3).flatten(-2)


@dataclass(frozen=True, eq=False)
class BlockState:
    """REF in a transformer block."""

    before: Normalised
    attended: _Attended
    between: Normalised
    floor: Tensor
    """The MLP's hidden signal before its ReLU, negative, [N, queries, 2C]: no change takes it further down."""
    below: Tensor
    """What of `floor` is positive: how far below zero the signal is."""


class Block:
    """`layers.TransformerBlock`; only the positions in `rows` leave it."""

    def __init__(
        self,
        module: TransformerBlock,
        features: Tensor,
        rows: slice,
        plain: Arithmetic,
        carried: Arithmetic,
        scratch: Scratch,
    ) -> None:
        norm, widen, _, _, narrow, _ = module.mlp
        assert isinstance(norm, nn.LayerNorm)
        assert isinstance(widen, nn.Linear)
        assert isinstance(narrow, nn.Linear)
        self._rows = rows
        self._before, self._between = LayerNorm.of(module.attention_norm), LayerNorm.of(norm)
        self._attention = Attention(module.attention, features, rows, plain, carried, scratch)
        self._widen, self._narrow = Linear.of(widen, plain, carried), Linear.of(narrow, plain, carried)

    def __call__(self, x: Tensor, followed: bool) -> tuple[Tensor, BlockState | None]:
        """[N, T, C] -> [N, queries, C] and, if `followed`, what differences need, until the next call of any block."""
        normal, before = self._before(x)
        attended, state = self._attention(normal, followed)
        x = attended.add_(x[:, self._rows])
        normal, between = self._between(x)
        hidden = self._widen(normal)
        if not followed:
            return self._narrow(hidden.relu_()).add_(x), None
        y = self._narrow(torch.relu(hidden)).add_(x)
        floor = hidden.neg_()
        return y, BlockState(before, state, between, floor, torch.relu(floor))

    def difference(self, state: BlockState, delta: Tensor) -> Tensor:
        """A change [n, T, C] of a block's input to that of its output, [n, queries, C]."""
        attended = self._attention.difference(state.attended, self._before.difference(state.before, delta))
        return self._after(state, attended.add_(delta[:, self._rows]))

    def difference_of_few(self, state: BlockState, first: int, delta: Tensor) -> Tensor:
        """The same for a change [1, few, C] of the positions from `first` on, and of no other."""
        few = slice(first, first + delta.shape[1])
        before = Normalised(*(each[:, few] for each in state.before))
        normal = self._before.difference(before, delta)
        attended = self._attention.difference_of_few(state.attended, first, normal)
        start, end = max(few.start, self._rows.start), min(few.stop, self._rows.stop)
        if start < end:
            left = self._rows.start
            attended[:, start - left : end - left] += delta[:, start - first : end - first]
        return self._after(state, attended)

    def _after(self, state: BlockState, delta: Tensor) -> Tensor:
        """From the change behind the attention, [n, queries, C], to that behind the MLP."""
        hidden = self._widen.carry(self._between.difference(state.between, delta))
        torch.maximum(hidden, state.floor, out=hidden).sub_(state.below)  # max(x + δ, 0) − max(x, 0), exactly
        return self._narrow.carry(hidden).add_(delta)


def _loudest(size: Tensor) -> Tensor:
    """Of sizes [n, T] the places of the `_LOUD` largest, [n, k]."""
    return size.topk(min(_LOUD, size.shape[1]), -1, sorted=False).indices


def _turned(total: Tensor) -> Tensor:
    """Where ALT has turned away from what REF attends to: 1 + m has few digits, or e^δS is beyond the dtype.

    There the weights of the two lie in different places, and can simply be subtracted.
    """
    return ~(torch.isfinite(total) & (total > -0.5))


def _placed(x: Tensor, few: slice, length: int) -> Tensor:
    """[..., few, C] -> [..., length, C], zero elsewhere."""
    return F.pad(x, (0, 0, few.start, length - few.stop))
