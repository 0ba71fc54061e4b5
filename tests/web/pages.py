"""A report as a reader's program sees it: tables, links, anchors and pictures."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree


class Page(HTMLParser):
    """Tables as rows of texts, anchors, links and pictures of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text()
        self.tables: list[list[list[str]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[bytes] = []
        self._in_cell = False
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        self.ids += [known["id"]] if "id" in known else []
        self.links += [known["href"]] if tag == "a" else []
        if tag == "img":
            self.pictures.append(base64.b64decode(known["src"].removeprefix("data:image/svg+xml;base64,")))

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    def table(self, column: str) -> list[list[str]]:
        """The rows of the table with such a column, the header first."""
        return next(table for table in self.tables if column in table[0])

    def check(self) -> None:
        """Links lead to anchors, each once; pictures are whole; nothing is asked for from elsewhere."""
        assert sorted(self.links) == sorted(f"#{id}" for id in self.ids)
        assert len(self.ids) == len(set(self.ids))
        for picture in self.pictures:
            assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
        assert not re.search(r"""(?:src|href)=["'](?!data:|#)|url\(|@import|https?:|fetch\(""", self.text)
