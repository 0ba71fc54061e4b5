"""Motif files: what is read, and what is refused with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from distal.errors import InputError
from distal.io.meme import Motif, read

FILE = """MEME version 4

ALPHABET= ACGT

strands: + -

MOTIF MA0001.1 TWO words
letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0
 0.10 0.20 0.30 0.40
 0.97 0.01 0.01 0.01
URL http://nowhere

MOTIF second
letter-probability matrix: alength= 4 w= 1
1 0 0 0
"""


@pytest.mark.parametrize("pack", [False, True])
def test_names_and_matrices(tmp_path, pack):
    path = tmp_path / "m.meme"
    path.write_bytes(gzip.compress(FILE.encode()) if pack else FILE.encode())
    first, second = read(path)
    assert (first.name, first.alternative, first.label) == ("MA0001.1", "TWO words", "TWO words")
    assert (second.name, second.alternative, second.label) == ("second", "", "second")
    np.testing.assert_allclose(first.probabilities, [[0.1, 0.2, 0.3, 0.4], [0.97, 0.01, 0.01, 0.01]])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ACGT", "ACGU", "line 3: the alphabet"),
        ("MOTIF second", "MOTIF", "line 13: a motif without a name"),
        ("MOTIF second\n", "\n", "line 14: a matrix without"),
        ("alength= 4 w= 1", "alength= 4", "does not say its width"),
        ("w= 1", "w= 0", "no bases"),
        ("1 0 0 0", "1 0 0", "not four probabilities"),
        ("1 0 0 0", "1 0 0 x", "not four probabilities"),
        ("1 0 0 0", "1 0 0 1", "not four probabilities"),
        ("1 0 0 0", "2 -1 0 0", "not four probabilities"),
        ("w= 1", "w= 2", "line 14"),
    ],
)
def test_what_is_no_motif_is_refused(tmp_path, old, new, words):
    path = tmp_path / "m.meme"
    path.write_text(FILE.replace(old, new))
    with pytest.raises(InputError, match=words):
        list(read(path))


def test_a_file_of_something_else(tmp_path: Path):
    path = tmp_path / "m.meme"
    path.write_text(">MA0001\nA [1 2]\n")
    with pytest.raises(InputError, match="no motif"):
        list(read(path))


@pytest.mark.parametrize("rows", [[[0.5, 0.5, 0.5, 0.5]], [[1.5, -0.5, 0, 0]], [], [[0.5, 0.5]]])
def test_a_motif_checks_itself(rows):
    with pytest.raises(ValueError, match="must be"):
        Motif("m", "", np.array(rows, dtype=float))


@pytest.mark.parametrize(
    ("name", "count"), [("jaspar_2024_consensus.meme", 182), ("H12CORE_meme_format.meme.gz", 1443)]
)
def test_published_collections(shared, name, count):
    motifs = list(read(shared / "data" / "motifs" / name))
    assert len(motifs) == count
    assert len({motif.name for motif in motifs}) == count
