"""Lines of a file of variants, whatever it is packed in (plain, gzip, bgzip, BCF, standard input); knows no column.

BCF is turned into the text of a VCF by htslib; its line numbers are those of `bcftools view`. Everything else is read
as the text it is: htslib refuses some odd records and silently changes others.

Source: the VCF 4.5, BCF 2.2 and BGZF specifications, https://samtools.github.io/hts-specs
"""

from __future__ import annotations

import codecs
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import cast

import pysam

from distal.errors import InputError
from distal.files import is_pipe

_CHUNK = 1 << 16
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_GZIP = b"\x1f\x8b"
_BCF = b"BCF"
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd -dc", b"BZh": "bzip2 -dc", b"\xfd7zXZ": "xz -dc", b"PK\x03\x04": "unzip -p"}
"""How files that other programs packed begin, and how those unpack them."""


def read(path: str | Path) -> Generator[str]:
    """The lines of `path` without line ends; bytes that are no UTF-8 are kept as surrogates.

    `path` may be ``-`` (standard input). Memory does not grow with the file. Raises `InputError`, with the line, for a
    file that is missing, cut off, damaged, or packed in a way that is not known here.
    """
    done = 0
    try:
        with _opened(path) as stream, closing(_unpacked(path, stream)) as lines:
            for line in lines:
                if "\r" in line or "\0" in line:
                    raise InputError(
                        f"{shown(path)} line {done + 1}: a carriage return or NUL inside the line; "
                        "the file is cut off, damaged, or has the line ends of old Macs"
                    )
                yield line
                done += 1
    except (EOFError, OSError, zlib.error) as error:
        where = f" after line {done}" if done else ""
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{shown(path)} cannot be read{where} ({reason}); copy or make the file again") from None


def read_annotation(path: Path) -> Iterator[str]:
    """The lines of a file of genes or regions, plain or gzip, without line ends; what is no UTF-8 is replaced.

    Raises `InputError` for a file that is missing, cut off or damaged.
    """
    try:
        with path.open("rb") as file:
            for line in gzip.GzipFile(fileobj=file) if _begins(file, _GZIP) else file:
                yield line.decode("utf-8", errors="replace").rstrip("\r\n")
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def shown(path: str | Path) -> str:
    """The path as messages have it."""
    return "standard input" if str(path) == "-" else str(path)


@contextmanager
def _opened(path: str | Path) -> Iterator[BufferedReader]:
    """The decompressed bytes of `path`, or of standard input for ``-``."""
    with ExitStack() as stack:
        raw = sys.stdin.buffer if str(path) == "-" else stack.enter_context(Path(path).open("rb"))
        stream = cast("BufferedReader", raw)
        if _begins(stream, _GZIP):
            if not is_pipe(path):
                _check_end(Path(path))
            inflated = cast("RawIOBase", gzip.GzipFile(fileobj=stream))
            stream = stack.enter_context(BufferedReader(inflated, _CHUNK))
        yield stream


def _begins(stream: BufferedReader, magic: bytes) -> bool:
    return stream.peek(len(magic))[: len(magic)] == magic


def _check_end(path: Path) -> None:
    """A bgzip file that was cut between two of its blocks looks whole to gzip; only the empty last block tells."""
    with path.open("rb") as file:
        if file.read(14)[12:] == b"BC" and file.seek(-len(_BGZF_END), os.SEEK_END) and file.read() != _BGZF_END:
            raise InputError(f"{path} is cut off: bgzip's end mark is missing; copy or make it again")


def _unpacked(path: str | Path, stream: BufferedReader) -> Generator[str]:
    for magic, program in _OTHERS.items():
        if _begins(stream, magic):
            raise InputError(f"{shown(path)} is packed; unpack it on the way: `{program} FILE | distal score --vcf -`")
    return _bcf(path, stream) if _begins(stream, _BCF) else _decoded(stream)


def _decoded(stream: BufferedReader) -> Generator[str]:
    if _begins(stream, codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    begun: list[bytes] = []
    while chunk := stream.read1(_CHUNK):
        whole, end, rest = chunk.rpartition(b"\n")
        if end:
            yield from _ended(b"".join((*begun, whole)))
            begun = []
        begun.append(rest)
    if last := b"".join(begun):
        yield from _ended(last)


def _ended(data: bytes) -> list[str]:
    """The lines of `data`, which ends with a whole one."""
    text = data.decode("utf-8", "surrogateescape")
    found = text.split("\n")
    return [line.rstrip("\r") for line in found] if "\r" in text else found


def _bcf(path: str | Path, stream: BufferedReader) -> Generator[str]:
    """Header lines and records of a BCF, as text. A pipe goes through a temporary file: its first bytes are read."""
    record = 0
    try:
        with tempfile.NamedTemporaryFile(suffix=".bcf") as copy:
            if is_pipe(path):
                shutil.copyfileobj(stream, copy)
                copy.flush()
            with pysam.VariantFile(copy.name if is_pipe(path) else str(path)) as file:
                yield from str(file.header).rstrip("\n").split("\n")
                for line in file:
                    yield _one_line(str(line))
                    record += 1
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise InputError(f"{shown(path)} is damaged after record {record} ({error}); copy or make it again") from None


def _one_line(text: str) -> str:
    text = text.rstrip("\r\n")
    if "\n" in text:
        raise ValueError("a line end inside a record")
    return text
