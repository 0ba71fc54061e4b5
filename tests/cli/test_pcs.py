"""What `distal pcs` says of components."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distal.cli import pcs
from distal.errors import InputError
from distal.io.scores import Block, Layout, ScoreRow, text_widths, write
from distal.scoring.components import Components
from distal.tracks import Track, TrackTable


@pytest.fixture
def fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Components of three tracks, the second of which has by far the heaviest tail."""
    rows = [ScoreRow("chr1", i + 1, ".", "A", "C", "scored") for i in range(200)]
    table = TrackTable(tuple(Track(i, f"t{i}", f"DNASE:cell {i}") for i in range(3)))
    with write(tmp_path / "chr1.h5", Layout(200, text_widths(rows), table, ("SAD",), "float32", {})) as file:
        values = np.random.default_rng(0).normal(size=(200, 3)) ** [[1, 5, 1]]
        file.append(Block(rows, {"SAD": values.astype(np.float32)}))
    pcs.fit([tmp_path / "chr1.h5"], out=tmp_path / "p.safetensors", components=2, json=True)
    assert len(json.loads(capsys.readouterr().out)["explained_variance_ratio"]) == 2
    return tmp_path / "p.safetensors"


def test_more_workers_fit_the_same(fitted: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    pcs.fit([tmp_path / "chr1.h5"], out=again, components=2, workers=2)
    one, two = Components.load(fitted), Components.load(again)
    np.testing.assert_allclose(two.vectors, one.vectors, atol=1e-9)


def test_info_for_machines(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pcs.info(fitted, top=1, json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["score"], said["variants"], said["tracks"]) == ("SAD", 200, 3)
    first, second = said["components"]
    assert (first["component"], second["component"]) == ("PC1", "PC2")
    (track,) = first["top"]
    assert (track["track"], track["description"]) == ("t1", "DNASE:cell 1")
    assert track["loading"] == pytest.approx(1, abs=0.01)
    assert first["ratio"] > 0.9 > second["ratio"]
    assert first["ratio"] / second["ratio"] == pytest.approx(first["variance"] / second["variance"])


def test_info_for_people(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pcs.info(fitted, top=2)
    lines = capsys.readouterr().out.splitlines()
    first = next(line for line in lines if "PC1" in line)
    assert "t1 DNASE:cell 1; " in first
    pcs.info(fitted, top=0)
    assert "t1" not in capsys.readouterr().out
    with pytest.raises(InputError, match="-1 tracks"):
        pcs.info(fitted, top=-1)
