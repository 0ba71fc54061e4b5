"""Parts of a data set: together the windows of the whole, each once, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.data import tiny

from distal.data import dataset
from distal.data.part import Part


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_parts_together_are_the_whole(tmp_path: Path, parts: int) -> None:
    whole = dataset.load(tiny.folder(tmp_path / "data", train=5), "train", 128)
    pieces = [Part(whole, range(first, len(whole), parts)) for first in range(parts)]
    assert sum(map(len, pieces)) == 5
    for first, piece in enumerate(pieces):
        assert (piece.input_bp, piece.bin_bp, piece.crop_bp, piece.bins) == (4096, 128, 1024, 16)
        assert piece.table == whole.table
        assert piece.means.tolist() == whole.means.tolist()
        assert piece.intervals == whole.intervals[first::parts]
        for place, index in enumerate(range(first, 5, parts)):
            assert np.array_equal(piece.codes(place, -5, 4106), whole.codes(index, -5, 4106))
            assert np.array_equal(piece.targets(place, 3, 9), whole.targets(index, 3, 9))
