"""Reading tensor bundles: TensorFlow's own file, files of an independent writer, and damaged ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.oracles.bundle_writer import entry, masked, message, number, write_bundle, write_table

from distal.errors import InputError
from distal.models.bundle import Bundle, find_prefix

RNG = np.random.default_rng(5)
TENSORS = {
    "module/a/w/.ATTRIBUTES/VARIABLE_VALUE": RNG.normal(size=(3, 4, 5)).astype(np.float32),
    "module/a/b/.ATTRIBUTES/VARIABLE_VALUE": RNG.normal(size=5).astype(np.float32),
    "module/step": np.array(7, dtype=np.int64),
    "half": np.arange(6, dtype=np.float16).reshape(2, 3),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 4), dtype=np.float32),
    **{f"layer_{i}/w": np.full((i + 1, 2), i, dtype=np.float32) for i in range(20)},
}


@pytest.mark.parametrize("shards", [1, 3])
def test_bundle_gives_back_what_was_written(tmp_path: Path, shards: int) -> None:
    write_bundle(tmp_path / "model.ckpt-12", TENSORS, shards)
    bundle = Bundle(tmp_path / "model.ckpt-12")
    assert set(bundle) == set(TENSORS)
    assert len(bundle) == len(TENSORS)
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(bundle[name], array)
        assert bundle[name].dtype == array.dtype
        assert not bundle[name].flags.writeable


def test_checkpoint_is_found_by_prefix_index_folder_or_checkpoint_file(tmp_path: Path) -> None:
    write_bundle(tmp_path / "ckpt-1", TENSORS)
    for path in (tmp_path, tmp_path / "ckpt-1", tmp_path / "ckpt-1.index"):
        assert find_prefix(path) == tmp_path / "ckpt-1"
    write_bundle(tmp_path / "ckpt-2", TENSORS)
    with pytest.raises(InputError, match="2 checkpoints; name one: ckpt-1, ckpt-2"):
        find_prefix(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-1"\n')
    assert find_prefix(tmp_path) == tmp_path / "ckpt-2"


def test_missing_checkpoints_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no nowhere\.index"):
        Bundle(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no \.index file"):
        Bundle(tmp_path)
    write_bundle(tmp_path / "ckpt", TENSORS)
    (tmp_path / "ckpt.data-00000-of-00001").unlink()
    with pytest.raises(InputError, match=r"shard .* cannot be read"):
        Bundle(tmp_path / "ckpt")["half"]
    (tmp_path / "ckpt.data-00000-of-00001").touch()
    with pytest.raises(InputError, match="ends before tensor half"):
        Bundle(tmp_path / "ckpt")["half"]


def test_every_flipped_bit_of_the_data_is_noticed(tmp_path: Path) -> None:
    data = TENSORS["module/a/b/.ATTRIBUTES/VARIABLE_VALUE"]
    write_bundle(tmp_path / "ckpt", {"b": data})
    shard = tmp_path / "ckpt.data-00000-of-00001"
    good = shard.read_bytes()
    start = len(good) - data.nbytes
    for bit in range(start * 8, len(good) * 8, 5):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        shard.write_bytes(bad)
        with pytest.raises(InputError, match="fails its CRC-32C"):
            Bundle(tmp_path / "ckpt")["b"]


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("bundle") / "ckpt"
    write_bundle(prefix, TENSORS)
    return prefix


def load_all(prefix: Path) -> dict[str, np.ndarray]:
    bundle = Bundle(prefix)
    return {name: bundle[name] for name in bundle}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_index_is_an_input_error_or_harmless(intact: Path, place: float, bit: int) -> None:
    index = intact.with_name("ckpt.index")
    good = index.read_bytes()
    bad = bytearray(good)
    bad[int(place * len(good))] ^= 1 << bit
    try:
        index.write_bytes(bad)
        values = load_all(intact)  # the table's padding and empty metaindex carry nothing
        assert set(values) == set(TENSORS)
        for name, value in values.items():
            np.testing.assert_array_equal(value, TENSORS[name])
    except InputError:
        pass
    finally:
        index.write_bytes(good)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.floats(0, 1, exclude_max=True))
def test_a_truncated_index_is_an_input_error(intact: Path, keep: float) -> None:
    index = intact.with_name("ckpt.index")
    good = index.read_bytes()
    try:
        index.write_bytes(good[: int(keep * len(good))])
        with pytest.raises(InputError, match="not an intact checkpoint index"):
            Bundle(intact)
    finally:
        index.write_bytes(good)


HEADER = number(1, 1)
ONE = np.ones(2, dtype=np.float32).tobytes()


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({}, "no bundle header"),
        ({b"": HEADER + number(2, 1)}, "big-endian"),
        ({b"": HEADER, b"w": b"\xff" * 11}, "more than ten bytes"),
        ({b"": HEADER, b"w": message(2, b"ab")[:-1]}, "cut short"),
        ({b"": HEADER, b"w": b"\x0b"}, "wire type 3"),
        ({b"": HEADER, b"\xff": b""}, "utf-8"),
    ],
)
def test_malformed_messages_are_named(tmp_path: Path, records: dict[bytes, bytes], words: str) -> None:
    write_table(tmp_path / "ckpt.index", records)
    with pytest.raises(InputError, match=words):
        Bundle(tmp_path / "ckpt")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (entry(1, (3,), 0, 0, ONE), "its shape"),
        (entry(1, (2**63,), 0, 0, ONE), "its shape"),
        (entry(1, (2,), 0, 2**63, ONE), "ends before tensor w"),
        (entry(1, (2,), 5, 0, ONE), "cannot be read"),
        (entry(1, (2,), 0, 4, ONE), "ends before tensor w"),
        (entry(14, (4,), 0, 0, ONE), "as TensorFlow type 14"),
        (entry(1, (2,), 0, 0, ONE) + message(7, b""), "in slices"),
    ],
)
def test_impossible_entries_are_named(tmp_path: Path, value: bytes, words: str) -> None:
    write_table(tmp_path / "ckpt.index", {b"": HEADER, b"w": value})
    (tmp_path / "ckpt.data-00000-of-00001").write_bytes(ONE)
    with pytest.raises(InputError, match=words):
        Bundle(tmp_path / "ckpt")["w"]


def test_compressed_blocks_are_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "ckpt.index", {b"": HEADER}, per_block=1)
    raw = bytearray((tmp_path / "ckpt.index").read_bytes())
    size = 0
    while struct.unpack_from("<I", raw, size + 1)[0] != masked(bytes(raw[:size]) + b"\0"):
        size += 1  # the first block's length is where its checksum starts to fit
    raw[size] = 1
    struct.pack_into("<I", raw, size + 1, masked(bytes(raw[: size + 1])))
    (tmp_path / "ckpt.index").write_bytes(raw)
    with pytest.raises(InputError, match="compressed"):
        Bundle(tmp_path / "ckpt")


@pytest.mark.shared
def test_tensorflows_own_checkpoint(shared: Path) -> None:
    golden = shared / "goldens" / "enformer_tf"
    bundle = Bundle(golden / "small_ckpt")
    names = json.loads((golden / "small_names.json").read_text())
    assert {row["ckpt_key"] for row in names} == set(bundle)
    weights = np.load(golden / "small_weights.npz")
    for row in names:
        assert list(bundle[row["ckpt_key"]].shape) == row["shape"]
        if row["variable"] is not None:
            np.testing.assert_array_equal(bundle[row["ckpt_key"]], weights[row["variable"]])
