"""The builder end to end: exact against an oracle, the same bytes from any number of workers and after any kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data import measured
from tests.data.measured import WINDOW
from tests.oracles import targets as oracle

from distal.coords import Interval, Window
from distal.data.build import Built, build
from distal.data.order import Order, begin
from distal.data.store import Store
from distal.engine import LocalEngine
from distal.errors import InputError
from distal.files import digest
from distal.io import bed, bigwig
from distal.io.fasta import Genome
from distal.tracks import Track, TrackTable, read_targets, write_targets

HERE = LocalEngine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return measured.files(tmp_path_factory.mktemp("measured"))


def made(order: Order, out: Path, engine: LocalEngine = HERE) -> Built:
    return build(begin(order, out, engine), engine)


def arrays(out: Path) -> dict[str, str]:
    """Every file of a data set's arrays, and its SHA-256."""
    return {
        str(path.relative_to(out)): digest(path)
        for path in sorted((out / "data.zarr").rglob("c/**/*"))
        if path.is_file()
    }


def values(store: Store, split: str) -> NDArray[np.float16]:
    return np.stack([store.targets(split, row) for row in range(store.splits[split])])


def black_bases(path: Path | None, window: Interval) -> list[bool]:
    rows = [] if path is None else [row.interval for row in bed.read(path)]
    near = [(x.start - 20, x.end + 20) for x in rows if x.chrom.removeprefix("chr") == window.chrom.removeprefix("chr")]
    return [any(start <= base < end for start, end in near) for base in range(window.start, window.end)]


def check_against_oracle(order: Order, store: Store) -> int:
    """Compare every value of a data set with the oracle, to the last bit; returns how many windows there were."""
    windows = [(split, row, place) for split in store.splits for row, place in enumerate(store.windows(split))]
    for i, track in enumerate(read_targets(order.table)):
        rows = []
        for _, _, place in windows:
            assert place is not None
            bases = oracle.read(order.table.parent / track.file, place.chrom, place.start, place.end)
            black = black_bases(order.blacklist, place)
            rows.append(oracle.expected(order.recipe, bases, black, track, order.window.crop_bp, order.window.bin_bp))
        expected = np.clip(np.array(rows), -oracle.HALF_MAX, oracle.HALF_MAX).astype(np.float16)
        if order.recipe == "basenji":
            limit = np.quantile(np.abs(expected).astype(np.float64), 0.9999999).astype(np.float16)
            expected = np.clip(expected, -limit, limit)
        found = np.stack([store.targets(split, row)[:, i] for split, row, _ in windows])
        np.testing.assert_array_equal(found, expected, err_msg=f"{order.recipe} {track.name}")
    return len(windows)


@pytest.mark.parametrize("blacklist", [True, False])
@pytest.mark.parametrize("recipe", measured.RECIPES)
def test_every_value_is_the_oracles(folder: Path, tmp_path: Path, recipe: str, blacklist: bool) -> None:
    pytest.importorskip("pyBigWig")
    order = measured.order(folder, recipe, blacklist)
    built = made(order, tmp_path / "set")
    assert check_against_oracle(order, built.store) == 36
    assert built.absent == {"huge": ["chr2"]}


@pytest.mark.shared
@pytest.mark.parametrize("recipe", measured.RECIPES)
def test_real_bigwigs_are_the_oracles(shared: Path, tmp_path: Path, recipe: str) -> None:
    # 200 windows anywhere on the three chromosomes of yeast that the bigWigs have, some past an end
    pytest.importorskip("pyBigWig")
    random = np.random.default_rng(11)
    sizes = bigwig.sizes(shared / "data/tracks/yeast/PolII.bw")
    window = Window(2048, 128, 8)
    lines = []
    for chrom in random.choice(list(sizes), 200):
        start = int(random.integers(0, sizes[chrom] - 1700))
        lines.append(f"chr{chrom}\t{start}\t{start + window.input_bp}\ttrain\n")
    (tmp_path / "windows.bed").write_text("".join(lines))
    (tmp_path / "black.bed").write_text("".join(f"{chrom}\t100000\t200000\n" for chrom in sizes))
    for source in ("PolII", "RNA.fwd", "MNase"):
        (tmp_path / f"{source}.bw").symlink_to(shared / f"data/tracks/yeast/{source}.bw")
    first, second = measured.ROOTS[recipe]
    rows = (
        Track(0, "pol", "CHIP:PolII:wt", "PolII.bw", clip=32, clip_soft=20, scale=2, sum_stat="mean"),
        Track(1, "rna", "RNA:wt", "RNA.fwd.bw", clip=384, clip_soft=64, scale=0.3, sum_stat=first),
        Track(2, "nuc", "MNASE:wt", "MNase.bw", scale=1.5, sum_stat=second),
    )
    write_targets(TrackTable(rows), tmp_path / "targets.txt")
    genome = tmp_path / "genome.fa"  # of N: what is compared is the signal
    genome.write_text("".join(f">chr{chrom}\n{'N' * size}\n" for chrom, size in sizes.items()))
    order = Order(
        genome, tmp_path / "targets.txt", tmp_path / "windows.bed", window, recipe, False, tmp_path / "black.bed"
    )
    assert check_against_oracle(order, made(order, tmp_path / "set").store) == 200


def test_windows_and_bases_are_those_of_the_bed_file(folder: Path, tmp_path: Path) -> None:
    store = made(measured.order(folder), tmp_path / "set").store
    genome = Genome(folder / "genome.fa")
    rows = list(bed.read(folder / "windows.bed"))
    assert {len(values(store, split)) for split in store.splits} == {
        sum(row.name == s for row in rows) for s in store.splits
    }
    for split in ("train", "valid", "test"):
        for i, row in enumerate(row for row in rows if row.name == split):
            place = row.interval if row.interval.width == WINDOW.input_bp else WINDOW.input_of(row.interval)
            assert store.windows(split)[i] == place
            np.testing.assert_array_equal(store.codes(split, i), genome.codes(place))
    assert any(place is not None and place.start < 0 for split in store.splits for place in store.windows(split))


def test_nothing_overflows_float16(folder: Path, tmp_path: Path) -> None:
    # 64 bases of about 1e5, which float16 holds as 65504, make a sum of some 4e6
    order = measured.order(folder, "basenji2")
    write_targets(TrackTable((Track(0, "huge", "CHIP:x:a", "huge.bw", sum_stat="sum"),)), folder / "huge.txt")
    stored = values(made(replace(order, table=folder / "huge.txt"), tmp_path / "set").store, "train")
    assert np.isfinite(stored).all()
    assert stored.max() == np.finfo(np.float16).max


def test_gaps_are_filled_with_the_baseline_or_linearly(tmp_path: Path) -> None:
    # 0-640 is 1, 640-1280 is missing, 1280-2048 is 3: the 10th percentile, gaps as 0, is 0; the line goes from 1 to 3
    bigwig.write(
        tmp_path / "x.bw",
        {"chr1": 2048},
        [
            (Interval("chr1", 0, 640), np.ones(1, np.float32), 640),
            (Interval("chr1", 1280, 2048), np.full(1, 3, np.float32), 768),
        ],
    )
    (tmp_path / "genome.fa").write_text(f">chr1\n{'A' * 2048}\n")
    (tmp_path / "windows.bed").write_text("chr1\t0\t2048\ttrain\n")
    write_targets(TrackTable((Track(0, "x", file="x.bw", sum_stat="mean"),)), tmp_path / "targets.txt")
    order = Order(tmp_path / "genome.fa", tmp_path / "targets.txt", tmp_path / "windows.bed", WINDOW, "basenji2")
    plain = values(made(order, tmp_path / "plain").store, "train")[0, :, 0]
    line = values(made(replace(order, interpolate=True), tmp_path / "line").store, "train")[0, :, 0]
    np.testing.assert_array_equal(plain, [1, 1, *[0] * 10, 3, 3, 3, 3])  # bins from 512 on, 64 bases each
    assert line[1] == 1
    assert line[12] == 3
    np.testing.assert_allclose(line[2:12], 1 + 2 * (np.arange(10) * 64 + 32.5) / 641, rtol=2e-3)


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """The data set that one worker makes without a break."""
    made(measured.order(folder), folder / "whole")
    return folder / "whole"


def test_any_number_of_workers_writes_the_same_bytes(folder: Path, whole: Path, tmp_path: Path) -> None:
    made(measured.order(folder), tmp_path / "two", LocalEngine(2, threads=1))
    assert arrays(tmp_path / "two") == arrays(whole)
    assert len(arrays(whole)) == 6


@pytest.mark.parametrize("at", [1, 5, 9, 12, 14])
def test_a_run_that_stops_anywhere_goes_on(folder: Path, whole: Path, tmp_path: Path, at: int) -> None:
    order = measured.order(folder)
    reports = 0

    def stopping(done: int) -> None:
        nonlocal reports
        reports += 1
        if reports == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(begin(order, tmp_path / "set", HERE), HERE, stopping)
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.npy")}
    assert there
    job = begin(order, tmp_path / "set", HERE)
    before = job.left
    seen: list[int] = []
    build(job, HERE, seen.append)
    assert sum(seen) == before < 36 * 5  # four tracks, and the writing
    assert arrays(tmp_path / "set") == arrays(whole)
    assert not list((tmp_path / "set").glob(".*"))


def test_a_finished_data_set_is_opened_and_left_alone(folder: Path, whole: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()}
    job = begin(measured.order(folder), whole, HERE)
    assert job.left == 0
    assert build(job, HERE).store.splits == {"train": 12, "valid": 18, "test": 6}
    assert times == {path: path.stat().st_mtime_ns for path in times}


def ordered(tmp_path: Path, windows: str = "chr1\t0\t2048\ttrain\n", **fields: Any) -> Order:
    """An order for one track, x.bw, that is 1 on chr1; `fields` change the track."""
    (tmp_path / "genome.fa").write_text(f">chr1\n{'A' * 4096}\n>chr2\n{'C' * 4096}\n")
    bigwig.write(tmp_path / "x.bw", {"chr1": 4096}, [(Interval("chr1", 0, 4096), np.ones(1, np.float32), 4096)])
    (tmp_path / "windows.bed").write_text(windows)
    write_targets(TrackTable((Track(**{"index": 0, "name": "x", "file": "x.bw"} | fields),)), tmp_path / "targets.txt")
    return Order(tmp_path / "genome.fa", tmp_path / "targets.txt", tmp_path / "windows.bed", WINDOW)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ("chr1\t0\t2000\ttrain\n", r"chr1:\[0, 2000\) has 2,000 bp; the model reads 2,048 and measures 1,024"),
        ("chr1\t0\t2048\n", "has no split in the fourth column"),
        ("chr1\t4000\t6048\ttrain\n", "nothing of .* that is measured lies on its chromosome"),
        ("chr3\t0\t2048\ttrain\n", "chromosome 'chr3' is not in"),
        ("chr1\t0\t2048\ta/b\n", "a split cannot be called 'a/b'"),
        ("chr2\t0\t2048\ttrain\n", "track x: x.bw has nothing on any chromosome of the windows"),
        ("", "has no window"),
    ],
)
def test_windows_that_are_refused(tmp_path: Path, windows: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(ordered(tmp_path, windows), tmp_path / "set")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": ""}, "track x has no file"),
        ({"file": "y.bw"}, r"y\.bw is not there"),
        ({"sum_stat": "total"}, "sum_stat is 'total'"),
    ],
)
def test_tracks_that_are_refused(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(ordered(tmp_path, **fields), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_value_that_has_no_root_names_its_track_and_window(tmp_path: Path) -> None:
    order = ordered(tmp_path, sum_stat="sum_sqrt", scale=-1.0)
    with pytest.raises(InputError, match=r"track x at chr1:\[0, 2048\): a bin is -64, which has no root"):
        made(order, tmp_path / "set")


def test_a_folder_of_another_data_set_is_refused(tmp_path: Path) -> None:
    order = ordered(tmp_path)
    made(order, tmp_path / "set")
    with pytest.raises(InputError, match="holds a data set with another recipe"):
        made(replace(order, recipe="borzoi"), tmp_path / "set")
    bigwig.write(tmp_path / "x.bw", {"chr1": 4096}, [(Interval("chr1", 0, 4096), np.zeros(1, np.float32), 4096)])
    with pytest.raises(InputError, match="holds a data set with another inputs"):
        made(order, tmp_path / "set")


def test_chromosomes_go_by_any_of_their_names(tmp_path: Path) -> None:
    order = ordered(tmp_path, windows="1\t0\t2048\ttrain\n")
    (tmp_path / "black.bed").write_text("1\t512\t556\n")  # and 20 bp beside it: the first bin, whose median is 1
    store = made(replace(order, blacklist=tmp_path / "black.bed"), tmp_path / "set").store
    assert store.windows("train") == (Interval("chr1", 0, 2048),)
    np.testing.assert_array_equal(values(store, "train")[0, :, 0], np.full(16, 64))


def test_unmappable_bins(tmp_path: Path) -> None:
    # one of 16 bins is high; of the others the quantile 0.25 is 64. The region covers the high one, and 6 of 64 bases
    order = ordered(tmp_path)
    signal = [np.full(1, height, np.float32) for height in (1, 5, 1)]
    places = (Interval("chr1", 0, 640), Interval("chr1", 640, 768), Interval("chr1", 768, 4096))
    records = [(place, one, place.width) for place, one in zip(places, signal, strict=True)]
    bigwig.write(tmp_path / "x.bw", {"chr1": 4096}, records)
    (tmp_path / "lost.bed").write_text("chr1\t640\t710\n")
    with_regions = replace(order, unmappable=tmp_path / "lost.bed")
    found = values(made(with_regions, tmp_path / "set").store, "train")[0, :, 0]
    np.testing.assert_array_equal(found, [64, 64, 64, 320, *[64] * 12])
    assert values(made(order, tmp_path / "plain").store, "train")[0, 2, 0] == 320
    median = replace(with_regions, unmappable_quantile=1.0)
    assert values(made(median, tmp_path / "top").store, "train")[0, 2, 0] == 320
    with pytest.raises(InputError, match=r"1\.5 is no quantile"):
        made(replace(order, unmappable_quantile=1.5), tmp_path / "none")


def test_files_that_are_no_bigwigs_in_one_data_set(tmp_path: Path) -> None:
    # bin 0 begins at base 512; 513 and 575 counted from 1 are its first and its last but one base
    (tmp_path / "tss.tsv").write_text("chrom\tpos\tstrand\tcount\n1\t513\t+\t2\n1\t575\t+\t3\n1\t577\t-\t7\n")
    (tmp_path / "p.narrowPeak").write_text("chr1\t576\t640\tp\t0\t.\t5\t1\t1\t9\n")
    rows = tuple(
        Track(i, name, file=file, sum_stat=stat)
        for i, (name, file, stat) in enumerate(
            [("plus", "tss.tsv?strand=+", "sum"), ("minus", "tss.tsv?strand=-", "sum"), ("p", "p.narrowPeak", "mean")]
        )
    )
    order = ordered(tmp_path, "chr1\t0\t2048\ttrain\n2\t0\t2048\ttest\n")
    write_targets(TrackTable(rows), tmp_path / "targets.txt")
    built = made(order, tmp_path / "set")
    np.testing.assert_array_equal(values(built.store, "train")[0, :3], [[5, 0, 0], [0, 7, 1], [0, 0, 0]])
    assert not values(built.store, "test").any()
    assert built.absent == {"plus": ["chr2"], "minus": ["chr2"], "p": ["chr2"]}


def test_a_peak_beyond_the_quantile_of_its_track_is_cut_in_later_recipes(tmp_path: Path) -> None:
    # one base of 40,960 is 1000, all others 0: the quantile lies 40,959e-7 of the way down from the highest value
    (tmp_path / "genome.fa").write_text(f">chr1\n{'A' * 40_960}\n")
    bigwig.write(tmp_path / "x.bw", {"chr1": 40_960}, [(Interval("chr1", 77, 78), np.full(1, 1000, np.float32), 1)])
    (tmp_path / "windows.bed").write_text("chr1\t0\t40960\ttrain\n")
    write_targets(TrackTable((Track(0, "x", file="x.bw"),)), tmp_path / "targets.txt")
    files = (tmp_path / "genome.fa", tmp_path / "targets.txt", tmp_path / "windows.bed")
    for recipe, highest in (("basenji", np.float16(1000 * (1 - 40_959e-7))), ("basenji2", 1000), ("borzoi", 1000)):
        stored = values(made(Order(*files, Window(40_960, 1, 40_960), recipe), tmp_path / recipe).store, "train")
        assert stored[0, 77, 0] == highest
        assert np.count_nonzero(stored) == 1


def test_many_windows_keep_their_order(tmp_path: Path) -> None:
    # more windows than a worker measures at once and than a piece holds; the signal is the number of the 8-bp stretch
    random = np.random.default_rng(4)
    (tmp_path / "genome.fa").write_text(f">chr1\n{''.join(random.choice(list('ACGT'), 4096))}\n")
    bigwig.write(tmp_path / "x.bw", {"chr1": 4096}, [(Interval("chr1", 0, 4096), np.arange(512, dtype=np.float32), 8)])
    starts = {split: 8 * random.integers(0, 512 - 8, n) for split, n in (("train", 1100), ("valid", 33))}
    lines = [f"chr1\t{start}\t{start + 64}\t{split}\n" for split in starts for start in starts[split]]
    (tmp_path / "windows.bed").write_text("".join(lines))
    write_targets(TrackTable((Track(0, "x", file="x.bw", sum_stat="mean"),)), tmp_path / "targets.txt")
    files = (tmp_path / "genome.fa", tmp_path / "targets.txt", tmp_path / "windows.bed")
    job = begin(Order(*files, Window(64, 8, 4)), tmp_path / "set", HERE)
    assert [rows.last - rows.first for rows in job.stretches] == [512, 512, 76, 33]
    store = build(job, HERE).store
    for split, first in starts.items():
        expected = (first[:, None] // 8 + 2 + np.arange(4)).astype(np.float16)
        np.testing.assert_array_equal(values(store, split)[:, :, 0], expected)
        genome = Genome(tmp_path / "genome.fa")
        for row in (0, len(first) // 2, len(first) - 1):
            place = Interval("chr1", int(first[row]), int(first[row]) + 64)
            np.testing.assert_array_equal(store.codes(split, row), genome.codes(place))


def test_a_blacklist_of_another_genome_is_refused(tmp_path: Path) -> None:
    (tmp_path / "black.bed").write_text("chr7\t512\t556\n")
    with pytest.raises(InputError, match=r"no row of .*black\.bed lies on a sequence of"):
        made(replace(ordered(tmp_path), blacklist=tmp_path / "black.bed"), tmp_path / "set")
