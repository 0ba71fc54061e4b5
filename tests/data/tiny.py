"""A data set folder in small: random bases with a signal that follows them, written as Basenji writes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from distal.coords import Interval
from distal.data import store
from distal.data.store import Plan, Writer
from distal.io import tfrecords
from distal.io.tfrecords import Example
from distal.tracks import Track, TrackTable, write_targets

LENGTH, BIN_BP, CROP_BP = 4096, 32, 1024
BINS = (LENGTH - 2 * CROP_BP) // BIN_BP
TABLE = TrackTable(
    (
        Track(0, "cage+", "CAGE:liver", strand_pair=1),
        Track(1, "cage-", "CAGE:liver", strand_pair=0),
        Track(2, "dnase", "DNASE:HepG2", file="coverage/dnase.bw", strand_pair=2),
    )
)


def example(seed: int) -> Example:
    """Signal: the count of G (+ strand), of C (- strand) and of both in each bin, in eighths."""
    random = np.random.default_rng(seed)
    richness = np.repeat(random.uniform(0.1, 0.9, LENGTH // 256), 256)
    strong = random.random(LENGTH) < richness
    codes = np.where(strong, random.integers(1, 3, LENGTH), random.choice([0, 3], LENGTH)).astype(np.uint8)
    centre = codes[CROP_BP:-CROP_BP].reshape(BINS, BIN_BP)
    g, c = (centre == 2).sum(axis=1), (centre == 1).sum(axis=1)
    return Example(codes, np.stack([g, c, g + c], axis=1).astype(np.float32) / 8)


def plan(train: int = 6, valid: int = 2, test: int = 2) -> Plan:
    """The data set of `folder`, as a store."""
    names = ["train"] * train + ["valid"] * valid + ["test"] * test
    places = [(name, Interval("chr1", 10_000 * i, 10_000 * i + LENGTH)) for i, name in enumerate(names)]
    windows = {split: tuple(w for name, w in places if name == split) for split in ("train", "valid", "test")}
    return Plan(LENGTH, BIN_BP, BINS, windows, TABLE, {"name": "tiny"}, command="distal data build")


def fill(writer: Writer, seed: int = 0) -> None:
    """Write the pieces that are missing."""
    starts = dict(zip(writer.plan.windows, np.cumsum([0, *map(len, writer.plan.windows.values())]), strict=False))
    for piece in writer.missing:
        rows = [example(seed + int(starts[piece.split]) + i) for i in range(piece.first, piece.last)]
        writer.write(piece, np.stack([row.codes for row in rows]), np.stack([row.targets for row in rows]))


def stored(path: Path, train: int = 6, valid: int = 2, test: int = 2, seed: int = 0) -> Path:
    """The same data set as `folder` writes, as a store."""
    with store.create(path, plan(train, valid, test)) as writer:
        fill(writer, seed)
    return path


def folder(path: Path, train: int = 6, valid: int = 2, test: int = 2, seed: int = 0) -> Path:
    """Write a data set of that many windows; window i of all lies at chr1:[10000 i, 10000 i + 4096)."""
    (path / "tfrecords").mkdir(parents=True)
    counts = {"train": train, "valid": valid, "test": test}
    sizes = {"num_targets": 3, "seq_length": LENGTH, "pool_width": BIN_BP, "crop_bp": CROP_BP, "target_length": BINS}
    seqs = {f"{split}_seqs": count for split, count in counts.items()}
    (path / "statistics.json").write_text(json.dumps({**sizes, **seqs, "seq_1hot": True}))
    write_targets(TABLE, path / "targets.txt")
    rows, number = [], 0
    for split, count in counts.items():
        tfrecords.write(path / "tfrecords" / f"{split}-0.tfr", (example(seed + number + i) for i in range(count)))
        starts = [10_000 * (number + i) for i in range(count)]
        rows += [f"chr1\t{start + CROP_BP}\t{start + LENGTH - CROP_BP}\t{split}\n" for start in starts]
        number += count
    (path / "sequences.bed").write_text("".join(rows))
    return path
