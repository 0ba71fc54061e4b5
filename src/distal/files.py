"""Files as names and bytes: written whole or not at all, told apart by digest; knows nothing of what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place, on the disk by then, when the block ends well.

    The name is always the same, so a run that was killed leaves nothing that the next one doesn't clear away, and it
    ends as `path` does, for writers that go by the ending. The file gets the permissions of any new file.
    """
    path = Path(path)
    temporary = path.with_name(f".part.{path.name}")
    try:
        temporary.write_bytes(b"")
        mode = temporary.stat().st_mode  # what the umask gives; some writers leave a file to its owner alone
        yield temporary
        temporary.chmod(mode)
        keep(temporary, path)
        remember(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def contested(path: str | Path) -> Iterator[Path]:
    """As `replacing`, for a file that several processes may write at the same time: each under a name of its own.

    The last one to end takes the place. What a process that was killed leaves lies beside it under a hidden name. It is
    for what can be made again: a power cut may take the name back (not the content, while the name is there).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield temporary
        keep(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def keep(made: Path, path: Path) -> None:
    """Flush `made` to the disk and give it the name `path`."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(path)


def remember(folder: Path) -> None:
    """Flush the names in `folder` to the disk, so that a power cut takes none of them back."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def digest(path: str | Path, algorithm: str = "sha256") -> str:
    """The file's checksum in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def is_pipe(path: str | Path) -> bool:
    """Whether `path` can be read only once: standard input (``-``), a named pipe, the shell's ``<(...)``."""
    return str(path) == "-" or (Path(path).exists() and not Path(path).is_file())
