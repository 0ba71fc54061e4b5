"""Tables of records as tab-separated text: whole or not there; knows no column."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from distal.files import replacing


def write(path: Path, kind: type[Any], rows: Iterable[Any]) -> None:
    """Write dataclasses of one `kind`, a line each below the names of their fields; NaN is an empty cell."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("\t".join(field.name for field in fields(kind)) + "\n")
        for row in rows:
            file.write("\t".join(map(_cell, asdict(row).values())) + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return " ".join(str(value).split())
