"""Motifs from files in MEME's format, plain or gzip (JASPAR's and HOCOMOCO's among them); knows the text, no sequence.

Source of the format: https://meme-suite.org/meme/doc/meme-format.html. What is read are the motifs' names and their
letter-probability matrices; backgrounds, counts of sites and E-values are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.io import lines

_TOLERANCE = 0.02
"""A row of probabilities sums to 1 within this: files round to as few as two digits."""


@dataclass(frozen=True, eq=False)
class Motif:
    """A motif: `probabilities` float64 [width, 4] of A, C, G, T; rows sum to 1."""

    name: str
    alternative: str
    probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = self.probabilities
        if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
            raise ValueError(f"motif {self.name}: probabilities must be [width, 4], not {list(rows.shape)}")
        if (rows < 0).any() or not np.allclose(rows.sum(1), 1):
            raise ValueError(f"motif {self.name}: rows must be probabilities that sum to 1")

    @property
    def label(self) -> str:
        """The name that people know: the second one, where there is one."""
        return self.alternative or self.name


def read(path: str | Path) -> Iterator[Motif]:
    """The motifs of a file, in its order. Raises `InputError`, with the line, where it is no motif file of DNA."""
    stream = enumerate(lines.read_annotation(Path(path)), start=1)
    names: tuple[str, str] | None = None
    found = 0
    for number, line in stream:
        words = line.split()
        if not words:
            continue
        if number > 1 and words[0] == "ALPHABET=" and words[1:] != ["ACGT"]:
            raise InputError(f"{path} line {number}: the alphabet is {' '.join(words[1:])}; motifs must be of ACGT")
        if words[0] == "MOTIF":
            if len(words) < 2:
                raise InputError(f"{path} line {number}: a motif without a name; put one behind MOTIF")
            names = (words[1], " ".join(words[2:]))
        elif words[0] == "letter-probability":
            if names is None:
                raise InputError(f"{path} line {number}: a matrix without a motif; put a line MOTIF and its name above")
            yield Motif(*names, _matrix(path, number, line, stream))
            names, found = None, found + 1
    if not found:
        raise InputError(f"{path} has no motif; it must be in MEME's format, with letter-probability matrices")


def _matrix(path: str | Path, header: int, line: str, stream: Iterator[tuple[int, str]]) -> NDArray[np.float64]:
    width = re.search(r"\bw=\s*(\d+)", line)
    if width is None:
        raise InputError(f"{path} line {header}: the matrix does not say its width; write w= and the number of rows")
    rows = [_row(path, *next(stream, (header, ""))) for _ in range(int(width[1]))]
    if not rows:
        raise InputError(f"{path} line {header}: a motif of no bases; take it out")
    matrix = np.array(rows)
    normalised: NDArray[np.float64] = matrix / matrix.sum(1, keepdims=True)
    return normalised


def _row(path: str | Path, number: int, line: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    if len(row) != 4 or min(row, default=-1) < 0 or abs(sum(row) - 1) > _TOLERANCE:
        raise InputError(
            f"{path} line {number}: {line.strip()!r} is not four probabilities that sum to 1; mend the line"
        )
    return row
