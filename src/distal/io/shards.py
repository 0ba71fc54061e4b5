"""Arrays whose rows are compressed one by one and kept many to a file: knows zarr's bytes, not what the rows are.

A folder is an array of the zarr v3 format: ``zarr.json``, and along the first axis files ``c/<number>/0…`` of the codec
`sharding_indexed`, one row a chunk, each through blosc (LZ4, packed hard: written once, read often, three times as fast
as zstd) and followed by its CRC32C. Any zarr library reads it. Here a row costs one `pread`, its check and its
decompression; the general way of zarr-python takes several times as long for rows of some 100 kB, and holds the
interpreter's lock meanwhile (`python -m bench.loader`).

Source: https://zarr-specs.readthedocs.io/en/latest/v3 (core, and the codecs bytes, blosc, crc32c, sharding_indexed).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from distal.errors import InputError
from distal.files import replacing
from distal.io import documents

blosc.use_threads = False  # several threads would put the blocks of a row in the order in which they end
blosc._MUTEX, blosc._MUTEX_IS_INIT = Lock(), True  # numcodecs' own is a semaphore, which ended workers leave behind

_CRC = 4
"""Bytes of a CRC32C, stored behind what it is of."""
_PLACE = 16
"""Bytes of an index entry: where a row begins in its file and how long it is, uint64 each, all ones for no row."""
_PACKER, _LEVEL = "lz4hc", 5
_SHUFFLES = {"noshuffle": blosc.NOSHUFFLE, "bitshuffle": blosc.BITSHUFFLE}


@dataclass(frozen=True, slots=True)
class Layout:
    """What an array is before a value of it is known."""

    rows: int
    row: tuple[int, ...]
    """Shape of a row."""
    dtype: str
    """``uint8`` or ``float16``."""
    shard_rows: int
    """Rows of a file; the last one may have fewer."""
    shuffle: str = "noshuffle"
    """``bitshuffle`` halves what has only a few values, such as bases."""

    @property
    def shards(self) -> int:
        """Number of files."""
        return -(-self.rows // self.shard_rows)

    def name(self, shard: int) -> str:
        """Name of a file below the folder."""
        return "/".join(("c", str(shard), *("0" for _ in self.row)))

    def held(self, shard: int) -> int:
        """Rows of a file."""
        return min(self.shard_rows, self.rows - shard * self.shard_rows)


def group(folder: Path) -> None:
    """Make a folder that holds arrays or other groups."""
    folder.mkdir(parents=True, exist_ok=True)
    documents.write(folder / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {}})


def create(folder: Path, layout: Layout) -> None:
    """Begin an array: make its folder and write its ``zarr.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    documents.write(folder / "zarr.json", _metadata(layout))


def write(folder: Path, layout: Layout, shard: int, rows: Iterable[NDArray[Any]]) -> Path:
    """Write one file of an array, whole or not at all, and name it. The same rows give the same bytes.

    Raises `ValueError` when the rows are not those of that file in number, shape and type.
    """
    path = folder / layout.name(shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    index = np.full((layout.shard_rows, 2), 2**64 - 1, dtype="<u8")
    count = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        for count, row in enumerate(rows, start=1):
            if row.shape != layout.row or row.dtype != layout.dtype or count > layout.held(shard):
                raise ValueError(f"row {count} of {path} is {row.dtype}{row.shape}, not one of {layout}")
            packed = _checked(bytes(_codec(layout).encode(np.ascontiguousarray(row))))
            index[count - 1] = file.tell(), len(packed)
            file.write(packed)
        if count != layout.held(shard):
            raise ValueError(f"{path} has {count} rows, not {layout.held(shard)}")
        file.write(_checked(index.tobytes()))
    return path


class Shards:
    """An array that is complete, read by row. Reading takes no lock: several threads may."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        """Read the index of every file. Raises `InputError` where one is missing, cut, or not `layout`'s."""
        self.folder, self.layout = folder, layout
        there = documents.read(folder / "zarr.json", "copy the data set again, or build it again")
        if _unpacked(there) != _unpacked(_metadata(layout)):
            raise InputError(f"{folder / 'zarr.json'} describes another array than its data set does; build it again")
        indices = [_index(folder / layout.name(shard), layout, shard) for shard in range(layout.shards)]
        self._places = np.concatenate(indices) if indices else np.empty((0, 2), dtype="<u8")

    def __len__(self) -> int:
        return self.layout.rows

    def __getitem__(self, row: int) -> NDArray[Any]:
        """One row, read-only. Raises `InputError`, naming the file, where its bytes have changed."""
        path = self.folder / self.layout.name(row // self.layout.shard_rows)
        start, size = (int(number) for number in self._places[row])
        packed = _unchecked(_read(path, start, size), f"{path} row {row}")
        return np.frombuffer(_codec(self.layout).decode(packed), dtype=self.layout.dtype).reshape(self.layout.row)


def _index(path: Path, layout: Layout, shard: int) -> NDArray[np.uint64]:
    """Start and size of each row of a file, [rows, 2]."""
    size = path.stat().st_size if path.exists() else 0
    length = layout.shard_rows * _PLACE + _CRC
    entries = _unchecked(_read(path, size - length, length), f"{path} index") if size >= length else b""
    places = np.frombuffer(entries, dtype="<u8").reshape(-1, 2)[: layout.held(shard)]
    ends = np.cumsum(places[:, 1])
    if len(ends) != layout.held(shard) or ends[-1] != size - length or (places[:, 0] != ends - places[:, 1]).any():
        raise InputError(f"{path} is missing or cut off; copy the data set again, or build it again")
    return places


def _read(path: Path, start: int, size: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        return os.pread(file.fileno(), size, start)


def _codec(layout: Layout) -> Any:
    return blosc.Blosc(_PACKER, clevel=_LEVEL, shuffle=_SHUFFLES[layout.shuffle])


def _checked(data: bytes) -> bytes:
    crc: int = google_crc32c.value(data)
    return data + crc.to_bytes(_CRC, "little")


def _unchecked(data: bytes, where: str) -> bytes:
    body, crc = data[:-_CRC], data[-_CRC:]
    if len(crc) != _CRC or google_crc32c.value(body) != int.from_bytes(crc, "little"):
        raise InputError(f"{where} is corrupt (CRC32C differs); copy the data set again, or build it again")
    return body


def _metadata(layout: Layout) -> dict[str, Any]:
    """``zarr.json`` of an array."""
    size = np.dtype(layout.dtype).itemsize
    packing = {"typesize": size, "cname": _PACKER, "clevel": _LEVEL, "shuffle": layout.shuffle, "blocksize": 0}
    numbers = {"name": "bytes"} if size == 1 else {"name": "bytes", "configuration": {"endian": "little"}}
    check = {"name": "crc32c"}
    sharding = {
        "chunk_shape": [1, *layout.row],
        "codecs": [numbers, {"name": "blosc", "configuration": packing}, check],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, check],
        "index_location": "end",
    }
    shard = {"chunk_shape": [layout.shard_rows, *layout.row]}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [layout.rows, *layout.row],
        "data_type": layout.dtype,
        "chunk_grid": {"name": "regular", "configuration": shard},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": {},
    }


def _unpacked(metadata: Any) -> str:
    """``zarr.json`` but for what blosc packs with, which its own header says."""
    return re.sub(r'"(cname|clevel)": [^,}]+', "", json.dumps(metadata, sort_keys=True))
