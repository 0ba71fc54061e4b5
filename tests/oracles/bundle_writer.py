"""Writes TensorFlow tensor bundles, for tests: what `distal.models.bundle` reads, made without its code."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import google_crc32c
import numpy as np

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "float16": 19}
MAGIC = bytes.fromhex("57fb808b247547db")


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def message(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(body)) + body


def block(records: list[tuple[bytes, bytes]], restart_every: int = 4) -> bytes:
    out, restarts, last = b"", [], b""
    for i, (key, value) in enumerate(records):
        shared = 0
        if i % restart_every == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return out + b"".join(struct.pack("<I", r) for r in [*restarts, len(restarts)])


def write_table(path: Path, records: Mapping[bytes, bytes], per_block: int = 7) -> None:
    """A sorted table of uncompressed blocks of `per_block` records each."""
    items, body, index = sorted(records.items()), b"", []

    def append(content: bytes) -> bytes:
        nonlocal body
        handle = varint(len(body)) + varint(len(content))
        body += content + b"\0" + struct.pack("<I", masked(content + b"\0"))
        return handle

    for first in range(0, len(items), per_block):
        part = items[first : first + per_block]
        index.append((part[-1][0], append(block(part))))
    meta = append(block([]))
    footer = (meta + append(block(index))).ljust(40, b"\0") + MAGIC
    path.write_bytes(body + footer)


def entry(dtype: int, shape: tuple[int, ...], shard: int, offset: int, data: bytes) -> bytes:
    dims = b"".join(message(2, number(1, size)) for size in shape)
    head = number(1, dtype) + message(2, dims) + number(3, shard) + number(4, offset) + number(5, len(data))
    return head + varint(6 << 3 | 5) + struct.pack("<I", masked(data))


def write_bundle(prefix: Path, tensors: Mapping[str, np.ndarray], shards: int = 1) -> None:
    """`prefix`.index and `prefix`.data-…: tensors dealt out to the shards in turn, plus an object graph (a string)."""
    bodies = [b""] * shards
    records = {b"": number(1, shards) + message(3, number(1, 1))}
    graph = b"\x05graph"
    records[b"_CHECKPOINTABLE_OBJECT_GRAPH"] = entry(7, (), 0, 0, graph)
    bodies[0] += graph
    for i, (name, array) in enumerate(tensors.items()):
        shard, data = i % shards, np.ascontiguousarray(array).tobytes()
        records[name.encode()] = entry(DTYPES[array.dtype.name], array.shape, shard, len(bodies[shard]), data)
        bodies[shard] += data
    write_table(prefix.with_name(prefix.name + ".index"), records)
    for shard, body in enumerate(bodies):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}").write_bytes(body)
