"""Files that appear whole or not at all; knows names on a disk, nothing of what is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    finally:
        temporary.unlink(missing_ok=True)


def keep(made: Path, path: Path) -> None:
    """Flush `made` to the disk and give it the name `path`."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(path)
