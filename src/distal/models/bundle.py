"""TensorFlow's tensor-bundle checkpoints (an `.index` and its data shards): knows the format, not any model.

The index is a LevelDB-style sorted table from tensor names to `BundleEntryProto`; the shards hold the tensors' raw
bytes. Both are protected by masked CRC-32C, and every sum is checked. Written against the format as TensorFlow's
`tensor_bundle.proto`, `tensor_shape.proto` and `io/format` define it; TensorFlow itself is not needed.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.protobuf import fields, masked_crc, varint

_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # a block is followed by its compression type (1 byte) and its masked CRC-32C (4 bytes)
_TABLE_MAGIC = 0xDB4775248B80FB57
_LITTLE_ENDIAN = 0
_STRING = 7  # tensorflow.DataType of the object graph
_NUMPY_TYPES = {  # tensorflow.DataType -> numpy
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "|u1",
    5: "<i2",
    6: "|i1",
    9: "<i8",
    10: "|b1",
    17: "<u2",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}
_CHECKPOINT_LINE = re.compile(r'^model_checkpoint_path:\s*"(?P<name>[^"]+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor's bytes are: `offset` and `size` in bytes in data shard `shard`; `crc` masked."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    sliced: bool


class Bundle(Mapping[str, NDArray[Any]]):
    """The tensors of a checkpoint by name; `bundle[name]` is a read-only view of the mapped shard.

    Looking a tensor up checks its CRC. Strings (the checkpoint's object graph) are left out. Raises `InputError` for
    files that are missing, truncated or damaged, and for a tensor whose type numpy has no word for.
    """

    def __init__(self, path: str | Path) -> None:
        self.prefix = find_prefix(path)
        self._index = self.prefix.with_name(self.prefix.name + ".index")
        try:
            records = dict(_table(self._index.read_bytes()))
            self._shards = _shard_count(records.pop(b"", None))
            entries = {name.decode(): _entry(value) for name, value in records.items()}
        except (ValueError, IndexError, struct.error, OSError) as error:
            raise InputError(f"{self._index} is not an intact checkpoint index ({error}); copy it again") from None
        self.entries: dict[str, Entry] = {name: e for name, e in entries.items() if e.dtype != _STRING}
        self._data = cache(self._map_shard)

    def __getitem__(self, name: str) -> NDArray[Any]:
        entry = self.entries[name]
        if entry.dtype not in _NUMPY_TYPES or entry.sliced:
            why = "in slices" if entry.sliced else f"as TensorFlow type {entry.dtype}"
            raise InputError(
                f"{self._index}: tensor {name} is stored {why}; save the checkpoint as whole float32 tensors"
            )
        dtype = np.dtype(_NUMPY_TYPES[entry.dtype])
        if entry.size != math.prod(entry.shape) * dtype.itemsize:
            raise InputError(
                f"{self._index}: tensor {name} has {entry.size} bytes, its shape {entry.shape} needs others"
            )
        shard = self._data(entry.shard)
        raw = shard[entry.offset : entry.offset + entry.size]
        if raw.size != entry.size:
            raise InputError(f"{self._shard_path(entry.shard)} ends before tensor {name}; copy it again")
        if masked_crc(raw) != entry.crc:
            raise InputError(f"{self._shard_path(entry.shard)}: tensor {name} fails its CRC-32C; copy the file again")
        return raw.view(dtype).reshape(entry.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _shard_path(self, shard: int) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self._shards:05d}")

    def _map_shard(self, shard: int) -> NDArray[np.uint8]:
        path = self._shard_path(shard)
        try:
            if path.stat().st_size == 0:
                return np.empty(0, dtype=np.uint8)
            return np.memmap(path, dtype=np.uint8, mode="r")
        except OSError as error:
            raise InputError(f"checkpoint shard {path} cannot be read: {error.strerror or error}") from None


def find_prefix(path: str | Path) -> Path:
    """The checkpoint's common prefix, from a prefix, its `.index` file or a folder.

    A folder must hold one checkpoint, or a `checkpoint` file that names one of several.
    """
    path = Path(path)
    if path.is_dir():
        return _prefix_in(path)
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    index = prefix.with_name(prefix.name + ".index")
    if not index.is_file():
        raise InputError(f"no TensorFlow checkpoint at {path}: there is no {index.name}")
    return prefix


def _prefix_in(folder: Path) -> Path:
    prefixes = sorted(index.with_suffix("") for index in folder.glob("*.index"))
    if len(prefixes) == 1:
        return prefixes[0]
    if not prefixes:
        raise InputError(f"no TensorFlow checkpoint in {folder}: it holds no .index file")
    listing = folder / "checkpoint"
    latest = _CHECKPOINT_LINE.search(listing.read_text(errors="replace")) if listing.is_file() else None
    for prefix in prefixes:
        if latest is not None and prefix.name == Path(latest["name"]).name:
            return prefix
    raise InputError(f"{folder} holds {len(prefixes)} checkpoints; name one: {', '.join(p.name for p in prefixes)}")


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a sorted table, in order."""
    footer = data[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _TABLE_MAGIC:
        raise ValueError("the table's footer is missing")
    _, at = _handle(footer, 0)  # the metaindex, which TensorFlow leaves empty
    index, _ = _handle(footer, at)
    for _, pointer in _block(data, index):
        yield from _block(data, _handle(pointer, 0)[0])


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _block(data: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the block at `handle`; a key is stored as what differs from the key before."""
    offset, size = handle
    block = data[offset : offset + size + 1]
    trailer = data[offset + size : offset + size + _TRAILER_BYTES]
    if size < 4 or len(trailer) < _TRAILER_BYTES:
        raise ValueError("a block lies outside the file")
    if struct.unpack_from("<I", trailer, 1)[0] != masked_crc(block):
        raise ValueError("a block fails its CRC-32C")
    if trailer[0] != 0:
        raise ValueError("its blocks are compressed, which TensorFlow's own writer never does")
    restarts = struct.unpack_from("<I", block, size - 4)[0]
    end, at, key = size - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = varint(block, at)
        unshared, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + unshared + length > end:
            raise ValueError("a block's entry is longer than the block")
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + length]
        at += length


def _shard_count(header: bytes | None) -> int:
    if header is None:
        raise ValueError("it has no bundle header")
    found = dict(fields(header))
    if found.get(2, _LITTLE_ENDIAN) != _LITTLE_ENDIAN:
        raise ValueError("it was written on a big-endian machine")
    return int(found.get(1, 1))


def _message(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError(f"the number {value} stands where a message should")
    return value


def _entry(message: bytes) -> Entry:
    values: dict[int, Any] = {}
    sliced = False
    for number, value in fields(message):
        sliced = sliced or number == 7
        values[number] = value
    dims = [dict(fields(_message(dim))) for number, dim in fields(_message(values.get(2, b""))) if number == 2]
    return Entry(
        dtype=values.get(1, 0),
        shape=tuple(int(dim.get(1, 0)) for dim in dims),
        shard=values.get(3, 0),
        offset=values.get(4, 0),
        size=values.get(5, 0),
        crc=values.get(6, 0),
        sliced=sliced,
    )
