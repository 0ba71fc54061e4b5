"""Predictions against a slow oracle, and what must not change them: batch size, tracks asked for, strand."""

from __future__ import annotations

from itertools import islice, repeat
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests import builders

from distal import dna
from distal.coords import Interval, Window
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.models import zoo
from distal.predictor import Predictor, averaged, load, on_genome, predict, predict_tiles, tiles

WINDOW = Window(2048, 128, 8)
FAMILIES = pytest.mark.parametrize("family", ["enformer", "basenji2"])


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"))


@pytest.fixture(scope="module")
def codes() -> dna.Codes:
    return np.random.default_rng(0).integers(0, 5, size=(5, 2048)).astype(np.uint8)


def oracle(predictor: Predictor, text: str) -> np.ndarray:
    """One sequence, one base at a time, through the bare module: [bins, tracks]."""
    x = torch.zeros(1, len(text), 4)
    for i, letter in enumerate(text):
        if letter in "ACGT":
            x[0, i, "ACGT".index(letter)] = 1
    with torch.no_grad():
        return predictor.module(x, "human")[0].numpy()


def reverse_complement(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def moved(text: str, bases: int) -> str:
    if bases < 0:
        return text[-bases:] + "N" * -bases
    return ("N" * bases + text)[: len(text)]


# --- one window


@FAMILIES
def test_call_is_the_module_on_one_hot(family: str, codes: dna.Codes) -> None:
    predictor = builders.predictor(family)
    values = predictor(codes)
    assert values.shape == (5, 8, 6)
    assert values.dtype == np.float32
    for row, value in zip(codes, values, strict=True):
        np.testing.assert_allclose(value, oracle(predictor, dna.decode(row)), rtol=1e-5)
    assert np.ptp(values, axis=0).min() > 0, "the model must look at the sequence, or these tests see nothing"


@FAMILIES
@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_batch_size_does_not_matter(family: str, batch_size: int, codes: dna.Codes) -> None:
    reference = builders.predictor(family, batch_size=1)(codes)
    np.testing.assert_allclose(builders.predictor(family, batch_size=batch_size)(codes), reference, rtol=1e-5)


def test_no_sequences_give_no_predictions(codes: dna.Codes) -> None:
    assert builders.predictor()(codes[:0]).shape == (0, 8, 6)


@FAMILIES
def test_channels_are_a_slice_of_all(family: str, codes: dna.Codes) -> None:
    predictor = builders.predictor(family)
    some = predictor.tensor(codes, np.array([4, 0, 2]))
    np.testing.assert_allclose(some.numpy(), predictor(codes)[:, :, [4, 0, 2]], rtol=1e-6)


@FAMILIES
def test_bf16_is_near_and_comes_out_as_float32(family: str, codes: dna.Codes) -> None:
    exact, rounded = builders.predictor(family)(codes), builders.predictor(family, precision="bf16")(codes)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 0.05 * np.abs(exact).max()


def test_n_is_zero_or_a_quarter(codes: dna.Codes) -> None:
    clean = np.where(codes == dna.N, 0, codes).astype(np.uint8)
    zero, quarter = builders.predictor(), builders.predictor(n=0.25)
    np.testing.assert_array_equal(zero(clean), quarter(clean))
    assert np.abs(zero(codes) - quarter(codes)).max() > 1e-4


def test_a_module_in_training_mode_is_refused() -> None:
    ready = builders.predictor()
    ready.module.train()
    with pytest.raises(ValueError, match="evaluation mode"):
        Predictor(ready.module, ready.spec, ready.tracks, "human", ready.device)


def test_codes_of_another_length_are_refused(codes: dna.Codes) -> None:
    with pytest.raises(ValueError, match=r"\[n, 2048\], not \[5, 2047\]"):
        builders.predictor()(codes[:, :-1])


@pytest.mark.parametrize("wrong", [{"precision": "fp16"}, {"batch_size": 0}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        builders.predictor(**wrong)  # type: ignore[arg-type]


# --- strands and shifts


@FAMILIES
@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("shifts", [(0,), (-1, 0, 1), (7,), (3, -200)])
def test_averaged_is_the_mean_of_the_oracle(family: str, rc: bool, shifts: tuple[int, ...], codes: dna.Codes) -> None:
    predictor = builders.predictor(family)
    partner = [1, 0, 2, 3, 5, 4]
    text = dna.decode(codes[0])
    copies = [oracle(predictor, moved(text, bases)) for bases in shifts]
    if rc:
        copies += [oracle(predictor, moved(reverse_complement(text), bases))[::-1, partner] for bases in shifts]
    expected = np.mean(copies, axis=0)
    np.testing.assert_allclose(averaged(predictor, codes[:1], rc, shifts)[0], expected, rtol=1e-5)


@FAMILIES
@pytest.mark.parametrize("shifts", [(0,), (-1, 0, 1), (5, 2)])
def test_rc_average_is_exactly_equivariant_and_a_single_pass_is_not(
    family: str, shifts: tuple[int, ...], codes: dna.Codes
) -> None:
    predictor = builders.predictor(family, batch_size=1)
    other = dna.reverse_complement(codes)
    forward, backward = averaged(predictor, codes, True, shifts), averaged(predictor, other, True, shifts)
    assert torch.equal(backward.flip(1)[:, :, builders.TABLE.partners], forward)
    forward, backward = averaged(predictor, codes, False, shifts), averaged(predictor, other, False, shifts)
    assert not torch.allclose(backward.flip(1)[:, :, builders.TABLE.partners], forward, rtol=1e-3)


def test_one_strand_of_a_pair_can_be_averaged_alone(codes: dna.Codes) -> None:
    predictor = builders.predictor()
    alone = averaged(predictor, codes, True, channels=np.array([0, 5]))
    np.testing.assert_allclose(alone, averaged(predictor, codes, True)[:, :, [0, 5]], rtol=1e-6)


def test_no_shift_at_all_is_refused(codes: dna.Codes) -> None:
    with pytest.raises(InputError, match="0 is the sequence as it is"):
        averaged(builders.predictor(), codes, shifts=())


# --- tiles


def test_a_narrow_region_is_read_from_the_middle_of_one_window() -> None:
    # 300 bp are 3 bins of 128; (8 - 3) // 2 = 2 bins stand before them, and 512 bp of crop before those:
    # input starts at 1000 - 2 * 128 - 512 = 232. The third bin ends at 1000 + 384.
    (tile,) = tiles(Interval("chr1", 1000, 1300), WINDOW)
    assert tile.input == Interval("chr1", 232, 2280)
    assert tile.output == Interval("chr1", 1000, 1384)
    assert tile.bins == slice(2, 5)


def test_a_wide_region_is_shared_out_evenly() -> None:
    # 1,025 bp are 9 bins: two windows, of 4 and 5 bins (edges 9 * 0 // 2, 9 * 1 // 2, 9 * 2 // 2).
    first, second = tiles(Interval("chr1", 5000, 6025), WINDOW)
    assert (first.output, first.bins) == (Interval("chr1", 5000, 5512), slice(2, 6))
    assert (second.output, second.bins) == (Interval("chr1", 5512, 6152), slice(1, 6))


@given(start=st.integers(0, 10**9), width=st.integers(1, 50_000), bins=st.integers(1, 40), crop=st.integers(0, 9))
def test_tiles_abut_and_lie_on_their_windows_grid(start: int, width: int, bins: int, crop: int) -> None:
    window = Window((bins + 2 * crop) * 128, 128, bins)
    made = tiles(Interval("chr1", start, start + width), window)
    needed = -(-width // 128)
    assert len(made) == -(-needed // bins)
    edges = [start, *(tile.output.end for tile in made)]
    assert [tile.output.start for tile in made] == edges[:-1]
    assert edges[-1] == start + needed * 128
    for tile in made:
        assert window.bins_over(tile.output, window.output_of(tile.input)) == tile.bins
        assert abs(tile.bins.start - (bins - tile.bins.stop)) <= 1, "centred on its bins"
    loads = [tile.bins.stop - tile.bins.start for tile in made]
    assert max(loads) - min(loads) <= 1


# --- regions of a genome


def test_predict_reads_what_the_file_says(genome: Genome) -> None:
    predictor = builders.predictor()
    (tracks,) = predict(predictor, genome, [Interval("1", 2000, 2300, "-")])
    letters = "".join(genome.path.read_text().split("\n")[1:]).upper()
    expected = oracle(predictor, letters[1232:3280])[2:5]
    np.testing.assert_allclose(tracks.values, expected, rtol=1e-5)
    assert (tracks.interval, tracks.bin_bp, tracks.table) == (Interval("chr1", 2000, 2384), 128, builders.TABLE)


@pytest.mark.parametrize("start", [0, 5990])
def test_windows_that_pass_the_ends_are_padded_with_n(genome: Genome, start: int) -> None:
    predictor = builders.predictor()
    (tracks,) = predict(predictor, genome, [Interval("chr1", start, start + 10)])
    letters = "N" * 4000 + "".join(genome.path.read_text().split("\n")[1:]).upper() + "N" * 4000
    first = 4000 + start - 3 * 128 - 512  # one bin, three of eight before it
    np.testing.assert_allclose(tracks.values, oracle(predictor, letters[first : first + 2048])[3:4], rtol=1e-5)


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_region_is_its_tiles(genome: Genome, rc: bool, batch_size: int) -> None:
    predictor = builders.predictor("basenji2", batch_size)
    regions = [Interval("chr1", 100, 4000), Interval("chr1", 0, 128), Interval("chr1", 100, 4000)]
    whole = list(predict(predictor, genome, regions, "assay=CAGE,DNASE", rc, (-1, 1)))
    assert [len(tracks.values) for tracks in whole] == [31, 1, 31]
    np.testing.assert_allclose(whole[0].values, whole[2].values, rtol=1e-5)
    pieces = list(predict_tiles(predictor, genome, regions, "assay=CAGE,DNASE", rc, (-1, 1)))
    assert [i for i, _ in pieces] == [0, 0, 0, 0, 1, 2, 2, 2, 2]
    for tile, (_, piece) in zip(tiles(regions[0], predictor.window), pieces, strict=False):
        codes = genome.codes(tile.input)[None]
        expected = averaged(predictor, codes, rc, (-1, 1), np.array([0, 1, 2]))[0, tile.bins]
        np.testing.assert_allclose(piece.values, expected, rtol=1e-5)
        np.testing.assert_array_equal(whole[0].over(piece.interval).values, piece.values)


def test_selected_tracks_are_a_slice_of_all(genome: Genome) -> None:
    predictor = builders.predictor()
    region = Interval("chr1", 1000, 3500)
    (every,), (some,) = (list(predict(predictor, genome, [region], query, rc=True)) for query in ("", "rna"))
    np.testing.assert_array_equal(some.values, every.select("rna").values)
    assert some.table.names == ("rna-", "rna+")


def test_intervals_are_streamed(genome: Genome) -> None:
    endless = repeat(Interval("chr1", 1000, 1128))
    assert len(list(islice(predict(builders.predictor(), genome, endless), 6))) == 6


@pytest.mark.parametrize(("start", "end"), [(-1, 100), (5900, 6001), (7000, 7100), (50, 50)])
def test_regions_off_the_chromosome_are_refused(genome: Genome, start: int, end: int) -> None:
    with pytest.raises(InputError, match="ask for a part of chr1:1-6,000"):
        on_genome(Interval("chr1", start, end), genome)


def test_an_empty_region_has_no_tiles() -> None:
    with pytest.raises(InputError, match="empty"):
        tiles(Interval("chr1", 5, 5), WINDOW)


# --- loading


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = builders.predictor()
    return zoo.save(made.module, tmp_path_factory.mktemp("models") / "tiny", made.spec, {"human": builders.TABLE})


def test_load_gives_the_same_predictor(folder: Path, codes: dna.Codes) -> None:
    predictor = load(str(folder), batch_size=2)
    assert predictor.window == WINDOW
    assert predictor.tracks.names == builders.TABLE.names
    np.testing.assert_array_equal(predictor(codes), builders.predictor(batch_size=2)(codes))


def test_a_head_without_a_table_gets_numbered_tracks(tmp_path: Path) -> None:
    made = builders.predictor()
    predictor = load(str(zoo.save(made.module, tmp_path, made.spec)))
    assert predictor.tracks.names == tuple(f"human_{i}" for i in range(6))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "yeast"}, "no head 'yeast'; it has human"),
        ({"device": "abacus"}, "`--device cpu` always can"),
        ({"precision": "fp8"}, "fp32, bf16"),
    ],
)
def test_load_says_what_is_wrong(folder: Path, settings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(str(folder), **settings)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_the_users_affair(folder: Path) -> None:
    with pytest.raises(InputError, match="cuda"):
        load(str(folder), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_devices_agree(folder: Path, codes: dna.Codes) -> None:
    here, there = load(str(folder)), load(str(folder), device="cuda")
    np.testing.assert_allclose(there(codes), here(codes), rtol=1e-4)


@pytest.mark.parametrize("family", ["enformer", "basenji2"])
def test_a_predictor_goes_to_another_process_and_predicts_the_same(family: str) -> None:
    predictor = builders.predictor(family)
    codes = np.random.default_rng(0).integers(0, 5, (2, predictor.window.input_bp)).astype(np.uint8)
    assert np.array_equal(predictor(codes), predictor(codes))
    sent = bytes(ForkingPickler.dumps(predictor))
    for _ in range(2):  # several workers open the same message
        arrived = ForkingPickler.loads(sent)
        assert np.array_equal(arrived(codes), predictor(codes))
        assert (arrived.tracks, arrived.head, arrived.batch_size) == (predictor.tracks, predictor.head, 4)
        assert not arrived.module.training


def test_a_predictor_on_another_device_leaves_the_first_alone() -> None:
    predictor = builders.predictor()
    other = predictor.on("cpu")
    changed = predictor.on("cpu")
    codes = np.zeros((1, predictor.window.input_bp), dtype=np.uint8)
    assert np.array_equal(other(codes), predictor(codes))
    with torch.no_grad():
        next(changed.module.parameters()).zero_()
    assert not np.array_equal(changed(codes), predictor(codes))
