"""A training run's log: JSON lines that survive a kill; knows nothing of what they say but `step`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distal.files import replacing

Line = dict[str, Any]
Report = Callable[[Line], None]


class Log:
    """Appends lines to a file as they happen, and hands each to `report`.

    A run that resumes after `step` steps drops the lines behind that step, which it is about to write again.
    """

    def __init__(self, path: Path, step: int, report: Report | None = None) -> None:
        kept = [line for line in read(path) if line["step"] <= step]
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", buffering=1)
        self._report = report

    def write(self, line: Line) -> None:
        """Add one line."""
        self._file.write(json.dumps(line) + "\n")
        if self._report is not None:
            self._report(line)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Line]:
    """The lines of a log, nothing when there is none; a last line that a kill cut short is left out."""
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            return
