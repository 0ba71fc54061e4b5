"""TFRecord data sets against bytes made by hand here, from the format's description and with a bit-by-bit CRC32C."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.io import tfrecords
from distal.io.tfrecords import Example

LENGTH, BIN_BP, CROP_BP, BINS, TRACKS = 32, 4, 8, 4, 3
EMPTY_SHARD = bytes.fromhex("789c030000000001")


def crc32c(data: bytes) -> int:
    """Castagnoli's CRC, one bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


def varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def payload(**features: bytes) -> bytes:
    """A tf.train.Example: Features(1) { entry(1) { key(1), Feature(2) { bytes_list(1) { value(1) } } } }."""
    entries = [field(1, field(1, k.encode()) + field(2, field(1, field(1, v)))) for k, v in features.items()]
    return field(1, b"".join(entries))


def record(codes: np.ndarray, targets: np.ndarray) -> bytes:
    return framed(payload(sequence=codes.tobytes(), target=targets.astype("<f2").tobytes()))


def examples(count: int, seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    return [
        Example(
            random.integers(0, 5, LENGTH).astype(np.uint8),
            random.integers(0, 2000, (BINS, TRACKS)).astype(np.float32) / 4,  # exact in float16
        )
        for _ in range(count)
    ]


def folder(path: Path, shards: dict[str, bytes], **statistics: object) -> Path:
    """A data set folder with the given shards, named as their files are."""
    (path / "tfrecords").mkdir(parents=True)
    sizes = {
        "num_targets": TRACKS,
        "seq_length": LENGTH,
        "pool_width": BIN_BP,
        "crop_bp": CROP_BP,
        "target_length": BINS,
        **statistics,
    }
    (path / "statistics.json").write_text(json.dumps({key: value for key, value in sizes.items() if value is not None}))
    for name, content in shards.items():
        (path / "tfrecords" / name).write_bytes(content)
    return path


def one(path: Path, content: bytes) -> Example:
    """The only example of a data set whose one record has this payload."""
    [example] = tfrecords.read(folder(path, {"test-0.tfr": zlib.compress(framed(content))}), "test")
    return example


def same(a: Example, b: Example) -> bool:
    return bool((a.codes == b.codes).all() and (a.targets == b.targets).all())


def test_the_oracles_crc_is_castagnolis() -> None:
    # the check value of the CRC catalogue
    assert crc32c(b"123456789") == 0xE3069283


def test_a_shard_of_codes_is_read(tmp_path: Path) -> None:
    wanted = examples(3)
    shard = zlib.compress(b"".join(record(e.codes, e.targets) for e in wanted))
    found = list(tfrecords.read(folder(tmp_path, {"train-0.tfr": shard}), "train"))
    assert len(found) == 3
    for a, b in zip(found, wanted, strict=True):
        assert same(a, b)
        assert (a.codes.dtype, a.targets.dtype, a.umap, a.interval) == (np.uint8, np.float32, None, None)


def test_one_hot_bytes_become_codes_whatever_statistics_call_them(tmp_path: Path) -> None:
    codes = np.array([0, 1, 2, 3, 4, 3, 2, 1] * 4, dtype=np.uint8)
    rows = np.vstack([np.eye(4, dtype=np.uint8), np.zeros((1, 4), dtype=np.uint8)])[codes]
    target = np.zeros((BINS, TRACKS), "<f2").tobytes()
    for name in (True, False, None):  # the key is named the wrong way round, and missing in the published data
        shard = zlib.compress(framed(payload(sequence=rows.tobytes(), target=target)))
        data = folder(tmp_path / str(name), {"test-0.tfr": shard}, seq_1hot=name)
        assert next(tfrecords.read(data, "test")).codes.tolist() == codes.tolist()


def test_a_one_hot_row_with_several_ones_is_n(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.uint8)[np.arange(LENGTH) % 4]
    rows[5] = [1, 1, 1, 1]
    example = one(tmp_path, payload(sequence=rows.tobytes(), target=np.zeros((BINS, TRACKS), "<f2").tobytes()))
    assert example.codes.tolist() == [i % 4 if i != 5 else 4 for i in range(LENGTH)]


def test_the_older_key_and_umap_are_read_and_other_features_stepped_over(tmp_path: Path) -> None:
    e = examples(1)[0]
    wanted = payload(sequence=e.codes.tobytes(), targets=e.targets.astype("<f2").tobytes(), umap=b"\0\1\0\1")
    floats = field(1, field(1, b"weight") + field(2, field(2, field(1, struct.pack("<f", 2.0)))))
    unknown = varint(7 << 3) + varint(300) + varint(8 << 3 | 1) + bytes(8) + varint(9 << 3 | 5) + bytes(4)
    found = one(tmp_path, wanted + field(1, floats) + unknown)
    assert same(found, e)
    assert found.umap is not None
    assert found.umap.tolist() == [False, True, False, True]


def test_empty_shards_hold_nothing(tmp_path: Path) -> None:
    [e] = examples(1)
    shards = {"test-0.tfr": zlib.compress(record(e.codes, e.targets)), "test-1.tfr": EMPTY_SHARD}
    assert len(list(tfrecords.read(folder(tmp_path, shards), "test"))) == 1
    assert zlib.decompress(EMPTY_SHARD) == b""


def test_shards_come_in_the_order_of_numbers(tmp_path: Path) -> None:
    wanted = examples(12)
    shards = {f"train-{i}.tfr": zlib.compress(record(e.codes, e.targets)) for i, e in enumerate(wanted)}
    found = list(tfrecords.read(folder(tmp_path, shards), "train"))
    assert all(same(a, b) for a, b in zip(found, wanted, strict=True))


def test_what_a_killed_writer_left_is_no_split(tmp_path: Path) -> None:
    data = folder(tmp_path, {"test-0.tfr": EMPTY_SHARD, ".part.test-1.tfr": b"half"})
    assert list(tfrecords.read(data)) == []


def test_every_split_is_read_when_none_is_chosen(tmp_path: Path) -> None:
    wanted = examples(3)
    names = ("valid-0.tfr", "fold10-0.tfr", "train-0.tfr")
    shards = {name: zlib.compress(record(e.codes, e.targets)) for name, e in zip(names, wanted, strict=True)}
    data = folder(tmp_path, shards, train_seqs=1, valid_seqs=1, test_seqs=0, fold10_seqs=1, author="someone")
    found = list(tfrecords.read(data))
    assert [same(a, wanted[i]) for a, i in zip(found, (2, 0, 1), strict=True)] == [True] * 3


@pytest.mark.parametrize("whole", [True, False])
def test_intervals_are_the_whole_windows_whichever_width_the_bed_has(tmp_path: Path, whole: bool) -> None:
    wanted = examples(2)
    shards = {"test-0.tfr": zlib.compress(b"".join(record(e.codes, e.targets) for e in wanted))}
    data = folder(tmp_path, shards)
    # 32 bp [100, 132); without 8 bp on each side [108, 124)
    first, last = (100, 132) if whole else (108, 124)
    (data / "sequences.bed").write_text(
        f"chr1\t{first}\t{last}\ttest\nchr9\t{first}\t{last}\ttrain\nchr2\t{first}\t{last}\ttest\n"
    )
    found = [example.interval for example in tfrecords.read(data, "test")]
    assert found == [Interval("chr1", 100, 132), Interval("chr2", 100, 132)]


def test_places_are_known_without_the_records(tmp_path: Path) -> None:
    data = folder(tmp_path / "a", {"train-0.tfr": b"", "fold0-0.tfr": b""}, train_seqs=2, test_seqs=0)
    with pytest.raises(InputError, match=r"has no fold0_seqs, the number of its records"):
        tfrecords.windows(data)
    (data / "sequences.bed").write_text("chr1\t100\t132\ttrain\nchr9\t0\t32\tfold0\nchr2\t108\t124\ttrain\n")
    assert tfrecords.windows(data) == {
        "train": (Interval("chr1", 100, 132), Interval("chr2", 100, 132)),
        "fold0": (Interval("chr9", 0, 32),),
    }
    placeless = folder(tmp_path / "b", {"train-0.tfr": b""}, train_seqs=2)
    assert tfrecords.windows(placeless) == {"train": (None, None)}


def test_the_files_of_a_data_set_are_named_in_order(tmp_path: Path) -> None:
    names = ["valid-0.tfr", *(f"train-{i}.tfr" for i in range(11)), ".part.train-3.tfr"]
    data = folder(tmp_path, dict.fromkeys(names, EMPTY_SHARD))
    (data / "sequences.bed").write_text("")
    found = [path.relative_to(data).as_posix() for path in tfrecords.files(data)]
    shards = [*(f"train-{i}.tfr" for i in range(11)), "valid-0.tfr"]
    assert found == ["statistics.json", "sequences.bed", *(f"tfrecords/{name}" for name in shards)]


def test_a_lone_shard_takes_its_sizes_from_the_folder_above(tmp_path: Path) -> None:
    [e] = examples(1)
    data = folder(tmp_path, {"test-0.tfr": zlib.compress(record(e.codes, e.targets))})
    (data / "sequences.bed").write_text("chr1\t0\t32\ttest\n")
    [found] = tfrecords.read(data / "tfrecords" / "test-0.tfr")
    assert same(found, e)
    assert found.interval is None


def test_infinity_is_read_as_the_largest_half(tmp_path: Path) -> None:
    targets = np.zeros((BINS, TRACKS), "<f2")
    targets[1, 2] = np.inf
    found = one(tmp_path, payload(sequence=bytes(LENGTH), target=targets.tobytes()))
    assert found.targets[1, 2] == 65504
    assert np.isfinite(found.targets).all()


def test_a_file_cut_anywhere_is_refused_with_its_name(tmp_path: Path) -> None:
    shard = zlib.compress(b"".join(record(e.codes, e.targets) for e in examples(2)))
    data = folder(tmp_path, {"test-0.tfr": shard})
    for end in range(len(shard)):
        (data / "tfrecords" / "test-0.tfr").write_bytes(shard[:end])
        with pytest.raises(InputError, match=r"test-0\.tfr record [012]: "):
            list(tfrecords.read(data, "test"))


def test_a_file_with_any_byte_changed_is_refused(tmp_path: Path) -> None:
    shard = zlib.compress(b"".join(record(e.codes, e.targets) for e in examples(2)))
    data = folder(tmp_path, {"test-0.tfr": shard})
    for at in range(len(shard)):
        (data / "tfrecords" / "test-0.tfr").write_bytes(shard[:at] + bytes([shard[at] ^ 0x10]) + shard[at + 1 :])
        with pytest.raises(InputError, match=r"test-0\.tfr record [012]: "):
            list(tfrecords.read(data, "test"))


def test_a_record_with_any_byte_changed_is_refused_though_zlib_is_content(tmp_path: Path) -> None:
    [e] = examples(1)
    content = record(e.codes, e.targets)
    data = folder(tmp_path, {})
    for at in range(len(content)):
        broken = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        (data / "tfrecords" / "test-0.tfr").write_bytes(zlib.compress(broken))
        with pytest.raises(InputError, match=r"test-0\.tfr record 0: "):
            list(tfrecords.read(data, "test"))


def test_a_stream_that_ends_inside_a_record_is_refused(tmp_path: Path) -> None:
    [e] = examples(1)
    content = record(e.codes, e.targets)
    data = folder(tmp_path, {})
    for end in range(1, len(content)):
        (data / "tfrecords" / "test-0.tfr").write_bytes(zlib.compress(content[:end]))
        with pytest.raises(InputError, match=r"test-0\.tfr record 0: "):
            list(tfrecords.read(data, "test"))


def _broken() -> dict[str, tuple[bytes, str]]:
    [e] = examples(1)
    sequence, target = e.codes.tobytes(), e.targets.astype("<f2").tobytes()
    nan = np.full((BINS, TRACKS), np.nan, "<f2").tobytes()
    huge = struct.pack("<Q", 1 << 60)
    return {
        "garbage behind": (zlib.compress(record(e.codes, e.targets)) + b"more", "bytes follow"),
        "not zlib": (b"chr1\t0\t100\n", "zlib"),
        "huge length": (zlib.compress(huge + masked(huge) + b"x" * 100), "length is corrupt"),
        "not an Example": (zlib.compress(framed(b"\xff" * 20)), "not a tf.train.Example"),
        "no features": (zlib.compress(framed(b"")), "has the features none"),
        "no target": (zlib.compress(framed(payload(sequence=sequence))), "has the features sequence"),
        "short target": (zlib.compress(framed(payload(sequence=sequence, target=target[:-2]))), "target has 22 bytes"),
        "short sequence": (zlib.compress(framed(payload(sequence=sequence[:-1], target=target))), "has 31 bytes"),
        "code 5": (zlib.compress(framed(payload(sequence=b"\5" + sequence[1:], target=target))), "holds 5"),
        "one-hot 2": (zlib.compress(framed(payload(sequence=b"\2" * 128, target=target))), "holds 2"),
        "NaN": (zlib.compress(framed(payload(sequence=sequence, target=nan))), "NaN"),
        "umap": (zlib.compress(framed(payload(sequence=sequence, target=target, umap=b"\1"))), "umap has 1 bytes"),
    }


@pytest.mark.parametrize("kind", list(_broken()))
def test_what_is_no_basenji_record_is_refused(tmp_path: Path, kind: str) -> None:
    content, words = _broken()[kind]
    with pytest.raises(InputError, match=words) as caught:
        list(tfrecords.read(folder(tmp_path, {"test-0.tfr": content}), "test"))
    assert "test-0.tfr record" in str(caught.value)


@pytest.mark.parametrize(
    ("statistics", "words"),
    [
        ({"num_targets": None}, "has no 'num_targets'"),
        ({"seq_length": 33}, "do not make the 33 bp"),
        ({"num_targets": 0}, "do not make"),
        ({"pool_width": "wide"}, "not the statistics.json"),
    ],
)
def test_impossible_statistics_are_refused(tmp_path: Path, statistics: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(tfrecords.read(folder(tmp_path, {"test-0.tfr": EMPTY_SHARD}, **statistics), "test"))


def test_a_missing_crop_is_what_is_left_around_the_targets(tmp_path: Path) -> None:
    # (32 - 4 x 4) / 2 = 8
    assert tfrecords.layout(folder(tmp_path, {}, crop_bp=None)).crop_bp == 8


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list(tfrecords.read(tmp_path / "nowhere", "test"))
    with pytest.raises(InputError, match=r"statistics\.json cannot be read"):
        list(tfrecords.read(tmp_path, "test"))
    (tmp_path / "statistics.json").write_text("[1, 2]")
    with pytest.raises(InputError, match=r"not the statistics\.json"):
        list(tfrecords.read(tmp_path, "test"))
    data = folder(tmp_path / "data", {"train-0.tfr": EMPTY_SHARD})
    with pytest.raises(InputError, match="the splits there are: train"):
        list(tfrecords.read(data, "test"))


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    [e] = examples(1)
    shards = {"test-0.tfr": zlib.compress(record(e.codes, e.targets))}
    with pytest.raises(InputError, match=r"hold 1 records, statistics\.json says 2"):
        list(tfrecords.read(folder(tmp_path / "a", shards, test_seqs=2), "test"))
    data = folder(tmp_path / "b", shards, test_seqs=1)
    (data / "sequences.bed").write_text("chr1\t0\t32\ttest\n" * 3)
    with pytest.raises(InputError, match=r"sequences\.bed 3"):
        list(tfrecords.read(data, "test"))


@pytest.mark.parametrize(
    "line", ["chr1\t0\t31\ttest", "chr1\t32\t0\ttest", "chr1 0 32 test", "chr1\tzero\t32\ttest", "chr1\t0\t32"]
)
def test_a_bad_line_of_sequences_bed_is_named(tmp_path: Path, line: str) -> None:
    data = folder(tmp_path, {"test-0.tfr": EMPTY_SHARD})
    (data / "sequences.bed").write_text(f"chr1\t0\t32\ttrain\n{line}\n")
    with pytest.raises(InputError, match=r"sequences\.bed line 2: "):
        list(tfrecords.read(data, "test"))


@given(st.integers(0, 5), st.integers(0, 2**32 - 1), st.booleans())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int, umap: bool
) -> None:
    data = folder(tmp_path_factory.mktemp("data"), {})
    mask = np.arange(BINS) % 2 == 0 if umap else None
    wanted = [Example(e.codes, e.targets, mask) for e in examples(count, seed)]
    assert tfrecords.write(data / "tfrecords" / "test-0.tfr", wanted) == count
    found = list(tfrecords.read(data, "test"))
    assert all(same(a, b) for a, b in zip(found, wanted, strict=True))
    assert all((a.umap is not None) == umap and (mask is None or (a.umap == mask).all()) for a in found)


def test_the_writers_bytes_are_the_formats(tmp_path: Path) -> None:
    wanted = examples(2)
    tfrecords.write(tmp_path / "a.tfr", wanted)
    assert zlib.decompress((tmp_path / "a.tfr").read_bytes()) == b"".join(record(e.codes, e.targets) for e in wanted)


def test_the_writer_keeps_to_float16_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    data = folder(tmp_path, {})
    path = data / "tfrecords" / "test-0.tfr"
    big = Example(np.zeros(LENGTH, np.uint8), np.full((BINS, TRACKS), 1e6, np.float32))
    tfrecords.write(path, [big])
    assert next(tfrecords.read(data, "test")).targets.max() == 65504
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        tfrecords.write(path, (big if i < 2 else 1 // 0 for i in range(3)))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["test-0.tfr"]


def test_memory_is_that_of_a_record_not_of_a_file(tmp_path: Path) -> None:
    # 100 records of 200 kB: 20 MB inflated from a few kB
    e = Example(np.zeros(100_000, np.uint8), np.zeros((25_000, 2), np.float32))
    data = folder(tmp_path, {}, seq_length=100_000, target_length=25_000, num_targets=2, crop_bp=0)
    tfrecords.write(data / "tfrecords" / "test-0.tfr", [e] * 100)
    tracemalloc.start()
    try:
        assert sum(1 for _ in tfrecords.read(data, "test")) == 100
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3e6


@pytest.mark.shared
def test_the_public_windows_are_the_genomes(shared: Path) -> None:
    data = shared / "data/tracks/baskerville_tiny/hg38"
    windows: dict[str, str] = {}
    with gzip.open(shared / "data/sequence/hg38_baskerville_tiny_windows.fa.gz", "rt") as file:
        for line in file:
            if line.startswith(">"):
                name = line[1:].split()[0]
                windows[name] = ""
            else:
                windows[name] += line.strip().upper()
    counts = {}
    for split in ("train", "valid", "test"):
        found = list(tfrecords.read(data, split))
        counts[split] = len(found)
        for example in found:
            assert example.targets.shape == (2048, 74)
            assert example.interval is not None
            name = f"{example.interval.chrom}:{example.interval.start}-{example.interval.end}"
            assert dna.decode(example.codes) == windows[name]
    assert counts == {"train": 45, "valid": 10, "test": 10}
    assert len(windows) == 65
