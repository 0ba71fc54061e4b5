"""The cache: what comes back is what was put or nothing; bounded, oldest first; for threads and for two servers."""

import hashlib
import os
import pickle
import random
import shutil
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distal.errors import InputError
from distal.web.cache import Cache

ROOMY = 1 << 30


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", ROOMY)


def files(cache):
    return sorted(path.name for path in cache.folder.iterdir())


def aged(cache, key, seconds):
    """As if the array had last been asked for that long ago."""
    then = time.time() - seconds
    os.utime(cache._path(key), (then, then))


def test_a_file_is_named_by_the_sha256_of_its_key(cache):
    # FIPS 180-2, appendix B.1
    cache.put("abc", np.arange(3))
    assert files(cache) == ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.npy"]


def test_numpy_reads_the_files_and_their_checksum_is_that_of_zip(cache):
    values = np.linspace(0, 1, 7, dtype=np.float32)
    cache.put("k", values)
    content = cache._path("k").read_bytes()
    assert np.array_equal(np.load(cache._path("k"), mmap_mode="r", allow_pickle=False), values)
    assert content[-4:] == zlib.crc32(content[:-4]).to_bytes(4, "little")


TYPES = st.sampled_from([np.float32, np.float16, np.int64, np.uint8, np.bool_, np.dtype([("a", "f4"), ("b", "i2")])])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays.arrays(TYPES, SHAPES), st.text(max_size=20), st.booleans())
def test_what_was_put_comes_back(cache, array, key, turned):
    array = array.T if turned else array
    for found in (cache.put(key, array), cache.get(key), Cache(cache.folder, ROOMY).get(key)):
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert found.tobytes() == array.tobytes()
        assert not found.flags.writeable


def test_keys_are_apart_and_the_last_array_of_one_counts(cache):
    cache.put("a", np.zeros(3))
    cache.put("b", np.ones(3))
    cache.put("a", np.full(2, 5.0))
    assert cache.get("a").tolist() == [5, 5]
    assert cache.get("b").tolist() == [1, 1, 1]
    assert cache.get("c") is None
    assert len(files(cache)) == 2


def test_an_array_outlives_its_file(cache):
    kept = cache.put("a", np.arange(100_000))
    shutil.rmtree(cache.folder)
    assert kept.sum() == 99_999 * 100_000 // 2


def test_objects_are_refused(cache):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        cache.put("a", np.array([{}], dtype=object))
    assert files(cache) == []


@pytest.mark.parametrize("place", range(180))
def test_a_flipped_bit_anywhere_drops_the_file(cache, place):
    cache.put("a", np.arange(6, dtype=np.float64))  # 128 bytes of header, 48 of numbers, 4 of checksum
    path = cache._path("a")
    content = bytearray(path.read_bytes())
    assert len(content) == 180
    content[place] ^= 1 << place % 8
    path.write_bytes(content)
    assert cache.get("a") is None
    assert files(cache) == []


def test_a_file_that_was_found_sound_is_checked_again_when_another_takes_its_place(cache):
    cache.put("a", np.arange(6, dtype=np.float64))
    path = cache._path("a")
    assert cache.get("a")[5] == 5
    content = bytearray(path.read_bytes())
    content[170] ^= 1
    other = cache.folder / "other"
    other.write_bytes(content)
    other.replace(path)
    assert cache.get("a") is None
    cache.put("a", np.arange(7, dtype=np.float64))
    assert cache.get("a")[6] == 6


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 9, 10, 60, 127, 128, 131, 132, 175, 179, 181, 200])
def test_a_cut_or_lengthened_file_is_dropped(cache, size):
    cache.put("a", np.arange(6, dtype=np.float64))
    path = cache._path("a")
    path.write_bytes((path.read_bytes() + bytes(20))[:size])
    assert cache.get("a") is None
    assert files(cache) == []
    assert cache.put("a", np.arange(2)).tolist() == [0, 1]


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def signed(content):
    return content + zlib.crc32(content).to_bytes(4, "little")


def test_nothing_is_unpickled_even_with_the_right_checksum(cache, tmp_path):
    np.save(tmp_path / "trap.npy", np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    for content in ((tmp_path / "trap.npy").read_bytes(), pickle.dumps(Trap(tmp_path / "sprung"))):
        cache._path("a").write_bytes(signed(content))
        assert cache.get("a") is None
        assert files(cache) == []
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "header",
    [
        b"\x93NUMPY\x02\x00\x10\x00\x00\x00" + b" " * 16,
        b"\x93NUMPY\x01\x00\xff\xff{'descr': '<f8'",
        b"\x93NUMPY\x01\x00\x40\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000,)}".ljust(63)
        + b"\n",
        b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}".ljust(63) + b"\n",
        b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f8', 'fortran_order': False}".ljust(63) + b"\n",
        b"\x93NUMPY\x01\x00\x40\x00" + b"__import__('os').abort()".ljust(63) + b"\n",
        b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 63 + b"\n",
        b"",
    ],
    ids=["version", "short", "more than there is", "below 0", "no shape", "code", "brackets", "empty"],
)
def test_headers_that_numpy_never_wrote_are_dropped(cache, header):
    cache._path("a").write_bytes(signed(header))
    assert cache.get("a") is None
    assert files(cache) == []


def test_a_folder_in_the_place_of_a_file_stops_nothing(cache):
    cache._path("a").mkdir()
    assert cache.get("a") is None
    assert cache.put("a", np.arange(3)).tolist() == [0, 1, 2]


def test_what_was_not_asked_for_longest_goes_first(cache):
    size = cache.put("0", np.zeros(1000, dtype=np.uint8)).nbytes + 132  # the header and the checksum
    small = Cache(cache.folder, 10 * size)
    for number in range(1, 10):
        cache.put(str(number), np.zeros(1000, dtype=np.uint8))
    for number in range(10):
        aged(cache, str(number), 100 - number)
    assert small.get("0") is not None
    small.put("10", np.zeros(1000, dtype=np.uint8))  # 11 files: down to 9
    assert [number for number in range(11) if cache.get(str(number)) is None] == [1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_the_folder_holds_what_a_slow_list_of_uses_holds(tmp_path, seed):
    """The oracle: keys in the order of their last use, the first ones off once there are more than fit."""
    draw, fit = random.Random(seed), 8
    size = 132 + 512
    cache = Cache(tmp_path, fit * size)
    uses, clock = [], 0
    for _ in range(200):
        key = str(draw.randrange(14))
        clock += 1
        if draw.random() < 0.5:
            assert (cache.get(key) is not None) == (key in uses)
            if key not in uses:
                continue
        else:
            for other in uses:
                os.utime(cache._path(other), (uses.index(other) + 1,) * 2)  # clocks tick slowly, uses follow each other
            cache.put(key, np.zeros(512, dtype=np.uint8))
            left = [other for other in uses if other != key] + [key]
            # files are put at most 0.9 of 8 deep, which is 7, when a ninth comes
            uses = left if len(left) <= fit else left[len(left) - 7 :]
            continue
        uses = [other for other in uses if other != key] + [key]
    assert sorted(files(cache)) == sorted(cache._path(key).name for key in uses)


def test_what_is_larger_than_the_cache_is_given_back_and_not_kept(tmp_path):
    for room in (0, 100):
        cache = Cache(tmp_path / str(room), room)
        given = cache.put("a", np.arange(100))
        assert given.tolist() == list(range(100))
        assert not given.flags.writeable
        assert cache.get("a") is None
        assert files(cache) == []


def test_what_is_larger_than_the_cache_takes_nobodys_place(tmp_path):
    cache = Cache(tmp_path, 2_000)
    cache.put("small", np.zeros(100, dtype=np.uint8))
    cache.put("large", np.zeros(5_000, dtype=np.uint8))
    assert cache.get("small") is not None


def test_the_given_array_stays_writable(tmp_path):
    array = np.arange(100)
    Cache(tmp_path, 0).put("a", array)
    array[0] = 5
    assert array.flags.writeable


def test_a_folder_below_0_bytes_is_refused(tmp_path):
    with pytest.raises(InputError, match="-1 bytes"):
        Cache(tmp_path, -1)


def test_a_folder_that_went_away_slows_down_and_stops_nothing(cache):
    shutil.rmtree(cache.folder)
    assert cache.get("a") is None
    assert cache.put("a", np.arange(3)).tolist() == [0, 1, 2]


def test_a_server_that_starts_makes_room(cache):
    for number in range(10):
        cache.put(str(number), np.zeros(1000, dtype=np.uint8))
        aged(cache, str(number), 100 - number)
    Cache(cache.folder, 5 * 1132)  # 4.5 fit below 0.9
    assert [number for number in range(10) if cache.get(str(number)) is not None] == [6, 7, 8, 9]


def test_what_others_put_into_the_folder_stays(cache):
    ours = hashlib.sha256(b"").hexdigest()
    names = ["thesis.npy", ours, f"{ours}.txt", f"{ours.upper()}.npy", f".{ours}.npy.swp", "notes"]
    for name in names:
        (cache.folder / name).write_bytes(bytes(1000))
        os.utime(cache.folder / name, (1, 1))
    Cache(cache.folder, 0)
    assert files(cache) == sorted(names)


def test_what_a_killed_server_left_goes_and_what_one_writes_stays(cache):
    ours = hashlib.sha256(b"").hexdigest()
    old, new = (cache.folder / f".{ours}.npy.{letter * 32}" for letter in "ab")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.trim()
    assert files(cache) == [new.name]


def value_of(key):
    return np.random.default_rng(int(key)).integers(0, 255, 2000, dtype=np.uint8)


def use(cache, seed, wrong, times=150):
    """Ask and put at random; what comes back has to be right."""
    draw = random.Random(seed)
    for _ in range(times):
        key = str(draw.randrange(40))
        found = cache.get(key) if draw.random() < 0.5 else cache.put(key, value_of(key))
        if found is not None and not np.array_equal(found, value_of(key)):
            wrong.append(key)


def test_threads_and_servers_share_a_folder(tmp_path):
    room = 10 * 2132
    caches = [Cache(tmp_path, room), Cache(tmp_path, room)]
    wrong = []
    threads = [threading.Thread(target=use, args=(caches[i % 2], i, wrong)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert total <= room + 2 * (0.05 * room + 2132)  # each may have written a little since it looked
    assert all(not name.startswith(".") for name in files(caches[0]))


PROCESS = """
import sys
from pathlib import Path
from tests.web.test_cache import Cache, use
wrong = []
use(Cache(Path(sys.argv[1]), 21_320), int(sys.argv[2]), wrong)
sys.exit(len(wrong))
"""


def test_processes_share_a_folder(tmp_path):
    sides = [subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), str(seed)]) for seed in (100, 200)]
    assert [side.wait(60) for side in sides] == [0, 0]
    assert all(not path.name.startswith(".") for path in tmp_path.iterdir())
