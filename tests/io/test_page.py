"""Pages: text is text, tables align numbers, pictures are inside."""

from __future__ import annotations

import base64
import math
from pathlib import Path

from distal.io.page import Heading, Picture, Table, Text, write


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    rows = [{"what": "<b>", "n": 3, "value": 0.12345}, {"what": "&", "n": None, "value": math.nan}]
    parts = [
        Heading("1 < 2"),
        Text("a & b"),
        Text("x  y", literal=True),
        Picture(b"<svg/>", 'a "picture"'),
        Table(rows),
        Table([]),
    ]
    write(tmp_path / "x.html", "T & T", parts)
    page = (tmp_path / "x.html").read_text()
    assert page.startswith("<!doctype html>")
    for wanted in (
        "<title>T &amp; T</title>",
        "<h2>1 &lt; 2</h2>",
        "<p>a &amp; b</p>",
        "<pre>x  y</pre>",
        f"base64,{base64.b64encode(b'<svg/>').decode()}",
        "a &quot;picture&quot;",
        '<th>what</th><th class="n">n</th><th class="n">value</th>',
        '<td>&lt;b&gt;</td><td class="n">3</td><td class="n">0.123</td>',
        '<td>&amp;</td><td class="n"></td><td class="n"></td>',
    ):
        assert wanted in page
    assert page.count("<table>") == 1
