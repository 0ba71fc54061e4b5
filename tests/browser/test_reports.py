"""Reports as a browser opens them from disk: tables are ordered and narrowed, light and dark, nothing is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.browser.conftest import SCREENSHOTS
from tests.cli.conftest import genome, model  # noqa: F401 (fixtures)
from tests.scoring import small

from distal.cli import main
from distal.io.fasta import Genome
from distal.web.reports import closer, variants

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, model: Path, genome: Genome) -> Path:  # noqa: F811
    """The report on 14 variants, few of their letters, and one without a place in the genome."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(closer, "FLANK_BP", 3)
    monkeypatch.setattr(variants, "DRAWN", 3)
    folder = tmp_path_factory.mktemp("report")
    rows = small.write_vcf(folder / "v.vcf", [*small.alleles(genome, 14), ("chrZ", 5, "A", "C")])
    words = ["score", "--model", model, "--fasta", genome.path, "--vcf", rows, "--threads", 1, "--formats", "h5"]
    assert main([*map(str, words), "--out", str(folder / "out"), "--report", str(folder / "x.html")]) == 0
    monkeypatch.undo()
    return folder / "x.html"


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Callable[[str], Page]]:
    """The report in a colour scheme; afterwards nothing may have been asked for or complained of."""
    asked: list[str] = []
    contexts = []

    def open_in(scheme: str) -> Page:
        context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: asked.append(message.text))
        page.on("pageerror", lambda error: asked.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        return page

    yield open_in
    for context in contexts:
        context.close()
    assert {url for url in asked if not url.startswith("data:image/svg+xml;base64,")} == {report.as_uri()}


def column(page: Page, number: int) -> list[str]:
    return page.locator(f".table.long tbody tr:not([hidden]) td:nth-child({number})").all_inner_texts()


def test_the_table_is_ordered_by_a_click_and_by_the_keyboard(opened: Callable[[str], Page]) -> None:
    page = opened("light")
    assert column(page, 1) == [str(i + 1) for i in range(14)]
    head = page.locator(".table.long th", has_text="SAD")
    head.get_by_role("button").click()
    values = [float(text.replace("\u2212", "-")) for text in column(page, 6)]
    assert head.get_attribute("aria-sort") == "descending"
    assert (np.diff(values) <= 0).all()
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text.replace("\u2212", "-")) for text in column(page, 6)] == values[::-1]
    assert page.locator("th[aria-sort]").count() == 1


def test_the_table_is_narrowed_by_words(opened: Callable[[str], Page]) -> None:
    page = opened("dark")
    every = column(page, 2)
    page.get_by_label("Find in the table").fill("CHR2: ")
    wanted = [text for text in every if text.startswith("chr2:")]
    assert column(page, 2) == wanted
    assert page.get_by_role("status").inner_text() == f"{len(wanted)} of 14 rows"
    page.get_by_label("Find in the table").fill("")
    assert column(page, 2) == every


def test_a_link_leads_to_its_variant_and_all_pictures_are_there(opened: Callable[[str], Page]) -> None:
    page = opened("light")
    link = page.locator(".table.long a").nth(2)
    link.click()
    assert page.url.endswith("#3")
    heading = page.locator("h3").nth(2)
    assert heading.inner_text() == link.inner_text()
    assert heading.evaluate("node => node.getBoundingClientRect().top") < 100
    widths = page.locator("img").evaluate_all("nodes => nodes.map(node => node.naturalWidth)")
    assert len(widths) == 1 + 3 * 3
    assert min(widths) > 900
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(opened: Callable[[str], Page], scheme: str) -> None:
    page = opened(scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"report-{scheme}.png", full_page=True)
    for selector in ("body", "dt", "th", "p.soft", "figcaption", "a", "summary"):
        colours = page.locator(selector).first.evaluate(
            "node => [getComputedStyle(node).color,"
            " getComputedStyle(node.closest('th') ?? document.body).backgroundColor]"
        )
        assert contrast(*colours) >= 4.5, selector


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG of two colours such as ``rgb(1, 2, 3)``."""
    light = []
    for colour in (one, other):
        parts = np.array([int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ (0.2126, 0.7152, 0.0722)))
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_a_dark_page_is_printed_on_white(opened: Callable[[str], Page]) -> None:
    page = opened("dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 35, 40)"
    assert not page.get_by_label("Find in the table").is_visible()
