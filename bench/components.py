"""How fast and how large `distal pcs fit` is beside scikit-learn's IncrementalPCA on the same file.

    python bench/components.py

All start with a score file (float32, uncompressed, in the page cache) and end with 20 components:

ours                 `distal.scoring.components.fit`: RobustScaler, truncated SVD, RobustScaler; streams all of it
theirs               RobustScaler, IncrementalPCA, RobustScaler; the scalers need all of it in memory, read once
theirs_vectors_only  IncrementalPCA.partial_fit on the file's blocks of 4,096 rows, nothing scaled: only it streams

They run in turn, in one process, with the same threads, all in float64. The peak memory is that of a process of its own
for one run, imports included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from distal.io.scores import Block, Layout, ScoreRow, Scores, text_widths, write
from distal.scoring.components import fit
from distal.scoring.stack import BLOCK_ROWS
from distal.tracks import Track, TrackTable

VARIANTS, TRACKS, COMPONENTS, PAIRS = 20_000, 1_000, 20, 5


def make(path: Path, n: int) -> Path:
    """A score file of `n` variants: heavy tails, forty directions whose strength falls by a sixth each, noise."""
    draw = np.random.default_rng(0)
    mixing = draw.normal(size=(40, TRACKS)) * 1.2 ** -np.arange(40)[:, None]
    rows = [ScoreRow("chr1", i + 1, ".", "A", "C", "scored") for i in range(n)]
    table = TrackTable(tuple(Track(i, f"t{i}") for i in range(TRACKS)))
    with write(path, Layout(n, text_widths(rows[-1:]), table, ("SAD",), "float32", {})) as writer:
        for start in range(0, n, BLOCK_ROWS):
            taken = rows[start : start + BLOCK_ROWS]
            values = draw.standard_t(4, (len(taken), 40)) @ mixing + 0.3 * draw.normal(size=(len(taken), TRACKS))
            writer.append(Block(taken, {"SAD": values.astype(np.float32)}))
    return path


def ours(path: Path) -> None:
    """Both scalings and the components, straight from the file."""
    fit([path], "SAD", COMPONENTS)


def theirs(path: Path) -> None:
    """The same pipeline of scikit-learn's: IncrementalPCA is the part of it that streams, the scalers don't."""
    from sklearn.decomposition import IncrementalPCA
    from sklearn.preprocessing import RobustScaler

    with Scores(path) as scores:
        values = np.concatenate(list(scores.matrices("SAD"))).astype(np.float64)
    scaled = RobustScaler().fit_transform(values)
    RobustScaler().fit(IncrementalPCA(COMPONENTS).fit(scaled).transform(scaled))


def theirs_vectors_only(path: Path) -> None:
    """IncrementalPCA alone, fed from the file block by block; no scaling at all."""
    from sklearn.decomposition import IncrementalPCA

    pca = IncrementalPCA(COMPONENTS)
    with Scores(path) as scores:
        for block in scores.matrices("SAD"):
            pca.partial_fit(block.astype(np.float64))


RUNS = {"ours": ours, "theirs": theirs, "theirs_vectors_only": theirs_vectors_only}


def seconds(run: Callable[[Path], None], path: Path) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run(path)
    return time.perf_counter() - start


def peak(name: str, path: Path) -> float:
    """Largest resident memory in MB of a process that does one run and nothing else."""
    command = [sys.executable, __file__, name, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def agreement(path: Path) -> float:
    """Least cosine between our components and those of scikit-learn's exact pipeline."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import RobustScaler

    with Scores(path) as scores:
        values = np.concatenate(list(scores.matrices("SAD"))).astype(np.float64)
    exact = TruncatedSVD(COMPONENTS, algorithm="arpack").fit(RobustScaler().fit_transform(values))
    return float((fit([path], "SAD", COMPONENTS).vectors * exact.components_).sum(axis=1).min())


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {n: make(Path(folder) / f"{n}.h5", n) for n in (VARIANTS // 4, VARIANTS, 2 * VARIANTS)}
        path = paths[VARIANTS]
        for run in RUNS.values():
            run(path)
        times = {name: [0.0] * PAIRS for name in RUNS}
        for i in range(PAIRS):
            for name, run in RUNS.items():  # one after the other, so that a slow moment of the machine meets all
                times[name][i] = seconds(run, path)
        print(f"{VARIANTS:,} variants x {TRACKS:,} tracks, float32, {COMPONENTS} components, {os.cpu_count()} cores")
        print(f"least |cosine| with RobustScaler + TruncatedSVD(arpack): 1 - {1 - agreement(path):.1e}")
        print(f"{'':22}{'seconds':>9}{'ratio to ours (median, least to most)':>40}{'peak MB':>9}")
        for name in RUNS:
            ratios = [other / own for other, own in zip(times[name], times["ours"], strict=True)]
            spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{name:22}{median(times[name]):9.2f}{spread:>40}{peak(name, path):9.0f}")
        for n, other in paths.items():
            print(f"ours, {n:,} variants: peak {peak('ours', other):.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        RUNS[sys.argv[1]](Path(sys.argv[2]))
        peak_line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
        print(int(peak_line.split()[1]) / 1024)  # resource.getrusage would count the parent before exec
    else:
        main()
