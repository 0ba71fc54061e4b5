"""The code of others that the page loads is the published one, ships in the wheel and is named in NOTICE."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = Path(str(files("distal"))) / "web" / "static"
VENDOR = STATIC / "vendor"
CARDS = tomllib.loads((VENDOR / "VENDOR.toml").read_text())
OURS = sorted(path for path in STATIC.rglob("*.*") if VENDOR not in path.parents and path.suffix != ".png")


@pytest.mark.parametrize("name", CARDS)
def test_the_file_is_the_published_one(name):
    card = CARDS[name]
    assert hashlib.sha256((VENDOR / card["file"]).read_bytes()).hexdigest() == card["sha256"]
    assert card["version"] in card["file"]
    assert card["licence"] in (VENDOR / card["licence_file"]).read_text()


def test_every_file_has_a_card():
    named = {VENDOR / card[key] for card in CARDS.values() for key in ("file", "licence_file")}
    assert {path for path in VENDOR.rglob("*") if path.is_file()} == named | {VENDOR / "VENDOR.toml"}


@pytest.mark.parametrize("name", CARDS)
def test_the_notice_names_it(name):
    assert f"{name} {CARDS[name]['version']}" in (ROOT / "NOTICE").read_text()


def test_the_wheel_holds_the_page():
    wheel = pytest.importorskip("hatchling.builders.wheel")
    inside = {file.distribution_path for file in wheel.WheelBuilder(str(ROOT)).recurse_included_files()}
    for path in [*OURS, *(VENDOR / card[key] for card in CARDS.values() for key in ("file", "licence_file"))]:
        assert f"distal/web/static/{path.relative_to(STATIC).as_posix()}" in inside


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_the_page_names_no_other_host(path):
    addresses = set(re.findall(r"\b(?:https?:)?//[\w.-]+\.\w+", path.read_text()))
    assert addresses <= {"http://www.w3.org"}, "the page loads from its own server only (www.w3.org: SVG's name)"


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_a_module_begins_by_saying_what_it_is_for_and_is_short(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) <= 400


def test_every_module_is_fetched_at_once():
    page = (STATIC / "index.html").read_text()
    told = set(re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', page))
    modules = {path.relative_to(STATIC).as_posix() for path in OURS if path.suffix == ".js"} - {"main.js"}
    assert told == modules | {CARDS["igv"]["file"].join(("vendor/", ""))}
