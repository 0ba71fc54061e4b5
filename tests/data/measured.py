"""A small genome with bigWigs over it: gaps, huge values, a chromosome that a file lacks; and orders to build of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distal.coords import Interval, Window
from distal.data.order import Order
from distal.io import bigwig
from distal.tracks import Track, TrackTable, write_targets

WINDOW = Window(2048, 64, 16)
SIZES = {"chr1": 30_000, "chr2": 9_000}
RECIPES = ("basenji2", "basenji2-hard", "basenji", "borzoi")
ROOTS = {
    "basenji2": ("sum", "mean"),
    "basenji2-hard": ("sum", "max"),
    "basenji": ("sum_sqrt", "peak"),
    "borzoi": ("sum_sqrt", "mean_sqrt"),
}
"""Recipe -> two `sum_stat` for the tests to try beside mean and median."""


def table(recipe: str) -> TrackTable:
    """Four tracks: all clips, one clip, none; with and without gaps; the third passes what float16 can hold."""
    first, second = ROOTS[recipe]
    return TrackTable(
        (
            Track(0, "dense", "DNASE:a", "dense.bw", clip=32, clip_soft=20, scale=2, sum_stat=first),
            Track(1, "gaps", "CAGE:a", "gaps.bw", clip=384, scale=0.3, sum_stat=second),
            Track(2, "huge", "CHIP:x:a", "huge.bw", sum_stat="mean"),
            Track(3, "soft", "ATAC:a", "gaps.bw", clip_soft=1.5, scale=1, sum_stat="median"),
        )
    )


def files(folder: Path) -> Path:
    """Write genome, bigWigs, blacklist and windows into `folder`."""
    random = np.random.default_rng(5)
    with (folder / "genome.fa").open("w") as file:
        for name, size in SIZES.items():
            file.write(f">{name}\n{''.join(random.choice(list('ACGTN'), size, p=[0.24] * 4 + [0.04]))}\n")
    for name, chroms, height, gap in (("dense", SIZES, 1, 0), ("gaps", SIZES, 3, 0.2), ("huge", ["chr1"], 1e5, 0.001)):
        records = [
            (Interval(chrom, start, start + 50), random.exponential(height, 5).astype(np.float32), 10)
            for chrom in chroms
            for start in range(0, SIZES[chrom], 50)
            if random.random() >= gap
        ]
        bigwig.write(folder / f"{name}.bw", SIZES, records)
    (folder / "black.bed").write_text("chr1\t4000\t4100\nchr1\t4110\t4300\nchr1\t20500\t22000\n2\t0\t50\n")
    (folder / "windows.bed").write_text("".join(f"{line}\n" for line in _windows(random)))
    return folder


def _windows(random: np.random.Generator) -> list[str]:
    """36 windows in three splits, anywhere; the first begins before its chromosome: as what is measured of it."""
    lines = []
    for i in range(36):
        chrom = ("chr1", "chr1", "chr2")[i % 3]
        start = int(random.integers(SIZES[chrom] - WINDOW.input_bp + 900)) if i else -300
        place = Interval(chrom, start, start + WINDOW.input_bp)
        place = WINDOW.output_of(place) if start < 0 else place
        lines.append(f"{chrom}\t{place.start}\t{place.end}\t{('train', 'valid', 'test')[i // 24 + i % 2]}")
    return lines


def order(folder: Path, recipe: str = "basenji", blacklist: bool = True, interpolate: bool = False) -> Order:
    """What is to be built of `files` by a recipe."""
    write_targets(table(recipe), folder / f"{recipe}.txt")
    black = folder / "black.bed" if blacklist else None
    windows = folder / "windows.bed"
    return Order(folder / "genome.fa", folder / f"{recipe}.txt", windows, WINDOW, recipe, interpolate, black)
