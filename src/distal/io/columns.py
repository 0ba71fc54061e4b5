"""Columns of tables of text too long to hold, piece by piece; knows tabs and line numbers, not what a column means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from distal.errors import InputError
from distal.io import lines

PIECE = 1 << 18
"""Lines of a piece."""

_SKIPPED = r"^\s*$|^#|^track\b|^browser\b"


@dataclass(frozen=True, eq=False)
class Piece:
    """Some consecutive lines of a table: `frame` has a text column for each name, null where a line is too short."""

    path: Path
    frame: pl.DataFrame
    numbers: NDArray[np.int64]
    """Number of each line in the file, counted from 1."""

    def texts(self, name: str) -> pl.Series:
        """A column as it is. Raises `InputError` where a line lacks it."""
        column = self.frame[name]
        self.refuse(column.is_null().to_numpy(), f"there is no column {name}; columns stand between tabs")
        return column

    def whole(self, name: str) -> NDArray[np.int64]:
        """A column of whole numbers. Raises `InputError` at the first line that has something else."""
        column = self.texts(name).cast(pl.Int64, strict=False)
        self.refuse(column.is_null().to_numpy(), f"{name} must be a whole number")
        return column.to_numpy()

    def decimal(self, name: str) -> NDArray[np.float64]:
        """A column of finite numbers. Raises `InputError` at the first line that has something else."""
        column = self.texts(name).cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        self.refuse(~np.isfinite(column), f"{name} must be a number")
        return column

    def refuse(self, wrong: NDArray[np.bool_], reason: str) -> None:
        """Raise `InputError` with the first line where `wrong`, if there is one."""
        if wrong.any():
            number = self.numbers[np.argmax(wrong)]
            raise InputError(f"{self.path} line {number}: {reason}; mend the line, or put # before it")

    def keep(self, chosen: pl.Series) -> Piece:
        """The lines where `chosen` is true."""
        return Piece(self.path, self.frame.filter(chosen), self.numbers[chosen.to_numpy()])


def read(path: Path, names: Sequence[str] = ()) -> Iterator[Piece]:
    """The lines of a table, plain or gzip, in pieces; columns are `names`, or what the first line of the table says.

    Columns are separated by tabs, or by spaces where the first line has no tab. Empty lines, comments, ``track`` and
    ``browser`` lines are skipped. Raises `InputError` where the file cannot be read.
    """
    stream = lines.read_annotation(path)
    first, spaced = 1, None
    while text := list(islice(stream, PIECE)):
        column = pl.Series(text, dtype=pl.String)
        chosen = ~column.str.contains(_SKIPPED)
        numbers = np.flatnonzero(chosen.to_numpy()) + first
        column, first = column.filter(chosen), first + len(text)
        if not len(column):
            continue
        spaced = "\t" not in column[0] if spaced is None else spaced
        column = column.str.strip_chars().str.replace_all(" +", "\t") if spaced else column
        if not names:
            names, column, numbers = column[0].split("\t"), column[1:], numbers[1:]
        yield Piece(path, _split(column, names), numbers)


def _split(column: pl.Series, names: Sequence[str]) -> pl.DataFrame:
    cells = column.str.split_exact("\t", len(names)).struct.unnest()
    return cells.select(pl.col(cells.columns[i]).alias(name) for i, name in enumerate(names))
