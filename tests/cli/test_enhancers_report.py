"""`distal enhancers --report`: the page says what the table says, and draws the best elements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Call
from tests.web.pages import Page

from distal.coords import Interval
from distal.io.fasta import Genome
from distal.web.reports import enhancers as reports


@pytest.fixture
def annotation(tmp_path: Path) -> Path:
    """A gene with two promoters 1,500 bp apart."""
    path = tmp_path / "genes.bed"
    path.write_text("".join(f"chr1\t{at}\t{at + 1}\tt{at}\t0\t+\tg1\n" for at in (9000, 10_500)))
    return path


@pytest.fixture
def ask(call: Call, model: Path, genome: Genome, annotation: Path) -> Call:
    def run(*options: object) -> tuple[int, str, str]:
        words = ("--model", model, "--fasta", genome.path, "--genes", annotation, "--gene", "g1", "--width", 200)
        return call("enhancers", *words, *options)

    return run


@pytest.mark.parametrize("rc", [False, True])
def test_the_page_says_what_the_table_says(
    ask: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rc: bool
) -> None:
    monkeypatch.setattr(reports, "DRAWN", 2)
    places = [(7980, 7990), (8600, 8700), (9100, 9200), (10_900, 11_000), (11_050, 11_150)]
    bed = "".join(f"chr1\t{first}\t{end}\te{first}\t{i + 1}\n" for i, (first, end) in enumerate(places))
    (tmp_path / "e.bed").write_text(bed)
    out, page = tmp_path / "x.tsv", tmp_path / "x.html"
    options = ("--methods", "gradient,ism", "--shuffles", 1, "--elements", tmp_path / "e.bed", *(["--rc"] * rc))
    code, _, err = ask("--out", out, "--report", page, *options)
    assert code == 0, err
    names, *lines = [line.split("\t") for line in out.read_text().splitlines()]
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    seen = Page(page)
    header, *shown = seen.table("element")
    scores = ["gradient", "ism", "inverse_distance", "abc", "activity_gradient", "ism_change", "activity"]
    assert header == ["rank", "element", "name", "class", "bp to the TSS", *scores]
    assert len(shown) == len(rows)
    for line, row in zip(shown, rows, strict=True):
        place = Interval(row["chr"], int(row["start"]), int(row["end"]))
        assert line[1:4] == [place.to_ucsc(), row["name"], row["class"]]
        assert abs(int(line[4].replace(",", ""))) == int(row["DistanceToTSS"])
        for text, name in zip(line[5:], scores, strict=True):
            wanted = float(row[name]) if row[name] != "NA" else None
            assert (float(text.replace("\u2212", "-").replace(",", "")) if text else None) == pytest.approx(
                wanted, rel=6e-3
            )
    assert {line[0] for line in seen.table("column")[1:]} == set(scores)
    assert seen.links == ["#1", "#2"]
    assert len(seen.pictures) == 1 + 2
    assert "Left out: 4 less than 1,000 bp" in seen.text
    seen.check()


def test_elements_without_a_score_are_listed_and_not_drawn(ask: Call, tmp_path: Path) -> None:
    code, _, err = ask("--out", tmp_path / "x.tsv", "--report", tmp_path / "x.html", "--methods", "gradient")
    assert code == 0, err
    seen = Page(tmp_path / "x.html")
    assert "name" not in seen.table("element")[0]  # elements that were called have none of their own
    drawn = sum(1 for line in seen.table("element")[1:] if line[4] and line[5] != "")
    assert len(seen.links) == min(drawn, reports.DRAWN)
    seen.check()


def test_another_ending_is_refused(ask: Call, tmp_path: Path) -> None:
    code, _, err = ask("--out", tmp_path / "x.tsv", "--report", tmp_path / "x.pdf")
    assert code == 2
    assert "the name must end in .html" in err
    assert not (tmp_path / "x.tsv").exists()


def test_the_same_links_have_the_same_page(ask: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "DRAWN", 1)
    pages = []
    for _ in range(2):
        ask("--out", tmp_path / "x.tsv", "--report", tmp_path / "x.html", "--methods", "gradient")
        pages.append((tmp_path / "x.html").read_bytes())
    assert pages[0] == pages[1]


def test_what_is_drawn_is_around_the_elements_strongest_bases(
    ask: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    draw = reports.pictures.contributions
    monkeypatch.setattr(
        reports.pictures, "contributions", lambda shown, *rest: seen.append(shown) or draw(shown, *rest)
    )
    monkeypatch.setattr(reports, "DRAWN", 3)
    asked: list[reports.Report] = []
    write = reports.report
    monkeypatch.setattr(reports, "report", lambda path, made, *rest: asked.append(made) or write(path, made, *rest))
    code, _, err = ask("--out", tmp_path / "x.tsv", "--report", tmp_path / "x.html", "--methods", "gradient")
    assert code == 0, err
    (made,) = asked
    for shown, row in zip(seen, made.found.rows(), strict=False):
        near = min(made.found.links.promoters, key=lambda each: each.distance(row.element))
        known = made.contributions(near)
        inside = row.element.clip(known.interval.start, known.interval.end)
        values = known.actual()[inside.start - known.interval.start : inside.end - known.interval.start]
        sums = [abs(float(values[i : i + 20].sum(dtype=np.float64))) for i in range(len(values) - 19)]
        best = inside.start + int(np.argmax(sums))
        assert shown.interval.width == 100
        assert shown.interval.start <= best
        assert best + 20 <= shown.interval.end
