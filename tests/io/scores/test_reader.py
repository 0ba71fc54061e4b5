"""Score files are read whoever wrote them: rows by place, name and region, scores by name, genes with variants."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.io.scores.sample import FAR, GENES, NEAR, ROWS, SAD, make

from distal.coords import Interval
from distal.errors import InputError
from distal.io.scores import ScoreRow, Scores, files


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


def test_positions_and_texts_at_the_edge(tmp_path: Path) -> None:
    rows = [
        ScoreRow("chr\udcff", 10**14, "", "A", "C", "out_of_range")
    ]  # a byte that is no UTF-8, as `io.vcf` reads it
    with Scores(make(tmp_path / "x.h5", rows, SAD[:1])) as scores:
        assert scores.read(slice(None)).rows == [ScoreRow("chr\udcff", 2**32 - 1, "", "A", "C", "out_of_range")]


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


def test_the_earliest_files_have_no_alt(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "sad.h5", "w") as file:
        file["snp"], file["chr"], file["ref"] = np.array([b"rs7"]), np.array([b"chr1"]), np.array([b"A"])
        file["pos"] = np.array([11], dtype="uint32")
        file["target_ids"], file["target_labels"] = np.array([b"t0"]), np.array([b""])
        file["SAD"] = np.ones((1, 1), dtype="float16")
    with Scores(tmp_path / "sad.h5") as scores:
        assert scores.read(slice(None)).rows == [ScoreRow("chr1", 11, "rs7", "A", ".", "scored")]


def test_rows_bring_their_genes(tmp_path: Path) -> None:
    expected = GENES.values["SADR_gene"]
    with Scores(make(tmp_path / "x.h5", genes=GENES, dtype="float32")) as scores:
        assert scores.scores == ("SAD", "SAR")
        assert scores.gene_scores == ("SADR_gene",)
        for where, rows, entries in (
            (slice(None), [0, 0, 1, 3], [0, 1, 2, 3]),
            (slice(1, 3), [0], [2]),
            (slice(0, 4, 3), [0, 0, 1], [0, 1, 3]),
            (slice(2, 3), [], []),
            (np.array([3, 0, 3]), [0, 1, 1, 2], [3, 0, 1, 3]),
            (np.array([], dtype=np.int64), [], []),
        ):
            genes = scores.read(where).genes
            assert genes is not None
            assert genes.rows.tolist() == rows
            assert genes.genes == [GENES.genes[i] for i in entries]
            np.testing.assert_array_equal(genes.values["SADR_gene"], expected[entries].astype("float32"))
        assert (NEAR.tss_distance, FAR.tss_distance) == (-1200, 56_000)
        assert [block.genes.rows.tolist() for block in scores.blocks(2) if block.genes] == [[0, 0, 1], [1]]


def test_only_what_is_named_is_read(tmp_path: Path) -> None:
    with Scores(make(tmp_path / "x.h5", genes=GENES)) as scores:
        for names, matrices, on_genes in (
            (None, ["SAD", "SAR"], ["SADR_gene"]),
            (("SAR",), ["SAR"], None),
            (("SADR_gene",), [], ["SADR_gene"]),
            ((), [], None),
        ):
            block = scores.read(slice(None), names)
            assert list(block.values) == matrices
            assert (None if block.genes is None else list(block.genes.values)) == on_genes
        with pytest.raises(InputError, match="no score 'D2'; it has SAD, SAR, SADR_gene"):
            scores.read(slice(None), ("D2",))


def test_matrices_come_as_they_are_stored(tmp_path: Path) -> None:
    with Scores(make(tmp_path / "x.h5")) as scores:
        found = list(scores.matrices("SAD", slice(1, 2), rows=3))
        assert [matrix.shape for matrix in found] == [(3, 1), (1, 1)]
        assert {matrix.dtype for matrix in found} == {np.dtype("float16")}
        np.testing.assert_array_equal(np.concatenate(found), SAD[:, 1:].astype("float16"))
        assert next(scores.matrices("SAR")).shape == (4, 2)


def test_chromosomes_in_any_order(tmp_path: Path) -> None:
    places = [("chr2", 5), ("chr10", 9), ("chr2", 3), ("chr10", 9), ("chr2", 3)]
    rows = [ScoreRow(chrom, pos, str(i), "A", "C", "scored") for i, (chrom, pos) in enumerate(places)]
    with Scores(make(tmp_path / "x.h5", rows, np.zeros((5, 2)))) as scores:
        assert scores.order().tolist() == [1, 3, 2, 4, 0]  # texts sort chr10 before chr2; ties keep their order
        assert scores.within(Interval("2", 0, 4)).tolist() == [2, 4]


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
