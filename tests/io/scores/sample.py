"""Four variants with two tracks, and score files made of them, for the tests of score files and of tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from distal.io.scores import Block, GeneAt, GeneScores, Layout, ScoreRow, text_widths, write
from distal.tracks import Track, TrackTable

NAN = float("nan")
TABLE = TrackTable((Track(4, "ENCFF1", "DNASE:liver"), Track(9, "CNhs1", "CAGE:søvn")))
ROWS = [
    ScoreRow("chr20", 101, "rs1", "A", "C", "scored"),
    ScoreRow("chr20", 90, ".", "AT", "A", "scored"),
    ScoreRow("chr20", 101, "rs3;rs4", "A", "G", "ref_mismatch"),
    ScoreRow("chr20", 250, "rs5", "G", "GTTT", "scored"),
]
SAD = np.array([[1.5, -2], [70_000, 0.25], [NAN, NAN], [-1e9, 3]])
VALUES = {"SAD": SAD, "SAR": SAD / 10}

NEAR = GeneAt("ENSG01.2", "HNF4A", "+", -1200)
FAR = GeneAt("ENSG02.1", "søvn", "-", 56_000)
GENES = GeneScores(
    np.array([0, 0, 1, 3]),
    [NEAR, FAR, NEAR, GeneAt("ENSG03.7", "", "-", 0)],
    {"SADR_gene": np.array([[1, 2], [3, 4], [5, 6], [NAN, 8]])},
)
FORMULAS = {"SAD": "sum of ALT - REF", "SADR_gene": "log2 ratio over the exons"}


def make(
    path: Path,
    rows: Sequence[ScoreRow] = ROWS,
    sad: np.ndarray = SAD,
    dtype: str = "float16",
    genes: GeneScores | None = None,
    size: int = 3,
) -> Path:
    """Write `rows` in blocks of `size`, with SAR a tenth of SAD, and with the scores on genes if there are any."""
    on_genes = () if genes is None else tuple(genes.values)
    layout = Layout(len(rows), text_widths(rows), TABLE, ("SAD", "SAR"), dtype, {"model": "tiny"}, on_genes, FORMULAS)
    whole = Block(rows, {"SAD": sad, "SAR": sad / 10}, genes)
    with write(path, layout) as writer:
        for start in range(0, len(rows), size):
            assert writer.append(whole.take(range(start, min(start + size, len(rows))))) == start
    return path


def content(path: Path) -> dict[str, tuple[object, ...]]:
    """Every data set of a file: type, shape, attributes and bytes."""
    found: dict[str, tuple[object, ...]] = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            data = item[()]
            raw = data.tolist() if data.dtype.kind == "O" else data.tobytes()
            found[name] = (item.dtype, item.shape, item.chunks, dict(item.attrs), raw)

    with h5py.File(path) as file:
        file.visititems(add)
        found["/"] = (dict(file.attrs),)
    return found
