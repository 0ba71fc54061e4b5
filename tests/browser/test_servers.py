"""Other servers than the demo's: with a token and without genes or scores; with names that look like HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import builders
from tests.browser.conftest import settled
from tests.browser.drawn import labels, painted, pixels
from tests.web.conftest import BASES, serving

from distal.coords import Interval
from distal.io.genes import Genes
from distal.io.gtf import Feature
from distal.predictor import Predictor
from distal.tracks import TrackTable
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


HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;<b>bold</b>"


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose tracks and genes are called like HTML."""
    genome, plain = builders.genome(tmp_path, BASES), builders.predictor()
    rows = tuple(replace(row, description=f"DNASE:{HOSTILE}", name=HOSTILE) for row in plain.tracks)
    predictor = Predictor(plain.module, plain.spec, TrackTable(rows), "human", plain.device, "fp32", 4, 0.0)
    called = Called("tiny", str(genome.path), "")
    place = Interval("chr1", 1_000, 5_000, "+")
    genes = Genes([Feature(kind, place, "G", HOSTILE, "T") for kind in ("transcript", "exon")])
    with serving(Served(predictor, genome, Cache(tmp_path / "tiles", 1 << 26), called, genes)) as address:
        yield address


def test_names_are_text_and_never_html(browser: Browser, hostile: str) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.goto(f"{hostile}/#tracks=2,3")
    settled(page)
    assert labels(page)[3] == f"DNASE · {HOSTILE}"
    box = page.locator("#genome").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 130)
    page.locator(".igv-ui-popover").get_by_text(HOSTILE).wait_for()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 80)  # a gene
    page.locator(".igv-ui-popover").get_by_text("Start sites").wait_for()
    page.fill("#search-text", f"chr1:3000:{HOSTILE}")
    page.press("#search-text", "Enter")
    page.wait_for_selector("#message:visible")
    assert page.locator("img[src=x], b").count() == 0  # in shadow roots as well
    context.close()


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
