"""Sequences and their hypothetical contributions as TF-MoDISco-lite reads them; knows its files, no contribution.

``ohe.npz`` has the one-hot letters and ``hypothetical.npz`` what each letter would contribute, both as ``arr_0``
[windows, 4, width]; ``windows.bed`` says where the windows lie, a line each. Then:
``modisco motifs -s ohe.npz -a hypothetical.npz -n 2000 -o motifs.h5 -w WIDTH``

Source: https://github.com/jmschrei/tfmodisco-lite, README and `modisco` (v2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.dna import Codes, one_hot
from distal.files import replacing

NAMES = ("ohe.npz", "hypothetical.npz", "windows.bed")


def write(
    folder: Path, windows: Sequence[Interval], codes: Sequence[Codes], hypothetical: Sequence[NDArray[np.float32]]
) -> list[Path]:
    """Write the three files into a folder, made if it is not there: equal windows, codes [width], values [width, 4]."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = np.stack([one_hot(each) for each in codes]).transpose(0, 2, 1)
    values = np.stack(list(hypothetical)).transpose(0, 2, 1).astype(np.float32)
    if letters.shape != values.shape or len(windows) != len(letters):
        raise ValueError(f"{len(windows)} windows, letters {letters.shape} and contributions {values.shape} differ")
    paths = [folder / name for name in NAMES]
    for path, array in ((paths[0], letters.astype(np.int8)), (paths[1], values)):
        with replacing(path) as temporary:
            np.savez_compressed(temporary, arr_0=array)
    with replacing(paths[2]) as temporary:
        temporary.write_text("".join(f"{each.chrom}\t{each.start}\t{each.end}\n" for each in windows))
    return paths
