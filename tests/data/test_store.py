"""Stores: whole or not there, the same bytes in whatever order and by whomever they are written, and verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import tiny

from distal.coords import Interval
from distal.data import store
from distal.data.store import Input, Piece, Plan, Writer
from distal.engine import LocalEngine
from distal.errors import InputError
from distal.files import digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.stored(tmp_path_factory.mktemp("data") / "set", train=40)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_read(folder: Path) -> None:
    opened = store.open(folder, verify=True)
    assert opened.splits == {"train": 40, "valid": 2, "test": 2}
    assert opened.windows("valid") == (Interval("chr1", 400_000, 404_096), Interval("chr1", 410_000, 414_096))
    # 41 windows before it: the second of valid is example 41
    assert (opened.codes("valid", 1) == tiny.example(41).codes).all()
    assert (opened.targets("valid", 1) == tiny.example(41).targets).all()  # eighths are exact in float16
    assert opened.table.names == tiny.TABLE.names


def test_zarr_reads_it_too(folder: Path) -> None:
    group = zarr.open_group(folder / "data.zarr", mode="r")
    assert np.asarray(group["train/codes"][7]).tolist() == tiny.example(7).codes.tolist()
    assert np.asarray(group["train/targets"][39]).tolist() == tiny.example(39).targets.tolist()


def test_the_manifest_says_what_there_is(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {key: manifest[key] for key in ("format", "input_bp", "bin_bp", "bins", "crop_bp", "tracks", "recipe")} == {
        "format": "distal-dataset-1",
        "input_bp": 4096,
        "bin_bp": 32,
        "bins": 64,
        "crop_bp": 1024,
        "tracks": 3,
        "recipe": {"name": "tiny"},
    }
    for name, facts in {**manifest["arrays"], **manifest["texts"]}.items():
        assert facts == {"bytes": (folder / name).stat().st_size, "sha256": digest(folder / name)}
    listed = {*manifest["arrays"], *manifest["texts"], "manifest.json"}
    assert {name for name in content(folder) if not name.endswith("zarr.json")} == listed


def test_means_are_those_of_each_split_in_float64(folder: Path) -> None:
    found = store.open(folder).means("train")
    total = np.sum([np.float64(tiny.example(i).targets).sum(axis=0) for i in range(40)], axis=0)
    assert found.tolist() == pytest.approx((total / (40 * 64)).tolist(), rel=1e-13)


@settings(max_examples=6)
@given(st.permutations(range(4)), st.integers(0, 4))
def test_any_order_and_any_interruption_give_the_same_bytes(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, order: list[int], killed: int
) -> None:
    made = tmp_path_factory.mktemp("data") / "set"
    plan = tiny.plan(train=40)
    pieces = store.create(made, plan).pieces
    assert pieces == [Piece("train", 0, 32), Piece("train", 32, 40), Piece("valid", 0, 2), Piece("test", 0, 2)]
    first = {"train": 0, "valid": 40, "test": 42}
    for turn, place in enumerate(order):
        if turn == killed:
            writer = store.create(made, replace(plan, command="the same again"))
            assert writer.missing == [piece for piece in pieces if pieces.index(piece) not in order[:turn]]
        piece = pieces[place]
        rows = [tiny.example(first[piece.split] + i) for i in range(piece.first, piece.last)]
        writer = store.create(made, plan)
        writer.write(piece, np.stack([row.codes for row in rows]), np.stack([row.targets for row in rows]))
    writer.finish()
    assert content(made) == content(folder)


def _writing(writer: Writer, worker: int) -> Callable[[Piece], None]:
    """What a worker does with a piece: every window is example 0."""
    example = tiny.example(0)

    def write(piece: Piece) -> None:
        count = piece.last - piece.first
        writer.write(piece, np.stack([example.codes] * count), np.stack([example.targets] * count))

    return write


def test_a_writer_works_in_other_processes(tmp_path: Path) -> None:
    writer = store.create(tmp_path / "set", tiny.plan(train=40))
    done = [piece for piece, _ in LocalEngine(2).map(partial(_writing, writer), writer.missing)]
    assert sorted(done, key=writer.pieces.index) == writer.pieces
    assert (writer.finish().codes("train", 39) == tiny.example(0).codes).all()


def test_a_block_that_ends_badly_finishes_nothing(tmp_path: Path) -> None:
    with suppress(KeyError), store.create(tmp_path / "set", tiny.plan()) as writer:
        tiny.fill(writer)
        raise KeyError
    with pytest.raises(InputError, match="begun and not finished"):
        store.open(tmp_path / "set")
    assert store.is_store(tmp_path / "set")
    assert store.create(tmp_path / "set", tiny.plan()).missing == []


def test_what_is_missing_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 pieces of .* such as Piece\(split='train'"):
        store.create(tmp_path / "set", tiny.plan(test=0)).finish()


def test_a_finished_data_set_misses_nothing_and_is_not_written_again(folder: Path) -> None:
    before = content(folder)
    writer = store.create(folder, tiny.plan(train=40))
    assert writer.missing == []
    assert writer.finish().splits["train"] == 40
    assert content(folder) == before


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": {"name": "other"}}, "another recipe"),
        ({"bins": 32}, "another bins, crop_bp"),
        ({"inputs": (Input("a.bw", 3, "00"),)}, "another inputs"),
        ({"windows": tiny.plan(train=5).windows}, "another splits, texts"),
    ],
)
def test_another_data_set_is_never_written_over(
    tmp_path: Path, change: dict[str, object], words: str, finished: bool
) -> None:
    writer = store.create(tmp_path / "set", tiny.plan())
    tiny.fill(writer)
    if finished:
        writer.finish()
    with pytest.raises(InputError, match=words):
        store.create(tmp_path / "set", replace(tiny.plan(), **change))
    assert store.create(tmp_path / "set", tiny.plan()).missing == []


def test_a_signal_beyond_float16_is_its_largest_number(tmp_path: Path) -> None:
    # half of the largest step above 65504 would already be infinity
    signal = np.zeros((1, 64, 3))
    signal[0, 0] = 1e9, -1e9, 65519.9
    with store.create(tmp_path / "set", tiny.plan(train=1, valid=0, test=0)) as writer:
        writer.write(writer.missing[0], np.zeros((1, 4096), np.uint8), signal)
    opened = store.open(tmp_path / "set")
    assert opened.targets("train", 0)[0].tolist() == [65504, -65504, 65504]
    assert opened.splits == {"train": 1}


def test_nan_is_refused_with_its_place(tmp_path: Path) -> None:
    writer = store.create(tmp_path / "set", tiny.plan())
    signal = np.zeros((6, 64, 3), np.float32)
    signal[4, 2, 1] = np.nan
    with pytest.raises(InputError, match="window 4 of train, bin 2, track 1 is NaN"):
        writer.write(writer.missing[0], np.zeros((6, 4096), np.uint8), signal)
    assert writer.missing[0] == Piece("train", 0, 6)


def test_windows_whose_place_nobody_knows(tmp_path: Path) -> None:
    windows = {split: (None,) * len(rows) for split, rows in tiny.plan().windows.items()}
    with store.create(tmp_path / "set", replace(tiny.plan(), windows=windows)) as writer:
        tiny.fill(writer)
    assert not (tmp_path / "set" / "sequences.bed").exists()
    assert store.open(tmp_path / "set").windows("test") == (None, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bins": 129}, "do not lie in the middle"),
        ({"bin_bp": 0}, "do not lie in the middle"),
        ({"input_bp": 2049, "bins": 1, "bin_bp": 32}, "do not lie in the middle"),
        ({"input_bp": 2048, "bins": 1}, r"chr1:\[0, 4096\) of train has 4096 bp"),
        ({"windows": {"../x": ()}}, "cannot be called"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(tiny.plan(), **change)


def test_rows_of_a_file_follow_their_size() -> None:
    # 196,608 bases and 896 x 5,313 halves are 9.7 MB; 13 of those are below 2^27 bytes, 14 above
    assert 13 * (196_608 + 2 * 896 * 5313) <= 2**27 < 14 * (196_608 + 2 * 896 * 5313)
    rows = tuple(tiny.TABLE.rows[2:]) * 5313
    table = tiny.TrackTable(tuple(replace(row, index=i, strand_pair=None) for i, row in enumerate(rows)))
    windows = {"train": (None,) * 30}
    assert Plan(196_608, 128, 896, windows, table, {}).layouts("train")["targets"].shard_rows == 13
    assert tiny.plan().layouts("train")["codes"].shard_rows == 32


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("name", "noticed_on_opening"),
    [("targets.txt", True), ("sequences.bed", True), ("data.zarr/valid/targets/c/0/0/0", False)],
)
def test_changed_bytes_are_noticed(tmp_path: Path, name: str, noticed_on_opening: bool, verify: bool) -> None:
    folder = tiny.stored(tmp_path / "set")
    path = folder / name
    raw = bytearray(path.read_bytes())
    raw[20] ^= 1
    path.write_bytes(raw)
    if noticed_on_opening or verify:
        with pytest.raises(InputError, match=f"{path.name} is not what the manifest says"):
            store.open(folder, verify)
    else:
        opened = store.open(folder, verify)
        with pytest.raises(InputError, match="row 0 is corrupt"):
            opened.targets("valid", 0)


def test_a_lost_file_is_noticed(tmp_path: Path) -> None:
    folder = tiny.stored(tmp_path / "set")
    (folder / "data.zarr/train/codes/c/0/0").unlink()
    with pytest.raises(InputError, match="c/0/0 is missing"):
        store.open(folder)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    assert not store.is_store(tmp_path)
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        store.open(tmp_path)
    for text, words in (
        ("{", "cannot be read"),
        ('{"format": "other"}', "of format 'other'"),
        ("[]", "not whole"),
        ("{}", "not whole"),
    ):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(InputError, match=words):
            store.open(tmp_path)


def test_an_input_is_told_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.bw").write_bytes(b"abc")
    # SHA-256 of "abc", FIPS 180-2 appendix B.1
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Input.of(tmp_path / "a.bw") == Input("a.bw", 3, sha256)
    with pytest.raises(InputError, match="cannot be read"):
        Input.of(tmp_path / "b.bw")
