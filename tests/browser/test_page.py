"""The page itself: keys suffice, links restore views, both themes are legible, 200 % zoom, errors are sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import pictured, settled
from tests.browser.drawn import labels, painted, pixels

if TYPE_CHECKING:
    from playwright.sync_api import Page

AT = "at=chr20:42980000-42990000&tracks=25"
# the contrast of every text with what is behind it, by WCAG 2.2; the least is 4.5, or 3 for large text
CONTRAST = """() => {
    const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const colour = rgba(getComputedStyle(element).backgroundColor);
            if (colour[3] > 250) return colour;
        }
        return [255, 255, 255];
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim();
        const element = walker.currentNode.parentElement;
        if (!text || !element.checkVisibility() || element.closest("script, noscript, :disabled, .unseen")) continue;
        const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = Number.parseFloat(getComputedStyle(element).fontSize);
        if (contrast < (size >= 24 ? 3 : 4.5)) poor.push(`${text.slice(0, 30)}: ${contrast.toFixed(2)}`);
    }
    return poor;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, select, a, [role=tab], [tabindex='0']")]
    .filter((element) => element.checkVisibility())
    .filter((element) => !(element.textContent.trim() || element.getAttribute("aria-label") || element.labels?.length))
    .map((element) => element.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_and_every_control_has_a_name(visit: Callable[..., Page], theme: str) -> None:
    page = visit(f"#{AT}&panel=tracks", color_scheme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    for panel in ("tracks", "variant", "mutagenesis", "contributions", "enhancers", "scores"):
        if page.get_attribute(f"#tab-{panel}", "aria-selected") == "false":
            page.click(f"#tab-{panel}")
        assert page.evaluate(CONTRAST) == [], panel
        assert page.evaluate(NAMELESS) == [], panel
    page.keyboard.press("Escape")
    page.click("#help")
    assert page.evaluate(CONTRAST) == []
    pictured(page, f"help-{theme}")


def test_the_switch_recolours_all_and_is_remembered(visit: Callable[..., Page]) -> None:
    page = visit(f"#{AT}")
    light = pixels(page, "DNASE"), page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    settled(page)
    dark = pixels(page, "DNASE"), page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light[1] != dark[1]
    assert light[0].shape == dark[0].shape
    assert (light[0] != dark[0]).any()
    page.reload()
    settled(page)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("d")
    settled(page)
    assert (pixels(page, "DNASE") == light[0]).all()  # and back again, to the last pixel


def test_keys_alone_suffice(visit: Callable[..., Page]) -> None:
    page = visit(f"#{AT}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    page.keyboard.type("chr20:43,000,001-43,010,000")
    page.keyboard.press("Enter")
    settled(page)
    assert page.inner_text("#place-text") == "chr20:43,000,001-43,010,000"
    page.keyboard.press("ArrowRight")
    settled(page)
    right = start(page)
    assert 2_400 < right - 43_000_001 < 2_600  # a quarter of the screen
    page.keyboard.press("ArrowLeft")
    settled(page)
    assert abs(start(page) - 43_000_001) < 20
    for key, width in (("+", "5,000 bp"), ("-", "10.0 kb")):
        page.keyboard.press(key)
        settled(page)
        assert page.inner_text("#place-length") in (width, "4,999 bp", "5,001 bp", "10,000 bp", "9,999 bp")
    page.keyboard.press("v")
    assert page.evaluate("document.activeElement.id") == "variant-text"
    page.keyboard.type("chr20:43005000:")  # letters in a field are letters, not commands
    assert page.locator("#panel-variant").is_visible()
    page.locator("#tab-variant").focus()
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "tab-tracks"
    page.keyboard.press("Enter")
    box = page.locator("#panel-tracks ul.tracks input").nth(2)
    box.focus()
    before = len(labels(page))
    page.keyboard.press("Space")
    settled(page)
    assert len(labels(page)) == before + 1
    page.keyboard.press("?")
    assert page.locator("#help-dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#help-dialog").is_hidden()


def test_the_mouse_zooms_on_the_ruler_by_double_click_and_by_wheel(visit: Callable[..., Page]) -> None:
    page = visit("#at=chr20:42980001-42990000&tracks=25")
    ruler = page.locator(".igv-column > .igv-viewport").first.bounding_box()
    assert ruler is not None
    left, top, width = ruler["x"], ruler["y"] + 20, ruler["width"]
    page.mouse.move(left + width * 0.25, top)
    page.mouse.down()
    page.mouse.move(left + width * 0.75, top, steps=5)
    page.mouse.up()
    settled(page)
    assert 4_900 < wide(page) < 5_100  # half of it
    assert abs(start(page) - 42_982_501) < 50
    page.mouse.dblclick(left + width / 2, top + 110)
    settled(page)
    assert 2_400 < wide(page) < 2_600
    page.mouse.move(left + width / 2, top + 110)
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    settled(page)
    assert 1.2 * 2_400 < wide(page) < 1.3 * 2_600
    before = start(page)
    page.mouse.wheel(200, 0)
    settled(page)
    assert abs((start(page) - before) / wide(page) - 200 / width) < 0.02


def wide(page: Page) -> int:
    start, end = (int(text.replace(",", "")) for text in page.inner_text("#place-text").split(":")[1].split("-"))
    return end - start + 1


def start(page: Page) -> int:
    return int(page.inner_text("#place-text").split(":")[1].split("-")[0].replace(",", ""))


def test_a_link_restores_the_view(visit: Callable[..., Page]) -> None:
    first = visit("#at=chr20:42980001-42990000&tracks=25,0&variant=chr20:42984264:G>A&panel=variant")
    first.wait_for_selector("#panel-variant .answer:not(:empty)")
    settled(first)
    second = visit(f"#{first.url.partition('#')[2]}")
    second.wait_for_selector("#panel-variant .answer:not(:empty)")
    settled(second)
    assert second.url == first.url
    assert second.inner_text("#place-text") == first.inner_text("#place-text") == "chr20:42,980,001-42,990,000"
    assert labels(second) == labels(first)
    assert labels(second).count("ALT − REF") == 2
    for label in ("ALT − REF", "DNASE"):
        assert (pixels(first, label) == pixels(second, label)).all()
    second.fill("#search-text", "chr20:43,100,001-43,110,000")  # where this variant was not predicted
    second.press("#search-text", "Enter")
    settled(second)
    assert painted(pixels(second, "DNASE"), "#0072B2", 70).any()
    assert not painted(pixels(second, "DNASE"), "#D55E00").any()
    second.go_back()
    settled(second)
    assert second.inner_text("#place-text") == "chr20:42,980,001-42,990,000"
    second.click("#panel-variant >> text=Close")
    settled(second)
    assert "variant=" not in second.url
    assert "ALT − REF" not in labels(second)


def test_sharing_copies_the_link(visit: Callable[..., Page]) -> None:
    page = visit(f"#{AT}", permissions=["clipboard-read", "clipboard-write"])
    page.click("#share")
    page.get_by_text("The link to this view is copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.parametrize("panel", ["closed", "tracks", "variant"])
def test_at_200_percent_everything_is_there(visit: Callable[..., Page], panel: str) -> None:
    page = visit(f"#{AT}&panel={panel}", viewport={"width": 700, "height": 450}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    for button in ("#share", "#export", "#theme", "#help", "#search-text", "#tab-scores", "#in", "#left"):
        page.locator(button).scroll_into_view_if_needed()
        box = page.locator(button).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 700, button
    assert pixels(page, "DNASE").shape[1] > 500
    page.evaluate("scrollTo(0, 0)")
    pictured(page, f"zoom-200-{panel}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("NOGENE", "NOGENE"), ("chr20:70,000,000-70,000,100", "leaves its chromosome"), ("chr7:1-100", "chr7")],
)
def test_what_is_not_there_is_told_in_a_sentence(visit: Callable[..., Page], text: str, sentence: str) -> None:
    page = visit(f"#{AT}", forgiven=(400, 404, 422))
    page.fill("#search-text", text)
    page.press("#search-text", "Enter")
    page.wait_for_selector("#message:visible")
    told = page.inner_text("#message")
    assert sentence.replace(",", "") in told.replace(",", "")
    page.fill("#tracks-query", "assay=NOTHING")
    page.wait_for_selector("#panel-tracks .hint.problem")
    assert "NOTHING" in page.inner_text("#panel-tracks .hint.problem")


def test_a_variant_that_the_reference_contradicts_is_told_beside_the_form(visit: Callable[..., Page]) -> None:
    page = visit(f"#{AT}")
    page.fill("#search-text", "chr20:42984264:T>A")
    page.press("#search-text", "Enter")
    page.wait_for_selector("#panel-variant .problem:visible")
    told = page.inner_text("#panel-variant .problem")
    assert told.startswith("chr20:42984264:T>A")
    assert "neither allele" in told
    page.fill("#variant-text", "chr20:42984264:G>A")
    page.click("text=Compare REF and ALT")
    page.wait_for_selector("#panel-variant .answer:not(:empty)")
    settled(page)
    assert page.locator("#panel-variant .problem").is_hidden()
    page.click("#panel-variant >> text=Close")
    settled(page)
    assert "ALT − REF" not in labels(page)


def test_text_of_the_model_is_text(visit: Callable[..., Page]) -> None:
    hostile = f"#{AT}&model=<b>other</b>&variant=<img src=x onerror=alert(1)>"
    page = visit(hostile, forgiven=(400, 404, 422), ready=False)
    page.get_by_text("This link was made with <b>other</b>").wait_for()
    settled(page)
    page.wait_for_selector("#panel-variant .problem", state="attached")
    assert page.locator("img[src=x]").count() == 0
