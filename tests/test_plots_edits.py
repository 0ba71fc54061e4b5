"""Figures of variants: columns that alleles share, what is framed, and points where they belong."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from tests import builders

from distal import dna, plots
from distal.coords import Interval, Variant
from distal.plots import edits
from distal.tracks import Tracks


def effects(text: str, value: float = 0.0) -> plots.Effects:
    codes = dna.encode(text)
    values = np.zeros((len(text), 4), dtype=np.float32)
    values[np.arange(len(text)), (codes + 1) % 4] = value
    return plots.Effects(values, codes, Interval("chr1", 100, 100 + len(text)), "predicted", "model")


@pytest.mark.parametrize(
    ("ref", "alt", "of_ref", "of_alt"),
    [
        ("C", "T", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ("C", "CTT", [0, 1, 2, 5, 6], [0, 1, 2, 3, 4, 5, 6]),
        ("CAA", "C", [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 5, 6]),
    ],
)
def test_alleles_share_columns_and_an_indel_leaves_a_gap(
    ref: str, alt: str, of_ref: list[int], of_alt: list[int]
) -> None:
    shared = edits._Aligned(Variant("chr1", 102, ref, alt), left=2, right=2)
    assert shared.columns(ref).tolist() == of_ref
    assert shared.columns(alt).tolist() == of_alt
    assert shared.width == 4 + max(len(ref), len(alt))


def test_letters_stand_over_their_bases_and_the_substitution_is_framed() -> None:
    figure = edits.letters(effects("GACTG", 0.5), effects("GATTG"), Variant("chr1", 102, "C", "T"), "a title")
    ref, alt, heat, _bar = figure.axes
    assert [axis.get_ylabel() for axis in (ref, alt)] == ["REF C", "ALT T"]
    assert ref.get_ylim() == alt.get_ylim()
    (frame,) = (patch for patch in heat.patches if isinstance(patch, mpl.patches.Rectangle))
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((2, 2.5), 1, 1)
    shown = heat.images[0].get_array()
    # C is followed by G: its effect is 0.5, that of the letter which is there 0.
    assert shown[:, 2].tolist() == [0, 0, 0.5, 0]
    assert [text.get_text() for text in heat.get_xticklabels()] == ["105"]
    assert heat.get_xticks().tolist() == [4.5]


def test_where_an_indel_has_no_base_nothing_is_known() -> None:
    figure = edits.letters(effects("GACTG"), effects("GACAATG"), Variant("chr1", 102, "C", "CAA"))
    heat = figure.axes[2]
    shown = np.ma.filled(heat.images[0].get_array().astype(float), np.nan)
    assert np.isnan(shown[:, 3:5]).all()
    assert not np.isnan(np.delete(shown, [3, 4], axis=1)).any()
    (frame,) = (patch for patch in heat.patches if isinstance(patch, mpl.patches.Rectangle))
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((2, -0.5), 3, 4)


POINTS = [
    edits.Size("chr1", 1000, 2.0, "DNASE"),
    edits.Size("chr1", 3000, 1.0, ""),
    edits.Size("chr2", 500, 3.0, "DNASE"),
]


def test_chromosomes_lie_beside_each_other() -> None:
    (axis,) = edits.sizes(POINTS, "|SAR|", {2: "rs1", 0: "rs2"}).axes
    places = {tuple(point) for dots in axis.collections for point in np.asarray(dots.get_offsets()).round(3).tolist()}
    # 2,001 and 1 bp, and a gap of 1.2 % of them (24.024) that is split before and behind each.
    assert places == {(12.012, 2.0), (2012.012, 1.0), (2037.036, 3.0)}
    assert [text.get_text() for text in axis.get_xticklabels()] == ["chr1", "chr2"]
    assert {text.get_text() for text in axis.texts} == {"rs1", "rs2"}
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["other", "DNASE"]


def test_one_chromosome_has_its_positions() -> None:
    (axis,) = edits.sizes(POINTS[:2], "|SAR|").axes
    assert axis.get_xlim() == (1000 - 80, 3001 + 80)
    assert sorted(point[0] for dots in axis.collections for point in np.asarray(dots.get_offsets())) == [1000.5, 3000.5]
    assert axis.get_xlabel() == "position on chr1"


def test_many_points_are_one_image() -> None:
    many = [edits.Size("chr1", i, 1.0, "DNASE") for i in range(edits.POINTS + 1)]
    assert edits.sizes(many, "|SAR|").axes[0].collections[0].get_rasterized()
    assert b"<image" in plots.svg(edits.sizes(many, "|SAR|"))


def test_names_that_would_lie_over_each_other_are_left_out() -> None:
    near = [edits.Size("chr1", 1000 + i, 1.0, "DNASE") for i in range(3)]
    (axis,) = edits.sizes(near, "|SAR|", {0: "the first name", 1: "the second name"}).axes
    assert [text.get_text() for text in axis.texts] == ["the first name"]


def test_differences_have_scales_of_their_own_around_0() -> None:
    values = np.zeros((8, 2), dtype=np.float32)
    values[2] = 0.4, -8
    change = Tracks(values, builders.TABLE.take([0, 2]), Interval("chr1", 0, 1024), 128)
    one, other = plots.differences(change, Variant("chr1", 300, "A", "C")).axes
    assert one.get_ylim() == pytest.approx((-0.5, 0.5))
    assert other.get_ylim() == pytest.approx((-10, 10))
    assert any(np.allclose(line.get_xdata(), 300.5) for line in one.lines)


def test_a_difference_that_is_given_is_drawn() -> None:
    here = Interval("chr1", 0, 1024)
    ref = Tracks(np.full((8, 1), 1e6, dtype=np.float32), builders.TABLE.take([2]), here, 128)
    change = Tracks(np.full((8, 1), 1e-3, dtype=np.float32), ref.table, here, 128)
    variant = Variant("chr1", 300, "A", "C")
    assert plots.alleles(ref, ref, variant, change=change).axes[1].get_ylim()[1] == pytest.approx(1.25e-3)
    assert plots.alleles(ref, ref, variant).axes[1].get_ylim()[1] == pytest.approx(1e-6)
