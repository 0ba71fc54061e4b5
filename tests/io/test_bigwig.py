"""bigWig bins against known values and pyBigWig; everything that a silent writer could get wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.io import bigwig
from distal.io.bigwig import Record

SIZES = {"chr2": 1000, "chr10": 640, "chrEmpty": 100}


def record(chrom: str, start: int, values: list[float], bin_bp: int) -> Record:
    interval = Interval(chrom, start, start + len(values) * bin_bp)
    return interval, np.array(values, dtype=np.float32), bin_bp


RECORDS = [
    record("chr2", 100, [1.0, 2.0, 3.0], 10),  # 100-130
    record("chr2", 130, [4.0], 20),  # 130-150, another bin size
    record("chr2", 996, [-5.0], 4),  # up to the last base
    record("chr10", 0, [0.5, 0.25], 320),  # the whole chromosome
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    bigwig.write(tmp_path / "x.bw", SIZES, RECORDS)
    return tmp_path / "x.bw"


def signal(chrom: str, size: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    bases = np.zeros(size)
    for interval, values, bin_bp in RECORDS:
        if interval.chrom == chrom:
            bases[interval.start : interval.end] = np.repeat(values, bin_bp)
    return bases


# --- reading ----------------------------------------------------------------------------------------------------------


def test_bins_worked(path: Path) -> None:
    # bases 90-100 have no value, 100-110 are 1, 110-120 are 2: bins of 15 from 90 hold 5 x 1 and 5 x 1 + 10 x 2
    sums = bigwig.read_bins(path, Interval("chr2", 90, 135), 15)
    np.testing.assert_array_equal(sums, [5.0, 25.0, 50.0])  # third: 10 x 3 + 5 x 4
    means = bigwig.read_bins(path, Interval("chr2", 90, 135), 15, stat="mean")
    np.testing.assert_allclose(means, np.array([5.0, 25.0, 50.0]) / 15, rtol=1e-7)
    assert sums.dtype == means.dtype == np.float32


@given(
    st.integers(-200, 1100), st.integers(1, 60), st.integers(0, 12), st.sampled_from(["sum", "mean"]),
    st.sampled_from(["chr2", "chr10"]),
)  # fmt: skip
@settings(max_examples=60)
def test_bins_by_a_slow_loop(
    tmp_path_factory: pytest.TempPathFactory,
    start: int, bin_bp: int, bins: int, stat: Literal["sum", "mean"], chrom: str,
) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "loop.bw"
    if not path.exists():
        bigwig.write(path, SIZES, RECORDS)
    known = signal(chrom, SIZES[chrom])
    bases = [known[i] if 0 <= i < len(known) else 0.0 for i in range(start, start + bins * bin_bp)]
    expected = np.array(bases).reshape(bins, bin_bp).sum(axis=1) / (bin_bp if stat == "mean" else 1)
    values = bigwig.read_bins(path, Interval(chrom, start, start + bins * bin_bp), bin_bp, stat)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


def test_off_the_chromosome_is_zero(path: Path) -> None:
    np.testing.assert_array_equal(bigwig.read_bins(path, Interval("chr2", 996, 1004), 4), [-20.0, 0.0])
    np.testing.assert_array_equal(bigwig.read_bins(path, Interval("chr10", -320, 320), 320), [0.0, 160.0])
    np.testing.assert_array_equal(bigwig.read_bins(path, Interval("chr2", 5000, 5008), 4), [0.0, 0.0])
    np.testing.assert_array_equal(bigwig.read_bins(path, Interval("chr2", -8, -4), 4), [0.0])


def test_names_with_and_without_chr(path: Path) -> None:
    np.testing.assert_array_equal(bigwig.read_bins(path, Interval("2", 100, 110), 10), [10.0])
    with pytest.raises(InputError, match=r"chromosome 'chr3' has no values in .* \(2 chromosomes: chr2, chr10\)"):
        bigwig.read_bins(path, Interval("chr3", 0, 10), 10)
    assert bigwig.sizes(path) == {"chr2": 1000, "chr10": 640}


def test_nan_in_a_file_counts_as_nothing(tmp_path: Path) -> None:
    pybigwig = pytest.importorskip("pyBigWig")
    with pybigwig.open(str(tmp_path / "nan.bw"), "w") as file:
        file.addHeader([("chr1", 100)])
        file.addEntries(["chr1"] * 3, [0, 10, 20], ends=[10, 20, 30], values=[1.0, float("nan"), 3.0])
    for stat, expected in (("sum", [10.0, 30.0]), ("mean", [0.5, 1.5])):
        found = bigwig.read_bins(tmp_path / "nan.bw", Interval("chr1", 0, 40), 20, stat)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, expected)


def test_intervals_that_are_no_bins(path: Path) -> None:
    for interval, bin_bp in ((Interval("chr2", 0, 10), 3), (Interval("chr2", 0, 10), 0)):
        with pytest.raises(InputError, match="not a whole number of bins"):
            bigwig.read_bins(path, interval, bin_bp)
    assert bigwig.read_bins(path, Interval("chr2", 5, 5), 10).shape == (0,)


def test_files_that_are_refused(tmp_path: Path, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.bw").write_text("chr1\t0\t10\t1.0\n")
    (tmp_path / "cut.bw").write_bytes(path.read_bytes()[:300])
    shutil.copy(path, tmp_path / "renamed.dat")
    for name, message in (
        ("text.bw", "is not a bigWig"),
        ("missing.bw", "cannot be read"),
        ("cut.bw", "is damaged"),
        ("renamed.dat", r"ends in \.bw"),
    ):
        with pytest.raises(InputError, match=message):
            bigwig.read_bins(tmp_path / name, Interval("chr2", 100, 200), 10)
    with pytest.raises(InputError, match="cannot be read"):
        bigwig.sizes(tmp_path)


@pytest.mark.parametrize("bin_bp", [32, 100, 3_000_000])
def test_wide_intervals_are_read_in_pieces(tmp_path: Path, bin_bp: int) -> None:
    values = np.arange(300, dtype=np.float32)
    bigwig.write(tmp_path / "x.bw", {"chr1": 3_000_000}, [(Interval("chr1", 0, 3_000_000), values, 10_000)])
    found = bigwig.read_bins(tmp_path / "x.bw", Interval("chr1", -3_000_000, 3_000_000), bin_bp, "mean")
    expected = np.concatenate([np.zeros(3_000_000), np.repeat(values, 10_000)]).reshape(-1, bin_bp).mean(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_a_damaged_file_is_no_signal(tmp_path: Path, kept: float) -> None:
    values = np.random.default_rng(1).random(50_000, dtype=np.float32)
    bigwig.write(tmp_path / "whole.bw", {"chr1": 100_000}, [(Interval("chr1", 0, 100_000), values, 2)])
    whole = (tmp_path / "whole.bw").read_bytes()
    (tmp_path / "cut.bw").write_bytes(whole[: int(len(whole) * kept)])
    spoiled = bytearray(whole)
    spoiled[len(whole) // 4 : len(whole) // 2] = bytes(len(whole) // 2 - len(whole) // 4)
    (tmp_path / "spoiled.bw").write_bytes(bytes(spoiled))
    for name in ("cut.bw", "spoiled.bw"):
        with pytest.raises(InputError, match=f"{name} is damaged"):
            bigwig.read_bins(tmp_path / name, Interval("chr1", 0, 100_000), 10)


# --- writing ----------------------------------------------------------------------------------------------------------


def test_written_values_are_read_back_by_pybigwig(path: Path) -> None:
    pybigwig = pytest.importorskip("pyBigWig")
    with pybigwig.open(str(path)) as file:
        assert file.chroms() == {"chr2": 1000, "chr10": 640}
        for chrom in ("chr2", "chr10"):
            np.testing.assert_array_equal(
                np.nan_to_num(file.values(chrom, 0, SIZES[chrom], numpy=True)), signal(chrom, SIZES[chrom])
            )
        assert file.intervals("chr2") == (
            (100, 110, 1.0), (110, 120, 2.0), (120, 130, 3.0), (130, 150, 4.0), (996, 1000, -5.0),
        )  # fmt: skip


def test_zoom_levels_hold_every_sum(tmp_path: Path) -> None:
    # pyBigWig's own writer leaves records of sum 0 in the zoom levels; igv.js then draws dips that are not there
    pybigwig = pytest.importorskip("pyBigWig")
    values = np.random.default_rng(0).random(40_000, dtype=np.float32) + 1
    bigwig.write(tmp_path / "x.bw", {"chr1": 1_280_000}, [(Interval("chr1", 0, 1_280_000), values, 32)])
    with pybigwig.open(str(tmp_path / "x.bw")) as file:
        assert file.header()["nLevels"] > 0
        assert min(file.stats("chr1", 0, 1_280_000, nBins=50)) > 1.4
        np.testing.assert_allclose(file.header()["sumData"], 32 * values.sum(dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no value to write"),
        ([record("chr3", 0, [1.0], 10)], r"chr3:\[0, 10\) is not inside a chromosome"),
        ([record("chr2", 995, [1.0], 10)], r"chr2:\[995, 1005\) is not inside .*1000 bp"),
        ([record("chr2", -10, [1.0], 10)], r"chr2:\[-10, 0\) is not inside"),
        (
            [record("chr2", 50, [1.0], 10), record("chr2", 0, [1.0], 10)],
            r"comes before chr2:\[50, 60\); sort and merge",
        ),
        ([record("chr2", 50, [1.0], 10), record("chr2", 55, [1.0], 10)], r"overlaps or comes before"),
        ([*RECORDS, record("chr2", 200, [1.0], 10)], "after another chromosome's regions"),
    ],
)
def test_records_that_are_refused(tmp_path: Path, records: list[Record], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bigwig.write(tmp_path / "x.bw", SIZES, records)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match="not all finite"):
        bigwig.write(tmp_path / "x.bw", SIZES, [record("chr2", 0, [1.0, bad], 10)])
    assert not list(tmp_path.iterdir())


def test_values_that_do_not_fill_their_interval(tmp_path: Path) -> None:
    wrong = (Interval("chr2", 0, 30), np.ones(2, dtype=np.float32), 10)
    with pytest.raises(ValueError, match="do not fill"):
        bigwig.write(tmp_path / "x.bw", SIZES, [wrong])


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_what_the_records_raise_arrives_and_the_old_file_stays(path: Path, kind: type[BaseException]) -> None:
    before = path.read_bytes()

    def broken() -> Iterator[Record]:
        yield RECORDS[0]
        raise kind("the model failed")

    with pytest.raises(kind, match="the model failed"):
        bigwig.write(path, SIZES, broken())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["x.bw"]


def test_the_name_must_say_bigwig(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.bw"):
        bigwig.write(tmp_path / "x.txt", SIZES, RECORDS)


# --- real data --------------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("name", ["PolII", "RNA.fwd", "RNA.rev", "MNase", "Scc1"])
def test_real_tracks_agree_with_pybigwig(shared: Path, name: str) -> None:
    pybigwig = pytest.importorskip("pyBigWig")
    path = shared / f"data/tracks/yeast/{name}.bw"
    with pybigwig.open(str(path)) as file:
        size = file.chroms("IV")
        assert bigwig.sizes(path)["IV"] == size == 1_531_933
        for start in (0, 500_000, size - 128 * 512):
            bases = np.nan_to_num(file.values("IV", start, start + 128 * 512, numpy=True)).astype(np.float64)
            expected = bases.reshape(512, 128)
            interval = Interval("chrIV", start, start + 128 * 512)
            np.testing.assert_allclose(bigwig.read_bins(path, interval, 128), expected.sum(axis=1), rtol=1e-6)
            np.testing.assert_allclose(bigwig.read_bins(path, interval, 128, "mean"), expected.mean(axis=1), rtol=1e-6)
