"""Other servers than the demo's: one that asks for a token and has neither genes nor scores, of a tiny genome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import builders
from tests.browser.conftest import settled
from tests.browser.drawn import labels, painted, pixels
from tests.web.conftest import BASES, serving

from distal.web.cache import Cache
from distal.web.equivalent import Called
from distal.web.served import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TOKEN = "0123456789abcdef"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[str]:
    """The address of a server that has a model and a genome, and asks for a token."""
    genome = builders.genome(tmp_path, BASES)
    called = Called("tiny", str(genome.path), "")
    with serving(Served(builders.predictor(), genome, Cache(tmp_path / "tiles", 1 << 26), called), TOKEN) as address:
        yield address


def test_with_a_token_and_without_genes_or_scores(browser: Browser, bare: str) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    assert context.new_page().goto(bare).status == 401  # type: ignore[union-attr]
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
    page.goto(f"{bare}/?token={TOKEN}")
    settled(page)
    assert TOKEN not in page.url
    assert page.locator("#tab-enhancers").is_hidden()
    assert page.locator("#tab-scores").is_hidden()
    assert page.inner_text("#place-text") == "chr1:1-6,000"
    assert labels(page)[2] == "DNASE · HepG2"
    assert painted(pixels(page, "DNASE"), "#0072B2", 70).any()
    for _ in range(3):
        page.click("#out")  # a genome smaller than the screen stays where it is
    settled(page)
    assert page.inner_text("#place-text") == "chr1:1-6,000"
    page.fill("#search-text", "chr1:5,990-6,000")
    page.press("#search-text", "Enter")
    settled(page)
    assert page.inner_text("#place-text") == "chr1:5,981-6,000"  # 20 bases are the least that is shown
    page.keyboard.press("n")  # a panel that isn't there
    assert page.locator("#panel-enhancers").is_hidden()
    assert complaints == []
    context.close()
