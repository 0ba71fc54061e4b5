"""Sheets of an Excel workbook (.xlsx) as rows of text; knows cells and shared strings, no formula and no style.

Source: ECMA-376, part 1 (Office Open XML, SpreadsheetML): sheets are XML files in a zip archive.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from distal.errors import InputError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_COLUMN = re.compile(r"[A-Z]+")


def sheets(path: str | Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Name and rows of every sheet, in the workbook's order; an empty cell is "", trailing ones are left out.

    Raises `InputError` where the file is no workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            strings = _strings(archive)
            targets = {
                item.get("Id"): item.get("Target", "")
                for item in ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
            }
            book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
            for sheet in book.iter(f"{_MAIN}sheet"):
                part = targets[sheet.get(_RELATION)].removeprefix("/xl/")
                yield sheet.get("name", ""), _rows(ElementTree.fromstring(archive.read(f"xl/{part}")), strings)
    except (OSError, KeyError, IndexError, ValueError, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise InputError(f"{path} cannot be read as an Excel workbook ({error}); give an .xlsx file") from None


def _strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    items = ElementTree.fromstring(archive.read("xl/sharedStrings.xml")).iter(f"{_MAIN}si")
    return ["".join(text.text or "" for text in item.iter(f"{_MAIN}t")) for item in items]


def _rows(sheet: ElementTree.Element, strings: list[str]) -> list[list[str]]:
    rows = []
    for row in sheet.iter(f"{_MAIN}row"):
        cells: list[str] = []
        for cell in row.iter(f"{_MAIN}c"):
            column = _place(cell.get("r", ""), len(cells))
            cells += [""] * (column + 1 - len(cells))
            cells[column] = _value(cell, strings)
        rows.append(cells)
    return rows


def _place(reference: str, following: int) -> int:
    """Column of a cell counted from 0: ``AB7`` is in column 27; without a reference it follows the one before."""
    letters = _COLUMN.match(reference)
    if letters is None:
        return following
    place = 0
    for letter in letters[0]:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1


def _value(cell: ElementTree.Element, strings: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{_MAIN}t"))
    text = cell.findtext(f"{_MAIN}v") or ""
    return strings[int(text)] if cell.get("t") == "s" and text else text
