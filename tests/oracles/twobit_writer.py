"""Writes .2bit files from the format's description, letter by letter: slow, and independent of the reader."""

from __future__ import annotations

import struct
from itertools import groupby
from pathlib import Path


def runs(text: str, letters: str) -> list[tuple[int, int]]:
    """(start, length) of every stretch of `letters`."""
    found, at = [], 0
    for inside, group in groupby(text, key=lambda letter: letter in letters):
        length = len(list(group))
        if inside:
            found.append((at, length))
        at += length
    return found


def blocks(stretches: list[tuple[int, int]], order: str) -> bytes:
    """Count, all starts, all lengths."""
    starts, lengths = [start for start, _ in stretches], [length for _, length in stretches]
    return struct.pack(f"{order}{2 * len(stretches) + 1}I", len(stretches), *starts, *lengths)


def record(text: str, order: str) -> bytes:
    """One sequence: size, N blocks, mask blocks, reserved word, four bases a byte with the first on top."""
    head = struct.pack(f"{order}I", len(text))
    head += blocks(runs(text, "nN"), order) + blocks(runs(text, "acgtn"), order) + struct.pack(f"{order}I", 0)
    codes = ["TCAG".find(letter) % 4 if letter in "TCAG" else 0 for letter in text.upper()]
    codes += [0] * (-len(codes) % 4)
    packed = [codes[i] << 6 | codes[i + 1] << 4 | codes[i + 2] << 2 | codes[i + 3] for i in range(0, len(codes), 4)]
    return head + bytes(packed)


def write_twobit(path: Path, sequences: dict[str, str], order: str = "<", version: int = 0) -> Path:
    """A .2bit file in either byte order; version 1 has 64-bit offsets."""
    records = [record(text, order) for text in sequences.values()]
    width = 8 if version else 4
    at = 16 + sum(1 + len(name) + width for name in sequences)
    index = b""
    for name, body in zip(sequences, records, strict=True):
        index += bytes([len(name)]) + name.encode() + struct.pack(f"{order}{'Q' if version else 'I'}", at)
        at += len(body)
    path.write_bytes(struct.pack(f"{order}4I", 0x1A412743, version, len(sequences), 0) + index + b"".join(records))
    return path
