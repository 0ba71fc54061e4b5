"""What a data set holds against numpy on all of it, and tracks that are broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import tiny

from distal.coords import Interval
from distal.data import summary
from distal.data.summary import Source, Summary
from distal.errors import InputError
from distal.io.tfrecords import Example
from distal.tracks import Track, TrackTable, write_targets

BINS, LENGTH = 16, 64


def source(signal: dict[str, np.ndarray], assays: list[str]) -> Source:
    """A data set of these signals [windows, bins, tracks] and random bases."""
    table = TrackTable(tuple(Track(i, f"t{i}", f"{assay}:x") for i, assay in enumerate(assays)))
    codes = np.random.default_rng(5).integers(0, 5, LENGTH).astype(np.uint8)
    windows = {
        split: [
            Example(codes, x.astype(np.float32), interval=Interval("chr1", 64 * i, 64 * i + 64))
            for i, x in enumerate(each)
        ]
        for split, each in signal.items()
    }
    counts = {split: len(each) for split, each in windows.items()}
    return Source(table, LENGTH, 4, BINS, counts, lambda split: iter(windows[split]))


def good(tracks: int, windows: int = 40, seed: int = 0) -> np.ndarray:
    """Signals that correlate: one shape and some noise in each track."""
    draw = np.random.default_rng(seed)
    shape = draw.gamma(0.5, 4, (windows, BINS, 1))
    return (shape * draw.uniform(0.7, 1.3, (windows, BINS, tracks))).astype(np.float32)


def seen(signal: np.ndarray, assays: list[str] | None = None) -> Summary:
    each = {"train": signal[:30], "test": signal[30:]}
    made = source(each, assays or ["RNA"] * signal.shape[2])
    return summary.summarise(made, ["train", "test"])


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 99), st.booleans())
def test_numbers_of_a_split_against_numpy(windows, tracks, seed, holes):
    draw = np.random.default_rng(seed)
    signal = draw.choice([0.0, 0.0, 1.5, -2.0, 7.0], (windows, BINS, tracks)).astype(np.float32)
    signal[0, :, 0] = 0
    if holes:
        signal[draw.random(signal.shape) < 0.2] = np.nan
        signal[-1, 0] = np.inf
    found = summary.summarise(source({"train": signal}, ["RNA"] * tracks), ["train"]).splits["train"]
    values = np.where(np.isfinite(signal), signal, np.nan).reshape(-1, tracks)
    assert found.bins == windows * BINS
    np.testing.assert_array_equal(found.broken, np.isnan(values).sum(axis=0))
    np.testing.assert_array_equal(found.low, np.nanmin(values, axis=0))
    np.testing.assert_array_equal(found.high, np.nanmax(values, axis=0))
    np.testing.assert_allclose(found.mean, np.nanmean(values, axis=0), atol=1e-12)
    np.testing.assert_allclose(found.zero, (values == 0).sum(axis=0) / np.isfinite(values).sum(axis=0))
    np.testing.assert_array_equal(found.silent, (signal == 0).all(axis=1).mean(axis=0))
    np.testing.assert_array_equal(found.sample, signal.reshape(-1, tracks))  # small: all of it


def test_a_sample_has_equal_distances_across_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # 5 windows of 16 bins and room for 12: every 7th bin of the 80, whatever window it is in.
    monkeypatch.setattr(summary, "SAMPLED_BINS", 12)
    signal = np.arange(80, dtype=np.float32).reshape(5, BINS, 1)
    found = summary.summarise(source({"train": signal}, ["RNA"]), ["train"]).splits["train"]
    assert found.sample[:, 0].tolist() == list(range(0, 80, 7))


def test_bases_windows_and_strongest() -> None:
    signal = good(2)
    signal[17, :, 1] += 1000
    found = seen(signal)
    codes = np.random.default_rng(5).integers(0, 5, LENGTH)
    for split in found.splits.values():
        assert split.unknown == np.mean(codes == 4)
        assert split.gc == pytest.approx(np.mean(np.isin(codes, (1, 2))) / np.mean(codes < 4))
    assert [len(split.intervals) for split in found.splits.values()] == [30, 10]
    assert found.places[1] == Interval("chr1", 64 * 17, 64 * 18)
    np.testing.assert_array_equal(found.peaks[:, 1], signal[17, :, 1])
    assert found.places[0] == Interval("chr1", 64 * (k := int(signal[..., 0].sum(axis=1).argmax()) % 30), 64 * k + 64)


def test_totals_weigh_splits_by_their_bins() -> None:
    signal = good(3)
    found = seen(signal)
    flat = signal.reshape(-1, 3)
    np.testing.assert_allclose(found.mean, flat.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(found.correlations, np.corrcoef(np.log1p(flat.T.astype(np.float64))), atol=1e-5)
    np.testing.assert_array_equal(found.range, [flat.min(axis=0), flat.max(axis=0)])
    np.testing.assert_allclose(found.quantile(0.9), np.quantile(flat, 0.9, axis=0), rtol=1e-6)


def test_a_good_track_gets_no_remark() -> None:
    assert summary.remarks(seen(good(5))) == [[]] * 5
    assert summary.remarks(seen(good(1))) == [[]]


def broken(change: Callable[[np.ndarray], object]) -> list[list[str]]:
    signal = good(5)
    change(signal)
    return summary.remarks(seen(signal))


def put(where: tuple[slice | int, ...], value: object) -> Callable[[np.ndarray], None]:
    return lambda signal: signal.__setitem__(where, value)


EVERY = slice(None)


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (put((2, 3, 1), np.nan), "no number in 1 of 480 bins of train"),
        (put((EVERY, EVERY, 1), np.nan), "no number in 160 of 160 bins of test"),
        (put((EVERY, EVERY, 1), 2.5), "never changes"),
        (put((slice(30, None), EVERY, 1), 0), "never changes in test"),
        (lambda x: np.multiply(x[..., 1], 30, out=x[..., 1]), "times that of the median RNA track"),
        (lambda x: np.divide(x[..., 1], 30, out=x[..., 1]), "its mean is 0.03"),
        (put((EVERY, EVERY, 1), np.random.default_rng(9).gamma(0.5, 4, (40, BINS))), "correlates with no other track"),
    ],
)
def test_what_is_broken_is_remarked(change: Callable[[np.ndarray], object], remark: str) -> None:
    found = broken(change)
    assert [remark in " ".join(mine) for mine in found] == [False, True, False, False, False]
    assert sum(map(bool, found)) == 1


def test_a_track_that_repeats_another_is_remarked() -> None:
    found = broken(lambda signal: signal.__setitem__((EVERY, EVERY, 1), signal[..., 4]))
    assert found == [[], ["has the same values as t4"], [], [], ["has the same values as t1"]]


def test_scales_are_compared_within_an_assay() -> None:
    signal = good(6)
    signal[..., 3:] *= 1000
    assert summary.remarks(seen(signal, ["RNA"] * 3 + ["CAGE"] * 3)) == [[]] * 6
    signal[..., 5] *= 50
    assert [bool(mine) for mine in summary.remarks(seen(signal, ["RNA"] * 3 + ["CAGE"] * 3))] == [False] * 5 + [True]
    assert summary.remarks(seen(signal[..., [0, 5]], ["RNA"] * 2)) == [[]] * 2  # two cannot say which is wrong


@pytest.mark.parametrize("make", [tiny.folder, tiny.stored])
def test_folders_of_records_and_stores(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    made = summary.source(make(tmp_path / "set"))
    found = summary.summarise(made, list(made.counts))
    assert {name: len(split.intervals) for name, split in found.splits.items()} == {"train": 6, "valid": 2, "test": 2}
    assert (found.input_bp, found.bin_bp, found.bins) == (tiny.LENGTH, tiny.BIN_BP, tiny.BINS)
    wanted = np.concatenate([tiny.example(i).targets for i in range(6)]).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(found.splits["train"].mean, wanted, rtol=1e-12)
    counted: list[None] = []
    only = summary.summarise(made, ["test"], lambda: counted.append(None))
    assert (list(only.splits), len(counted)) == (["test"], 2)
    with pytest.raises(InputError, match="no split fold0; it has train, valid, test"):
        summary.summarise(made, ["test", "fold0"])


def test_another_number_of_tracks_is_refused(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "records")
    write_targets(TrackTable(tiny.TABLE.rows[:2]), folder / "targets.txt")
    with pytest.raises(InputError, match="has 2 tracks, the records have 3"):
        summary.source(folder)
