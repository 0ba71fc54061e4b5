"""Training examples against slow re-computations from the records, and the randomness that exact resume rests on."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data import tiny

from distal import dna
from distal.coords import Interval, Window
from distal.data import dataset
from distal.data.dataset import Draw, InMemory, Stored
from distal.data.mixture import Drawn, Mixture
from distal.errors import InputError
from distal.io.fasta import Genome

CROP = Window(1024, 128, 4)
"""A crop of 1,024 bp with 4 bins of 128 bp in its middle: 256 bp on each side are left out."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def examples(folder: Path) -> InMemory:
    return dataset.load(folder, "train", 128)


def test_a_split_is_loaded_with_its_signal_summed_to_the_models_bins(examples: InMemory) -> None:
    # 64 bins of 32 bp are 16 of 128 bp
    assert (len(examples), examples.bins, examples.bin_bp, examples.crop_bp) == (6, 16, 128, 1024)
    for i in range(6):
        record = tiny.example(i)
        assert (examples.bases[i] == record.codes).all()
        for b in range(16):
            assert examples.signal[i, b].tolist() == sum(record.targets[4 * b + k] for k in range(4)).tolist()
    assert examples.intervals[5] == Interval("chr1", 50_000, 54_096)
    assert examples.table == tiny.TABLE


def test_a_32_bp_model_gets_the_bins_as_they_are(folder: Path) -> None:
    assert (dataset.load(folder, "valid", 32).signal[0] == tiny.example(6).targets).all()


def test_several_splits_are_loaded_one_behind_the_other(folder: Path) -> None:
    both = dataset.load(folder, ["train", "valid"], 128)
    assert [interval.start for interval in both.intervals if interval] == [10_000 * i for i in range(8)]
    assert dataset.tracks(folder) == 3


def test_what_cannot_be_loaded_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="cannot be summed to bins of 48 bp"):
        dataset.load(folder, "train", 48)
    with pytest.raises(InputError, match="no window in test"):
        dataset.load(tiny.folder(tmp_path / "empty", test=0), "test", 128)
    other = tiny.folder(tmp_path / "other")
    (other / "targets.txt").write_text("index\tidentifier\tdescription\n0\tonly\tCAGE:one\n")
    with pytest.raises(InputError, match=r"targets\.txt has 1 tracks, the records have 3"):
        dataset.load(other, "train", 128)


def test_windows_in_memory_are_read_by_index(examples: InMemory) -> None:
    assert (examples.input_bp, len(examples.table)) == (4096, 3)
    # two bases before the window and three behind it are N
    assert examples.codes(4, -2, 4101).tolist() == [4, 4, *tiny.example(4).codes.tolist(), 4, 4, 4]
    assert (examples.targets(4, 3, 5) == examples.signal[4, 3:5]).all()
    total = sum(np.float64(examples.targets(i, b, b + 1)[0]) for i in range(6) for b in range(16))
    assert examples.means.tolist() == pytest.approx((total / 96).tolist(), rel=1e-12)
    assert examples.means.dtype == np.float64


@pytest.mark.parametrize(("splits", "bin_bp"), [("train", 128), ("valid", 32), (["valid", "train"], 64)])
def test_a_store_answers_as_the_records_in_memory_do(
    folder: Path, tmp_path: Path, splits: str | list[str], bin_bp: int
) -> None:
    memory, stored = (dataset.load(path, splits, bin_bp) for path in (folder, tiny.stored(tmp_path / "set")))
    assert isinstance(stored, Stored)
    for name in ("bin_bp", "crop_bp", "input_bp", "bins", "intervals", "table"):
        assert getattr(stored, name) == getattr(memory, name)
    assert len(stored) == len(memory)
    assert stored.means.tolist() == pytest.approx(memory.means.tolist(), rel=1e-12)
    for index in range(len(memory)):
        for start, width in ((0, 4096), (-3, 20), (4090, 20), (1000, 500)):
            assert (stored.codes(index, start, width) == memory.codes(index, start, width)).all()
        for first, last in ((0, memory.bins), (3, 7)):
            assert (stored.targets(index, first, last) == memory.targets(index, first, last)).all()
            assert stored.targets(index, first, last).dtype == np.float32
    window = Window(1024, bin_bp, 512 // bin_bp)
    for position in (0, 7, 30):
        drawn = dataset.draw(stored, window, (1, "human"), position)
        assert drawn == dataset.draw(memory, window, (1, "human"), position)
        for ours, theirs in zip(dataset.take(stored, window, drawn), dataset.take(memory, window, drawn), strict=True):
            assert (ours == theirs).all()
    for tile, other in zip(dataset.tiles(stored, window), dataset.tiles(memory, window), strict=True):
        assert (tile.codes == other.codes).all()
        assert tile.output == other.output
        assert (tile.targets == other.targets).all()


def test_a_store_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder = tiny.stored(tmp_path / "set", test=0)
    assert dataset.tracks(folder) == 3
    with pytest.raises(InputError, match="64 bins of 32 bp cannot be summed to bins of 48 bp"):
        dataset.load(folder, "train", 48)
    with pytest.raises(InputError, match="no window in test"):
        dataset.load(folder, "test", 128)


def test_every_finite_half_becomes_the_same_float() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert len(halves) == 2**16 - 2**11
    assert dataset.floats(halves).tobytes() == halves.astype(np.float32).tobytes()
    apart = halves[: len(halves) // 30 * 30].reshape(-1, 3, 10)[:, 1]
    assert (dataset.floats(apart) == apart.astype(np.float32)).all()


def test_several_threads_read_what_one_reads(tmp_path: Path) -> None:
    stored = dataset.load(tiny.stored(tmp_path / "set", train=12), "train", 32)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda i: stored.codes(i % 12, 0, 4096), range(240)))
    assert all((codes == tiny.example(i % 12).codes).all() for i, codes in enumerate(rows))


def test_rebinning_keeps_the_sum() -> None:
    # bins 1 2 | 3 4 of one track, 10 20 | 30 40 of the other
    targets = np.array([[1, 10], [2, 20], [3, 30], [4, 40]], dtype=np.float32)
    assert dataset.rebin(targets, 32, 64).tolist() == [[3, 30], [7, 70]]
    assert dataset.rebin(targets, 32, 32).tolist() == targets.tolist()
    with pytest.raises(InputError):
        dataset.rebin(targets, 32, 96)
    with pytest.raises(InputError):
        dataset.rebin(targets, 32, 16)


@given(st.integers(-40, 40), st.integers(0, 40))
def test_cutting_pads_with_n(start: int, width: int) -> None:
    codes = np.arange(20, dtype=np.uint8) % 4
    wanted = [codes[i] if 0 <= i < 20 else dna.N for i in range(start, start + width)]
    assert dataset.cut(codes, start, width).tolist() == wanted


@pytest.mark.parametrize("bases", range(-3, 4))
def test_a_shifted_whole_window_is_basenjis_shift(examples: InMemory, bases: int) -> None:
    window = Window(tiny.LENGTH, 128, 16)
    codes, _ = dataset.take(examples, window, Draw(2, 0, bases, False))
    assert (codes == dna.shift(examples.bases[2], bases)).all()


@given(st.integers(0, 5), st.integers(0, 12), st.integers(-3, 3))
def test_a_crop_shows_the_bases_around_its_bins(examples: InMemory, index: int, first: int, bases: int) -> None:
    codes, targets = dataset.take(examples, CROP, Draw(index, first, bases, False))
    # bin `first` starts 1024 + 128 first bases into the window and 256 into the crop; the shift moves bases right
    start = 1024 + 128 * first - 256 - bases
    assert codes.tolist() == tiny.example(index).codes[start : start + 1024].tolist()
    assert (targets == examples.signal[index, first : first + 4]).all()


@given(st.integers(0, 5), st.integers(0, 12), st.integers(-3, 3))
def test_the_other_strand_turns_bases_bins_and_strand_pairs(
    examples: InMemory, index: int, first: int, bases: int
) -> None:
    codes, targets = dataset.take(examples, CROP, Draw(index, first, bases, False))
    turned, other = dataset.take(examples, CROP, Draw(index, first, bases, True))
    assert dna.decode(turned) == dna.decode(codes).translate(str.maketrans("ACGT", "TGCA"))[::-1]
    for b in range(4):
        plus, minus, dnase = targets[3 - b].tolist()
        assert other[b].tolist() == [minus, plus, dnase]


def test_the_targets_still_describe_the_bases_after_a_turn(examples: InMemory) -> None:
    # track 0 counts G, in eighths, in whatever strand is shown
    codes, targets = dataset.take(examples, CROP, Draw(1, 3, 0, True))
    for b in range(4):
        bases = codes[256 + 128 * b : 256 + 128 * (b + 1)]
        assert targets[b].tolist() == [(bases == 2).sum() / 8, (bases == 1).sum() / 8, ((bases % 3) > 0).sum() / 8]


def test_every_window_is_drawn_once_an_epoch(examples: InMemory) -> None:
    for epoch in range(5):
        drawn = [dataset.draw(examples, CROP, (3, "human"), 6 * epoch + i).index for i in range(6)]
        assert sorted(drawn) == list(range(6))


def test_a_draw_depends_on_seed_head_and_position_alone(examples: InMemory) -> None:
    def drawn(seed: int, head: str) -> list[Draw]:
        return [dataset.draw(examples, CROP, (seed, head), i) for i in range(24)]

    assert drawn(1, "human") == drawn(1, "human")
    assert drawn(1, "human")[17] == dataset.draw(examples, CROP, (1, "human"), 17)
    assert len({tuple(map(repr, drawn(seed, head))) for seed in (1, 2) for head in ("human", "mouse")}) == 4


def test_draws_are_uniform(examples: InMemory) -> None:
    drawn = [dataset.draw(examples, CROP, (0, "human"), i) for i in range(2600)]
    # 13 places, 7 shifts, 2 strands: expected 200, 371 and 1,300; five standard deviations around
    for values, size in (
        ([d.bin for d in drawn], 13),
        ([d.shift + 3 for d in drawn], 7),
        ([d.reverse for d in drawn], 2),
    ):
        counts = Counter(values)
        assert sorted(counts) == list(range(size))
        expected = 2600 / size
        assert all(abs(n - expected) < 5 * np.sqrt(expected * (1 - 1 / size)) for n in counts.values())


def test_a_batch_stacks_its_examples(examples: InMemory) -> None:
    draws = [Draw(0, 1, 2, True), Draw(3, 0, 0, False)]
    codes, targets = Mixture((examples,), (1.0,)).batch(CROP, [Drawn(0, drawn) for drawn in draws])
    assert (codes.shape, targets.shape) == ((2, 1024), (2, 4, 3))
    for i, drawn in enumerate(draws):
        one, signal = dataset.take(examples, CROP, drawn)
        assert (codes[i] == one).all()
        assert (targets[i] == signal).all()


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (Window(4096, 128, 20), "would have 20 bins, 16 are measured"),
        (Window(4096, 128, 8), "reads 1,536 bp on each side of its output, the records hold 1,024"),
        (Window(1024, 32, 16), "bins have 32 bp, the targets' 128"),
    ],
)
def test_a_window_that_does_not_fit_the_records_is_refused(examples: InMemory, window: Window, words: str) -> None:
    with pytest.raises(InputError, match=words):
        dataset.places(examples, window)


@pytest.mark.parametrize("bins", [1, 3, 4, 5, 8, 15, 16, 18, 20])
def test_tiles_cover_every_bin_once(examples: InMemory, bins: int) -> None:
    window = Window(bins * 128 + 512, 128, bins)
    starts = 1024 + 128 * np.arange(16)
    tiled = list(dataset.tiles(examples, window))
    count = len(tiled) // 6
    assert count == max(-(-16 // bins), 1)
    for index in range(6):
        covered: list[int] = []
        for tile in tiled[count * index : count * (index + 1)]:
            windows = np.lib.stride_tricks.sliding_window_view(examples.bases[index], window.input_bp)
            [[place]] = np.argwhere((windows == tile.codes).all(axis=1))
            shown = [place + window.crop_bp + 128 * b for b in range(bins)][tile.output]
            assert len(shown) == len(tile.targets)
            for start, target in zip(shown, tile.targets, strict=True):
                covered.append(int(start))
                assert (target == examples.signal[index, (start - 1024) // 128]).all()
        assert covered == starts.tolist()


def test_a_longer_input_is_read_from_the_genome(examples: InMemory, tmp_path: Path) -> None:
    text = "".join(dna.decode(tiny.example(100 + i).codes) for i in range(15))
    (tmp_path / "g.fa").write_text(f">chr1\n{text}\n")
    genome = Genome(tmp_path / "g.fa")
    intervals = tuple(Interval("chr1", 10_000 * i, 10_000 * i + 4096) for i in range(6))
    codes = np.stack([genome.codes(interval) for interval in intervals])
    placed = replace(examples, bases=codes, intervals=intervals)
    window = Window(6144, 128, 16)  # 1,024 bp more than the records hold on each side
    for tile, interval in zip(dataset.tiles(placed, window, genome), intervals, strict=True):
        assert (tile.codes == genome.codes(Interval("chr1", interval.start - 1024, interval.end + 1024))).all()
        assert (tile.codes[1024:-1024] == genome.codes(interval)).all()
    with pytest.raises(InputError, match=r"reads 6,144 bp .* the records hold 4,096 bp"):
        next(dataset.tiles(placed, window))
    with pytest.raises(InputError, match=r"sequences\.bed"):
        next(dataset.tiles(replace(placed, intervals=(None,) * 6), window, genome))


@pytest.mark.shared
def test_the_public_set_is_loaded_in_128_bp_bins(shared: Path) -> None:
    examples = dataset.load(shared / "data/tracks/baskerville_tiny/mm10", "valid", 128)
    assert (examples.bases.shape, examples.signal.shape) == ((13, 131_072), (13, 512, 32))
    assert (examples.crop_bp, examples.table.names[:2]) == (32_768, ("CNhs10586+", "CNhs10586-"))
