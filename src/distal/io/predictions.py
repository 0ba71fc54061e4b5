"""Predicted tracks over regions as HDF5 and npz; knows the layout of the file, not how a prediction is made.

Both hold the same arrays, regions one below the other (positions 0-based, half-open):

==================  ====================  =====================================================================
``values``          float32 [bins, T]     bins of all regions, region after region
``region_chrom``    text [n]              chromosome, start and end of each region as it was asked for, its name, and
``region_start``    int64 [n]             the row of its first bin in ``values``; a region has
``region_end``      int64 [n]             ``ceil((end - start) / bin_bp)`` bins, counted from ``start``
``region_name``     text [n]
``region_row``      int64 [n]
``track_channel``   int64 [T]             output channel of the model, identifier and description of each column
``track_name``      text [T]
``track_text``      text [T]
==================  ====================  =====================================================================

``bin_bp`` and what the run was (model, weights, genome, command …) are attributes of the HDF5 file, and the JSON text
``attributes`` of the npz file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.errors import InputError
from distal.files import replacing
from distal.tracks import Track, Tracks, TrackTable

_CHUNK = (1024, 64)  # bins, tracks: one track's column and one region's rows are both quick to read


@dataclass(frozen=True)
class Layout:
    """What a file holds besides its values: regions with their names, tracks, bin size, and facts about the run."""

    regions: Sequence[Interval]
    names: Sequence[str]
    table: TrackTable
    bin_bp: int
    attributes: Mapping[str, str | int | float | bool]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of each region's first bin, and the number of all rows: int64 [n + 1]."""
        return np.cumsum([0, *(-(-region.width // self.bin_bp) for region in self.regions)], dtype=np.int64)

    def arrays(self) -> dict[str, Any]:
        """Every array but the values, by name."""
        return {
            "region_chrom": [region.chrom for region in self.regions],
            "region_start": np.array([region.start for region in self.regions], dtype=np.int64),
            "region_end": np.array([region.end for region in self.regions], dtype=np.int64),
            "region_name": list(self.names),
            "region_row": self.rows[:-1],
            "track_channel": self.table.channels,
            "track_name": list(self.table.names),
            "track_text": [row.description for row in self.table.rows],
        }


class Values:
    """The open `values` of a file that is being written: takes the bins of all regions in order, piece by piece."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self._row = 0

    def append(self, values: NDArray[np.float32]) -> None:
        """The next bins, float32 [bins, tracks]."""
        self._dataset[self._row : self._row + len(values)] = values
        self._row += len(values)

    @property
    def complete(self) -> bool:
        """Whether every row has been written."""
        return self._row == len(self._dataset)


@contextmanager
def write(path: str | Path, layout: Layout) -> Iterator[Values]:
    """Write an HDF5 file while predictions come in; the file takes its name only once it is whole."""
    shape = (int(layout.rows[-1]), len(layout.table))
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({**layout.attributes, "bin_bp": layout.bin_bp})
        for name, array in layout.arrays().items():
            file.create_dataset(name, data=array)
        chunks = tuple(min(size, limit) for size, limit in zip(shape, _CHUNK, strict=True))
        values = Values(file.create_dataset("values", shape, "float32", chunks=chunks))
        yield values
        if not values.complete:
            raise ValueError(f"{path}: not all of the {shape[0]} bins were written")


def write_npz(source: str | Path, path: str | Path) -> None:
    """The arrays of the HDF5 file `source` as an npz file; all of them are held in memory."""
    with h5py.File(source) as file:
        arrays: dict[str, Any] = {name: _array(dataset) for name, dataset in file.items()}
        arrays["attributes"] = np.array(json.dumps(dict(file.attrs), default=lambda value: value.item()))
    with replacing(path) as temporary, temporary.open("wb") as out:
        np.savez(out, **arrays)


def read(path: str | Path) -> Iterator[Tracks]:
    """The tracks of each region of an HDF5 or npz file, in the file's order.

    A region's interval ends where its last bin does. Raises `InputError` when the file is not one of ours.
    """
    with _opened(path) as (arrays, attributes):
        bin_bp = int(attributes["bin_bp"])
        table = _table(arrays)
        chroms, starts = _texts(arrays["region_chrom"]), arrays["region_start"][:]
        edges = [*(int(row) for row in arrays["region_row"][:]), arrays["values"].shape[0]]
        for i, chrom in enumerate(chroms):
            values = arrays["values"][edges[i] : edges[i + 1]]
            start = int(starts[i])
            yield Tracks(values, table, Interval(chrom, start, start + len(values) * bin_bp), bin_bp)


def _table(arrays: Any) -> TrackTable:
    rows = zip(arrays["track_channel"][:], _texts(arrays["track_name"]), _texts(arrays["track_text"]), strict=True)
    return TrackTable(tuple(Track(int(channel), name, text) for channel, name, text in rows))


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Arrays by name, and the attributes."""
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                yield file, dict(file.attrs)
        else:
            with np.load(path, allow_pickle=False) as file:
                yield file, json.loads(str(file["attributes"]))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} does not hold predictions that distal wrote ({error})") from None


def _array(dataset: h5py.Dataset) -> NDArray[Any]:
    return np.array(_texts(dataset), dtype=np.str_) if h5py.check_string_dtype(dataset.dtype) else np.asarray(dataset)


def _texts(array: Any) -> list[str]:
    return [text.decode() if isinstance(text, bytes) else str(text) for text in array[:]]
