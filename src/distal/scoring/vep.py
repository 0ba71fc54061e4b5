"""A run's scores as the VCF that the Enformer plugin of Ensembl's VEP reads; knows a run's folder, computes nothing.

The plugin knows one number a score, where a run has one for each track: SAD and SAR are those of the track where SAD,
or SAR, is largest in absolute value, as in the annotated VCF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.io.score_tables import write_vep
from distal.io.scores import ScoreRow, Scores, files
from distal.scoring.annotation import largest_track
from distal.scoring.components import Components
from distal.scoring.run import read_summary

SCORES = ("SAD", "SAR")
"""What the plugin reads besides components."""

_BLOCK_ROWS = 1024


def write(folder: Path, components: Components, out: Path) -> int:
    """Write ``out`` (bgzip, tabix) with the components, SAD and SAR of every scored row; returns how many lines.

    Raises `InputError` where the run lacks SAD or SAR, or has a chromosome under two names.
    """
    bare = [chrom.removeprefix("chr") for chrom in read_summary(folder).chromosomes]
    if twice := [chrom for chrom in bare if bare.count(chrom) > 1]:
        raise InputError(
            f"the variants lie on {twice[0]} and on chr{twice[0]}, which are one for VEP; write one of them"
        )
    return write_vep(out, (*components.names, *SCORES), _lines(folder, components))


def _lines(folder: Path, components: Components) -> Iterator[tuple[Sequence[ScoreRow], NDArray[Any]]]:
    wanted = dict.fromkeys((*SCORES, components.score))
    for path in files(folder):
        with Scores(path) as scores:
            if lacking := [score for score in wanted if score not in scores.scores]:
                raise InputError(f"{path} has no {lacking[0]}, which VEP's plugin needs; add it to --scores")
            order = scores.order()
            for start in range(0, len(order), _BLOCK_ROWS):
                block = scores.read(order[start : start + _BLOCK_ROWS], tuple(wanted))
                largest = [largest_track(block.values[score])[1] for score in SCORES]
                yield block.rows, np.column_stack([components(block.values[components.score]), *largest])
