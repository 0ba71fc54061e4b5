"""Tables for other programs: what tabix, VEP's plugin and polars find in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pysam
import pytest
from tests.io.scores.sample import GENES, NAN, ROWS, TABLE, make
from tests.oracles import score_readers

from distal.io import score_tables
from distal.io.scores import Block, ScoreRow, Scores


def test_components_as_a_tabix_table(tmp_path: Path) -> None:
    rows = sorted(ROWS, key=lambda row: row.pos)
    values = np.array([[1.5, -2], [1 / 3, 1e-9], [5, 6], [7, 8]])
    path = tmp_path / "chr20.tsv.gz"
    for _ in range(2):  # the second one takes the place of the first, index and all
        blocks = [(rows[:3], values[:3]), (rows[3:], values[3:])]
        assert score_tables.write_tsv(path, ("PC1", "PC2"), blocks) == 4
    assert sorted(file.name for file in tmp_path.iterdir()) == ["chr20.tsv.gz", "chr20.tsv.gz.tbi"]
    with pysam.TabixFile(str(path)) as table:
        assert list(table.header) == ["#CHROM\tPOS\tID\tREF\tALT\tPC1\tPC2"]
        # pysam's regions are 0-based and half-open: POS 101 is [100, 101)
        assert list(table.fetch("chr20", 100, 101)) == [
            "chr20\t101\trs1\tA\tC\t0.333333\t1e-09",
            "chr20\t101\trs3;rs4\tA\tG\t5\t6",
        ]
        assert len(list(table.fetch("chr20", 89, 100))) == 1
        assert list(table.fetch("chr20", 101, 249)) == []


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="chr20:90 comes after"):
        score_tables.write_tsv(tmp_path / "x.tsv.gz", ("PC1",), [(ROWS, np.zeros((4, 1)))])
    assert list(tmp_path.iterdir()) == []


def test_every_chromosome_is_in_one_piece(tmp_path: Path) -> None:
    rows = [ScoreRow(chrom, pos, ".", "A", "C", "scored") for chrom, pos in (("2", 9), ("10", 3), ("10", 3), ("2", 10))]
    blocks = [(rows[:2], np.zeros((2, 1))), (rows[2:3], np.zeros((1, 1)))]
    assert score_tables.write_tsv(tmp_path / "x.tsv.gz", ("PC1",), blocks) == 3
    with pytest.raises(ValueError, match="2:10 comes after 10:3"):
        score_tables.write_tsv(tmp_path / "y.tsv.gz", ("PC1",), [*blocks, (rows[3:], np.zeros((1, 1)))])


def test_columns_of_text(tmp_path: Path) -> None:
    cells = np.array([[0.25, "CNhs1"]], dtype=object)
    score_tables.write_tsv(tmp_path / "x.tsv.gz", ("SAD", "TRACK"), [(ROWS[:1], cells)])
    with pysam.TabixFile(str(tmp_path / "x.tsv.gz")) as table:
        assert list(table.fetch("chr20")) == ["chr20\t101\trs1\tA\tC\t0.25\tCNhs1"]


VEP = (*(f"PC{i}" for i in range(1, 21)), "SAD", "SAR")


def test_veps_plugin_reads_our_vcf(tmp_path: Path) -> None:
    rows = [
        ScoreRow("20", 101, "rs1", "A", "C", "scored"),
        ScoreRow("20", 200, ".", "ATTT", "A", "scored"),
        ScoreRow("20", 200, "\udcff", "A", "<DEL>", "unsupported_allele"),
        ScoreRow("20", 300, ".", "G", "GTT", "scored"),
        ScoreRow("chr3", 5, ".", "G", "T", "scored"),
    ]
    numbers = np.arange(5)[:, None] + np.arange(22) / 100  # row i has i.00 in PC1, i.20 in SAD, i.21 in SAR
    numbers[2, 3] = NAN
    path = tmp_path / "enformer.vcf.gz"
    assert score_tables.write_vep(path, VEP, [(rows[:3], numbers[:3]), (rows[3:], numbers[3:])]) == 4
    components = ";".join(f"PC{i + 1}={i / 100:.6g}" for i in range(20)) + ";"
    assert score_readers.vep(path, "chr20", 101, 101) == [("20", 101, "A", "C", components, "0.2", "0.21")]
    # VEP knows a deletion by the bases that go: 201 to 203; an insertion by the bases around it: 300 and 301
    assert [found[1:4] for found in score_readers.vep(path, "chr20", 201, 203)] == [(200, "ATTT", "A")]
    assert [found[5:] for found in score_readers.vep(path, "chr20", 300, 301)] == [("3.2", "3.21")]
    assert [found.chrom for found in score_readers.vep(path, "chr3", 1, 9)] == ["3"]
    with pysam.VariantFile(str(path)) as file:
        assert [(record.chrom, record.pos, round(record.info["SAR"], 2)) for record in file] == [
            ("chr20", 101, 0.21),
            ("chr20", 200, 1.21),
            ("chr20", 300, 3.21),
            ("chr3", 5, 4.21),
        ]


def test_vep_without_components(tmp_path: Path) -> None:
    score_tables.write_vep(tmp_path / "x.vcf.gz", ("SAD", "SAR"), [(ROWS[:1], np.array([[-1.5, 1e-9]]))])
    assert score_readers.vep(tmp_path / "x.vcf.gz", "chr20", 101, 101) == [("20", 101, "A", "C", "", "-1.5", "1e-09")]


@pytest.mark.parametrize("names", [("SAR", "SAD"), ("PC1",), ("SAD_sd", "SAD", "SAR")])
def test_columns_that_the_plugin_would_mistake(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="must end with SAD and SAR"):
        score_tables.write_vep(tmp_path / "x.vcf.gz", names, [])


def test_positions_beyond_a_tbi(tmp_path: Path) -> None:
    rows = [ScoreRow("chr1", 600_000_000, ".", "A", "C", "scored")]
    score_tables.write_tsv(tmp_path / "x.tsv.gz", ("PC1",), [(rows, np.zeros((1, 1)))])
    with pysam.TabixFile(str(tmp_path / "x.tsv.gz"), index=str(tmp_path / "x.tsv.gz.csi")) as table:
        assert len(list(table.fetch("chr1", 599_999_999, 600_000_000))) == 1


def test_a_table_without_rows(tmp_path: Path) -> None:
    assert score_tables.write_tsv(tmp_path / "x.tsv.gz", ("PC1",), []) == 0
    with pysam.TabixFile(str(tmp_path / "x.tsv.gz")) as table:
        assert list(table.header) == ["#CHROM\tPOS\tID\tREF\tALT\tPC1"]


def test_parquet_is_long_and_accounts_for_every_row(tmp_path: Path) -> None:
    with Scores(make(tmp_path / "x.h5")) as scores:
        score_tables.write_parquet(tmp_path / "x.parquet", scores.table, scores.scores, scores.blocks(3))
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame.columns == ["chrom", "pos", "id", "ref", "alt", "status", "track", "SAD", "SAR"]
    assert frame["pos"].to_list() == [101, 101, 90, 90, 101, 250, 250]
    assert frame["track"].to_list() == ["ENCFF1", "CNhs1", "ENCFF1", "CNhs1", None, "ENCFF1", "CNhs1"]
    assert frame["status"].to_list()[3:6] == ["scored", "ref_mismatch", "scored"]
    assert frame["SAD"].to_list() == [1.5, -2.0, 65504.0, 0.25, None, -65504.0, 3.0]
    assert frame.schema["SAD"] == pl.Float32


def test_parquet_of_all_kinds_of_blocks(tmp_path: Path) -> None:
    for values in (np.full((4, 2), NAN), np.ones((4, 2)), np.array([[NAN, 1], [2, NAN], [NAN, NAN], [3, 4]])):
        block = Block(ROWS, {"SAD": values})
        score_tables.write_parquet(tmp_path / "x.parquet", TABLE, ("SAD",), [block, block])
        frame = pl.read_parquet(tmp_path / "x.parquet")
        expected = []
        for row, cells in zip(ROWS, values.tolist(), strict=True):
            known = [None if np.isnan(cell) else cell for cell in cells]
            tracks = zip(TABLE.names, known, strict=True) if known != [None, None] else [(None, None)]
            expected += [(*row[:2], row.name, *row[3:], track, value) for track, value in tracks]
        assert frame.rows() == expected * 2


def test_parquet_without_rows(tmp_path: Path) -> None:
    score_tables.write_parquet(tmp_path / "x.parquet", TABLE, ("SAD",), [])
    score_tables.write_parquet(tmp_path / "y.parquet", TABLE, ("SAD",), [Block([], {"SAD": np.empty((0, 2))})])
    for name in "xy":
        frame = pl.read_parquet(tmp_path / f"{name}.parquet")
        assert frame.shape == (0, 8)
        assert frame.schema["pos"] == pl.UInt32


def test_parquet_has_no_bytes_that_are_no_text(tmp_path: Path) -> None:
    row = ScoreRow("chr20", 1, "a\udcffb", "A", "C", "scored")
    score_tables.write_parquet(tmp_path / "x.parquet", TABLE, ("SAD",), [Block([row], {"SAD": np.ones((1, 2))})])
    assert pl.read_parquet(tmp_path / "x.parquet")["id"].to_list() == ["a\ufffdb"] * 2


def test_parquet_of_scores_on_genes(tmp_path: Path) -> None:
    with Scores(make(tmp_path / "x.h5", genes=GENES)) as scores:
        blocks = scores.blocks(3, scores.gene_scores)
        score_tables.write_gene_parquet(tmp_path / "x.genes.parquet", scores.table, scores.gene_scores, blocks)
    frame = pl.read_parquet(tmp_path / "x.genes.parquet")
    assert dict(frame.schema) == {
        **dict.fromkeys(("chrom", "id", "ref", "alt", "gene_id", "gene_name", "strand", "track"), pl.String),
        "pos": pl.UInt32,
        "tss_distance": pl.Int32,
        "SADR_gene": pl.Float32,
    }
    assert frame.rows()[:2] == [
        ("chr20", 101, "rs1", "A", "C", "ENSG01.2", "HNF4A", "+", -1200, "ENCFF1", 1),
        ("chr20", 101, "rs1", "A", "C", "ENSG01.2", "HNF4A", "+", -1200, "CNhs1", 2),
    ]
    assert frame["pos"].to_list() == [101, 101, 101, 101, 90, 90, 250, 250]
    assert frame["gene_name"].to_list()[::2] == ["HNF4A", "søvn", "HNF4A", ""]
    assert frame["SADR_gene"].to_list() == [1, 2, 3, 4, 5, 6, None, 8]


def test_blocks_without_genes_have_no_rows(tmp_path: Path) -> None:
    blocks = [Block(ROWS, {}), Block(ROWS, {}, GENES.take([2]))]
    score_tables.write_gene_parquet(tmp_path / "x.parquet", TABLE, ("SADR_gene",), blocks)
    assert pl.read_parquet(tmp_path / "x.parquet").shape == (0, 11)
