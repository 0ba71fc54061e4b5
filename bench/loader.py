"""How fast a data set is read, and whether training waits for it.

    python -m bench.loader [--records FOLDER] [--rounds 9] [--steps 12] [--workers 2] [--device cpu] [--json]

Reading: every training window of a data set, bases and float32 signal, from Basenji's TFRecords (whatever inflates
them here, and zlib) and from the store that `distal data import-tfrecords` makes of them: in order, in random order,
and by zarr-python. Files are in the page cache and the processor's time is counted, so that other programs matter
little; all ways take turns in every round. Training: steps of a small model whose batches come from the store through
`--workers` threads, beside the same steps on one batch that is there already, by the clock; the model has one thread,
so that a machine of two cores has one for the loader. Without `--records` the data set is made up: 48 windows of
131,072 bp with 512 tracks in 896 bins.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch

from distal.data import dataset, importing, store
from distal.data.dataset import Examples
from distal.data.loading import Batch, ahead
from distal.io import tfrecords
from distal.io.tfrecords import Example
from distal.tracks import Track, TrackTable, write_targets
from distal.train.config import Config
from distal.train.loop import step
from distal.train.run import Run, start

MODEL = {"stem": 48, "tower": [48, 56, 64, 72, 80, 96], "dilated_layers": 4, "dilated": 48, "final": 128}
TINY = {"stem": 4, "tower": [4] * 6, "dilated_layers": 1, "dilated": 4, "final": 4}


def made_up(folder: Path, windows: int, tracks: int) -> Path:
    """A data set of random bases and counts, most of them small, as Basenji would write it."""
    draw = np.random.default_rng(0)
    (folder / "tfrecords").mkdir(parents=True)
    sizes = {"seq_length": 131_072, "pool_width": 128, "target_length": 896, "num_targets": tracks, "crop_bp": 8192}
    counts = {"train_seqs": windows, "valid_seqs": 1}
    (folder / "statistics.json").write_text(json.dumps({**sizes, **counts}))
    write_targets(TrackTable(tuple(Track(i, f"t{i}", "DNASE:x") for i in range(tracks))), folder / "targets.txt")

    def example() -> Example:
        signal = draw.poisson(draw.gamma(0.3, 4, (896, tracks))).astype(np.float32) / 8
        return Example(draw.integers(0, 4, 131_072).astype(np.uint8), signal)

    for split, number in (("train", windows), ("valid", 1)):
        tfrecords.write(folder / "tfrecords" / f"{split}-0.tfr", (example() for _ in range(number)))
    return folder


def timed(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds."""
    began = clock()
    function()
    return clock() - began


def reading(records: Path, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds a window, by way and round."""
    bin_bp, windows = store.open(folder).plan.bin_bp, store.open(folder).splits["train"]
    examples = dataset.load(folder, "train", bin_bp)
    order = random.Random(0).sample(range(windows), windows)
    ways: dict[str, Callable[[], object]] = {
        f"TFRecords, {tfrecords._inflate.__name__.split('.')[-1]}": lambda: [
            None for _ in tfrecords.read(records, "train")
        ],
        "TFRecords, zlib": lambda: inflated_by_zlib(records),
        "store, in order": lambda: whole(examples, range(windows)),
        "store, random order": lambda: whole(examples, order),
    }
    with suppress(ImportError):
        ways["store through zarr-python, random order"] = through_zarr(folder, order)
    for function in ways.values():
        function()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, function in ways.items():
            found[name].append(timed(function, time.process_time) / windows * 1e3)
    return found


def whole(examples: Examples, order: Any) -> None:
    """Read windows whole."""
    for index in order:
        examples.codes(index, 0, examples.input_bp)
        examples.targets(index, 0, examples.bins)


def inflated_by_zlib(records: Path) -> None:
    """Read TFRecords as one does without the extra `fast`."""
    before, tfrecords._inflate = tfrecords._inflate, zlib
    try:
        for _ in tfrecords.read(records, "train"):
            pass
    finally:
        tfrecords._inflate = before


def through_zarr(folder: Path, order: list[int]) -> Callable[[], object]:
    """Read windows as any program can."""
    import zarr

    group = zarr.open_group(folder / store.ARRAYS / "train", mode="r")
    codes, targets = group["codes"], group["targets"]
    return lambda: [(np.asarray(codes[i]), np.asarray(targets[i]).astype(np.float32)) for i in order]


def training(folder: Path, given: argparse.Namespace, out: Path) -> dict[str, list[float]]:
    """Seconds of a step by source of its batches, and seconds of it spent waiting for a batch, by round."""
    plan = store.open(folder).plan
    bins, small = (16, TINY) if given.quick else (256, MODEL)
    architecture = {**small, "input_bp": plan.input_bp, "bins": plan.bins * plan.bin_bp // 128}
    config = Config.model_validate(
        {
            "name": "bench",
            "out": str(out),
            "model": {"family": "basenji2", "architecture": architecture},
            "crop": {"input_bp": bins * 128 + 16_384, "bins": bins},
            "data": {"human": folder.name},
            "steps": 1_000_000,
            "batch": 4,
            "device": given.device,
            "workers": given.workers,
        }
    )
    run = start(config, folder.parent)
    steps = count(1)
    one = run.feed(1)
    step(run, next(steps), repeat(one))
    found: dict[str, list[float]] = {"the same batch again": [], "batches from the store": [], "waiting for them": []}
    for _ in range(given.rounds):
        found["the same batch again"].append(seconds(run, steps, repeat(one), given.steps))
        waits: list[float] = []
        with closing(ahead(run.feed, count(1), given.workers)) as batches:
            found["batches from the store"].append(seconds(run, steps, waited(batches, waits), given.steps))
        found["waiting for them"].append(statistics.median(waits))
    return found


def seconds(run: Run, steps: Iterator[int], batches: Iterator[Batch], number: int) -> float:
    """Median seconds of a step; the first is left out."""
    step(run, next(steps), batches)
    return statistics.median(timed(lambda: step(run, next(steps), batches), time.perf_counter) for _ in range(number))


def waited(batches: Iterator[Batch], waits: list[float]) -> Iterator[Batch]:
    """The batches; how long each let us wait is added to `waits`."""
    while True:
        began = time.perf_counter()
        batch = next(batches)
        waits.append(time.perf_counter() - began)
        yield batch


def show(title: str, unit: str, found: dict[str, list[float]], base: str, as_json: bool) -> None:
    """A line a way: median, and ratio to `base` round by round."""
    if not as_json:
        print(f"\n{title}\n{'':44}{unit:>10}  of {base}: median (least to most)")
    for name, values in found.items():
        ratios = [value / other for value, other in zip(values, found[base], strict=True)]
        middle = statistics.median(values)
        if as_json:
            print(json.dumps({"title": title, "way": name, unit: middle, "ratios": ratios, "base": base}))
        else:
            print(f"{name:44}{middle:10.3f}  {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="data set folder with tfrecords/")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=12, help="steps of a round")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="little data, short steps")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = (4, 16) if given.quick else (48, 512)
        records = given.records or made_up(folder / "records", *made)
        with store.create(folder / "store", importing.plan(records, ())) as writer:
            for _ in importing.fill(records, writer, workers=2):
                pass
        found = reading(records, folder / "store", given.rounds)
        show("reading a window", "ms", found, next(iter(found)), given.json)
        found = training(folder / "store", given, folder / "run")
        show(f"a training step, {given.device}", "seconds", found, next(iter(found)), given.json)


if __name__ == "__main__":
    main()
