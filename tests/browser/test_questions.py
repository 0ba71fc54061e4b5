"""What is asked of the model in the panels: mutagenesis, contributions, enhancers, scores; progress and cancelling."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.browser.conftest import pictured, settled
from tests.browser.drawn import labels, painted, pixels

if TYPE_CHECKING:
    from playwright.sync_api import Page

TRACKS = "tracks=25,0"  # DNase of HepG2, a CAGE track
LETTERS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}


def result(page: Page, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question, from the server (which keeps answers)."""
    asked: dict[str, Any] = page.evaluate(
        """async ([verb, body]) => {
            const jobs = await import("/static/jobs.js");
            return (await jobs.run(verb, body, () => {}, new AbortController().signal)).result;
        }""",
        [verb, body],
    )
    return asked


def as_shared(page: Page, visit: Callable[..., Page], verb: str) -> None:
    """The address of a page opens the same view elsewhere."""
    other = visit(f"#{page.url.partition('#')[2]}")
    answered(other, verb)
    assert labels(other) == labels(page)
    assert other.inner_text("#place-text") == page.inner_text("#place-text")
    assert other.inner_text(f"#panel-{verb} .answer") == page.inner_text(f"#panel-{verb} .answer")


def answered(page: Page, verb: str) -> None:
    page.wait_for_selector(f"#panel-{verb} .answer:not(:empty)")
    settled(page)


def test_mutagenesis_draws_a_heat_map_and_a_logo(visit: Callable[..., Page]) -> None:
    page = visit(f"#at=chr20:42984300-42984315&{TRACKS}&panel=mutagenesis")
    page.click("text=Take the middle of the view")
    page.fill("#mutagenesis-region", "chr20:42,984,305-42,984,309")
    page.select_option("#mutagenesis-track", "25")
    page.click("text=Replace every base")
    answered(page, "mutagenesis")
    pictured(page, "mutagenesis")
    assert any(text.startswith("Importance") for text in labels(page))
    body = {"region": "chr20:42,984,305-42,984,309", "tracks": [25], "target": None}
    found = result(page, "mutagenesis", body)
    logo = pixels(page, "Importance")
    for letter in set(found["letters"]):
        assert painted(logo, LETTERS[letter]).any(), letter
    # the logo's tallest letter stands where replacing the base changes most, on average
    means = [-sum(e for e in row if e is not None) / 3 for row in found["effects"]]
    heights = np.any([painted(logo, colour) for colour in LETTERS.values()], axis=0).sum(axis=0)
    start, end = (int(text.replace(",", "")) for text in page.inner_text("#place-text").split(":")[1].split("-"))
    columns = np.arange(len(heights)) / len(heights) * (end - start + 1) + start - 1 - found["start"]
    tallest = int(columns[np.argmax(np.convolve(heights, np.ones(5), "same"))])
    assert abs(means[tallest]) >= 0.8 * max(map(abs, means))
    as_shared(page, visit, "mutagenesis")


def test_work_shows_how_far_it_is_and_can_be_cancelled(visit: Callable[..., Page]) -> None:
    page = visit(f"#at=chr20:42984200-42984399&{TRACKS}&panel=mutagenesis")
    page.fill("#mutagenesis-region", "chr20:42,984,200-42,984,399")
    with page.expect_response(re.compile("/api/jobs/mutagenesis")) as asked:
        page.click("text=Replace every base")
    page.get_by_text(re.compile(r"\d+ of \d{3}")).wait_for()
    pictured(page, "progress")
    page.click("#panel-mutagenesis .work button")
    settled(page)
    assert page.locator("#panel-mutagenesis .work").is_hidden()
    job = asked.value.json()
    status = page.evaluate("async (id) => (await (await fetch(`/api/jobs/${id}?wait=20`)).json()).status", job["id"])
    assert status == "cancelled"
    assert "mutagenesis=" not in page.url
    assert "Importance" not in " ".join(labels(page))


def test_who_leaves_the_page_leaves_no_work_behind(visit: Callable[..., Page]) -> None:
    page, other = visit("#at=chr20:42984200-42984399&tracks=25&panel=mutagenesis"), visit("#tracks=")
    page.fill("#mutagenesis-region", "chr20:42,984,100-42,984,399")
    with page.expect_response(re.compile("/api/jobs/mutagenesis")) as asked:
        page.click("text=Replace every base")
    job = asked.value.json()["id"]
    page.get_by_text(re.compile(r"\d+ of \d{3}")).wait_for()
    page.goto("about:blank")
    script = "async (id) => (await (await fetch(`/api/jobs/${id}?wait=20`)).json()).status"
    assert other.evaluate(script, job) == "cancelled"


def test_contributions_of_a_target(visit: Callable[..., Page]) -> None:
    page = visit(f"#at=chr20:42980000-42990000&{TRACKS}&panel=contributions")
    page.fill("#contributions-target", "chr20:42,984,314-42,984,314")
    page.click("button:text('Explain')")
    answered(page, "contributions")
    pictured(page, "contributions")
    assert any(text.startswith("Contributions (grad)") for text in labels(page))
    drawn = pixels(page, "Contributions")
    assert sum(painted(drawn, colour).any() for colour in LETTERS.values()) == 4
    assert page.inner_text("#place-length") == "150 bp"
    as_shared(page, visit, "contributions")


def test_enhancers_of_a_gene_as_arcs_and_as_a_table(visit: Callable[..., Page]) -> None:
    page = visit("#at=chr20:42980000-42990000&tracks=&panel=enhancers")
    page.fill("#enhancers-gene", "NOGENE")
    page.click("text=Find its enhancers")
    page.wait_for_selector("#panel-enhancers .problem:visible")
    page.fill("#enhancers-gene", "HNF4A")
    page.fill("#enhancers-expression", "assay=CAGE index=0")
    page.fill("#enhancers-openness", "index=25")
    page.click("text=Find its enhancers")
    answered(page, "enhancers")
    pictured(page, "enhancers")
    assert "Enhancers of HNF4A (gradient)" in labels(page)
    values = [float(cell) for cell in page.locator("#panel-enhancers td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert painted(pixels(page, "Enhancers"), "#0072B2", 60).any()
    as_shared(page, visit, "enhancers")
    page.select_option("#enhancers-by", index=1)
    settled(page)
    assert "Enhancers of HNF4A (gradient)" not in labels(page)
    page.locator("#panel-enhancers td button").first.click()
    settled(page)
    assert page.inner_text("#place-length").endswith(" bp")


@pytest.mark.parametrize("order", ["position", "size"])
def test_scored_variants_with_filters(visit: Callable[..., Page], order: str) -> None:
    page = visit(f"#at=chr20:42980000-43020000&{TRACKS}&panel=scores")
    page.fill("#scores-tracks", "assay=DNASE")
    page.select_option("#scores-order", order)
    page.click("text=Look up")
    answered(page, "scores")
    rows = [row.inner_text().split("\t") for row in page.locator("#panel-scores tbody tr").all()]
    assert sorted(row[0][:3] for row in rows) == ["rs1", "rs2", "rs3"]  # one DNase track
    sizes = [abs(float(row[2])) for row in rows]
    assert order == "position" or sizes == sorted(sizes, reverse=True)
    assert any(text.startswith("Scored variants") for text in labels(page))
    pictured(page, f"scores-{order}")
    if order == "size":
        as_shared(page, visit, "scores")
        page.fill("#scores-least", str(max(sizes) * 2 + 1))
        page.click("text=Look up")
        page.get_by_text("No variant that was scored lies there").wait_for()
    else:
        page.locator("#panel-scores td button", has_text="rs1").click()
        page.wait_for_selector("#panel-variant .answer:not(:empty)")
        settled(page)
        assert "variant=chr20:42984264:" in page.url


def test_an_rs_number_is_searched_for(visit: Callable[..., Page]) -> None:
    page = visit(f"#at=chr20:42980000-42990000&{TRACKS}")
    page.fill("#search-text", "rs3")
    page.press("#search-text", "Enter")
    page.wait_for_selector("#panel-variant .answer:not(:empty)")
    settled(page)
    assert "variant=chr20:43017400:" in page.url
