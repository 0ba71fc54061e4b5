"""Principal components against scikit-learn's pipeline, and what the files promise."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pysam
import pytest
from safetensors.numpy import load_file, save_file

from distal.engine import LocalEngine
from distal.errors import InputError
from distal.io.scores import Block, Layout, ScoreRow, text_widths, write
from distal.scoring import stack
from distal.scoring.components import Components, Scaling, TooFewVariantsError, fit, write_tables
from distal.tracks import Track, TrackTable

TRACKS = 30


def scores(n: int = 700, seed: int = 0) -> np.ndarray:
    """Heavy-tailed scores with a few strong directions and one track that never moves."""
    draw = np.random.default_rng(seed)
    mixed = draw.standard_t(3, (n, 12)) * 2.0 ** -np.arange(12) @ draw.normal(size=(12, TRACKS))
    values = mixed + 0.02 * draw.normal(size=(n, TRACKS)) + 0.1
    values[:, 7] = 0.0
    return values.astype(np.float32)


def folder(path: Path, values: np.ndarray, chrom: str = "chr1", name: str = "t", dtype: str = "float32") -> Path:
    draw = np.random.default_rng(len(values))
    pos = draw.integers(1, 10_000, len(values)).tolist()  # not sorted: a VCF needn't be
    rows = [ScoreRow(chrom, p, f"v{i}", "A", "C", "scored") for i, p in enumerate(pos)]
    table = TrackTable(tuple(Track(i, f"{name}{i}") for i in range(values.shape[1])))
    (path / "scores").mkdir(parents=True, exist_ok=True)
    layout = Layout(len(rows), text_widths(rows), table, ("SAD", "SAR"), dtype, {})
    with write(path / "scores" / f"{chrom}.h5", layout) as writer:
        writer.append(Block(rows, {"SAD": values, "SAR": values[::-1]}))
    return path


@pytest.mark.parametrize("score", ["SAD", "SAR"])
def test_the_pipeline_of_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: str) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    pipeline = pytest.importorskip("sklearn.pipeline")
    monkeypatch.setattr(stack, "BLOCK_ROWS", 97)
    values = scores()
    folder(tmp_path / "a", values[:400])
    folder(tmp_path / "b", values[400:], "chr2")
    fitted = fit([tmp_path / "a", tmp_path / "b"], score, n=8)
    svd = decomposition.TruncatedSVD(8, algorithm="arpack")
    oracle = pipeline.make_pipeline(preprocessing.RobustScaler(), svd, preprocessing.RobustScaler())
    expected = oracle.fit_transform(values.astype(np.float64))
    cosine = (fitted.vectors * svd.components_).sum(1)  # of unit vectors, signs as scikit-learn's
    assert cosine.min() >= 0.999999
    np.testing.assert_allclose(fitted.variance, svd.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(fitted(values), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted.first.median, np.median(values, axis=0), rtol=1e-6)
    assert fitted.first.iqr[7] == 1.0  # the track that never moves
    assert (fitted.variants, fitted.names) == (700, tuple(f"PC{i}" for i in range(1, 9)))


def test_scaling_worked() -> None:
    scaling = Scaling(np.array([3.0, 5]), np.array([2.0, 1]))
    assert scaling(np.array([[7.0, 6]])).tolist() == [[2, 1]]


def test_rows_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    values = scores()
    clean = fit([folder(tmp_path / "clean", values)], n=5)
    odd = np.insert(values, [0, 300, 700], np.nan, axis=0)
    odd[0, 3:], odd[301] = 0, values[0]
    path = folder(tmp_path / "dirty", odd)
    with h5py.File(path / "scores" / "chr1.h5", "r+") as file:
        file["SAD"][301, 2] = np.inf  # Basenji's old float16 files overflow; ours clip
    dirty = fit([path], n=5)
    assert dirty.variants == clean.variants == 700
    np.testing.assert_allclose(dirty.vectors, clean.vectors, atol=1e-9)
    np.testing.assert_allclose(dirty.second.iqr, clean.second.iqr, rtol=1e-9)


def test_the_largest_loading_is_positive(tmp_path: Path) -> None:
    fitted = fit([folder(tmp_path, scores())])
    assert len(fitted.vectors) == 20
    assert (fitted.vectors[np.arange(20), np.abs(fitted.vectors).argmax(axis=1)] > 0).all()


def test_fewer_tracks_than_components(tmp_path: Path) -> None:
    assert len(fit([folder(tmp_path, scores()[:, :4])]).vectors) == 4


@pytest.mark.parametrize(("n", "enough"), [(20, False), (21, True)])
def test_too_few_variants(tmp_path: Path, n: int, enough: bool) -> None:
    path = folder(tmp_path, scores(n))
    if enough:
        assert fit([path]).variants == 21
    else:
        with pytest.raises(
            TooFewVariantsError, match="20 scored variants are too few for 20 components; 21 are needed"
        ):
            fit([path])


def test_components_survive_the_disk(tmp_path: Path) -> None:
    values = scores()
    fitted = fit([folder(tmp_path, values)], n=6)
    for name in ("a", "b"):
        fitted.save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = Components.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again(values), fitted(values))
    assert (again.score, again.tracks, again.variants) == ("SAD", fitted.tracks, 700)
    assert set(load_file(tmp_path / "a.safetensors")) == {
        "median",
        "iqr",
        "components",
        "explained_variance",
        "second_median",
        "second_iqr",
    }


def test_files_that_are_no_components(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"\x80\x04junk")
    save_file({"x": np.zeros(3)}, tmp_path / "weights.safetensors")
    for name, message in (("junk", "cannot be read"), ("absent", "cannot be read"), ("weights.safetensors", "pcs fit")):
        with pytest.raises(InputError, match=message):
            Components.load(tmp_path / name)


def test_tables_of_every_chromosome(tmp_path: Path) -> None:
    values = scores()
    values[5] = np.nan
    folder(tmp_path, values[:300])
    folder(tmp_path, values[300:], "chr2")
    fitted = fit([tmp_path], n=3)
    assert write_tables(tmp_path, fitted) == {"chr1": 299, "chr2": 400}
    with pysam.TabixFile(str(tmp_path / "pcs" / "chr1.tsv.gz")) as table:
        assert table.header[0] == "#CHROM\tPOS\tID\tREF\tALT\tPC1\tPC2\tPC3"
        lines = [line.split("\t") for line in table.fetch("chr1")]
        assert len(list(table.fetch("chr1", 2000, 5000))) == sum(2000 < int(line[1]) <= 5000 for line in lines)
    assert [int(line[1]) for line in lines] == sorted(int(line[1]) for line in lines)
    for line in lines:
        expected = fitted(values[int(line[2][1:])][None])[0]
        np.testing.assert_allclose([float(cell) for cell in line[5:]], expected, rtol=1e-5, atol=1e-12)


def test_other_tracks_are_refused(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a", scores()), folder(tmp_path / "b", scores(), name="u")
    with pytest.raises(InputError, match="other tracks"):
        fit([one, other])
    with pytest.raises(InputError, match="other tracks"):
        write_tables(other, fit([one]))
    with pytest.raises(InputError, match="no score 'D2'"):
        fit([one], "D2")
    with pytest.raises(InputError, match="at least one"):
        fit([one], n=0)


def test_what_a_component_is_made_of(tmp_path: Path) -> None:
    values = scores()
    fitted = fit([folder(tmp_path, values)], n=TRACKS)
    order = fitted.top(1, 3)
    assert [i for i, _ in order] == np.argsort(-np.abs(fitted.vectors[1]))[:3].tolist()
    assert [loading for _, loading in order] == fitted.vectors[1][[i for i, _ in order]].tolist()
    assert fitted.ratios.sum() == pytest.approx(1, rel=1e-9)  # of all components there are
    scaled = fitted.first(values)
    assert fitted.total_variance == pytest.approx(scaled.var(axis=0).sum(), rel=1e-9)


def test_files_of_both_types_together(tmp_path: Path) -> None:
    values = scores().astype(np.float16)
    folder(tmp_path / "wide", values.astype(np.float32))
    halves = [
        folder(tmp_path / "a", values[:300], "chr1", dtype="float16"),
        folder(tmp_path / "b", values[300:], "chr2"),
    ]
    for fitted in (fit(halves), fit(halves[::-1])):
        np.testing.assert_allclose(fitted.vectors, fit([tmp_path / "wide"]).vectors, atol=1e-9)


def test_workers_find_the_same(tmp_path: Path) -> None:
    values = scores()
    for i, part in enumerate(np.split(values, 7)):
        folder(tmp_path, part, f"chr{i}")
    alone, shared = fit([tmp_path], n=4), fit([tmp_path], n=4, engine=LocalEngine(2))
    np.testing.assert_allclose(shared.vectors, alone.vectors, rtol=1e-9)  # to the last bit with as many BLAS threads
    np.testing.assert_allclose(shared.variance, alone.variance, rtol=1e-12)
