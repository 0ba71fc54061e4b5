"""What a prompt and a notebook show of objects: short, true, and without a surprise for large ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests import builders
from tests.io.scores import sample

from distal.coords import Interval, Window
from distal.interpret.attribution import Ism
from distal.interpret.contributions import Contributions
from distal.interpret.elements import Element
from distal.interpret.enhancers import Links
from distal.interpret.linking import GeneLinks
from distal.interpret.promoters import Promoter
from distal.io.genes import Genes
from distal.io.scores import Block, ScoreRow, Scores
from distal.scoring.run import Summary
from distal.tracks import Track, Tracks, TrackTable

HERE = Interval("chr1", 1000, 1000 + 4 * 128)
MANY = TrackTable(tuple(Track(i, f"t{i}", "DNASE:K562" if i % 3 else "x") for i in range(5313)))


def signal(table: TrackTable = builders.TABLE) -> Tracks:
    values = np.arange(4 * len(table), dtype=np.float32).reshape(4, len(table))
    return Tracks(values, table, HERE, 128)


def rows(html: str) -> list[list[str]]:
    """The texts of a table's body."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in body.split("\n")]


def test_tracks() -> None:
    made = signal()
    assert repr(made) == "Tracks(chr1:[1000, 1512), 4 bins of 128 bp: CAGE:liver, CAGE:liver, and 4 more)"
    assert repr(made.select("index=2")) == "Tracks(chr1:[1000, 1512), 4 bins of 128 bp: DNASE:HepG2)"
    shown = made._repr_html_()
    assert "<strong>chr1:1,001-1,512</strong>" in shown
    first, *_, last = rows(shown)
    assert (first[:2], first[3:]) == (["CAGE:liver", "+"], ["0", "18"])
    assert (last[:2], last[3:]) == (["RNA:brain", "+"], ["5", "23"])
    assert 'aria-label="signal of CAGE:liver"' in first[2]
    assert "more" not in shown


def test_a_curve_keeps_peaks() -> None:
    values = np.zeros((5000, 1), dtype=np.float32)
    values[1234], values[4000] = 7, -3
    tall = Tracks(values, builders.TABLE.take([2]), Interval("chr1", 0, 5000), 1)
    curve = tall._shown(0)["signal"].values
    assert len(curve) == 110
    assert sorted(curve)[:2] == [-3, 0]
    assert max(curve) == 7
    values[7] = np.nan  # a measured track may hold some
    assert tall._shown(0)["signal"].values == curve
    assert curve.index(7) == 1234 // 46  # the first 50 parts have 46 bins


def test_tables_say_what_they_have() -> None:
    assert repr(builders.TABLE) == "TrackTable(2 CAGE, 2 RNA, 1 DNASE, 1 ATAC)"
    assert repr(TrackTable(())) == "TrackTable()"
    assert repr(MANY) == "TrackTable(3542 DNASE, 1771 other)"
    assert "<strong>1 track</strong>" in builders.TABLE.take([0])._repr_html_()
    assert rows(builders.TABLE._repr_html_())[0] == ["0", "cage+", "CAGE", "", "liver", "+"]
    assert "and 5,303 more" in MANY._repr_html_()


def test_models() -> None:
    made = builders.predictor()
    said = "tiny-enformer: 2,048 bp to 8 bins of 128 bp, 6 tracks of head human, cpu, fp32"
    assert repr(made) == f"Predictor({said})"
    assert repr(made.spec) == "Spec(tiny-enformer, enformer: 2,048 bp to 8 bins of 128 bp, human 6 tracks)"
    assert str(Window(196_608, 128, 896)) == "196,608 bp to 896 bins of 128 bp"
    assert len(rows(made._repr_html_())) == 6
    spec = replace(made.spec, provenance={"teacher": "<b>", "config": {"long": 1}})
    assert "<dt>teacher</dt><dd>&lt;b&gt;</dd>" in spec._repr_html_()
    assert "config" not in spec._repr_html_()


def test_score_files(tmp_path: Path) -> None:
    odd = sample.ROWS[1]._replace(name="b\udce9")  # a byte that is no UTF-8
    with Scores(sample.make(tmp_path / "x.h5", [sample.ROWS[0], odd, *sample.ROWS[2:]], genes=sample.GENES)) as made:
        assert repr(made) == "Scores(x.h5: 4 variants, 2 tracks, SAD SAR)"
        shown = made._repr_html_()
    assert "<dt>SAD</dt><dd>sum of ALT - REF</dd>" in shown
    first, second, third, _ = rows(shown)
    assert first == ["chr20:101:A&gt;C", "rs1", "scored", "\u22122", "CAGE:s\u00f8vn", "\u22120.2", "CAGE:s\u00f8vn"]
    assert second[1] == "b?"
    assert third[2:] == ["ref_mismatch", "", "", "", ""]
    assert repr(made) == "Scores(x.h5, closed)"
    assert "x.h5, closed" in made._repr_html_()


def block() -> Block:
    made = [ScoreRow("chr1", i + 1, ".", "A", "<C>" if i else "C", "scored" if i % 2 else "failed") for i in range(12)]
    values = np.array([[1, -2.5, 0]] * 12, dtype=np.float16)
    values[0] = np.nan
    return Block(made, {"SAD": values})


def test_blocks() -> None:
    assert repr(block()) == "Block(12 variants: SAD)"
    shown = rows(block()._repr_html_())
    assert len(shown) == 10
    assert shown[0] == ["chr1:1:A&gt;C", ".", "failed", ""]
    assert shown[1] == ["chr1:2:A&gt;&lt;C&gt;", ".", "scored", "\u22122.5"]
    table = builders.TABLE.take([0, 2, 4])
    assert [line[-1] for line in rows(block().html(table))[:2]] == ["", "DNASE:HepG2"]
    assert rows(Block([], {"SAD": np.empty((0, 3))})._repr_html_()) == [[]]


def test_summaries() -> None:
    made = Summary(
        3, {"scored": 2, "failed": 1, "duplicate": 0}, {"chr1": 3}, "", {"model": "m", "formulas": {"SAD": "f"}}
    )
    shown = made._repr_html_()
    assert "<strong>3 variants</strong>" in shown
    assert "2 scored &middot; 1 failed<" in shown
    assert "<dt>SAD</dt><dd>f</dd>" in shown


def test_links(tmp_path: Path) -> None:
    (tmp_path / "g.bed").write_text("chr1\t1000\t1001\tt\t0\t+\tG\n")
    assert repr(Genes.read(tmp_path / "g.bed")) == "Genes(1 on chr1)"
    gene = Genes.read(tmp_path / "g.bed").one("G")
    elements = tuple(Element(Interval("chr1", at, at + 100), f"e{at}", 1.0) for at in (1000, 5000))
    links = Links((Promoter("G", "chr1", "+", (1000,)),), elements, {"gradient": np.array([1.0, 2.0])})
    assert repr(links) == "Links(G: 2 elements, gradient)"
    found = GeneLinks(gene, links, (signal(),), (gene,), "NA")
    assert repr(found) == "GeneLinks(G: 2 elements, gradient)"
    assert rows(found._repr_html_()) == [
        ["chr1:5,001-5,100", "intergenic", "4,050", "2", "1"],
        ["chr1:1,001-1,100", "promoter", "50", "1", "1"],
    ]


def test_what_bases_do() -> None:
    table, codes = builders.TABLE.take([2]), np.zeros(128, dtype=np.uint8)
    part = Interval("chr1", 1000, 1128)
    effects = np.zeros((128, 4, 1), dtype=np.float32)
    assert repr(Ism(effects, codes, part, HERE, table, "f")) == (
        "Ism(substitutions, chr1:[1000, 1128) to chr1:[1000, 1512), TrackTable(1 DNASE))"
    )
    assert repr(Ism(effects, codes, part, HERE, table, "f", effects[:, 0])).startswith("Ism(substitutions, deletions,")
    made = Contributions("grad", "f", effects[..., 0], codes, part, HERE, table, 1.25)
    assert repr(made) == "Contributions(grad, chr1:[1000, 1128) to 1.25 at chr1:[1000, 1512), TrackTable(1 DNASE))"


def test_nothing_large_becomes_long() -> None:
    for made in (signal(MANY), MANY, builders.predictor(), block()):
        assert len(repr(made)) < 200
        assert len(made._repr_html_()) < 20_000
