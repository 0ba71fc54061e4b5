"""Figures: what is drawn where, that nothing global is touched, and that files appear whole."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from tests import builders

from distal import plots
from distal.coords import Interval, Variant
from distal.tracks import Tracks

REGION = Interval("chr1", 10_000, 10_000 + 40 * 128)
GENES = {
    "LEFT": [Interval("chr1", 9_000, 10_500, "-"), Interval("chr1", 11_000, 11_200, "-")],
    "RIGHT": [Interval("chr1", 13_000, 13_500, "+")],
    "AWAY": [Interval("chr2", 10_000, 11_000, "+")],
}


def signal(seed: int = 0) -> Tracks:
    values = np.random.default_rng(seed).gamma(1.0, size=(40, 3)).astype(np.float32)
    return Tracks(values, builders.TABLE.take([0, 2, 4]), REGION, 128)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def effects(width: int = 200, label: str = "model", seed: int = 1) -> plots.Effects:
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, 4, size=width).astype(np.uint8)
    values = draw.normal(size=(width, 4)).astype(np.float32)
    values[np.arange(width), codes] = 0
    return plots.Effects(values, codes, Interval("chr1", 1000, 1000 + width), "predicted", label)


def test_tracks_are_drawn_over_their_bins_with_genes_and_marks() -> None:
    mark = Interval("chr1", 12_000, 12_300)
    figure = plots.tracks(signal(), "a title", GENES, [mark])
    one, two, three, genes = figure.axes
    for i, axis in enumerate((one, two, three)):
        (steps,) = (patch for patch in axis.patches if isinstance(patch, mpl.patches.StepPatch))
        values, edges, _ = steps.get_data()
        np.testing.assert_array_equal(values, signal().values[:, i])
        assert (edges[0], edges[-1], len(edges)) == (REGION.start, REGION.end, 41)
        assert any(
            patch.get_bbox().intervalx.tolist() == [12_000, 12_300] for patch in axis.patches if patch is not steps
        )
    names = [axis.get_title(loc="left") for axis in (one, two, three)]
    assert names == ["CAGE:liver, forward strand", "DNASE:HepG2", "RNA:brain, reverse strand"]
    assert {"a title", "RIGHT \u25b6", "\u25c0 LEFT", "position on chr1"} <= set(texts(figure))
    assert not any("AWAY" in text for text in texts(figure))
    assert genes.get_xlim() == (REGION.start, REGION.end)


def test_tracks_need_no_genes_and_no_title() -> None:
    assert len(plots.tracks(signal()).axes) == 3


def test_ticks_are_round_positions_counted_from_one() -> None:
    # Position 12,000 counted from 1 is base 11,999 counted from 0; its middle is drawn at 11,999.5.
    axis = plots.tracks(signal()).axes[-1]
    labels = dict(zip([text.get_text() for text in axis.get_xticklabels()], axis.get_xticks(), strict=True))
    assert labels["12,000"] == 11_999.5


def test_alleles_show_both_and_their_difference() -> None:
    ref, alt = signal(0), signal(1)
    figure = plots.alleles(ref, alt, Variant("chr1", 12_000, "A", "ACGTACGTACGT"), genes=GENES)
    assert len(figure.axes) == 7
    for i in range(3):
        both = [patch.get_data()[0] for patch in figure.axes[2 * i].patches]
        np.testing.assert_array_equal(both, [ref.values[:, i], alt.values[:, i]])
        difference = figure.axes[2 * i + 1]
        np.testing.assert_array_equal(difference.patches[0].get_data()[0], alt.values[:, i] - ref.values[:, i])
        low, high = difference.get_ylim()
        assert -low == high > 0
    assert {"chr1:12001:A>ACGTACGTACGT", "REF A", "ALT ACGTA\u2026 (12 bp)"} <= set(texts(figure))


def test_equal_alleles_are_drawn_too() -> None:
    low, high = plots.alleles(signal(), signal(), Variant("chr1", 12_000, "A", "C")).axes[1].get_ylim()
    assert -low == high > 0


def test_logo_letters_fill_their_boxes() -> None:
    # Sequence ACGTA from position 100, heights 1, -2, 3, 0.5, 0: the C hangs from 0 to -2 between 101 and 102.
    figure = Figure()
    axis = figure.add_subplot()
    plots.logo(axis, np.array([1.0, -2.0, 3.0, 0.5, 0.0]), np.array([0, 1, 2, 3, 0], dtype=np.uint8), 100)
    boxes = {patch.get_facecolor(): patch.get_path().get_extents() for patch in axis.patches}
    assert all(isinstance(patch, PathPatch) for patch in axis.patches)
    box = boxes[mpl.colors.to_rgba(plots.COLOURS["C"])]
    np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [101.03, 101.97, -2, 0], atol=1e-9)
    box = boxes[mpl.colors.to_rgba(plots.COLOURS["G"])]
    np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [102.03, 102.97, 0, 3], atol=1e-9)
    low, high = axis.get_ylim()
    assert low < -2
    assert high > 3


def test_importance_leaves_out_what_is_not_known() -> None:
    # C is there; A is -3, G is not known, T is +1: minus the mean of the two is 1. Nothing known: 0.
    nan = np.nan
    values = np.array([[-3, 0, nan, 1], [nan, nan, nan, nan]], dtype=np.float32)
    made = plots.Effects(values, np.array([1, 2], dtype=np.uint8), Interval("c", 0, 2), "measured", "")
    assert made.importance.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("width", "lines"), [(1, 1), (96, 1), (97, 2), (285, 3)])
def test_mutagenesis_is_wrapped(width: int, lines: int) -> None:
    figure = plots.mutagenesis([effects(width), effects(width, "other", 2)], "title")
    images = [axis.images[0] for axis in figure.axes if axis.images]
    assert len(images) == 2 * lines
    drawn = np.concatenate([np.asarray(image.get_array()).T for image in images[:lines]])
    np.testing.assert_array_equal(drawn, effects(width).values)
    starts = [image.get_extent()[0] for image in images[:lines]]
    assert starts[0] == 1000
    assert images[lines - 1].get_extent()[1] == 1000 + width
    assert {"predicted: model", "predicted: other", "title"} <= set(texts(figure))


def test_deletions_are_a_row_of_their_own() -> None:
    # The second set has none, so it has four rows. An N is no dot, and its deletion is an effect like any other.
    made = effects(100)
    codes = made.codes.copy()
    codes[3] = 4
    lost = np.linspace(-9, 9, 100).astype(np.float32)
    lost[7] = np.nan
    figure = plots.mutagenesis([replace(made, codes=codes, deletions=lost), made])
    images = [axis.images[0] for axis in figure.axes if axis.images]
    drawn = np.concatenate([np.ma.filled(image.get_array(), np.nan) for image in images[:2]], axis=1)
    np.testing.assert_array_equal(drawn[4], lost)
    assert [image.get_array().shape[0] for image in images] == [5, 5, 4, 4]
    heights = [image.axes.get_position().height for image in images]
    np.testing.assert_allclose(np.array(heights) / heights[3], [1.25, 1.25, 1, 1])
    dots = np.concatenate([np.asarray(image.axes.collections[0].get_offsets()) for image in images[:2]])
    assert sorted(dots[:, 0]) == [1000.5 + i for i in range(100) if i != 3]
    labels = ["".join(label.get_text() for label in image.axes.get_yticklabels()) for image in images]
    assert labels == ["ACGTdel", "ACGTdel", "ACGT", "ACGT"]
    norm = images[0].norm
    assert norm.vmax == pytest.approx(np.nanpercentile(np.abs(np.append(made.values, lost)), 99.5))


def test_scatter_says_r_and_names_points() -> None:
    # y = 2x + (0, 0, 0, 4): deviations of x -1.5 -.5 .5 1.5, of y -4 -2 0 6; 16 / sqrt(5 * 56) = 0.956.
    x = np.array([0, 1, 2, 3], dtype=np.float32)
    y = np.array([0, 2, 4, 10], dtype=np.float32)
    figure = plots.scatter(y, x, ("measured", "predicted"), {"this one": 3}, "title")
    assert {"Pearson r = 0.96, n = 4", "this one", "measured", "predicted", "title"} <= set(texts(figure))


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_saved_files_are_whole_and_the_same_every_time(tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for path in (first, second):
        plots.save(plots.mutagenesis([effects(20)]), path)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]


def test_a_figure_that_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        plots.save(plots.tracks(signal()), tmp_path / "a.nonsense")
    assert list(tmp_path.iterdir()) == []


def test_global_settings_are_left_alone() -> None:
    keys = [key for key in mpl.rcParams if key != "backend"]  # looking at that one sets it
    before = [mpl.rcParams[key] for key in keys]
    plots.mutagenesis([effects(20)])
    assert [mpl.rcParams[key] for key in keys] == before


def test_pyplot_is_never_imported() -> None:
    program = "import sys, distal.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_notebook_shows_a_figure_at_its_size() -> None:
    figure = plots.tracks(signal())
    picture, size = figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert size == {"width": 960, "height": round(96 * figure.get_figheight())}
    assert width / size["width"] == pytest.approx(160 / 96, rel=0.01)
    assert height / size["height"] == pytest.approx(160 / 96, rel=0.01)


def test_a_figure_in_a_page_is_dark_on_a_dark_one_and_needs_no_font() -> None:
    drawn = plots.svg(plots.tracks(signal(), "a title")).decode()
    assert drawn.count("@media (prefers-color-scheme:dark)") == 1
    assert "'DejaVu Sans', Verdana, sans-serif" in drawn
    for colour in re.findall(r"(?:fill|stroke): (?:#ffffff|#222222|#6f6f6f)", drawn):
        assert f"[style*='{colour}']" in drawn or colour == "stroke: #ffffff"
