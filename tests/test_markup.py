"""Fragments of HTML: curves enclose what they are given, and text stays text wherever it stands."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal import markup


def points(drawn: str) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in re.search('points="(.*?)"', drawn)[1].split()]


def test_a_curve_is_the_outline_of_its_steps() -> None:
    # 30 pixels for values from -1 to 2: 0 lies at 20, each of three steps is 10 wide.
    drawn = points(markup.curve([1, 2, -1], "x", width=30, height=30))
    assert drawn == [(0, 20), (0, 10), (10, 10), (10, 0), (20, 0), (20, 30), (30, 30), (30, 20)]


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [math.nan, math.inf]])
def test_a_curve_of_nothing_is_flat(values: list[float]) -> None:
    assert {y for _, y in points(markup.curve(values, "x"))} == {0}


class Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags, self.text = set[str](), ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_no_text_becomes_a_tag(text: str) -> None:
    parser = Texts()
    made = markup.card(text, {text: text}, markup.table([{text: text}]) + markup.facts({text: [text]}))
    parser.feed(made + markup.curve([1.0], text))
    parser.close()
    assert parser.tags <= {
        "div",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "dl",
        "dt",
        "dd",
        "svg",
        "polygon",
    }
    assert parser.text.replace("\n", "").count(text) >= 6 or not text
