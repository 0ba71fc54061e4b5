"""Sharded arrays against zarr-python, which knows nothing of them but the specification."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from distal.errors import InputError
from distal.io import shards
from distal.io.shards import Layout, Shards

CODES = Layout(7, (50,), "uint8", 3, "bitshuffle")
TARGETS = Layout(7, (4, 5), "float16", 3)


def values(layout: Layout, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 5, (layout.rows, *layout.row)).astype(layout.dtype)


def written(folder: Path, layout: Layout, rows: np.ndarray) -> Path:
    shards.create(folder, layout)
    for shard in range(layout.shards):
        first = shard * layout.shard_rows
        shards.write(folder, layout, shard, rows[first : first + layout.held(shard)])
    return folder


@pytest.mark.parametrize("layout", [CODES, TARGETS], ids=lambda layout: layout.dtype)
@settings(max_examples=20)
@given(rows=st.integers(1, 12), shard_rows=st.integers(1, 5), seed=st.integers(0, 99))
def test_zarr_reads_what_is_written_here(
    tmp_path_factory: pytest.TempPathFactory, layout: Layout, rows: int, shard_rows: int, seed: int
) -> None:
    layout = Layout(rows, layout.row, layout.dtype, shard_rows, layout.shuffle)
    wanted = values(layout, seed)
    folder = written(tmp_path_factory.mktemp("zarr") / "array", layout, wanted)
    found = zarr.open_array(folder, mode="r")
    assert (found.dtype, found.shards, found.chunks) == (layout.dtype, (shard_rows, *layout.row), (1, *layout.row))
    assert np.asarray(found[:]).tobytes() == wanted.tobytes()
    ours = Shards(folder, layout)
    assert len(ours) == rows
    for row in range(rows):
        assert ours[row].dtype == layout.dtype
        assert ours[row].tobytes() == wanted[row].tobytes()


@pytest.mark.parametrize("layout", [CODES, TARGETS], ids=lambda layout: layout.dtype)
def test_what_zarr_writes_with_our_metadata_is_read_here(tmp_path: Path, layout: Layout) -> None:
    shards.create(tmp_path, layout)
    zarr.open_array(tmp_path, mode="r+")[:] = values(layout)
    (tmp_path / "zarr.json").unlink()  # zarr adds to it what it knows
    shards.create(tmp_path, layout)
    ours = Shards(tmp_path, layout)
    assert all((ours[row] == values(layout)[row]).all() for row in range(layout.rows))


def test_rows_packed_in_another_way_are_read(tmp_path: Path) -> None:
    folder = written(tmp_path, CODES, values(CODES))
    metadata = json.loads((folder / "zarr.json").read_text())
    packing = metadata["codecs"][0]["configuration"]["codecs"][1]["configuration"]
    assert packing["cname"] == "lz4hc"
    packing.update(cname="zstd", clevel=9)
    (folder / "zarr.json").write_text(json.dumps(metadata))
    zarr.open_array(tmp_path, mode="r+")[3:] = 1 + values(CODES)[3:]
    (folder / "zarr.json").write_text(json.dumps(metadata))
    ours = Shards(folder, CODES)
    assert all((ours[row] == values(CODES)[row] + (row >= 3)).all() for row in range(7))


def test_the_groups_above_are_zarrs_too(tmp_path: Path) -> None:
    for folder in (tmp_path / "data.zarr", tmp_path / "data.zarr" / "train"):
        shards.group(folder)
    written(tmp_path / "data.zarr" / "train" / "targets", TARGETS, values(TARGETS))
    assert zarr.open_group(tmp_path / "data.zarr", mode="r")["train/targets"].shape == (7, 4, 5)


def test_files_hold_rows_by_number_and_the_last_one_fewer(tmp_path: Path) -> None:
    # 7 rows, 3 a file: 0-2, 3-5 and 6
    assert [CODES.held(shard) for shard in range(CODES.shards)] == [3, 3, 1]
    assert (CODES.name(2), TARGETS.name(2)) == ("c/2/0", "c/2/0/0")
    folder = written(tmp_path, TARGETS, values(TARGETS))
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        *(f"c/{i}/0/0" for i in range(3)),
        "zarr.json",
    ]


def test_packing_makes_no_semaphore(tmp_path: Path) -> None:
    """Python's resource tracker would complain of it when a worker that packs is ended."""
    code = (
        "import sys, numpy as np; from pathlib import Path; from distal.io import shards;"
        "from multiprocessing import resource_tracker as tracker, set_start_method; set_start_method('spawn');"
        "layout = shards.Layout(2, (3,), 'float16', 2); folder = Path(sys.argv[1]);"
        "shards.create(folder, layout); shards.write(folder, layout, 0, np.ones((2, 3), np.float16));"
        "sys.exit(tracker._resource_tracker._fd is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "array")], check=False).returncode == 0


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    layout = Layout(2, (1_000_000,), "uint8", 2, "bitshuffle")  # rows of many blocks
    rows = values(layout)
    first = written(tmp_path / "a", layout, rows) / layout.name(0)
    assert all(
        (written(tmp_path / "b", layout, rows) / layout.name(0)).read_bytes() == first.read_bytes() for _ in "abc"
    )


def test_other_rows_than_those_of_a_file_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    rows = values(TARGETS)
    for wrong in (rows[:2], rows[:4], rows[:3].astype(np.float32), rows[:3, :, :4]):
        with pytest.raises(ValueError, match="row"):
            shards.write(tmp_path, TARGETS, 0, wrong)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_cut_anywhere_is_noticed_on_opening(tmp_path: Path) -> None:
    folder = written(tmp_path, CODES, values(CODES))
    path = folder / CODES.name(1)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"c/1/0 .*(corrupt|cut off)"):
            Shards(folder, CODES)
    path.unlink()
    with pytest.raises(InputError, match="c/1/0 is missing"):
        Shards(folder, CODES)


def test_any_byte_changed_is_noticed_on_opening_or_in_its_row_alone(tmp_path: Path) -> None:
    folder, wanted = written(tmp_path, CODES, values(CODES)), values(CODES)
    path = folder / CODES.name(0)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        refused = [row for row in range(3) if not readable(folder, row, wanted[row])]
        assert len(refused) == 1 if at < len(whole) - 3 * 16 - 4 else refused == [0, 1, 2]


def readable(folder: Path, row: int, wanted: np.ndarray) -> bool:
    """Whether a row is read, as it was written."""
    try:
        found = Shards(folder, CODES)[row]
    except InputError as error:
        return "corrupt" not in str(error)
    return bool((found == wanted).all())


def test_a_file_that_is_cut_after_opening_is_noticed(tmp_path: Path) -> None:
    opened = Shards(written(tmp_path, CODES, values(CODES)), CODES)
    (tmp_path / CODES.name(0)).write_bytes(b"")
    with pytest.raises(InputError, match="c/0/0 row 1 is corrupt"):
        opened[1]


def test_another_array_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, CODES, values(CODES))
    with pytest.raises(InputError, match="another array"):
        Shards(folder, Layout(7, (50,), "uint8", 4, "bitshuffle"))
    (folder / "zarr.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="another array"):
        Shards(folder, CODES)
    (folder / "zarr.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Shards(folder, CODES)
