"""Contributions over a region as HDF5; knows the layout of the file, not how a contribution is computed.

==================  ====================  =====================================================================
``contributions``   float32 [width]       of the letter that is at each base; 0 for an N
``hypothetical``    float32 [width, 4]    what A, C, G, T would contribute at each base
``sequence``        text                  the region's letters
``track_channel``   int64 [T]             output channel of the model, identifier and description of each track
``track_name``      text [T]
``track_text``      text [T]
==================  ====================  =====================================================================

Of attention there are instead, in the window's order from its first base on:

==================  ================================  =========================================================
``attention``       float32 [layers, heads, P]        weights from the target's bins, mean over them
``mean``            float32 [P]                       their mean over heads and layers
``rollout``         float32 [P]                       what reaches the bins through all layers
==================  ================================  =========================================================

Attributes: ``chrom``, ``start``, ``end`` of the region (of attention: of all positions, ``position_bp`` wide) and
``target_start``, ``target_end`` of the bins that were read (0-based, half-open), ``method``, ``formula``, ``value``
(the prediction that was explained), and what the run was (model, weights, genome, command ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes, decode, encode
from distal.errors import InputError
from distal.files import replacing
from distal.tracks import Track, TrackTable

Facts = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, eq=False)
class Stored:
    """The content of a file of contributions; see the top of this module."""

    contributions: NDArray[np.float32]
    hypothetical: NDArray[np.float32]
    codes: Codes
    interval: Interval
    target: Interval
    table: TrackTable
    facts: Facts


@dataclass(frozen=True, eq=False)
class StoredAttention:
    """The content of a file of attention; `interval` is what all positions cover."""

    attention: NDArray[np.float32]
    mean: NDArray[np.float32]
    rollout: NDArray[np.float32]
    interval: Interval
    target: Interval
    facts: Facts


def write(path: str | Path, content: Stored) -> None:
    """Write contributions; the file takes its name only once it is whole."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _place(file, content.interval, content.target, content.facts)
        file["contributions"] = content.contributions
        file["hypothetical"] = content.hypothetical
        file["sequence"] = decode(content.codes)
        file["track_channel"] = content.table.channels
        file["track_name"] = list(content.table.names)
        file["track_text"] = [row.description for row in content.table.rows]


def write_attention(path: str | Path, content: StoredAttention) -> None:
    """Write attention; the file takes its name only once it is whole."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _place(file, content.interval, content.target, content.facts)
        for name in ("attention", "mean", "rollout"):
            file[name] = getattr(content, name)


def read(path: str | Path) -> Stored:
    """What `write` wrote. Raises `InputError` for any other file."""
    try:
        with h5py.File(path) as file:
            interval, target, facts = _placed(file)
            tracks = zip(file["track_channel"], file["track_name"].asstr(), file["track_text"].asstr(), strict=True)
            table = TrackTable(tuple(Track(int(channel), name, text) for channel, name, text in tracks))
            codes = encode(file["sequence"].asstr()[()])
            return Stored(file["contributions"][:], file["hypothetical"][:], codes, interval, target, table, facts)
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold contributions that `distal contributions` wrote with grad, ig or ism ({error})"
        ) from None


def _place(file: h5py.File, interval: Interval, target: Interval, facts: Facts) -> None:
    file.attrs.update({**facts, "chrom": interval.chrom, "start": interval.start, "end": interval.end})
    file.attrs.update({"target_start": target.start, "target_end": target.end})


def _placed(file: h5py.File) -> tuple[Interval, Interval, dict[str, Any]]:
    facts = {key: getattr(value, "item", lambda v=value: v)() for key, value in file.attrs.items()}
    interval = Interval(facts.pop("chrom"), facts.pop("start"), facts.pop("end"))
    return interval, Interval(interval.chrom, facts.pop("target_start"), facts.pop("target_end")), facts
