"""`distal data info`: what is printed, and the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Call
from tests.data import tiny

from distal.tracks import read_targets


@pytest.mark.parametrize("make", [tiny.folder, tiny.stored])
def test_numbers_for_people_and_machines(tmp_path: Path, call: Call, make) -> None:
    folder = make(tmp_path / "set")
    code, out, err = call("data", "info", folder)
    assert code == 0, err
    assert "input_bp 4096, bin_bp 32, bins 64" in out
    assert "CAGE" in out
    said = json.loads(call("data", "info", folder, "--json")[1])
    assert [(row["split"], row["windows"]) for row in said["splits"]] == [("train", 6), ("valid", 2), ("test", 2)]
    assert [row["track"] for row in said["tracks"]] == ["cage+", "cage-", "dnase"]
    # The signal is counts of bases in eighths: at most 32 / 8.
    highs = [split["high"] for row in said["tracks"] for split in row["splits"].values()]
    assert 1 < max(highs) <= 4
    assert all(row["remarks"] == [] for row in said["tracks"])
    only = json.loads(call("data", "info", folder, "--splits", "test, valid", "--json")[1])
    assert [row["split"] for row in only["splits"]] == ["test", "valid"]


def test_pictures(tmp_path: Path, call: Call) -> None:
    folder = tiny.folder(tmp_path / "set", train=2)
    code, _, err = call("data", "info", folder, "--figures", tmp_path / "new" / "figures")
    assert code == 0, err
    files = {str(path.relative_to(tmp_path / "new" / "figures")) for path in (tmp_path / "new").rglob("*.png")}
    assert files == {"overview.png", "tracks/0000.cage+.png", "tracks/0001.cage-.png", "tracks/0002.dnase.png"}
    (tmp_path / "file").write_text("")
    code, _, err = call("data", "info", folder, "--figures", tmp_path / "file")
    assert code == 2
    assert "--figures" in err


@pytest.mark.parametrize(
    ("words", "match"), [(("nowhere",), "cannot be read"), (("set", "--splits", "fold0"), "no split fold0")]
)
def test_what_is_refused(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], match: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.folder(tmp_path / "set")
    code, out, err = call("data", "info", *words)
    assert (code, out) == (2, "")
    assert match in err


@pytest.mark.shared
def test_the_published_tiny_sets(shared: Path, call: Call) -> None:
    for species, windows in (("hg38", [45, 10, 10]), ("mm10", [28, 13, 13])):
        folder = shared / "data" / "tracks" / "baskerville_tiny" / species
        said = json.loads(call("data", "info", folder, "--json")[1])
        assert [row["windows"] for row in said["splits"]] == windows
        assert [row["track"] for row in said["tracks"]] == list(read_targets(folder / "targets.txt").names)
        assert not any(split["broken"] for row in said["tracks"] for split in row["splits"].values())
        remarks = {row["track"]: row["remarks"] for row in said["tracks"] if row["remarks"]}
        # The one experiment of the 10 RNA3 tracks that is some 20 times shallower than the others, on both strands.
        assert set(remarks) == ({"tabula399+", "tabula399-"} if species == "hg38" else set())
        highest = max(split["high"] for row in said["tracks"] for split in row["splits"].values())
        assert highest == pytest.approx(58.9 if species == "hg38" else 69.7, abs=0.1)
