"""A teacher's predictions as a data set: the same numbers as asked for one by one, whole after a kill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal.coords import Interval
from distal.data import store
from distal.errors import InputError
from distal.predictor import averaged
from distal.train.distil import distil, plan

WINDOWS = {
    "train": [Interval("chr1", start, start + 2048) for start in range(0, 3600, 100)],
    "valid": [Interval("chr1", -500, 1548)],
}
"""More than one piece; a window that passes the chromosome's end."""


class KilledError(Exception):
    """Stands for whatever ends a run."""


def kill(windows: int) -> None:
    raise KilledError


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("bin_bp", [128, 512])
def test_targets_are_predictions(tmp_path: Path, rc: bool, bin_bp: int) -> None:
    teacher, genome = builders.predictor(), builders.genome(tmp_path)
    made = distil(teacher, genome, store.create(tmp_path / "data", plan(teacher, WINDOWS, bin_bp, rc)))
    assert made.splits == {"train": 36, "valid": 1}
    assert [row.name for row in made.table] == [row.name for row in teacher.tracks]
    for split, windows in WINDOWS.items():
        for row in (0, len(windows) - 1):
            codes = genome.codes(windows[row])
            predicted = averaged(teacher, codes[None], rc)[0].numpy()
            summed = predicted.reshape(1024 // bin_bp, bin_bp // 128, 6).sum(axis=1)
            np.testing.assert_array_equal(made.codes(split, row), codes)
            np.testing.assert_array_equal(made.targets(split, row), summed.astype(np.float16))


def test_a_killed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    teacher, genome = builders.predictor("basenji2"), builders.genome(tmp_path)
    order = plan(teacher, WINDOWS, 128, rc=True)
    with pytest.raises(KilledError):
        distil(teacher, genome, store.create(tmp_path / "killed", order), kill)
    writer = store.create(tmp_path / "killed", order)
    assert 0 < len(writer.missing) < len(writer.pieces)
    distil(teacher, genome, writer)
    whole = distil(teacher, genome, store.create(tmp_path / "whole", order))
    assert store.open(tmp_path / "killed", verify=True).manifest == whole.manifest


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    teacher = builders.predictor()
    with pytest.raises(InputError, match=r"has 1,024 bp, tiny-enformer reads 2,048"):
        plan(teacher, {"train": [Interval("chr1", 0, 1024)]}, 128, rc=False)
    for bin_bp in (64, 192, 2048):
        with pytest.raises(InputError, match=f"8 bins of 128 bp cannot be summed to bins of {bin_bp} bp"):
            plan(teacher, WINDOWS, bin_bp, rc=False)
