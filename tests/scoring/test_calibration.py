"""Calibrated scores against ranks taken one by one, with and without strata, and what the files promise."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from distal.errors import InputError
from distal.io.genes import Genes
from distal.io.scores import Block, Layout, ScoreRow, Scores, text_widths, write
from distal.scoring.calibration import ALL, STRATA, Null, apply, build
from distal.tracks import Track, TrackTable

TRACKS = 4
TSS = 500_000
DISTANCES = (0, 999, 1_000, 9_999, 10_000, 49_999, 50_000, 199_999, 200_000, 400_000)
"""Two in each stratum: its ends, as far as it has any."""


def scores(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(2, (n, TRACKS)).astype(np.float16)


def folder(path: Path, values: np.ndarray, pos: np.ndarray, status: str = "scored", chrom: str = "chr1") -> Path:
    rows = [ScoreRow(chrom, int(p), ".", "A", "C", status) for p in pos]
    table = TrackTable(tuple(Track(i, f"t{i}") for i in range(TRACKS)))
    (path / "scores").mkdir(parents=True, exist_ok=True)
    layout = Layout(len(rows), text_widths(rows), table, ("SAD", "SAR"), values.dtype.name, {})
    with write(path / "scores" / f"{chrom}.h5", layout) as writer:
        writer.append(Block(rows, {"SAD": values, "SAR": values[::-1]}))
    return path


@pytest.fixture
def genes(tmp_path: Path) -> Genes:
    """One gene on each strand, with one TSS."""
    path = tmp_path / "tss.bed"
    path.write_text(f"chr1\t{TSS}\t{TSS + 1}\tone\t0\t+\nchr2\t{TSS}\t{TSS + 1}\ttwo\t0\t-\n")
    return Genes.read(path)


def places(n: int) -> np.ndarray:
    """POS (1-based) of `n` variants at the ten distances in turn, left and right of the TSS."""
    return TSS + 1 + np.resize(DISTANCES, n) * np.resize([1] * 10 + [-1] * 10, n)


def shares(null: np.ndarray, values: np.ndarray) -> np.ndarray:
    """sign(s) x share of |null| below |s|, half of the equal included, at most n / (n + 1); one column at a time."""
    sizes, found = np.abs(null.astype(float)), np.abs(values.astype(float))
    below = (sizes[None] < found[:, None]).mean(axis=1) + (sizes[None] == found[:, None]).mean(axis=1) / 2
    return np.sign(values) * np.minimum(below, len(null) / (len(null) + 1))


def quantiles(path: Path, score: str = "SAD", chrom: str = "chr1") -> np.ndarray:
    with Scores(path / "scores" / f"{chrom}.h5") as opened:
        return opened.read(slice(None), (f"{score}_quantile",)).values[f"{score}_quantile"]


def test_worked(tmp_path: Path) -> None:
    # the null is 1, -2, 3 ... -100 in every track: |s| = 50.5 has 50 of 100 below it, and 100 equals the largest
    sizes = np.arange(1, 101) * np.resize([1, -1], 100)
    null = build(
        [folder(tmp_path / "null", np.repeat(sizes[:, None], TRACKS, axis=1).astype("f4"), places(100))],
        ["SAD"],
        None,
        "hundred",
    )
    values = np.array([50.5, -50.5, 0, -0.0, 100, -1000, 0.5, np.nan])
    found = folder(tmp_path / "found", np.repeat(values[:, None], TRACKS, axis=1).astype("f4"), places(8))
    assert apply(found, null, None, ["SAD"]) == [(found / "scores" / "chr1.h5", 8)]
    cap = 100 / 101
    expected = np.float32([0.5, -0.5, 0, 0, cap, -cap, 0, np.nan])
    np.testing.assert_array_equal(quantiles(found), np.repeat(expected[:, None], TRACKS, axis=1))


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("halves", [False, True])
def test_every_variant_among_those_at_its_distance(
    tmp_path: Path, genes: Genes, stratified: bool, halves: bool
) -> None:
    values, pos = scores(1900), places(1900)  # 380 in a stratum, fewer than would need interpolation twice over
    values = values * (1 + np.searchsorted((1e3, 1e4, 5e4, 2e5), np.abs(pos - 1 - TSS), side="right"))[:, None]
    values = values.astype(np.float16)
    if halves:
        paths = [folder(tmp_path / "a", values[:700], pos[:700]), folder(tmp_path / "b", values[700:], pos[700:])]
    else:
        paths = [folder(tmp_path / "all", values, pos)]
    for path in paths:
        path.joinpath("scores", "chr1.h5").rename(path / "scores" / "other.h5")  # the name says nothing
    annotation = genes if stratified else None
    null = build(paths, ["SAD", "SAR"], annotation, "t2")
    wanted, where = scores(50, 1), places(50)
    path = folder(tmp_path / "wanted", wanted, where)
    apply(path, null, annotation, ["SAD", "SAR"])
    stratum = np.searchsorted((1e3, 1e4, 5e4, 2e5), np.abs(pos - 1 - TSS), side="right") if stratified else pos * 0
    own = np.searchsorted((1e3, 1e4, 5e4, 2e5), np.abs(where - 1 - TSS), side="right") if stratified else where * 0
    for score, of_null, of_wanted in (
        ("SAD", values, wanted),
        (
            "SAR",
            np.concatenate([p[::-1] for p in ((values[:700], values[700:]) if halves else (values,))]),
            wanted[::-1],
        ),
    ):
        found = quantiles(path, score)
        for track in range(TRACKS):
            for i in range(50):
                exact = shares(of_null[stratum == own[i], track], of_wanted[i : i + 1, track])[0]
                assert found[i, track] == pytest.approx(exact, abs=0.006)


def test_what_the_file_says(tmp_path: Path, genes: Genes) -> None:
    values, pos = scores(1000), places(1000)
    pos[np.abs(pos - 1 - TSS) < 1000] = TSS + 1 + 20_000  # no variant near the TSS
    pos[:99] = TSS + 1  # then 99, which are one too few
    null = build([folder(tmp_path / "null", values, pos)], ["SAD"], genes, "common")
    path = folder(tmp_path / "found", scores(20, 1), places(20))
    apply(path, null, genes, ["SAD"])
    with Scores(path / "scores" / "chr1.h5") as opened:
        attributes = dict(opened._file["SAD_quantile"].attrs)
    counts = {label: null.counts["SAD"][label] for label in STRATA}
    assert counts["<1 kb"] == 99
    assert json.loads(attributes["variants"]) == {**counts, "<1 kb": 1000}
    assert json.loads(attributes["compared_with_all"]) == ["<1 kb"]
    assert json.loads(attributes["cap"])["<1 kb"] == 1000 / 1001
    assert attributes["null"] == "common"
    assert attributes["strata"] == "distance to the nearest TSS in the annotation of the null"
    (tmp_path / "more.bed").write_text(f"chr1\t{TSS}\t{TSS + 1}\tone\t0\t+\n")
    (other,) = null.derived(Genes.read(tmp_path / "more.bed"), ["SAD"])
    assert other.attributes["strata"] == "distance to the nearest TSS in another annotation"
    everyone = build([tmp_path / "null"], ["SAD"], None, "common")
    apply(folder(tmp_path / "plain", scores(20, 1), places(20)), everyone, None, ["SAD"])
    np.testing.assert_array_equal(quantiles(path)[[0, 1, 10, 11]], quantiles(tmp_path / "plain")[[0, 1, 10, 11]])


def test_who_is_counted(tmp_path: Path, genes: Genes) -> None:
    values, pos = scores(300), places(300)
    clean = build([folder(tmp_path / "clean", values, pos)], ["SAD"], genes, "x")
    odd = np.concatenate([values, scores(60, 3)])
    odd[300:320, 1] = np.nan
    folder(tmp_path / "dirty", odd[:320], np.concatenate([pos, places(20)]))
    folder(tmp_path / "dirty", odd[320:], places(40), "duplicate", "chr2")
    dirty = build([tmp_path / "dirty"], ["SAD"], genes, "x")
    assert dirty.counts == clean.counts
    assert clean.counts["SAD"] == {**dict.fromkeys(STRATA, 60), ALL: 300}
    np.testing.assert_array_equal(dirty.references["SAD"][ALL].knots, clean.references["SAD"][ALL].knots)


def test_a_contig_without_genes_is_far_from_any(tmp_path: Path, genes: Genes) -> None:
    null = build([folder(tmp_path / "a", scores(150), places(150), chrom="chrUn")], ["SAD"], genes, "x")
    assert null.counts["SAD"][">=200 kb"] == 150


@pytest.mark.parametrize("stratified", [False, True])
def test_nulls_survive_the_disk(tmp_path: Path, genes: Genes, stratified: bool) -> None:
    annotation = genes if stratified else None
    null = build([folder(tmp_path / "a", scores(600), places(600))], ["SAR", "SAD"], annotation, "x")
    for name in ("a", "b"):
        null.save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = Null.load(tmp_path / "a.safetensors")
    assert again.facts() == null.facts()
    block = Block([ScoreRow("chr1", int(p), ".", "A", "C", "scored") for p in places(30)], {"SAD": scores(30, 1)})
    for one, other in zip(null.derived(annotation, ["SAD"]), again.derived(annotation, ["SAD"]), strict=True):
        np.testing.assert_array_equal(one.function(block), other.function(block))
        np.testing.assert_array_equal(one.function(block), pickle.loads(pickle.dumps(one.function))(block))
        halves = [one.function(block.take(part)) for part in (range(13), range(13, 30))]
        np.testing.assert_array_equal(one.function(block), np.concatenate(halves))
        assert (one.name, one.dtype, one.score) == ("SAD_quantile", "float32", "SAD")


def test_facts(tmp_path: Path) -> None:
    null = build([folder(tmp_path / "a", scores(150), places(150))], ["SAD"], None, "x")
    row = {"score": "SAD", "stratum": ALL, "variants": 150, "knots": 150, "cap": 150 / 151}
    assert null.facts() == {"name": "x", "tracks": TRACKS, "genes_sha256": "", "strata": [row]}


def test_what_does_not_fit_is_refused(tmp_path: Path, genes: Genes) -> None:
    path = folder(tmp_path / "a", scores(150), places(150))
    null = build([path], ["SAD"], None, "x")
    with pytest.raises(InputError, match="no strata"):
        null.derived(genes, ["SAD"])
    with pytest.raises(InputError, match="is of SAD, not of SAR"):
        null.derived(None, ["SAR"])
    with pytest.raises(InputError, match="no score 'D2'"):
        build([path], ["D2"], None, "x")
    with pytest.raises(InputError, match="99 variants with SAD are too few"):
        build([folder(tmp_path / "few", scores(99), places(99))], ["SAD"], None, "x")
    with pytest.raises(InputError, match="other tracks"):
        apply(path, Null("x", ("u",), "", null.counts, null.references), None, ["SAD"])
    before = (path / "scores" / "chr1.h5").read_bytes()
    other = Null("x", null.tracks, "", {"D2": null.counts["SAD"]}, {"D2": null.references["SAD"]})
    with pytest.raises(InputError, match="no score 'D2'"):
        apply(path, other, None, ["D2"])
    assert (path / "scores" / "chr1.h5").read_bytes() == before


def test_applied_twice_is_applied_once(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", scores(150), places(150))
    null = build([path], ["SAD"], None, "x")
    apply(path, null, None, ["SAD"])
    once = quantiles(path)
    apply(path, null, None, ["SAD"])
    np.testing.assert_array_equal(quantiles(path), once)
    with Scores(path / "scores" / "chr1.h5") as opened:
        np.testing.assert_array_equal(opened.read(slice(None), ("SAD",)).values["SAD"], scores(150))


def test_files_that_are_no_null(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"\x80\x04junk")
    save_file({"x": np.zeros(3)}, tmp_path / "weights.safetensors")
    for name, message in (("junk", "cannot be read"), ("absent", "cannot be read"), ("weights.safetensors", "build")):
        with pytest.raises(InputError, match=message):
            Null.load(tmp_path / name)
