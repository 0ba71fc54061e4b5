"""The real server of `distal browse` on the demo locus, and pages of a real browser that may not complain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests import builders

from distal.cli import demo
from distal.coords import Interval
from distal.io.fasta import Genome
from distal.io.vcf import VcfRow
from distal.scoring.variants import score_variants

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
BROWSER = os.environ.get("DISTAL_BROWSER", "/usr/bin/chromium")
SCREENSHOTS = Path(os.environ.get("DISTAL_SCREENSHOTS", ROOT / "build" / "screenshots"))
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 60_000
SCORED = (42_984_264, 42_984_307, 43_017_400)
TRANSITIONS = {"A": "G", "G": "A", "C": "T", "T": "C"}
COMPLAINTS = (
    "window.refused = []; addEventListener('securitypolicyviolation', (event) => refused.push(event.blockedURI));"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One chromium for the tests of a file; every page has a profile of its own.

    Playwright keeps an event loop running in this thread, in which tests of other files couldn't run theirs.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(BROWSER).exists():
        pytest.skip(f"there is no {BROWSER}; DISTAL_BROWSER names another Chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants of the demo locus, scored by a tiny model in all its tracks."""
    genome, folder = Genome(demo.FASTA), tmp_path_factory.mktemp("scored")
    rows = []
    for i, pos in enumerate(SCORED, 1):
        ref = genome.fetch(Interval("chr20", pos - 1, pos))
        rows.append(VcfRow(i, i - 1, "chr20", pos, f"rs{i}", ref, TRANSITIONS[ref]))
    score_variants(builders.predictor(), genome, rows, folder / "scores", dtype="float32")
    return folder / "scores"


@pytest.fixture(scope="session")
def address(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `distal browse` listens, as it prints it."""
    command = [sys.executable, "-c", "from distal.cli import main; raise SystemExit(main())", "browse"]
    options = ["--no-open", "--port", "0", "--cache", str(tmp_path_factory.mktemp("tiles")), "--scores", str(scores)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.terminate()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens the page, with a hash and options of a browser context; afterwards no page may have complained.

    `forgiven`: HTTP statuses that the test provokes, which Chromium reports as an error of the console.
    """
    opened: list[tuple[Page, list[str], list[str], tuple[int, ...]]] = []
    contexts = []

    def visited(hash_: str = "", forgiven: tuple[int, ...] = (), ready: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(COMPLAINTS)
        complaints: list[str] = []
        asked: list[str] = []
        opened.append((page, complaints, asked, forgiven))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: line.type in ("error", "warning") and complaints.append(line.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}{hash_}")
        if ready:
            settled(page)
        return page

    yield visited
    for page, complaints, asked, forgiven in opened:
        pardon = tuple(f"status of {status}" for status in forgiven)
        assert [text for text in complaints if not any(word in text for word in pardon)] == []
        assert {urlsplit(url).netloc for url in asked if not url.startswith(("blob:", "data:"))} == {
            urlsplit(address).netloc
        }
        assert page.evaluate("refused") == []
    for context in contexts:
        context.close()


def settled(page: Page) -> None:
    """Waits until the page can be used and nothing is under way."""
    page.wait_for_selector("html[data-ready]:not([data-busy])", state="attached")
    page.wait_for_timeout(150)  # igv.js draws what it has in the next frames
    page.wait_for_selector("html:not([data-busy])", state="attached")


def pictured(page: Page, name: str) -> None:
    """Keeps a screenshot for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
