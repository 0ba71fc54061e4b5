"""In-silico mutagenesis of a region as HDF5; knows the layout of the file, not how an effect is computed.

==================  =====================  ====================================================================
``values``          float32 [width, 4, T]  effect of putting A, C, G, T at each base; 0 for the base that is there
``deletions``       float32 [width, T]     effect of taking each base out; not there if it was not asked for
``sequence``        text                   the region's letters
``track_channel``   int64 [T]              output channel of the model, identifier and description of each track
``track_name``      text [T]
``track_text``      text [T]
==================  =====================  ====================================================================

Attributes: ``chrom``, ``start``, ``end`` of the region and ``target_start``, ``target_end`` of the bins that were read
(0-based, half-open), ``formula``, and what the run was (model, weights, genome, command ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes, decode, encode
from distal.errors import InputError
from distal.files import replacing
from distal.tracks import Track, TrackTable


@dataclass(frozen=True)
class Mutagenesis:
    """The content of a file; see the top of this module."""

    values: NDArray[np.float32]
    codes: Codes
    interval: Interval
    target: Interval
    table: TrackTable
    attributes: Mapping[str, str | int | float | bool]
    deletions: NDArray[np.float32] | None = None


def write(path: str | Path, content: Mutagenesis) -> None:
    """Write the file; it takes its name only once it is whole."""
    interval, target = content.interval, content.target
    place = {"chrom": interval.chrom, "start": interval.start, "end": interval.end}
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({**content.attributes, **place})
        file.attrs.update({"target_start": target.start, "target_end": target.end})
        file["values"] = content.values
        if content.deletions is not None:
            file["deletions"] = content.deletions
        file["sequence"] = decode(content.codes)
        file["track_channel"] = content.table.channels
        file["track_name"] = list(content.table.names)
        file["track_text"] = [row.description for row in content.table.rows]


def read(path: str | Path) -> Mutagenesis:
    """What `write` wrote. Raises `InputError` for any other file."""
    try:
        with h5py.File(path) as file:
            facts = {key: getattr(value, "item", lambda v=value: v)() for key, value in file.attrs.items()}
            interval = Interval(facts.pop("chrom"), facts.pop("start"), facts.pop("end"))
            target = Interval(interval.chrom, facts.pop("target_start"), facts.pop("target_end"))
            tracks = zip(file["track_channel"], file["track_name"].asstr(), file["track_text"].asstr(), strict=True)
            table = TrackTable(tuple(Track(int(channel), name, text) for channel, name, text in tracks))
            codes = encode(file["sequence"].asstr()[()])
            deletions = file["deletions"][:] if "deletions" in file else None
            return Mutagenesis(file["values"][:], codes, interval, target, table, facts, deletions)
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} does not hold a mutagenesis that distal wrote ({error})") from None
