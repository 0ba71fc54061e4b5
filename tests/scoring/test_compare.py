"""Two sets of scores beside each other: which rows meet, which way round, and what is said of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.errors import InputError
from distal.io import scores
from distal.io.scores import Block, Layout, ScoreRow
from distal.scoring import compare as module
from distal.scoring.agreement import pearson, same_sign, spearman
from distal.scoring.compare import _joined, _Key, compare, signed
from distal.tracks import Track, TrackTable

TRACKS = ("a", "b", "c", "d", "e")


def row(chrom: str, pos: int, ref: str = "A", alt: str = "C", status: str = "scored") -> ScoreRow:
    return ScoreRow(chrom, pos, f"v{pos}", ref, alt, status)


def write(path: Path, rows: Sequence[ScoreRow], names: Sequence[str] = TRACKS, seed: int = 0, **values: object) -> Path:
    """A score file with random SADs, or the scores given."""
    table = TrackTable(tuple(Track(i, name, f"DNASE:{name}") for i, name in enumerate(names)))
    random = np.random.default_rng(seed).standard_normal((len(rows), len(names))).astype(np.float32)
    for i, one in enumerate(rows):
        if one.status != "scored":
            random[i] = np.nan
    matrices = values or {"SAD": random}
    layout = Layout(len(rows), scores.text_widths(rows), table, tuple(matrices), "float32", {})
    path.parent.mkdir(parents=True, exist_ok=True)
    with scores.write(path, layout) as writer:
        writer.append(Block(rows, matrices))
    return path


def sad(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["SAD"][:].astype(np.float64)


def lines(folder: Path) -> list[dict[str, str]]:
    with pysam.BGZFile(str(folder / "agreement.tsv.gz")) as file:
        text = file.read().decode().splitlines()
    return list(csv.DictReader(text, delimiter="\t"))


def test_every_column_against_numpy(tmp_path: Path) -> None:
    rows = [row("chr1", pos) for pos in (10, 20, 30, 40)]
    a, b = write(tmp_path / "a.h5", rows, seed=1), write(tmp_path / "b.h5", rows, seed=2)
    result = compare(a, b, tmp_path / "out")
    x, y = sad(a), sad(b)
    assert (result.joined, result.swapped, result.compared, result.tracks, result.sampled) == (4, 0, 4, 5, 4)
    assert result.pearson == pytest.approx(pearson(x, y).mean())
    found = lines(tmp_path / "out")
    assert [line["POS"] for line in found] == ["10", "20", "30", "40"]
    for name, expected in (
        ("PEARSON", pearson(x, y)),
        ("SPEARMAN", spearman(x, y)),
        ("SIGN_AGREEMENT", same_sign(x, y)),
    ):
        np.testing.assert_allclose([float(line[name]) for line in found], expected, rtol=1e-5)
    for line, difference in zip(found, y - x, strict=True):
        largest = int(np.abs(difference).argmax())
        assert line["TRACK"] == TRACKS[largest]
        assert float(line["LARGEST_DIFFERENCE"]) == pytest.approx(difference[largest], rel=1e-5)
    with (tmp_path / "out" / "tracks.tsv").open() as file:
        tracks = list(csv.DictReader(file, delimiter="\t"))
    assert [track["track"] for track in tracks] == list(TRACKS)
    np.testing.assert_allclose([float(track["pearson"]) for track in tracks], pearson(x.T, y.T), rtol=1e-5)
    np.testing.assert_allclose([float(track["spearman"]) for track in tracks], spearman(x.T, y.T), rtol=1e-5)
    summary = json.loads((tmp_path / "out" / "agreement.json").read_text())
    assert summary["spearman"] == pytest.approx(result.spearman)
    with pysam.TabixFile(str(tmp_path / "out" / "agreement.tsv.gz")) as table:
        assert [line.split("\t")[1] for line in table.fetch("chr1", 19, 30)] == ["20", "30"]


def test_a_set_agrees_with_itself(tmp_path: Path) -> None:
    a = write(tmp_path / "a.h5", [row("1", pos) for pos in range(1, 50)])
    result = compare(a, a, tmp_path / "out")
    assert (result.sign_agreement, result.pearson, result.spearman) == pytest.approx((1, 1, 1))
    assert {line["LARGEST_DIFFERENCE"] for line in lines(tmp_path / "out")} == {"0"}


@pytest.mark.parametrize("score", ["SAD", "D2"])
def test_swapped_alleles_are_turned_where_the_score_has_a_sign(tmp_path: Path, score: str) -> None:
    values = np.array([[1.0, -2.0, 3.0, 0.5, -1.0], [2.0, 1.0, -1.0, 4.0, 1.0]], dtype=np.float32)
    a = write(tmp_path / "a.h5", [row("chr20", 5), row("chr20", 9)], **{score: values})
    turned = [values[0], values[1] * (-1 if score == "SAD" else 1)]
    theirs = [row("20", 5), row("20", 9, "C", "A")]
    b = write(tmp_path / "b.h5", theirs, **{score: np.array(turned)})
    result = compare(a, b, tmp_path / "out", score)
    assert (result.joined, result.swapped, result.pearson) == (2, 1, pytest.approx(1))
    assert [line["SWAPPED"] for line in lines(tmp_path / "out")] == ["0", "1"]
    assert [line["ALT"] for line in lines(tmp_path / "out")] == ["C", "C"]


def test_which_scores_have_a_sign() -> None:
    with_sign = (
        "SAD",
        "SADR",
        "SAR",
        "SAX",
        "SAXR",
        "logSAD",
        "sqrtSAD",
        "SAD_501",
        "SADR_tss",
        "D2_quantile",
        "JS_quantile",
    )
    without = (
        "D1",
        "D2",
        "logD1",
        "logD2",
        "sqrtD1",
        "sqrtD2",
        "JS",
        "logJS",
        "D2_501",
        "JS_gene",
        "SAD_sd",
        "D2_501_sd",
    )
    assert [signed(score) for score in with_sign] == [True] * len(with_sign)
    assert [signed(score) for score in without] == [False] * len(without)


def test_rows_of_any_order_and_files_of_any_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEYS", 7)
    monkeypatch.setattr(module._Pairing, "rows", property(lambda self: 5))
    draw = np.random.default_rng(3)
    rows = [row(chrom, pos) for chrom in ("chr2", "chr10") for pos in range(1, 40)]
    shuffled = [rows[i] for i in draw.permutation(len(rows))]
    one = write(tmp_path / "one.h5", shuffled)
    table = {(r.chrom, r.pos): values for r, values in zip(shuffled, sad(one), strict=True)}
    for chrom in ("chr2", "chr10"):
        here = [r for r in rows if r.chrom == chrom][::2]
        write(tmp_path / "run" / "scores" / f"{chrom}.h5", here, SAD=np.array([table[r.chrom, r.pos] for r in here]))
    result = compare(tmp_path / "run", one, tmp_path / "out")
    assert (result.variants_a, result.variants_b, result.joined) == (40, 78, 40)
    assert (result.pearson, result.spearman) == pytest.approx((1, 1))
    assert [line["#CHROM"] for line in lines(tmp_path / "out")] == ["chr10"] * 20 + ["chr2"] * 20


def test_rows_without_scores_are_joined_and_not_compared(tmp_path: Path) -> None:
    a = write(tmp_path / "a.h5", [row("1", 1), row("1", 2, status="ref_mismatch"), row("1", 3)])
    b = write(tmp_path / "b.h5", [row("1", 1, status="failed"), row("1", 2), row("1", 3)])
    result = compare(a, b, tmp_path / "out")
    assert (result.joined, result.compared) == (3, 1)
    assert [line["POS"] for line in lines(tmp_path / "out")] == ["3"]


def test_tracks_meet_by_name(tmp_path: Path) -> None:
    rows = [row("1", pos) for pos in (1, 2, 3)]
    a = write(tmp_path / "a.h5", rows, ("x", "y", "y", "z"))
    b = write(tmp_path / "b.h5", rows, ("y", "w", "z", "y"), SAD=sad(a)[:, [1, 0, 3, 2]].astype(np.float32))
    result = compare(a, b, tmp_path / "out")
    assert (result.tracks, result.pearson) == (3, pytest.approx(1))
    assert compare(a, b, tmp_path / "out", query="z").tracks == 1


@pytest.mark.parametrize("names", ["ref", "ref_allele"])
def test_files_of_others(tmp_path: Path, names: str) -> None:
    rows = [row("chr20", pos) for pos in (1, 2, 3)]
    a = write(tmp_path / "a.h5", rows)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["snp"], file["chr"], file["pos"] = [b"x"] * 3, [b"chr20"] * 3, np.array([1, 2, 3], dtype="uint32")
        file[names], file[names.replace("ref", "alt")] = [b"A"] * 3, [b"C"] * 3
        file["target_ids"], file["target_labels"] = [name.encode() for name in TRACKS], [b"DNASE:x"] * 5
        file["SAD"] = sad(a).astype(np.float16)
    assert compare(a, tmp_path / "b.h5", tmp_path / "out").pearson == pytest.approx(1, abs=1e-5)


def test_one_track_has_no_correlation(tmp_path: Path) -> None:
    rows = [row("1", 1), row("1", 2)]
    a = write(tmp_path / "a.h5", rows, ("x",))
    result = compare(a, a, tmp_path / "out")
    assert np.isnan(result.pearson)
    assert json.loads((tmp_path / "out" / "agreement.json").read_text())["pearson"] is None


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    a = write(tmp_path / "a.h5", [row("1", 1)])
    for name, other, message in (
        ("b", write(tmp_path / "b.h5", [row("1", 2)]), "share no variant"),
        ("c", write(tmp_path / "c.h5", [row("1", 1)], ("u", "v")), "no track"),
        ("d", write(tmp_path / "d.h5", [row("1", 1)], SAR=np.ones((1, 5), np.float32)), "no score in common"),
    ):
        with pytest.raises(InputError, match=message):
            compare(a, other, tmp_path / name)
        assert not (tmp_path / name / "agreement.tsv.gz").exists()
    with pytest.raises(InputError, match="has no score 'SAR'; both have SAD"):
        compare(a, a, tmp_path / "out", "SAR")
    write(tmp_path / "two" / "x.h5", [row("1", 1)])
    write(tmp_path / "two" / "y.h5", [row("chr1", 1)])
    with pytest.raises(InputError, match="both hold chromosome"):
        compare(tmp_path / "two", a, tmp_path / "out")
    write(tmp_path / "two" / "y.h5", [row("chr2", 1)], ("u",))
    with pytest.raises(InputError, match="different tracks"):
        compare(tmp_path / "two", a, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder"):
        compare(a, a, tmp_path / "file")


KEYS = st.lists(st.tuples(st.integers(1, 6), st.sampled_from("ACG"), st.sampled_from("ACG")), max_size=12)


@given(KEYS, KEYS)
def test_the_merger_finds_what_a_search_finds(first: list, second: list) -> None:  # type: ignore[type-arg]
    a, b = ([_Key(*key, i) for i, key in enumerate(sorted(keys, key=lambda k: k[0]))] for keys in (first, second))
    expected = []
    for key in a:
        straight = [k.place for k in b if k[:3] == key[:3]]
        turned = [k.place for k in b if (k.pos, k.alt, k.ref) == key[:3]]
        if straight or turned:
            expected.append((key.place, (straight or turned)[0], not straight))
    assert [tuple(pair) for pair in _joined(a, b)] == expected
