"""TFRecords as stores: the same windows in the same order, wider where a genome is given and fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.data import tiny

from distal import dna
from distal.cli import main
from distal.coords import Interval, Window
from distal.data import dataset, importing, store
from distal.data.store import Input, Store
from distal.errors import InputError
from distal.io import tfrecords
from distal.io.fasta import Genome

WIDE = 6144
"""1,024 bp more on each side than the records hold."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "records", train=40)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    """chr1, of which every window's record holds its part; lower case, ends 500 bp behind the last window."""
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    letters = np.frombuffer(b"acgt", np.uint8)[np.random.default_rng(1).integers(0, 4, 430_000 + tiny.LENGTH + 500)]
    text = letters.tobytes().decode()
    for i in range(44):
        text = text[: 10_000 * i] + dna.decode(tiny.example(i).codes) + text[10_000 * i + tiny.LENGTH :]
    path.write_text(f">chr1\n{text}\n")
    return Genome(path)


def imported(folder: Path, out: Path, genome: Genome | None = None, input_bp: int | None = None) -> Store:
    with store.create(out, importing.plan(folder, (), input_bp)) as writer:
        done = list(importing.fill(folder, writer, genome, workers=2))
        assert done == writer.pieces
    return store.open(out, verify=True)


def test_records_keep_their_order_bases_signal_and_places(folder: Path, tmp_path: Path) -> None:
    made = imported(folder, tmp_path / "set")
    assert made.splits == {"train": 40, "valid": 2, "test": 2}
    for split in made.splits:
        for row, record in enumerate(tfrecords.read(folder, split)):
            assert (made.codes(split, row) == record.codes).all()
            assert (made.targets(split, row) == record.targets).all()
            assert made.windows(split)[row] == record.interval
    assert (made.table, made.manifest["crop_bp"]) == (tiny.TABLE, tiny.CROP_BP)


def test_windows_are_widened_around_their_middle_and_targets_stay(folder: Path, genome: Genome, tmp_path: Path) -> None:
    made = imported(folder, tmp_path / "set", genome, WIDE)
    for row in range(40):
        start = 10_000 * row - 1024
        assert made.windows("train")[row] == Interval("chr1", start, start + WIDE)
        codes = made.codes("train", row)
        assert (codes[1024:-1024] == tiny.example(row).codes).all()
        assert (codes == genome.codes(Interval("chr1", start, start + WIDE))).all()
        assert (made.targets("train", row) == tiny.example(row).targets).all()
    # the first window begins 1,024 bp before its chromosome, the last ends 524 bp behind it
    assert made.codes("train", 0)[:1025].tolist() == [dna.N] * 1024 + [int(tiny.example(0).codes[0])]
    assert (made.codes("test", 1)[-524:] == dna.N).all()
    assert made.codes("test", 1)[-525] != dna.N
    assert made.manifest["crop_bp"] == tiny.CROP_BP + 1024
    assert made.manifest["recipe"] == {"name": "tfrecords", "stored_bp": 4096}


def test_a_wider_set_trains_the_same_crops(folder: Path, genome: Genome, tmp_path: Path) -> None:
    imported(folder, tmp_path / "set", genome, WIDE)
    wide, narrow = dataset.load(tmp_path / "set", "train", 128), dataset.load(folder, "train", 128)
    window = Window(1024, 128, 4)  # which needs none of the wider bases
    for position in range(20):
        drawn = dataset.draw(narrow, window, (0, "human"), position)
        assert drawn == dataset.draw(wide, window, (0, "human"), position)
        for a, b in zip(dataset.take(wide, window, drawn), dataset.take(narrow, window, drawn), strict=True):
            assert (a == b).all()


def test_an_import_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    wanted = imported(folder, tmp_path / "whole")
    writer = store.create(tmp_path / "set", importing.plan(folder, ()))
    done = importing.fill(folder, writer, workers=0)
    assert next(done) == writer.pieces[0]
    done.close()
    assert writer.missing == writer.pieces[1:]
    assert list(importing.fill(folder, writer, workers=0)) == writer.pieces[1:]
    writer.finish()
    assert (tmp_path / "set" / store.MANIFEST).read_bytes() == (wanted.folder / store.MANIFEST).read_bytes()


def test_unknown_bases_and_a_few_patches_are_no_difference(folder: Path, genome: Genome) -> None:
    record = next(tfrecords.read(folder, "train"))
    codes = record.codes.copy()
    codes[:3000] = dna.N
    codes[3000:3010] = (codes[3000:3010] + 1) % 4  # 10 of 1,096 known bases are 0.9 %
    widened = importing._widened(replace(record, codes=codes), WIDE, genome)
    assert (widened[1024:-1024] == record.codes).all()
    codes[3010] = (codes[3010] + 1) % 4  # 11 are 1.004 %
    with pytest.raises(InputError, match="in 11 of 1,096 bases"):
        importing._widened(replace(record, codes=codes), WIDE, genome)


def test_another_genome_or_another_order_is_refused(folder: Path, genome: Genome, tmp_path: Path) -> None:
    shuffled = tiny.folder(tmp_path / "records")
    bed = shuffled / "sequences.bed"
    first, second, *others = bed.read_text().splitlines(keepends=True)
    bed.write_text("".join([second, first, *others]))
    with pytest.raises(InputError, match=r"record of chr1:\[10000, 14096\) differs from .* give the assembly"):
        imported(shuffled, tmp_path / "set", genome, WIDE)


def test_what_cannot_be_imported_is_refused(folder: Path, genome: Genome, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="would leave some out"):
        importing.plan(folder, (), 2048)
    with pytest.raises(InputError, match="do not lie in the middle of 4097 bp"):
        importing.plan(folder, (), 4097)
    with pytest.raises(InputError, match="need the genome"):
        imported(folder, tmp_path / "a", None, WIDE)
    lost = tiny.folder(tmp_path / "lost")
    (lost / "sequences.bed").unlink()
    with pytest.raises(InputError, match=r"no sequences\.bed"):
        imported(lost, tmp_path / "b", genome, WIDE)
    assert imported(lost, tmp_path / "c").windows("test") == (None, None)
    (lost / "targets.txt").write_text("index\tidentifier\tdescription\n0\tonly\tCAGE:one\n")
    with pytest.raises(InputError, match=r"targets\.txt has 1 tracks, the records have 3"):
        importing.plan(lost, ())


def test_a_missing_shard_is_noticed_before_the_set_is_finished(tmp_path: Path) -> None:
    records = tiny.folder(tmp_path / "records", train=5)
    tfrecords.write(records / "tfrecords" / "train-0.tfr", [tiny.example(i) for i in range(4)])
    with pytest.raises(InputError, match="a shard is missing"):
        imported(records, tmp_path / "set")
    with pytest.raises(InputError, match="not finished"):
        store.open(tmp_path / "set")


@pytest.mark.parametrize("wide", [True, False])
def test_the_command(
    folder: Path, genome: Genome, tmp_path: Path, wide: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--fasta", str(genome.path), "--input-bp", str(WIDE)] if wide else []
    command = ["data", "import-tfrecords", str(folder), "--out", str(tmp_path / "set"), *options]
    for _ in range(2):  # the second finds all done
        assert main(command) == 0
        assert "train 40, valid 2, test 2" in capsys.readouterr().out
    manifest = store.open(tmp_path / "set").manifest
    assert manifest["input_bp"] == (WIDE if wide else 4096)
    assert manifest["inputs"][0] == {
        "name": "statistics.json",
        "bytes": (folder / "statistics.json").stat().st_size,
        "sha256": Input.of(folder / "statistics.json").sha256,
    }
    names = [file["name"] for file in manifest["inputs"]]
    tables = ["statistics.json", "targets.txt", "sequences.bed"]
    assert names == [*tables, "test-0.tfr", "train-0.tfr", "valid-0.tfr", *(["g.fa"] if wide else [])]
    assert manifest["command"].startswith("distal data import-tfrecords")


@pytest.mark.shared
def test_the_public_set_is_imported(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data/tracks/baskerville_tiny/mm10"
    made = imported(folder, tmp_path / "set")
    assert made.splits == {"train": 28, "valid": 13, "test": 13}
    for row, record in enumerate(tfrecords.read(folder, "test")):
        assert (made.codes("test", row) == record.codes).all()
        assert (made.targets("test", row) == record.targets).all()
