"""Figures of a data set: every window and track is drawn where it belongs, remarks are seen."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from tests.data import tiny

from distal.data import summary
from distal.data.summary import Source, Summary
from distal.io.tfrecords import Example
from distal.plots import datasets, save
from distal.tracks import Track, TrackTable


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    made = summary.source(tiny.folder(tmp_path_factory.mktemp("data") / "set"))
    return summary.summarise(made, list(made.counts))


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def test_overview_shows_windows_correlations_and_ranges(found: Summary) -> None:
    figure = datasets.overview(found, [[], ["a remark"], []], "a title")
    where, correlations, _, ranges = figure.axes  # the third is the scale of correlations
    spans = [box for each in where.collections if isinstance(each, PolyCollection) for box in each.get_paths()]
    assert len(spans) == 10  # windows
    starts = sorted(round(1e6 * box.vertices[:, 0].min()) for box in spans)
    assert starts == [10_000 * i for i in range(10)]
    np.testing.assert_array_equal(correlations.images[0].get_array(), found.correlations)
    ticks, dots, ring = (each.get_offsets() for each in ranges.collections if isinstance(each, PathCollection))
    np.testing.assert_allclose(ticks[:, 1], found.quantile(0.99))
    np.testing.assert_allclose(dots[:, 1], found.mean)
    np.testing.assert_allclose(ring, [[1, found.mean[1]]])
    shown = texts(figure)
    assert all(word in shown for word in ("a title", "train 6", "valid 2", "test 2", "chr1", "1 with remarks ringed"))
    assert "ringed" not in texts(datasets.overview(found, [[], [], []]))


@pytest.mark.parametrize("remarks", [[], ["never changes in test"]])
def test_a_track_shows_its_strongest_window(found: Summary, remarks: list[str]) -> None:
    figure = datasets.track(found, 0, remarks)
    values, window = figure.axes
    (steps,) = (patch for patch in window.patches if isinstance(patch, mpl.patches.StepPatch))
    drawn, edges, _ = steps.get_data()
    np.testing.assert_array_equal(drawn, found.peaks[:, 0])
    place = found.places[0]
    assert place is not None
    assert (edges[0], edges[-1]) == (place.start + tiny.CROP_BP, place.end - tiny.CROP_BP)
    for line, split in zip(values.lines, found.splits.values(), strict=True):
        sample = split.sample[:, 0]
        x, y = line.get_data()
        assert [np.mean(sample >= at) for at in x[[0, 40]]] == pytest.approx([max(y[x == at]) for at in x[[0, 40]]])
    assert "cage+" in texts(figure)
    assert ("never changes in test" in texts(figure)) == bool(remarks)


@pytest.mark.parametrize("tracks", [1, 30, 120])
def test_any_number_of_tracks_without_places_or_changes(tmp_path: Path, tracks: int) -> None:
    table = TrackTable(tuple(Track(i, f"t{i}", f"{'RNA' if i % 3 else 'X'}:y") for i in range(tracks)))
    values = np.zeros((4, tracks), np.float32)
    values[:, ::2] = np.arange(4)[:, None] - 1
    values[:, 1::7] = np.nan
    made = Source(table, 32, 4, 4, {"fold0": 2}, lambda split: iter([Example(np.full(32, 4, np.uint8), values)] * 2))
    each = summary.summarise(made, ["fold0"])
    figure = datasets.overview(each, summary.remarks(each))
    assert "not known" in texts(figure)
    save(figure, tmp_path / "overview.png")
    save(datasets.track(each, tracks - 1), tmp_path / "track.png")
    assert {path.name for path in tmp_path.iterdir()} == {"overview.png", "track.png"}
