"""Safetensors files that say as JSON what they are; knows neither what the tensors nor what the words mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from distal.errors import InputError
from distal.files import replacing


def write(path: Path, tensors: dict[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write `tensors`, and `about` (JSON values, ``format`` among them); the file appears whole or not at all."""
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"distal": json.dumps(about)})


@contextmanager
def opened(
    path: str | Path, format: str, what: str, maker: str
) -> Iterator[tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
    """What `write` was given: what the file says of itself, and its tensors.

    Raises `InputError`, which calls the content `what` and the command that writes it `maker`, for a file of another
    format, for one that cannot be read, and where the block misses something in it (`KeyError`, `ValueError`).
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("distal", "{}"))
            if about.get("format") != format:
                raise InputError(f"{path} holds no {what} that this version's `{maker}` wrote")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        yield about, tensors
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as {what}: {error}; `{maker}` makes them") from None
