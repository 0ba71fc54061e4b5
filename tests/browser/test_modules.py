"""The page's own reckoning against the library's: regions in both writings, track queries that facets write."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.browser.conftest import settled
from tests.browser.drawn import painted, pixels

from distal.coords import Interval
from distal.predictor import load

if TYPE_CHECKING:
    from playwright.sync_api import Page


def called(page: Page, module: str, function: str, *given: Any) -> Any:
    """What a function of one of the page's modules returns."""
    script = "async ([module, name, given]) => (await import(`/static/${module}`))[name](...given)"
    return page.evaluate(script, [module, function, list(given)])


def test_regions_are_written_and_read_as_the_library_does(visit: Callable[..., Page]) -> None:
    page = visit("#tracks=")
    generator = np.random.default_rng(0)
    starts = generator.integers(0, 2_000_000_000, 300)
    regions = [
        {"chrom": f"chr{1 + i % 22}", "start": int(start), "end": int(start) + int(width)}
        for i, (start, width) in enumerate(zip(starts, generator.integers(1, 5_000_000, 300), strict=True))
    ]
    script = """async (regions) => {
        const { read, written } = await import("/static/regions.js");
        return regions.map((region) => [written(region), read(written(region))]);
    }"""
    for region, (text, back) in zip(regions, page.evaluate(script, regions), strict=True):
        assert text == Interval(**region).to_ucsc()  # type: ignore[arg-type]
        assert back == region
    for wrong in ("", "chr1", "chr1:0-5", "chr1:9-5", "chr1:a-b", ":1-2"):
        assert called(page, "regions.js", "read", wrong) is None
    assert called(page, "regions.js", "read", "chr1:7") == {"chrom": "chr1", "start": 6, "end": 7}


def test_facets_write_queries_that_the_library_understands(visit: Callable[..., Page]) -> None:
    page = visit("#tracks=")
    table = load("enformer-mini").tracks
    for column in ("assay", "biosample"):
        for value in sorted({getattr(row, column) for row in table}):
            query = called(page, "query.js", "having", "strand!=x", column, [value])
            assert {getattr(row, column) for row in table.select(query)} == {value}, query
            assert called(page, "query.js", "values", query, column) == [value]
            assert called(page, "query.js", "without", query, column) == "strand!=x"
    both = called(page, "query.js", "having", "", "assay", ["CAGE", "DNASE"])
    assert {row.assay for row in table.select(both)} == {"CAGE", "DNASE"}
    assert called(page, "query.js", "having", both, "assay", []) == ""


def test_a_click_tells_the_number_that_the_server_has(visit: Callable[..., Page]) -> None:
    page = visit("#at=chr20:42980097-42990080&tracks=25&panel=closed")
    asked = "/api/signal?region=chr20:42980097-42990080&tracks=25&points=1000"
    values = page.evaluate("async (url) => (await (await fetch(url)).json()).tracks[0].values", asked)
    box = page.locator("#genome").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 130)
    popover = page.locator(".igv-ui-popover")
    popover.get_by_text("Predicted").wait_for()
    words = popover.inner_text().replace("\xa0", " ")
    first = int(re.findall(r"Bases\s+([\d,]+)-", words)[0].replace(",", ""))
    assert abs(float(words.split()[-1]) / values[(first - 42_980_097) // 128] - 1) < 1e-3
    page.keyboard.press("ArrowRight")  # a popover takes no keys away
    settled(page)
    assert not page.inner_text("#place-text").startswith("chr20:42,980,097")


def test_a_row_is_as_high_as_the_signal(visit: Callable[..., Page]) -> None:
    """The drawn height of every bin against the prediction itself: a slow, independent reading of the canvas."""
    page = visit("#at=chr20:42980097-42990080&tracks=25&panel=closed")  # 78 whole bins
    asked = "/api/signal?region=chr20:42980097-42990080&tracks=25&points=1000"
    values = np.array(page.evaluate("async (url) => (await (await fetch(url)).json()).tracks[0].values", asked))
    image = painted(pixels(page, "DNASE"), "#0072B2", 70)
    edges = np.linspace(0, image.shape[1], len(values) + 1)
    middles = ((edges[:-1] + edges[1:]) / 2).round().astype(int)
    heights = image[:, middles].sum(axis=0)
    expected = values / values.max() * (image.shape[0] - 2 - 15)  # 15 px hold the label
    assert np.abs(heights - expected).max() <= 2
