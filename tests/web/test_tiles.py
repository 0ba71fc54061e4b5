"""The grid of predictions: each tile once, the same from wherever one looks, and kept from one server to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.web.conftest import made

from distal.coords import Interval
from distal.errors import InputError
from distal.web.tiles import Signal

WHOLE = Interval("chr1", 0, 6_000)


@pytest.mark.parametrize("rc", [False, True])
def test_a_tile_is_predicted_once_and_kept(tmp_path: Path, rc: bool) -> None:
    served = made(tmp_path, scores=False, rc=rc)
    grid, channels = served.grid, served.predictor.tracks.channels
    assert grid.missing(WHOLE) == [0, 1, 2, 3, 4, 5]
    assert grid.signal(WHOLE, channels, 10_000) is None
    grid.compute("chr1", [1, 4])
    assert grid.missing(WHOLE) == [0, 2, 3, 5]
    grid.compute("chr1", grid.missing(WHOLE))
    found = grid.signal(WHOLE, channels, 10_000)
    again = made(tmp_path, scores=False, rc=rc).grid
    assert again.missing(WHOLE) == []
    np.testing.assert_array_equal(again.signal(WHOLE, channels, 10_000).values, found.values)
    assert made(tmp_path, scores=False, rc=not rc).grid.missing(WHOLE) == [0, 1, 2, 3, 4, 5]


def test_strands_are_averaged_only_where_asked(tmp_path: Path) -> None:
    one, both = made(tmp_path, scores=False), made(tmp_path, scores=False, rc=True)
    values = []
    for served in (one, both):
        served.grid.compute("chr1", [2])
        values.append(served.grid.signal(Interval("chr1", 2_048, 3_072), np.array([2]), 100).values)
    assert np.abs(values[0] - values[1]).max() > 0


def test_another_genome_under_the_same_name_has_other_tiles(tmp_path: Path) -> None:
    served = made(tmp_path, scores=False)
    served.grid.compute("chr1", [0])
    assert made(tmp_path, scores=False).grid.missing(WHOLE) == [1, 2, 3, 4, 5]
    assert made(tmp_path, scores=False, changed=2.0).grid.missing(WHOLE) == [0, 1, 2, 3, 4, 5]


def test_means_of_joined_bins_are_those_of_the_bins(tmp_path: Path) -> None:
    grid = made(tmp_path, scores=False).grid
    grid.compute("chr1", grid.missing(WHOLE))
    fine = grid.signal(WHOLE, np.array([3]), 10_000).values[0].astype(np.float64)
    for points in (1, 2, 3, 7, 20, 46, 47, 48):
        joined = grid.signal(WHOLE, np.array([3]), points)
        together = joined.bin_bp // 128
        expected = [fine[i : i + together].mean() for i in range(0, len(fine), together)]
        np.testing.assert_allclose(joined.values[0], expected, rtol=1e-6)
        assert joined.values.shape[1] <= points


def test_a_region_is_checked(tmp_path: Path) -> None:
    grid = made(tmp_path, scores=False).grid
    assert grid.checked(Interval("1", 0, 100), 100) == Interval("chr1", 0, 100)
    with pytest.raises(InputError, match="zoom in"):
        grid.checked(Interval("chr1", 0, 101), 100)


def test_values_fill_their_interval() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        Signal(Interval("chr1", 0, 256), 128, np.zeros((1, 3), dtype=np.float32))


@pytest.mark.parametrize("points", [1, 3, 10_000])
@pytest.mark.parametrize("start", [0, 1_024, 2_047, 4_096])
def test_what_is_missing_is_all_that_joined_bins_need(tmp_path: Path, start: int, points: int) -> None:
    """Joined bins begin at multiples of their width, which may be in the tile before."""
    grid, region = made(tmp_path, scores=False).grid, Interval("chr1", start, start + 1_100)
    assert grid.signal(region, np.array([3]), points) is None
    missing = grid.missing(region, points)
    grid.compute("chr1", missing)
    assert grid.signal(region, np.array([3]), points) is not None
    assert grid.missing(region, points) == []
    for tile in missing:  # and none that they don't
        grid.cache._path(grid._key("chr1", tile)).unlink()
        assert grid.signal(region, np.array([3]), points) is None
        grid.compute("chr1", [tile])
