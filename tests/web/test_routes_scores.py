"""Rows of scores over HTTP against the files themselves, in both orders."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from distal.io.scores import Scores, files
from distal.web.served import Served

TRACKS = 6


def rows(client: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/scores", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def known(served: Served) -> np.ndarray:
    """SAD of the three scored variants, [3, tracks]."""
    assert served.scores is not None
    with Scores(files(served.scores)[0]) as file:
        return np.array(file.read(slice(None)).values["SAD"])


def test_a_region(client: httpx.Client, known: np.ndarray) -> None:
    found = rows(client, region="chr1:3,001-3,002")
    assert found["total"] == 2 * TRACKS
    assert [row["id"] for row in found["rows"]] == ["rs1"] * TRACKS + ["rs2"] * TRACKS
    np.testing.assert_array_equal([row["SAD"] for row in found["rows"]], known[1:].ravel())
    assert {"SAD", "SAR"} <= set(found["scores"])


def test_a_name_and_a_variant(client: httpx.Client, known: np.ndarray) -> None:
    by_name = rows(client, id="rs1", tracks="index=3")
    assert by_name["total"] == 1
    (row,) = by_name["rows"]
    assert row["SAD"] == known[1, 3]
    text = f"{row['chrom']}:{row['pos']}:{row['ref']}>{row['alt']}"
    assert rows(client, variant=text, tracks="index=3") == by_name
    turned = f"{row['chrom']}:{row['pos']}:{row['alt']}>{row['ref']}"
    assert rows(client, variant=turned, tracks="index=3") == by_name
    assert rows(client, id="rs99") == {"total": 0, "scores": by_name["scores"], "rows": []}


@pytest.mark.parametrize("score", ["", "SAR"])
def test_the_largest_first(client: httpx.Client, known: np.ndarray, score: str) -> None:
    found = rows(client, region="chr1:1-6,000", order="size", score=score)
    sizes = [abs(row[score or "SAD"]) for row in found["rows"]]
    assert sizes == sorted(sizes, reverse=True)
    assert found["total"] == len(sizes) == known.size


def test_pages_make_up_the_whole(client: httpx.Client) -> None:
    for order in ("position", "size"):
        whole = rows(client, region="chr1:1-6,000", order=order)["rows"]
        parts = [rows(client, region="chr1:1-6,000", order=order, offset=i, limit=5)["rows"] for i in range(0, 20, 5)]
        assert [row for part in parts for row in part] == whole


def test_small_ones_are_left_out(client: httpx.Client, known: np.ndarray) -> None:
    border = float(np.sort(np.abs(known).ravel())[known.size // 2])
    found = rows(client, region="chr1:1-6,000", at_least=border)
    expected = np.abs(known[np.abs(known) >= border])
    assert found["total"] == len(expected)
    np.testing.assert_array_equal(np.abs([row["SAD"] for row in found["rows"]]), expected)


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 400, "give one of"),
        ({"region": "chr1:1-2", "id": "rs1"}, 400, "give one of"),
        ({"region": "chr1:1-6,000", "score": "D9"}, 400, "no score"),
        ({"region": "chr1:1-6,000", "tracks": "assay=NONE"}, 400, "no track"),
        ({"region": "chr1:1-6,000", "limit": 5_000}, 422, "limit"),
        ({"region": "chr1:1-6,000", "at_least": "nan"}, 422, "at_least"),
    ],
)
def test_what_cannot_be_asked(client: httpx.Client, query: dict[str, Any], status: int, words: str) -> None:
    answer = client.get("/api/scores", params=query)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
