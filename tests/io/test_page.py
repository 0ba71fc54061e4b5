"""Pages: text is text, tables align numbers, pictures are inside, and nothing is asked for from elsewhere."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path

import pytest

from distal.io.page import Facts, Folded, Heading, Picture, Shares, Table, Text, html, write
from distal.markup import Bar, Link

ROWS = [{"what": "<b>", "n": 3, "value": 0.12345}, {"what": "&", "n": None, "value": math.nan}]


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    parts = [
        Heading("1 < 2"),
        Heading("a part", 'of"it', small=True),
        Text("a & b"),
        Text("softly", soft=True),
        Text("x  y", literal=True),
        Picture(b"<svg/>", 'a "picture"', "below & beside"),
        Table(ROWS),
        Table([]),
        Facts({"what <it> is": 1234, "many": ("a", "<b>")}),
        Shares({"scored": 3, "none": 0, "failed": 1}),
        Folded("more & more", [Text("inside")]),
    ]
    write(tmp_path / "x.html", "T & T", parts)
    page = (tmp_path / "x.html").read_text()
    assert page.startswith("<!doctype html>")
    for wanted in (
        "<title>T &amp; T</title>",
        "<h2>1 &lt; 2</h2>",
        '<h3 id="of&quot;it">a part</h3>',
        "<p>a &amp; b</p>",
        '<p class="soft">softly</p>',
        "<pre>x  y</pre>",
        f"base64,{base64.b64encode(b'<svg/>').decode()}",
        "a &quot;picture&quot;",
        "<figcaption>below &amp; beside</figcaption>",
        '<th scope="col" style="text-align:left">what</th><th scope="col" class="n">n</th>',
        '<td style="text-align:left">&lt;b&gt;</td><td class="n">3</td><td data-by="0.12345" class="n">0.123</td>',
        '<td style="text-align:left">&amp;</td><td class="n"></td><td class="n"></td>',
        "<dt>what &lt;it&gt; is</dt><dd>1,234</dd>",
        "<dd>a, &lt;b&gt;</dd>",
        '<span style="flex:3 1 0;background:#0072B2"></span><span style="flex:1 1 0;background:#E69F00"></span>',
        "1 failed</li>",
        "<details><summary>more &amp; more</summary>\n<p>inside</p></details>",
    ):
        assert wanted in page
    assert "none" not in re.sub("<style>.*?</style>", "", page, flags=re.DOTALL)
    assert page.count("<table>") == 1
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)|url\(|@import|https?:""", page)


def test_only_long_tables_have_a_script() -> None:
    page = html("x", [Table(ROWS, long=True), Table([], long=True)])
    assert page.count("<script>") == page.count('class="table long" tabindex="0"') == 1
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|https?:", page)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (-12345, "-12,345"),
        (-0.00012345, "\u22120.000123"),
        (1e-9, "1e-09"),
        (-65504.0, "\u221265,504"),
        (999.4, "999"),
        (1000.4, "1,000"),
        (-2e-9, "\u22122e-09"),
        ({"a": 1, "<": 2}, "a 1, &lt; 2"),
        (Link("a<b", 'x"y'), '<a href="x&quot;y">a&lt;b</a>'),
        (Bar(0.5, 2.0), '0.5<span class="bar" style="--part:0.250"></span>'),
        (Bar(-3.0, 2.0), '\u22123<span class="bar below" style="--part:1.000"></span>'),
        (Bar(0.0, 0.0), '0<span class="bar" style="--part:0.000"></span>'),
        (Bar(math.nan, 1.0), ""),
    ],
)
def test_cells(value: object, shown: str) -> None:
    page = html("x", [Table([{"it": value}])])
    assert re.search(r"<td[^>]*>(.*)</td>", page)[1] == shown
