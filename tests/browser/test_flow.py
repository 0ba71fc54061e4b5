"""What a biologist does: search, pan, pick tracks, type a variant, see REF and ALT differ at the edit, export."""

from __future__ import annotations

import json
import re
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
from tests.browser.conftest import pictured, settled
from tests.browser.drawn import labels, painted, pixels

if TYPE_CHECKING:
    from playwright.sync_api import Page

VARIANT = "chr20:42984264:G>A"
EDIT = 42_984_263  # 0-based
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#aeb0b4"
BIN_BP = 128


def place(page: Page) -> tuple[str, int, int]:
    chrom, _, span = page.inner_text("#place-text").partition(":")
    start, end = span.replace(",", "").split("-")
    return chrom, int(start) - 1, int(end)


def saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(f"#export-dialog button:text-is('{button}')")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_from_a_gene_to_an_exported_variant(visit: Callable[..., Page], address: str, tmp_path: Path) -> None:
    page = visit()
    pictured(page, "1-opened")

    page.keyboard.press("/")
    page.keyboard.type("hnf4a")
    page.keyboard.press("Enter")
    settled(page)
    chrom, start, end = place(page)
    assert (chrom, start < EDIT < end) == ("chr20", True)
    assert page.title().startswith("chr20:")
    pictured(page, "2-gene")

    box = page.locator("#genome").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + 150
    before = pixels(page, "DNASE")
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - 300, middle[1], steps=6)
    page.mouse.up()
    settled(page)
    moved = place(page)[1] - start
    assert moved > 0.2 * (end - start)  # 300 px of about 880
    shift = round(moved / (end - start) * before.shape[1])
    after = pixels(page, "DNASE")
    overlap = painted(before, BLUE, 60)[20:, shift:], painted(after, BLUE, 60)[20:, : before.shape[1] - shift]
    assert np.corrcoef(overlap[0].sum(axis=0), overlap[1].sum(axis=0))[0, 1] > 0.95  # the same peaks, further left
    pictured(page, "3-panned")

    page.fill("#tracks-query", "assay=CAGE strand=- Monocytes")
    page.get_by_text(re.compile(r"^[1-4] tracks? match")).wait_for()
    page.locator("ul.tracks").nth(1).locator("input").first.check()
    settled(page)
    assert any("Monocytes" in text for text in labels(page))
    assert len(page.url.partition("tracks=")[2].split(",")) == 4
    pictured(page, "4-picked")

    page.fill("#search-text", VARIANT)
    page.press("#search-text", "Enter")
    page.wait_for_selector("#panel-variant .answer:not(:empty)")
    settled(page)
    _, start, end = place(page)
    assert start < EDIT < end
    assert labels(page).count("ALT − REF") == 4
    pictured(page, "5-variant")
    differs_at_the_edit(page, start, end)
    as_the_server_says(page, address)

    page.click("#export")
    page.wait_for_selector("#export-dialog pre")
    pictured(page, "6-export")
    code = page.inner_text("#export-dialog .code")
    assert f"--variant '{VARIANT}'" in code
    assert "distal.predict(" in code
    picture = ElementTree.parse(saved(page, "SVG", tmp_path)).getroot()
    text = "".join(picture.itertext())
    assert VARIANT in text
    assert "ALT − REF" in text
    png = saved(page, "PNG", tmp_path).read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", png[16:20])[0] == 2 * round(float(picture.attrib["width"]))
    table = saved(page, "TSV", tmp_path).read_text().splitlines()
    assert len(table) - 1 == -(-end // BIN_BP) - start // BIN_BP
    assert len(table[0].split("\t")) == 3 + 4
    is_bigwig(saved(page, "bigWig", tmp_path))


def differs_at_the_edit(page: Page, start: int, end: int) -> None:
    image = pixels(page, "ALT − REF")
    lost = painted(image, BLUE)[18:].sum(axis=0)
    at = (EDIT - start) / (end - start) * image.shape[1]
    weights = lost / lost.sum()
    centre = float(weights @ np.arange(len(lost)))
    assert abs(centre - at) < 0.05 * image.shape[1]  # 1 kb of 20 kb
    both = pixels(page, "DNASE")
    near = slice(int(at) - 20, int(at) + 20)
    assert painted(both, GREY)[:, near].any()
    assert painted(both, VERMILLION)[:, near].any()


def as_the_server_says(page: Page, address: str) -> None:
    """The table holds the sums over the window that the same question gets without a page."""
    rows = [row.inner_text().split("\t") for row in page.locator("#panel-variant tbody tr").all()]
    tracks = [int(index) for index in page.url.partition("tracks=")[2].split("&")[0].split(",")]
    asked: dict[str, Any] = page.evaluate(
        """async ([variant, tracks]) => {
            const jobs = await import("/static/jobs.js");
            const asked = { variant, tracks, rc: false };
            return (await jobs.run("variant", asked, () => {}, new AbortController().signal)).result;
        }""",
        [VARIANT, tracks],
    )
    for row, track in zip(rows, asked["tracks"], strict=True):
        lost = sum(alt - ref for ref, alt in zip(track["ref"], track["alt"], strict=True))
        assert abs(float(row[1]) - lost) <= 0.06 + 0.01 * abs(lost)
    assert json.load(urlopen(f"{address}api/about"))["model"]["name"] == "enformer-mini"


def is_bigwig(path: Path) -> None:
    import pybigtools

    with pybigtools.open(str(path)) as file:
        assert file.chroms() == {"chr20": 63_025_520}
