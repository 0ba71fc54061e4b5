"""`distal doctor`: what this machine can run, at what speed, and what is missing; changes nothing, needs no network."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from distal import __version__
from distal.cli.console import duration, emit

ENFORMER_GFLOP, BASENJI2_GFLOP = 3_293.0, 233.0
"""One forward pass of the published models over one sequence (196,608 and 131,072 bp)."""
EXTRAS = {
    "isal": "TFRecords are read with zlib, about three times slower; install distal[fast]",
    "sklearn": "benchmarks that fit classifiers cannot run; install distal[bench]",
}
SECONDS = 0.5


def doctor(*, json: bool = False) -> None:
    """What this machine can run, at what speed, and what is missing.

    Times matrix products and a forward pass of each model that ships with distal, which takes a few seconds, and says
    from that about how long the published models need for one sequence.

    Parameters
    ----------
    json
        Print JSON.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    speed = {name: _gemm(device, name) for name in ("float32", "bfloat16")}
    report = {
        "distal": __version__,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": _cores(),
        "memory GB": _memory_gb(),
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "GPU": _gpus(),
        "cache": _cache(),
        **{f"{name} GFLOP/s on {device}": value for name, value in speed.items()},
        **{f"{name}, one sequence": text for name, text in _shipped(device).items()},
        "enformer, one sequence": f"about {duration(ENFORMER_GFLOP / speed['float32'])} in fp32 (estimated)",
        "basenji2, one sequence": f"about {duration(BASENJI2_GFLOP / speed['float32'])} in fp32 (estimated)",
        "missing": _missing(speed),
    }
    emit(report, json)


def _cores() -> int:
    """Cores that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gb() -> float:
    """Physical memory, or what the container allows when that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
    return round(total / 1e9, 1)


def _gpus() -> list[str] | str:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    properties = [torch.cuda.get_device_properties(i) for i in range(count)]
    return [f"{one.name}, {one.total_memory / 1e9:.0f} GB" for one in properties] or "none"


def _cache() -> str:
    from distal.models.fetch import cache_folder

    folder = cache_folder()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return f"{folder}, {shutil.disk_usage(there).free / 1e9:.0f} GB free"


def _gemm(device: str, dtype: str) -> float:
    """GFLOP/s of a matrix product: a small one first, since a CPU without bfloat16 takes minutes for a large one."""
    import torch

    rate = 0.0
    for n in (256, 2048):
        a = torch.randn(n, n, device=device, dtype=getattr(torch, dtype))
        if rate and 2 * n**3 / 1e9 / rate > SECONDS:
            break
        rate = 2 * n**3 / 1e9 / _seconds(lambda a=a: a @ a, device)  # type: ignore[misc]
    return float(f"{rate:.3g}")


def _shipped(device: str) -> dict[str, str]:
    """Seconds of one forward pass of every model that ships with distal."""
    import numpy as np

    from distal.models.zoo import SHIPPED, installed
    from distal.predictor import load

    times = {}
    for name, folder in installed().items():
        if folder.parent == SHIPPED:
            predictor = load(name, device=device)
            codes = np.zeros((1, predictor.window.input_bp), dtype=np.uint8)
            times[name] = f"{_seconds(lambda p=predictor, c=codes: p(c), device):.3g} s in fp32"  # type: ignore[misc]
    return times


def _seconds(work: Callable[[], Any], device: str) -> float:
    """Mean time of `work` over about half a second, after one run to warm up."""
    import torch

    def run() -> None:
        work()
        if device == "cuda":
            torch.cuda.synchronize()

    run()
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < SECONDS:
        run()
        count += 1
    return (time.perf_counter() - start) / count


def _missing(speed: dict[str, float]) -> list[str]:
    from distal.models.zoo import SHIPPED, installed

    found = [f"{name}: {meaning}" for name, meaning in EXTRAS.items() if find_spec(name) is None]
    if not any(folder.parent == SHIPPED for folder in installed().values()):
        found.append("the models that ship with distal: `distal demo` cannot run; install distal again")
    if speed["bfloat16"] < speed["float32"]:
        found.append("fast bfloat16: `--precision bf16` would be slower than fp32 here")
    return found or ["nothing"]
