"""JSON files: whole or not there, read or refused; knows nothing of what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distal.errors import InputError
from distal.files import replacing


def write(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value`, a line an entry; the file appears whole or the old one stays."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")


def read(path: Path, remedy: str) -> Any:
    """What a file says. Raises `InputError`, with the `remedy`, where it isn't there or isn't JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); {remedy}") from None
