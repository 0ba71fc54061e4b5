"""Arrays on disk by the text that says what they are, for as long as there is room; knows nothing of what is in them.

One file an array: ``<SHA-256 of the key>.npy`` as numpy writes it, and the CRC-32 of all that in four more bytes, which
numpy doesn't read. Files are written under names of their own and renamed, so several threads and several servers may
use one folder; the last to write takes the place. The time of a file is when it was last asked for.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
import os
import re
import threading
import time
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib import format
from numpy.typing import NDArray

from distal.errors import InputError
from distal.files import contested

_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"[0-9a-f]{64}\.npy|\.[0-9a-f]{64}\.npy\.(?P<unfinished>[0-9a-f]{32})")
"""Our files; whatever else lies in the folder is somebody's."""
_BEFORE = 10
"""Bytes before a header of version 1.0, the last two of which say how long it is."""
_SUM = 4
"""Bytes of the checksum, the lowest first."""
_LOW = 0.9
"""How full the folder is once it was emptied, so that not every array empties it again."""
_FEW = 0.05
"""How much of the folder's size is written before it is looked at again: others write into it too."""
_LEFT = 3600.0
"""Seconds after which a file that was never finished is taken for what a killed server left."""

_MANY = 10_000
"""Files whose content is remembered to be sound."""

Array = NDArray[Any]
Mark = tuple[str, int]
"""A file's name and inode: those of one content."""


class Cache:
    """Arrays in a folder, of `max_bytes` together at most, about; those not asked for longest go first.

    The arrays are read-only and mapped: they cost no memory that the system can't take back, and stay valid after
    their file is gone.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        if max_bytes < 0:
            raise InputError(f"a cache of {max_bytes} bytes is below 0")
        self.folder, self.max_bytes = folder, max_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._unseen = 0  # bytes written since the folder was looked at
        self._sound: set[Mark] = set()  # files whose content was checked: it is done once, as they never change
        self.trim()

    def get(self, key: str) -> Array | None:
        """The array put under this key; None where there is none, any more or unharmed."""
        path = self._path(key)
        try:
            array, mark = _read(path, self._sound)
        except FileNotFoundError:
            return None
        except Exception as error:  # numpy has many for a header that makes no sense
            _LOG.warning("%s was dropped from the cache: %s", path.name, error)
            _remove(path)
            return None
        if len(self._sound) >= _MANY:
            self._sound.clear()
        self._sound.add(mark)
        with suppress(OSError):  # another server's file, or gone meanwhile
            os.utime(path)
        return array

    def put(self, key: str, array: Array) -> Array:
        """Keep an array under a key, and return it as `get` does; as it is where it can't be kept."""
        path = self._path(key)
        content = _bytes(array)
        if len(content) > self.max_bytes:
            return _frozen(array)
        try:
            with contested(path) as temporary:
                temporary.write_bytes(content)
            self._count(len(content))
            return _read(path)[0]
        except (OSError, ValueError) as error:  # a full disk slows the server down, and doesn't stop it
            _LOG.warning("%s was not kept: %s", path.name, error)
            return _frozen(array)

    def trim(self) -> None:
        """Make room: where the folder is too full, let those go that weren't asked for longest."""
        with self._lock:
            self._unseen = 0
            files = sorted(self._files())
            total = sum(size for _, size, _ in files)
            if total <= self.max_bytes:
                return
            for _, size, path in files:
                _remove(path)
                total -= size
                if total <= _LOW * self.max_bytes:
                    return

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each array was last asked for, its bytes and its file. What a killed server left goes."""
        for entry in os.scandir(self.folder):
            ours = _NAME.fullmatch(entry.name)
            if ours is None:
                continue
            with suppress(FileNotFoundError):  # another server is done with it, or took it away
                found = entry.stat(follow_symlinks=False)
                if not ours["unfinished"]:
                    yield found.st_mtime, found.st_size, Path(entry.path)
                elif time.time() - found.st_mtime > _LEFT:
                    _remove(Path(entry.path))

    def _count(self, written: int) -> None:
        with self._lock:
            self._unseen += written
            look = self._unseen > _FEW * self.max_bytes
        if look:
            self.trim()

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"


def _bytes(array: Array) -> bytes:
    """What a file holds."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue() + zlib.crc32(buffer.getbuffer()).to_bytes(_SUM, "little")


def _read(path: Path, sound: Collection[Mark] = ()) -> tuple[Array, Mark]:
    """The array of a file, mapped, and the file's mark; its checksum is not looked at where it is among the `sound`.

    Raises `ValueError` where the file isn't what was written.
    """
    with path.open("rb") as file:
        mark = path.name, os.fstat(file.fileno()).st_ino
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    content = memoryview(mapped)[:-_SUM]
    if mark not in sound and zlib.crc32(content) != int.from_bytes(mapped[-_SUM:], "little"):
        raise ValueError("its checksum is not that of its content")
    first = int.from_bytes(content[_BEFORE - 2 : _BEFORE], "little") + _BEFORE
    shape, order, dtype = _header(bytes(content[:first]))
    if first + math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError("its content is longer or shorter than its header says")
    return np.ndarray(shape, dtype, buffer=content, offset=first, order=order), mark


@lru_cache(maxsize=1_000)  # tiles have all the same, and numpy takes longer to read it than we to read the tile
def _header(content: bytes) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any]]:
    """Shape, order and type of the array behind a header. Raises `ValueError` for one that isn't ours."""
    header = io.BytesIO(content)
    if format.read_magic(header) != (1, 0):
        raise ValueError("it is of another version")
    shape, fortran, dtype = format.read_array_header_1_0(header)
    if dtype.hasobject:
        raise ValueError("it holds objects")
    return shape, "F" if fortran else "C", dtype


def _remove(path: Path) -> None:
    with suppress(OSError):  # gone, or not ours to take away
        path.unlink()


def _frozen(array: Array) -> Array:
    array = array.view()
    array.flags.writeable = False
    return array
