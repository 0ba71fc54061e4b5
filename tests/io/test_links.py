"""ENCODE's columns: what is written for predictions, what is read of experiments, and what is refused."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from distal.coords import Interval
from distal.errors import InputError
from distal.io.links import Link, experiments, write

NAMES = ["chrom", "chromStart", "chromEnd", "name", "EffectSize", "startTSS", "endTSS", "measuredGeneSymbol"]
NAMES += ["ValidConnection", "Regulated", "Dataset"]
ROWS = [
    ["chrX", "100", "600", "a", "-0.3", "9000", "9001", "GATA1", "TRUE", "TRUE", "Nasser2021"],
    ["chrX", "700", "900", "b", "NA", "9000", "9000", "GATA1", "TRUE", "FALSE", "Nasser2021"],
    ["chrX", "950", "990", "c", "-0.1", "9000", "9001", "GATA1", "FALSE", "FALSE", "Nasser2021"],
]


def table(folder: Path, names: list[str] = NAMES, rows: list[list[str]] = ROWS, more: str = "") -> Path:
    path = folder / "pairs.tsv.gz"
    text = "\n".join("\t".join(cells) for cells in [names, *rows]) + "\n" + more
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_predictions_have_encodes_columns(tmp_path: Path) -> None:
    element = Interval("chr20", 100, 600)
    links = [
        Link(element, "e1", "genic", "HNF4A", "ENSG1", 1350, "K562", {"gradient": 0.5, "abc": math.nan}),
        Link(element, "e2", "genic", "HNF4A", "ENSG1", 350, "K562", {"gradient": 1 / 3, "abc": 2.0}),
    ]
    write(tmp_path / "x.tsv", links)
    assert (tmp_path / "x.tsv").read_text().split("\n") == [
        "chr\tstart\tend\tname\tclass\tTargetGene\tTargetGeneEnsemblID\tTargetGeneTSS\tCellType"
        "\tScore\tDistanceToTSS\tgradient\tabc",
        "chr20\t100\t600\te1\tgenic\tHNF4A\tENSG1\t1350\tK562\t0.5\t1000\t0.5\tNA",
        "chr20\t100\t600\te2\tgenic\tHNF4A\tENSG1\t350\tK562\t0.333333\t0\t0.333333\t2",
        "",
    ]


def test_experiments_are_read_without_what_is_no_valid_connection(tmp_path: Path) -> None:
    first, second = experiments(table(tmp_path))
    assert (first.element, first.tss) == (Interval("chrX", 100, 600), Interval("chrX", 9000, 9001))
    assert (first.gene, first.regulated, first.effect, first.dataset) == ("GATA1", True, -0.3, "Nasser2021")
    assert second.tss == Interval("chrX", 9000, 9001)
    assert not second.regulated
    assert math.isnan(second.effect)
    assert math.isnan(first.dnase)


def test_signal_in_the_elements_is_read_where_there_is_a_column(tmp_path: Path) -> None:
    rows = [[*row, "1.5", "NA"] for row in ROWS[:1]]
    (found,) = experiments(table(tmp_path, [*NAMES, "DHS.RPM", "H3K27ac.RPM"], rows))
    assert found.dnase == 1.5
    assert math.isnan(found.h3k27ac)


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [(1, "x", "line 2: chromStart"), (9, "maybe", "line 2: Regulated is 'maybe'"), (4, "low", "line 2: EffectSize")],
)
def test_wrong_cells_are_refused_with_their_line(tmp_path: Path, column: int, text: str, why: str) -> None:
    row = [text if i == column else cell for i, cell in enumerate(ROWS[0])]
    with pytest.raises(InputError, match=why):
        list(experiments(table(tmp_path, rows=[row])))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column Regulated"):
        list(experiments(table(tmp_path, NAMES[:9], [row[:9] for row in ROWS])))


def test_the_shared_table(shared: Path) -> None:
    pairs = list(experiments(shared / "data/crispri/EPCrisprBenchmark_combined_data.training_K562.GRCh38.tsv.gz"))
    assert len(pairs) == 10_356
    assert sum(pair.regulated for pair in pairs) == 471
