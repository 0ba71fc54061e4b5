"""Score files: the published layout to the letter, what is read back, and the tables that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pysam
import pytest

from distal.coords import Interval
from distal.errors import InputError
from distal.io import score_tables
from distal.io.scores import Block, Layout, ScoreRow, Scores, clipped, files, text_widths, write
from distal.tracks import Track, TrackTable

TABLE = TrackTable((Track(4, "ENCFF1", "DNASE:liver"), Track(9, "CNhs1", "CAGE:søvn")))
NAN = float("nan")
ROWS = [
    ScoreRow("chr20", 101, "rs1", "A", "C", "scored"),
    ScoreRow("chr20", 90, ".", "AT", "A", "scored"),
    ScoreRow("chr20", 101, "rs3;rs4", "A", "G", "ref_mismatch"),
    ScoreRow("chr20", 250, "rs5", "G", "GTTT", "scored"),
]
SAD = np.array([[1.5, -2], [70_000, 0.25], [NAN, NAN], [-1e9, 3]])


def make(path: Path, rows: Sequence[ScoreRow] = ROWS, sad: np.ndarray = SAD, dtype: str = "float16") -> Path:
    layout = Layout(len(rows), text_widths(rows), TABLE, ("SAD", "SAR"), dtype, {"model": "tiny"})
    with write(path, layout) as writer:
        for start in range(0, len(rows), 3):
            part = slice(start, start + 3)
            assert writer.append(Block(rows[part], {"SAD": sad[part], "SAR": sad[part] / 10})) == start
    return path


def test_the_published_layout(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "chr20.h5")) as file:
        texts = {"snp", "chr", "ref", "alt", "ref_allele", "alt_allele", "target_ids", "target_labels", "status"}
        assert set(file) == {*texts, "pos", "SAD", "SAR"}
        assert file["pos"].dtype == "uint32"
        assert file["pos"][:].tolist() == [101, 90, 101, 250]
        for name in ("snp", "chr", "ref", "alt", "status", "target_ids", "target_labels"):
            assert file[name].dtype.kind == "S"
        assert file["snp"][:].tolist() == [b"rs1", b".", b"rs3;rs4", b"rs5"]
        assert file["alt"].dtype == "S4"
        assert file["target_ids"][:].tolist() == [b"ENCFF1", b"CNhs1"]
        assert file["SAD"].dtype == file["SAR"].dtype == "float16"
        assert file["SAD"].shape == (4, 2)
        assert file["SAD"].compression is None
        assert file["SAD"][:].tolist()[:2] == [[1.5, -2.0], [65504.0, 0.25]]
        assert np.isnan(file["SAD"][2]).all()
        assert file["SAD"][3, 0] == -65504
        assert file.attrs["model"] == "tiny"


def test_float32_on_request(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "x.h5", dtype="float32")) as file:
        assert file["SAD"][1, 0] == 70_000


def test_clipping_keeps_nan_and_never_makes_inf() -> None:
    found = clipped(np.array([np.inf, -np.inf, np.nan, 65_519.0, 1e-9]), "float16")
    assert found.tolist()[:2] == [65504, -65504]
    assert np.isnan(found[2])
    assert found.tolist()[3:] == [65504, 0]


def test_rows_come_back(tmp_path: Path) -> None:
    with Scores(make(tmp_path / "x.h5", dtype="float32")) as scores:
        assert len(scores) == 4
        assert scores.scores == ("SAD", "SAR")
        assert [(track.index, track.name, track.description) for track in scores.table.rows] == [
            (0, "ENCFF1", "DNASE:liver"),
            (1, "CNhs1", "CAGE:søvn"),
        ]
        block = scores.read(slice(None))
        assert list(block.rows) == ROWS
        np.testing.assert_array_equal(block.values["SAD"], SAD.astype(np.float32))
        for index in ([3, 0, 0], [2, 1], [1, 2, 3], []):
            some = scores.read(np.array(index, dtype=np.int64), ("SAR",))
            assert some.rows == [ROWS[i] for i in index]
            np.testing.assert_array_equal(some.values["SAR"], (SAD / 10).astype(np.float32)[index])
        assert [len(block.rows) for block in scores.blocks(3)] == [3, 1]
        np.testing.assert_array_equal(scores.columns("SAD", slice(1, 5), rows=3), SAD[:, 1:].astype(np.float32))
        assert scores.order().tolist() == [1, 0, 2, 3]
        assert scores.attributes == {"model": "tiny"}
        with pytest.raises(InputError, match="no score 'D2'; it has SAD, SAR"):
            scores.read(slice(None), ("D2",))


def test_rows_are_found(tmp_path: Path) -> None:
    with Scores(make(tmp_path / "x.h5")) as scores:
        assert scores.named("rs1").tolist() == [0]
        assert scores.named("rs4").tolist() == [2]
        assert scores.named("rs").tolist() == []
        # POS 101 is the base [100, 101)
        assert scores.within(Interval("chr20", 100, 101)).tolist() == [0, 2]
        assert scores.within(Interval("20", 89, 100)).tolist() == [1]
        assert scores.within(Interval("chr20", 101, 249)).tolist() == []
        assert scores.within(Interval("chr2", 0, 1000)).tolist() == []
        assert scores.within(Interval.from_ucsc("chr20:90-101")).tolist() == [0, 1, 2]


def test_one_long_allele_does_not_widen_every_row(tmp_path: Path) -> None:
    rows = [*ROWS, ScoreRow("chr20", 300, ".", "A" * 5000, "<DEL>", "unsupported_allele")]
    path = make(tmp_path / "x.h5", rows, np.vstack([SAD, SAD[:1]]))
    with h5py.File(path) as file:
        assert h5py.check_string_dtype(file["ref"].dtype).length is None
        assert file["alt"].dtype == "S5"
    with Scores(path) as scores:
        assert list(scores.read(slice(None)).rows) == rows
        assert scores.read(np.array([4, 1])).rows == [rows[4], rows[1]]


def test_positions_and_texts_at_the_edge(tmp_path: Path) -> None:
    rows = [
        ScoreRow("chr\udcff", 10**14, "", "A", "C", "out_of_range")
    ]  # a byte that is no UTF-8, as `io.vcf` reads it
    with Scores(make(tmp_path / "x.h5", rows, SAD[:1])) as scores:
        assert scores.read(slice(None)).rows == [ScoreRow("chr\udcff", 2**32 - 1, "", "A", "C", "out_of_range")]


def test_a_row_that_was_written_can_be_repeated(tmp_path: Path) -> None:
    layout = Layout(3, text_widths(ROWS), TABLE, ("SAD",), "float32", {})
    with write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(ROWS[2:], {"SAD": SAD[2:]}))
        again = writer.written(1)
        writer.append(Block([ROWS[0]], again.values, again.genes))
    with Scores(tmp_path / "x.h5") as scores:
        block = scores.read(slice(None))
    assert again.rows == [ROWS[3]]
    assert block.rows == [*ROWS[2:], ROWS[0]]
    np.testing.assert_array_equal(block.values["SAD"], SAD[[2, 3, 3]].astype(np.float32))


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    layout = Layout(4, text_widths(ROWS), TABLE, ("SAD",), "float32", {})
    with pytest.raises(ValueError, match="not all"), write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(ROWS[:3], {"SAD": SAD[:3]}))
    with pytest.raises(KeyError), write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(ROWS, {}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["", "_allele"])
def test_files_of_others(tmp_path: Path, suffix: str) -> None:
    """DeepMind's published files have no status, Basenji's say ref_allele and carry percentiles and predictions."""
    with h5py.File(tmp_path / "sad.h5", "w") as file:
        file["snp"] = np.array([b"rs7", b"ss9"])
        file["chr"] = np.array([b"chr1", b"chr1"])
        file["pos"] = np.array([11, 12], dtype="uint32")
        file[f"ref{suffix}"], file[f"alt{suffix}"] = np.array([b"A", b"C"]), np.array([b"G", b"T"])
        file["target_ids"], file["target_labels"] = np.array([b"x", b"y"]), np.array([b"DNASE:a", b"CAGE:b"])
        file["SAD"] = np.array([[1, 2], [3, np.inf]], dtype="float16")
        file["REF"] = np.zeros((2, 5, 2), dtype="float16")
        file["SAD_pct"], file["percentiles"] = np.zeros((2, 279)), np.zeros(279)
    with Scores(tmp_path / "sad.h5") as scores:
        assert scores.scores == ("SAD",)
        assert scores.table.select("assay=CAGE").channels.tolist() == [1]
        found = scores.read(scores.named("rs7"))
        assert found.rows == [ScoreRow("chr1", 11, "rs7", "A", "G", "scored")]
        assert found.values["SAD"].tolist() == [[1, 2]]
        assert scores.attributes == {}


def test_what_is_no_score_file(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match="cannot be opened as HDF5"):
        Scores(tmp_path / "text.h5")
    h5py.File(tmp_path / "other.h5", "w").close()
    with pytest.raises(InputError, match="no snp, chr, pos"):
        Scores(tmp_path / "other.h5")
    with pytest.raises(InputError, match="cannot be opened"):
        Scores(tmp_path / "absent.h5")


def test_score_files_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no score files"):
        files(tmp_path)
    (tmp_path / "scores").mkdir()
    names = ["chr1.h5", "chr2.h5", "chr10.h5", "chrX.h5"]
    for name in (*names, ".chr3.h5.part"):
        (tmp_path / "scores" / name).write_text("")
    assert [path.name for path in files(tmp_path)] == names
    assert [path.name for path in files(tmp_path / "scores")] == names
    assert files(tmp_path / "scores" / "chr2.h5") == [tmp_path / "scores" / "chr2.h5"]


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
