"""Score files one after the other as one long matrix; knows how to read it in pieces, not what it is read for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from distal.errors import InputError
from distal.io.scores import Matrix, ScoreRow, Scores, files
from distal.tracks import TrackTable

Progress = Callable[[int], object]
BLOCK_ROWS = 4096
"""Rows of a file that are read at once: a fixed grid over each file, so that sums over its cells never differ."""


class Stack:
    """Open score files of the same tracks; `stacked` opens them."""

    def __init__(self, opened: Sequence[Scores], progress: Progress) -> None:
        self._opened = opened
        self._progress = progress

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [scores.path for scores in self._opened]

    @property
    def table(self) -> TrackTable:
        """The tracks."""
        return self._opened[0].table

    def dtype(self, score: str) -> np.dtype[Any]:
        """The narrowest type that holds the score of every file. Raises `InputError` where one has no such score."""
        firsts = (matrix for scores in self._opened for matrix in islice(scores.matrices(score, rows=1), 1))
        return np.result_type(np.float16, *(matrix.dtype for matrix in firsts))

    def matrices(self, score: str, columns: slice = slice(None)) -> Iterator[Matrix]:
        """Some columns of one score, those of a cell of the grid at a time, all in one type (see `dtype`)."""
        dtype = self.dtype(score)
        for scores in self._opened:
            for matrix in scores.matrices(score, columns, BLOCK_ROWS):
                yield matrix.astype(dtype, copy=False)
                self._progress(len(matrix))

    def finite(self, score: str, columns: slice = slice(None)) -> Iterator[Matrix]:
        """As `matrices`, without the rows that have a score that is not finite in any column of the file."""
        for matrix in self.matrices(score):
            kept = np.isfinite(matrix).all(axis=1)
            yield (matrix if kept.all() else matrix[kept])[:, columns]

    def rows(self) -> Iterator[Sequence[ScoreRow]]:
        """The rows of the same cells."""
        for scores in self._opened:
            yield from (block.rows for block in scores.blocks(BLOCK_ROWS, ()))


@contextmanager
def stacked(paths: Sequence[str | Path], progress: Progress = lambda n: None) -> Iterator[Stack]:
    """Open score files, or all those of folders; `progress` hears of rows that were read, as often as they are.

    Raises `InputError` where their tracks differ.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(Scores(file)) for path in paths for file in files(path)]
        for scores in opened[1:]:
            if scores.table.names != opened[0].table.names:
                raise InputError(f"{scores.path} has other tracks than {opened[0].path}; give files of one kind")
        yield Stack(opened, progress)
