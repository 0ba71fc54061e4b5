"""Score files are written to the letter of the published layout, whole or not at all; others' programs open them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.io.scores.sample import FORMULAS, GENES, NAN, ROWS, SAD, TABLE, content, make
from tests.oracles import score_readers

from distal.errors import InputError
from distal.io.scores import (
    PERCENTILES,
    Block,
    Derived,
    GeneAt,
    GeneScores,
    Layout,
    Matrix,
    ScoreRow,
    Scores,
    clipped,
    extended,
    text_widths,
    write,
)
from distal.tracks import Track, TrackTable

TEXTS = {"snp", "chr", "ref", "alt", "ref_allele", "alt_allele", "target_ids", "target_labels", "status"}


def test_the_published_layout(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "chr20.h5")) as file:
        assert set(file) == {*TEXTS, "pos", "SAD", "SAR"}
        assert file["pos"].dtype == "uint32"
        assert file["pos"][:].tolist() == [101, 90, 101, 250]
        for name in TEXTS:
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


def test_basenjis_names_are_the_same_data(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "x.h5"), "r+") as file:
        assert file["ref_allele"] == file["ref"]
        assert file["alt_allele"] == file["alt"]
        file["ref"][0] = b"G"
        assert file["ref_allele"][0] == b"G"


def test_matrices_say_what_they_hold(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "x.h5", genes=GENES)) as file:
        assert file["SAD"].attrs["formula"] == FORMULAS["SAD"]
        assert file["genes/SADR_gene"].attrs["formula"] == FORMULAS["SADR_gene"]
        assert "formula" not in file["SAR"].attrs  # the layout has none for it
        assert "65504" in file["SAR"].attrs["precision"]


def test_float32_on_request(tmp_path: Path) -> None:
    with h5py.File(make(tmp_path / "x.h5", dtype="float32")) as file:
        assert file["SAD"][1, 0] == 70_000
        assert "precision" not in file["SAD"].attrs


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_matrix_of_the_files_type_is_written_as_it_is(tmp_path: Path, dtype: str) -> None:
    narrow = clipped(SAD, "float16")
    with h5py.File(make(tmp_path / "x.h5", sad=narrow, dtype=dtype)) as file:
        np.testing.assert_array_equal(file["SAD"][:], narrow.astype(dtype))


@pytest.mark.parametrize("genes", [None, GENES])
def test_blocks_of_any_size_give_the_same_data(tmp_path: Path, genes: GeneScores | None) -> None:
    expected = content(make(tmp_path / "whole.h5", size=4, genes=genes))
    for size in (1, 2, 3):
        assert content(make(tmp_path / "x.h5", size=size, genes=genes)) == expected


def test_more_rows_than_wait_to_be_written(tmp_path: Path) -> None:
    rows = [ScoreRow(f"chr{i % 3}", 10_000 - i, f"rs{i}", "A", "C" * (1 + i % 5), "scored") for i in range(9000)]
    sad = np.arange(18_000, dtype="float32").reshape(9000, 2)
    whole = Block(rows, {"SAD": sad})
    with write(tmp_path / "x.h5", Layout(9000, text_widths(rows), TABLE, ("SAD",), "float32", {})) as writer:
        for start in range(0, 9000, 1000):
            writer.append(whole.take(range(start, start + 1000)))
            assert writer.written(start + 999).rows == [rows[start + 999]]
    with Scores(tmp_path / "x.h5") as scores:
        block = scores.read(slice(None))
    assert block.rows == rows
    np.testing.assert_array_equal(block.values["SAD"], sad)


TEXT = st.binary(max_size=6).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
LONG = st.integers(200, 400).map(lambda n: "A" * n)
ROW = st.builds(ScoreRow, TEXT, st.integers(0, 2**40), TEXT, st.one_of(TEXT, LONG), TEXT, TEXT)
GENE = st.builds(GeneAt, TEXT, TEXT, st.sampled_from("+-."), st.integers(-(2**31), 2**31 - 1))


@given(st.lists(st.tuples(ROW, st.lists(GENE, max_size=2)), max_size=8), st.integers(1, 8), st.integers(0, 99))
@settings(max_examples=40)
def test_whatever_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[ScoreRow, list[GeneAt]]], size: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("scores") / "x.h5"
    rows = [row for row, _ in given]
    pairs = [(i, gene) for i, (_, near) in enumerate(given) for gene in near]
    of, genes = [i for i, _ in pairs], [gene for _, gene in pairs]
    draw = np.random.default_rng(seed)
    on_genes = draw.normal(size=(len(genes), 2)).astype("float32")
    sad = draw.choice([NAN, 0, -0.0, 1e30, -1e-30], (len(rows), 2)).astype("float32")
    entries = GeneScores(np.array(of, dtype=np.int64), genes, {"SADR_gene": on_genes})
    make(path, rows, sad, "float32", entries, size)
    with Scores(path) as scores:
        block = scores.read(slice(None))
    assert block.rows == [row._replace(pos=min(row.pos, 2**32 - 1)) for row in rows]
    assert block.values["SAD"].tobytes() == sad.tobytes()
    assert block.genes is not None
    assert (block.genes.rows.tolist(), block.genes.genes) == (of, genes)
    np.testing.assert_array_equal(block.genes.values["SADR_gene"], on_genes)


def test_a_long_text_is_not_cut(tmp_path: Path) -> None:
    widths = {**text_widths(ROWS), "alt": 3}
    with (
        pytest.raises(ValueError, match="alt has 4 bytes"),
        write(tmp_path / "x.h5", Layout(4, widths, TABLE, ("SAD",), "float16", {})) as writer,
    ):
        writer.append(Block(ROWS, {"SAD": SAD}))


def test_one_long_allele_does_not_widen_every_row(tmp_path: Path) -> None:
    rows = [*ROWS, ScoreRow("chr20", 300, ".", "A" * 5000, "<DEL>", "unsupported_allele")]
    path = make(tmp_path / "x.h5", rows, np.vstack([SAD, SAD[:1]]))
    with h5py.File(path) as file:
        assert h5py.check_string_dtype(file["ref"].dtype).length is None
        assert file["alt"].dtype == "S5"
    with Scores(path) as scores:
        assert list(scores.read(slice(None)).rows) == rows
        assert scores.read(np.array([4, 1])).rows == [rows[4], rows[1]]


def test_a_row_that_was_written_can_be_repeated(tmp_path: Path) -> None:
    layout = Layout(5, text_widths(ROWS), TABLE, ("SAD",), "float32", {}, ("SADR_gene",))
    with write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(ROWS, {"SAD": SAD}, GENES))
        again = writer.written(0)
        assert again.genes is not None
        assert again.genes.genes == GENES.genes[:2]
        writer.append(replace(again, rows=[ROWS[2]]))
    with Scores(tmp_path / "x.h5") as scores:
        block = scores.read(slice(None))
    assert again.rows == [ROWS[0]]
    assert block.rows == [*ROWS, ROWS[2]]
    np.testing.assert_array_equal(block.values["SAD"], SAD[[0, 1, 2, 3, 0]].astype(np.float32))
    assert block.genes is not None
    assert block.genes.rows.tolist() == [0, 0, 1, 3, 4, 4]
    np.testing.assert_array_equal(block.genes.values["SADR_gene"], GENES.values["SADR_gene"][[0, 1, 2, 3, 0, 1]])


def test_a_file_without_rows(tmp_path: Path) -> None:
    path = make(tmp_path / "x.h5", [], SAD[:0], genes=GENES.take([]))
    with extended(path) as writer:
        writer.derive(Derived("SAD_abs", "float32", {}, "SAD", lambda block: np.abs(block.values["SAD"])))
        writer.percentiles(["SAD"])
    with Scores(path) as scores:
        assert scores.scores == ("SAD", "SAD_abs", "SAR")
        assert scores.read(slice(None)).rows == []
        assert scores.read(np.empty(0, dtype=np.int64)).genes is not None
        assert list(scores.blocks(4)) == []
        assert scores.order().tolist() == scores.named("rs1").tolist() == []
    with h5py.File(path) as file:
        assert np.isnan(file["SAD_pct"][:]).all()


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    layout = Layout(4, text_widths(ROWS), TABLE, ("SAD",), "float32", {})
    with pytest.raises(ValueError, match="not all"), write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(ROWS[:3], {"SAD": SAD[:3]}))
    with pytest.raises(KeyError), write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(ROWS, {}))
    with pytest.raises(KeyboardInterrupt), write(tmp_path / "x.h5", layout):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from distal.io.scores import Block, Layout, text_widths, write\n"
        "from tests.io.scores.sample import ROWS, SAD, TABLE\n"
        "with write(Path(sys.argv[1]), Layout(4, text_widths(ROWS), TABLE, ('SAD',), 'float32', {})) as writer:\n"
        "    writer.append(Block(ROWS, {'SAD': SAD}))\n"
        "    writer.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "x.h5"], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "x.h5").exists()
    make(tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == [tmp_path / "x.h5"]


def ranks(block: Block) -> Matrix:
    """Something that depends on the rows and on the score, and that a block too large or too rich would betray."""
    assert len(block.rows) <= 256
    assert list(block.values) == ["SAD"]
    assert block.genes is None
    return block.values["SAD"].astype("float64") * [[row.pos] for row in block.rows]


def test_derived_matrices(tmp_path: Path) -> None:
    rows = [ScoreRow("chr1", i + 1, ".", "A", "C", "scored") for i in range(600)]
    sad = np.random.default_rng(0).normal(size=(600, 2)).astype("float16")
    layout = Layout(600, text_widths(rows), TABLE, ("SAD",), "float16", {}, ("SADR_gene",))
    derived = Derived("SAD_rank", "float32", {"null": "1000G"}, "SAD", ranks)
    twice = Derived("SAD_rank2", "float16", {}, "SAD_rank", lambda block: 2e5 * block.values["SAD_rank"])
    with write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(rows, {"SAD": sad}))
        writer.derive(derived)
        writer.derive(derived)  # takes the place of the first
        writer.derive(twice)
        with pytest.raises(ValueError, match="SAD is not derived"):
            writer.derive(replace(derived, name="SAD"))
    expected = (sad.astype("float64") * np.arange(1, 601)[:, None]).astype("float32")
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["SAD_rank"].dtype == "float32"
        assert dict(file["SAD_rank"].attrs) == {"null": "1000G", "derived_from": "SAD"}
        np.testing.assert_array_equal(file["SAD_rank"][:], expected)
        np.testing.assert_array_equal(file["SAD_rank2"][:], clipped(2e5 * expected, "float16"))
    with Scores(tmp_path / "x.h5") as scores:
        assert scores.scores == ("SAD", "SAD_rank", "SAD_rank2")


def test_percentiles_are_basenjis(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = [ScoreRow("chr1", i + 1, ".", "A", "C", "scored") for i in range(500)]
    sad = draw.standard_cauchy((500, 2)).astype("float32") * 1e4
    sad[draw.random(500) < 0.1] = NAN
    with write(tmp_path / "x.h5", Layout(500, text_widths(rows), TABLE, ("SAD", "SAR"), "float32", {})) as writer:
        writer.append(Block(rows, {"SAD": sad, "SAR": sad * 0}))
        writer.percentiles(("SAD", "SAR"))
    with h5py.File(tmp_path / "x.h5") as file:
        steps = file["percentiles"][:]
        # 99 steps of 0.001 below 0.1, 80 of 0.01 below 0.9, 100 of 0.001 below 1
        assert steps.dtype == "float64"
        assert len(steps) == 99 + 80 + 100 == 279
        assert steps[[0, 98, 99, 178, 179, 278]].tolist() == [0.001, 0.099, 0.1, 0.89, 0.9, 0.999]
        assert (np.diff(steps) > 0).all()
        assert file["SAD_pct"].dtype == "float16"
        expected = np.nanquantile(sad.astype("float64"), steps, axis=0).T
        np.testing.assert_array_equal(file["SAD_pct"][:], clipped(expected, "float16"))
        assert not file["SAR_pct"][:].any()
    assert PERCENTILES.tolist() == steps.tolist()


def test_percentiles_are_no_scores(tmp_path: Path) -> None:
    table = TrackTable(tuple(Track(i, f"t{i}") for i in range(279)))
    rows = [ScoreRow("chr1", i + 1, ".", "A", "C", "scored") for i in range(279)]
    layout = Layout(279, text_widths(rows), table, ("SAD", "my_pct"), "float16", {})
    zeros = np.zeros((279, 279), dtype="float16")
    with write(tmp_path / "x.h5", layout) as writer:
        writer.append(Block(rows, {"SAD": zeros, "my_pct": zeros}))
        writer.percentiles(["SAD"])
    with Scores(tmp_path / "x.h5") as scores:  # SAD_pct has the shape of a score here; my_pct is one
        assert scores.scores == ("SAD", "my_pct")


def test_a_finished_file_is_extended(tmp_path: Path) -> None:
    path = make(tmp_path / "x.h5", genes=GENES)
    before = content(path)
    for _ in range(2):
        so_far = content(path)
        with extended(path) as writer:
            writer.derive(Derived("SAD_half", "float32", {"by": "2"}, "SAD", lambda block: block.values["SAD"] / 2))
            writer.percentiles(["SAR"])
            assert content(path) == so_far
        after = content(path)
        assert after.keys() == before.keys() | {"SAD_half", "percentiles", "SAR_pct"}
        assert {name: after[name] for name in before} == before
        with Scores(path) as scores:
            half = scores.read(slice(None), ("SAD_half",)).values["SAD_half"]
        np.testing.assert_array_equal(half, clipped(SAD, "float16") / 2)
    with h5py.File(path) as file:
        assert file["ref_allele"] == file["ref"]
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_others_are_extended(tmp_path: Path) -> None:
    path = make(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        for name in ("status", "ref", "alt", "alt_allele"):
            del file[name]
    before = content(path)
    with extended(path) as writer:
        writer.derive(Derived("SAD_half", "float16", {}, "SAD", lambda block: block.values["SAD"] / 2))
    after = content(path)
    assert after.keys() == before.keys() | {"SAD_half"}
    assert {name: after[name] for name in before} == before


def test_an_extension_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "x.h5")
    before = path.read_bytes()

    def fail(block: Block) -> Matrix:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"), extended(path) as writer:
        writer.derive(Derived("SAD_x", "float32", {}, "SAD", fail))
    with pytest.raises(InputError, match="no score 'D2'"), extended(path) as writer:
        writer.percentiles(["D2"])
    with pytest.raises(ValueError, match="SAR is not derived"), extended(path) as writer:
        writer.derive(Derived("SAR", "float32", {}, "SAD", ranks))
    with pytest.raises(InputError, match="cannot be opened"), extended(tmp_path / "absent.h5"):
        pass
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_basenjis_interface_reads_our_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    rows = [ScoreRow("chr20", 100 + i, f"rs{i}", "A", "GT", "scored") for i in range(300)]
    sad = draw.normal(size=(300, 2)).astype("float16")
    path = make(tmp_path / "sad.h5", rows, sad, genes=GENES)
    with extended(path) as writer:
        writer.percentiles(["SAD"])
    read = score_readers.Sad(path)
    assert (read.variants, read.tracks, read.matrix.dtype, read.pos.dtype) == (300, 2, "float16", "uint32")
    assert read.pos[7] == 107
    assert read.ref == read.ref_allele == ["A"] * 300
    assert read.alt == read.alt_allele == ["GT"] * 300
    assert (read.chr[0], read.snp[9]) == ("chr20", "rs9")
    assert read.target_labels == ["DNASE:liver", "CAGE:søvn"]
    assert (read.steps.shape, read.quantiles.shape, read.quantiles.dtype) == ((279,), (2, 279), "float16")
    for variant in (0, 150, int(sad[:, 0].argmax()), int(sad[:, 1].argmin())):
        # the share of variants below this one, to a step of the percentiles
        below = (sad < sad[variant]).mean(axis=0)
        np.testing.assert_allclose(read.quantile(variant), np.clip(below, 0.001, 0.999), atol=0.011)
