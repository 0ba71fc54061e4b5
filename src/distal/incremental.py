"""Predictions of sequences that have most of their letters in common; knows predictors, no genome and no score.

`Incremental` is the fast way, `FullForward` the plain one: both give the same numbers, and every caller takes either.
What makes the first one fast is exact (design, section 5):

* A bin's convolutions see a few hundred letters. They are computed once for the letters that are seen, whichever
  window, variant or strand they belong to, and looked up by them.
* Of a sequence that differs from the first one in few bins only the *difference* goes through the rest of the network
  (`models.inference`): linear layers act on it alone, and every other function is differenced without cancellation.
  So an effect is as precise as it would be if it were as large as the signal, in float32 and with bf16 products too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.dna import Codes
from distal.models import inference
from distal.models.inference import Change, Job, Tower
from distal.predictor import Predictor, Reading, readings

GROUP = 16
"""Sequences whose differences go through the network together, REF's pass with them; of Enformer 10 MB each."""
KEPT_WINDOWS = 8
"""Windows whose bins are remembered: of Enformer 75 MB."""
_WIDE = 4
"""What differs in more than this part of a window's bins is predicted on its own."""
_OUTSIDE = 255
"""Stands for what is beyond a window's ends, where padding puts zeros; no letter has this code."""


class Pass(Protocol):
    """A way of predicting sequences."""

    predictor: Predictor

    def members(
        self,
        sequences: Iterable[Codes],
        rc: bool = False,
        shifts: Sequence[int] = (0,),
        channels: NDArray[np.int64] | None = None,
    ) -> Iterator[list[Tensor]]:
        """Of each sequence, uint8 [input_bp], the predictions to be averaged, each [bins, channels] on the device.

        There is one for every `predictor.Reading`: each shift, and with `rc` both strands, in the order of `readings`.
        Their differences from those of the first sequence, REF, are the effects. They are float64, which holds a large
        signal and a small effect at once, save where a device has none. `channels` None means the predictor's.
        """
        ...

    def forget(self) -> None:
        """Forget what was computed, so that what follows doesn't depend on it, to the last bit."""
        ...


class FullForward:
    """Every sequence by a pass of its own through the module that was trained: the oracle."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def forget(self) -> None:
        """See `Pass.forget`: nothing is remembered."""

    def members(
        self,
        sequences: Iterable[Codes],
        rc: bool = False,
        shifts: Sequence[int] = (0,),
        channels: NDArray[np.int64] | None = None,
    ) -> Iterator[list[Tensor]]:
        """See `Pass.members`."""
        predictor = self.predictor
        channels = predictor.tracks.channels if channels is None else channels
        ways = readings(rc, shifts)
        for codes in sequences:
            predictions = []
            for way in ways:
                prediction = predictor.by_module(way.read(codes), way.channels(predictor.tracks, channels))
                predictions.append(way.turned(_wide(prediction)))
            yield predictions


class Incremental:
    """The fast way. Bins are remembered from call to call, until `forget`.

    REF's products are float32's whatever the predictor's precision; bf16 is for those of differences.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._network = predictor.network
        if predictor.precision == "bf16":
            carried = inference.bf16(predictor.device.type)
            self._network = inference.network(predictor.module, predictor.n, inference.EXACT, carried)
        self._bins = _Bins(self._network.tower)

    def forget(self) -> None:
        """See `Pass.forget`."""
        self._bins = _Bins(self._network.tower)

    def members(
        self,
        sequences: Iterable[Codes],
        rc: bool = False,
        shifts: Sequence[int] = (0,),
        channels: NDArray[np.int64] | None = None,
    ) -> Iterator[list[Tensor]]:
        """See `Pass.members`. Differences of `GROUP` sequences are in memory at once."""
        channels = self.predictor.tracks.channels if channels is None else channels
        ways = readings(rc, shifts)
        together = max(1, GROUP // len(ways))
        stream = iter(sequences)
        ref = next(stream, None)
        if ref is None:
            return
        known: list[Tensor] = []
        others = list(islice(stream, together))
        while others or not known:
            signals: Sequence[Tensor | None] = known or [None] * len(ways)
            members = [self._predicted(ref, others, *each, channels) for each in zip(ways, signals, strict=True)]
            answers = zip(*members, strict=True)
            again = list(next(answers))
            if not known:
                known = again
                yield known
            yield from map(list, answers)
            others = list(islice(stream, together))

    @torch.inference_mode()
    def _predicted(
        self, ref: Codes, others: Sequence[Codes], way: Reading, known: Tensor | None, channels: NDArray[np.int64]
    ) -> Iterator[Tensor]:
        """REF's prediction under one reading, `known` if it has been made before, then those of the others."""
        predictor, network = self.predictor, self._network
        chosen = predictor.chosen(way.channels(predictor.tracks, channels))
        ref = way.read(ref)
        x = self._bins.features(ref)
        edits = [_edit(network.tower, ref, way.read(other)) for other in others]
        few = range(1, network.tower.bins // _WIDE + 1)
        carried = [edit for edit in edits if edit.last - edit.first in few]
        computed = network.tower([Job(*edit) for edit in carried])
        changes = [
            Change(edit.first, new - x[edit.first : edit.last]) for edit, new in zip(carried, computed, strict=True)
        ]
        outputs = network.outputs(x[None], changes, predictor.head, chosen)
        signal = _wide(outputs.prediction[0]) if known is None else way.turned(known)
        yield way.turned(signal)
        for edit in edits:
            if edit.first == edit.last:
                yield way.turned(signal)
            elif edit.last - edit.first in few:
                change = next(outputs.changes)
                prediction = signal.clone()
                prediction[change.first : change.first + len(change.values)] += _wide(change.values)
                yield way.turned(prediction)
            else:
                alone = self._bins.features(edit.codes)[None]
                yield way.turned(_wide(network.outputs(alone, (), predictor.head, chosen).prediction[0]))


def _wide(x: Tensor) -> Tensor:
    """In float64; Apple's GPUs have none, so there it comes to the CPU."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def _edit(tower: Tower, ref: Codes, codes: Codes) -> Job:
    """The bins of `codes` that see a letter which `ref` has not."""
    differing = np.flatnonzero(ref != codes)
    if not differing.size:
        return Job(codes, 0, 0)
    return Job(codes, *tower.touched(int(differing[0]), int(differing[-1]) + 1))


class _Bins:
    """What is known of bins, by the letters that they see: the last `KEPT_WINDOWS` windows' worth."""

    def __init__(self, tower: Tower) -> None:
        self._tower = tower
        self._places: dict[bytes, int] = {}
        self._keys: list[bytes | None] = [None] * (KEPT_WINDOWS * tower.bins)
        self._kept: Tensor | None = None
        self._next = 0

    def features(self, codes: Codes) -> Tensor:
        """Letters [input_bp] to the features of all bins, [T, width]."""
        seen = self._seen(codes)
        places = [self._places.get(key, -1) for key in seen]
        gaps = list(_runs(places))
        computed = self._tower([Job(codes, first, last) for first, last in gaps])
        if self._kept is None:
            self._kept = computed[0].new_empty(len(self._keys), computed[0].shape[1])
        if len(gaps) == 1 and gaps[0] == (0, len(seen)):
            features = computed[0]
        else:
            features = self._kept[torch.tensor(places, device=self._kept.device)]
            for (first, last), new in zip(gaps, computed, strict=True):
                features[first:last] = new
        for (first, last), new in zip(gaps, computed, strict=True):
            self._keep(seen[first:last], new)
        return features

    def _seen(self, codes: Codes) -> list[bytes]:
        """The letters that each bin sees."""
        tower = self._tower
        letters = np.pad(codes, tower.reach, constant_values=_OUTSIDE).tobytes()
        width = tower.bin_bp + 2 * tower.reach
        return [letters[start : start + width] for start in range(0, tower.bins * tower.bin_bp, tower.bin_bp)]

    def _keep(self, keys: Sequence[bytes], features: Tensor) -> None:
        assert self._kept is not None
        places = []
        for key in keys:
            place = self._next
            self._next = (place + 1) % len(self._keys)
            forgotten = self._keys[place]
            if forgotten is not None and self._places.get(forgotten) == place:
                del self._places[forgotten]
            self._keys[place] = key
            self._places[key] = place
            places.append(place)
        self._kept[torch.tensor(places, device=self._kept.device)] = features


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where the places that are unknown, -1, begin and end."""
    for unknown, run in groupby(range(len(places)), key=lambda i: places[i] < 0):
        if unknown:
            inside = list(run)
            yield inside[0], inside[-1] + 1
