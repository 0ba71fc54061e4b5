"""A null of one run's scores, and the calibrated scores of another."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from distal.cli import calibrate
from distal.errors import InputError
from distal.io.scores import Block, Layout, ScoreRow, text_widths, write
from distal.tracks import Track, TrackTable


def folder(path: Path, n: int, seed: int) -> Path:
    rows = [ScoreRow("chr1", 100 * i + 1, ".", "A", "C", "scored") for i in range(n)]
    table = TrackTable(tuple(Track(i, f"t{i}") for i in range(3)))
    (path / "scores").mkdir(parents=True)
    with write(path / "scores" / "chr1.h5", Layout(n, text_widths(rows), table, ("SAD", "SAR"), "float32", {})) as file:
        values = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
        file.append(Block(rows, {"SAD": values, "SAR": -values}))
    return path


def test_build_apply_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bed, null = tmp_path / "tss.bed", tmp_path / "null.safetensors"
    bed.write_text("chr1\t5000\t5001\tg\t0\t+\n")
    calibrate.build([folder(tmp_path / "a", 400, 0)], out=null, name="normal", genes=bed, json=True)
    built = json.loads(capsys.readouterr().out)
    # at 0, 100 ... 39,900: 4,100 to 5,900 are near 5,000; 0 to 4,000 and 6,000 to 14,900 less so; then 250 remain
    labels = [row["stratum"] for row in built["strata"] if row["score"] == "SAD"]
    assert labels == ["<1 kb", "1-10 kb", "10-50 kb", "50-200 kb", ">=200 kb", "all"]
    counts = [row["variants"] for row in built["strata"] if row["score"] == "SAR"]
    assert counts == [19, 131, 250, 0, 0, 400]
    calibrate.info(null)
    assert "10-50 kb" in capsys.readouterr().out
    found = folder(tmp_path / "b", 7, 1)
    calibrate.apply(found, null=null, scores="SAR", genes=bed, json=True)
    (written,) = json.loads(capsys.readouterr().out)
    assert (written["variants"], written["added"]) == (7, ["SAR_quantile"])
    with h5py.File(written["file"]) as file:
        assert "SAD_quantile" not in file
        assert (file["SAR_quantile"][:] * file["SAR"][:] >= 0).all()
        assert file["SAR_quantile"].attrs["null"] == "normal"
    calibrate.apply(found, null=null)
    with h5py.File(written["file"]) as file:
        np.testing.assert_array_equal(file["SAD_quantile"][:], -file["SAR_quantile"][:])  # now both against all


def test_where_it_is_written(tmp_path: Path) -> None:
    for out in (tmp_path / "null.h5", tmp_path / "absent" / "null.safetensors"):
        with pytest.raises(InputError, match="safetensors"):
            calibrate.build([folder(tmp_path / out.stem / out.suffix, 1, 0)], out=out, name="x")
