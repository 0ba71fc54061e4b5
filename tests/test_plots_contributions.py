"""Pictures of contributions: what is drawn where."""

from __future__ import annotations

import numpy as np
import pytest

from distal.coords import Interval
from distal.plots import contributions as picture
from distal.plots.contributions import LOGO_BP, Shown

WHOLE = Interval("chr1", 10_000, 12_000)
TARGET = Interval("chr1", 11_000, 11_128)


def shown(interval: Interval) -> Shown:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, interval.width).astype(np.uint8)
    return Shown(rng.normal(size=interval.width).astype(np.float32), codes, interval)


def at(start: int, width: int = 20) -> Interval:
    return Interval("chr1", start, start + width)


def test_logos_of_places_stand_apart_from_left_to_right():
    places = [at(11_500), at(11_450), at(10_000), at(11_990, 10), at(10_700), at(10_900)]
    figure = picture.contributions(shown(WHOLE), TARGET, places, "title")
    overview, *logos = figure.axes
    limits = [tuple(map(int, axis.get_xlim())) for axis in logos]
    assert limits == [(10_000, 10_100), (10_660, 10_760), (11_460, 11_560), (11_900, 12_000)]
    assert [text.get_text() for text in overview.texts] == ["1", "2", "3", "4"]
    assert overview.get_xlim() == (WHOLE.start, WHOLE.end)
    assert len({axis.get_ylim() for axis in logos}) == 1


def test_numbers_of_neighbours_do_not_touch():
    figure = picture.contributions(shown(WHOLE), TARGET, [at(11_880 - 101 * i) for i in range(4)])
    places = [text.get_position()[0] for text in figure.axes[0].texts]
    assert min(np.diff(places)) >= WHOLE.width / 60


def test_an_interval_that_fits_is_one_logo():
    (axis,) = picture.contributions(shown(at(10_000, LOGO_BP)), TARGET, [at(10_010)]).axes
    assert axis.get_xlim() == (10_000, 10_100)


@pytest.mark.parametrize("places", [[], [at(11_000)]])
def test_marks_hang_under_their_logo_only(places):
    marks = {at(11_005, 8): "GATA1 40%", at(11_006, 8): "TAL1 9%", at(10_100, 8): "elsewhere"}
    figure = picture.contributions(shown(WHOLE), TARGET, places, marks=marks)
    texts = {text.get_text() for axis in figure.axes[1:] for text in axis.texts}
    assert texts == ({"1", "GATA1 40%", "TAL1 9%"} if places else set())


def test_attention_has_a_panel_a_curve():
    curves = {"mean": np.full(16, 1 / 16, dtype=np.float32), "roll-out": np.full(16, 1 / 16, dtype=np.float32)}
    figure = picture.attention(curves, WHOLE, TARGET, "title")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["mean", "roll-out"]
