"""The bytes that TensorFlow's files are made of: protobuf's fields and numbers, masked checksums; knows no file.

Source: https://protobuf.dev/programming-guides/encoding, and TensorFlow's `core/lib/hash/crc32c.h` for the mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import google_crc32c

Bytes = TypeVar("Bytes", bytes, memoryview)
"""What is read, and what nested messages come back as: views of views, copies of bytes."""

_CRC_MASK = 0xA282EAD8
_LONGEST = 10  # bytes of a number


def masked_crc(data: object) -> int:
    """CRC-32C of anything with a buffer, turned and shifted as TensorFlow stores it."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _CRC_MASK) & 0xFFFFFFFF


def varint(message: bytes | memoryview, at: int) -> tuple[int, int]:
    """The base-128 number at `at` and the place behind it. Raises `ValueError` where the bytes end or it never does."""
    value = 0
    for i, byte in enumerate(message[at : at + _LONGEST]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("a number is cut short or has more than ten bytes")


def fields(message: Bytes) -> Iterator[tuple[int, int | Bytes]]:
    """Field number and value of each field of a message: an int, or the bytes of a text or nested message.

    Raises `ValueError` for bytes that are no message.
    """
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(message, at)
            yield number, value
            continue
        if wire not in (1, 2, 5):
            raise ValueError(f"wire type {wire} is not one of protocol buffers'")
        size, at = varint(message, at) if wire == 2 else (8 if wire == 1 else 4, at)
        if at + size > len(message):
            raise ValueError("a message is cut short")
        raw = message[at : at + size]
        yield number, raw if wire == 2 else int.from_bytes(raw, "little")
        at += size
