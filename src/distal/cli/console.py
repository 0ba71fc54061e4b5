"""What the verbs share on the terminal: progress on stderr, results on stdout; knows nothing of what they mean."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, is_dataclass
from json import dumps
from textwrap import indent
from typing import Any, Protocol

LINE_EVERY_S = 10.0
LONG_CELL = 80


class SomeFailed(Exception):  # noqa: N818 (it is not an error of the program)
    """A verb finished, but some items failed (exit code 3): how many, of how many, and where they are listed."""


class Advance(Protocol):
    """The callback that `progress` hands out: `n` more items are done."""

    def __call__(self, n: int = 1) -> None:
        """Count `n` more."""


def say(message: str) -> None:
    """One line on stderr, for people; results go through `emit`."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201


_ARGUMENTS: ContextVar[tuple[str, ...]] = ContextVar("arguments", default=())


@contextmanager
def running(arguments: Sequence[str]) -> Iterator[None]:
    """Inside, `command_line` is the one with these arguments: the verb that runs, not the one that called it."""
    before = _ARGUMENTS.set(tuple(arguments))
    try:
        yield
    finally:
        _ARGUMENTS.reset(before)


def command_line() -> str:
    """The command as it was typed, without the folder that the program lies in; files keep it as their origin."""
    return shlex.join(["distal", *_ARGUMENTS.get()])


@contextmanager
def progress(label: str, total: int | None = None, unit: str = "items") -> Iterator[Advance]:
    """Show how far a loop is: a bar on a terminal, otherwise a line every ten seconds; on stderr.

    `total` is the number of items when it is known; `unit` names them (``B`` counts bytes). Use it as
    ``with progress("score", len(variants), "variants") as advance: ... advance()``.
    """
    meter = _Meter(label, total, unit)
    with _bar(meter) if sys.stderr.isatty() else _lines(meter) as advance:
        yield advance


def emit(result: Any, json: bool = False) -> None:
    """Print a verb's result on stdout, for a machine (`json`: one JSON document) or for people.

    `result` is text, a mapping (printed as aligned `key  value` lines), a list of mappings with the same keys (printed
    as a table), a dataclass, or mappings of those. NaN and infinities become null in JSON, which has no word for them.
    """
    print(dumps(plain(result), indent=2, ensure_ascii=False) if json else _text(result))  # noqa: T201


@dataclass
class _Meter:
    label: str
    total: int | None
    unit: str
    done: int = 0
    start: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self.start, 1e-9)
        rate = self.done / seconds
        of = "" if self.total is None else f"/{self._amount(self.total)}"
        text = f"{self._amount(self.done)}{of} {'' if self.unit == 'B' else self.unit}".rstrip()
        text += f", {self._amount(rate)}/s"
        if self.total is not None and rate > 0:
            text += f", {duration((self.total - self.done) / rate)} left"
        return text

    def _amount(self, value: float) -> str:
        if self.unit == "B":
            return f"{value / 1e6:,.1f} MB"
        return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


@contextmanager
def _bar(meter: _Meter) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(meter.label, total=meter.total, text="")

        def advance(n: int = 1) -> None:
            meter.done += n
            bar.update(task, advance=n, text=str(meter))

        yield advance


@contextmanager
def _lines(meter: _Meter) -> Iterator[Advance]:
    last = time.monotonic()
    printed = False

    def advance(n: int = 1) -> None:
        nonlocal last, printed
        meter.done += n
        if time.monotonic() - last >= LINE_EVERY_S:
            say(f"{meter.label}: {meter}")
            last, printed = time.monotonic(), True

    yield advance
    if printed:
        say(f"{meter.label}: {meter}")


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plain(value: Any) -> Any:
    """`value` in the types that JSON has."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


def _text(value: Any) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        width = max((len(str(key)) for key in value), default=0)
        return "\n".join(_entry(str(key), item, width) for key, item in value.items())
    if _is_table(value):
        return _table(value)
    return "\n".join(map(_cell, value)) if isinstance(value, list | tuple) else _cell(value)


def _entry(key: str, item: Any, width: int) -> str:
    """``key  item`` in one line, or the item indented below its key where a line would be too long for it."""
    if _is_table(item) or (isinstance(item, Mapping) and len(_cell(item)) > LONG_CELL):
        return f"{key}\n{indent(_text(item), '  ')}"
    return f"{key:<{width}}  {_cell(item)}"


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of mappings with the same keys as aligned columns under a header; numbers are right-aligned."""
    names = list(rows[0])
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    numeric = [all(_is_number(row.get(name)) for row in rows) for name in names]
    aligned = [
        [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, numeric, strict=True)
        ]
        for line in cells
    ]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | None) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    return ", ".join(map(_cell, value)) if isinstance(value, list | tuple) else str(value)
