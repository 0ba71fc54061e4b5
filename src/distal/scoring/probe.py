"""How fast this machine scores, and in how much memory, by batch size and precision: measured on real windows.

Knows a recipe and a clock; counts nothing and writes nothing.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import torch

from distal.errors import InputError
from distal.predictor import Precision, Predictor
from distal.scoring.alleles import Haplotypes
from distal.scoring.recipe import Recipe

SECONDS = 30.0
"""How long is measured, about; one batch is always finished."""
LARGEST = 64
"""Windows of the largest batch that is tried, unless a larger one is asked for."""
GAIN, GAIN_BF16 = 1.05, 1.5
"""How many times faster a larger batch, and bf16, must be to be recommended."""

_TICK = 0.01
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Probe:
    """One batch: of what size it was to be at most, how many distinct windows it had, and how long it took."""

    precision: Precision
    batch_size: int
    windows: int
    seconds: float

    @property
    def per_window(self) -> float:
        """Seconds."""
        return self.seconds / self.windows


@dataclass(frozen=True)
class Measured:
    """All batches that were timed, and the most memory that the process held meanwhile, in bytes."""

    probes: tuple[Probe, ...]
    memory: int
    gpu_memory: int

    def nearest(self, predictor: Predictor) -> Probe:
        """The largest batch timed that isn't larger than the predictor's, in its precision."""
        same = [one for one in self.probes if one.precision == predictor.precision]
        return max(same, key=lambda one: (one.batch_size <= predictor.batch_size, one.batch_size))

    def recommended(self) -> Probe:
        """The smallest batch that is about as fast as the fastest; in bf16 only where that is much faster."""
        full = [one for one in self.probes if one.precision == "fp32"]
        half = [one for one in self.probes if one.precision == "bf16"]
        best = [_smallest_fast(probes) for probes in (full, half) if probes]
        return best[-1] if best[0].per_window >= GAIN_BF16 * best[-1].per_window else best[0]


def _smallest_fast(probes: Sequence[Probe]) -> Probe:
    fastest = min(one.per_window for one in probes)
    return min((one for one in probes if one.per_window <= GAIN * fastest), key=lambda one: one.batch_size)


def measure(recipe: Recipe, sample: Sequence[Haplotypes], seconds: float = SECONDS) -> Measured:
    """Score batches of `sample` for about `seconds`: the smallest first, then larger ones while they are promising.

    The precision asked for comes first; fp32 always, bf16 where the device has instructions for it. A batch is tried
    only where time and memory are left for it, going by the batch before, and where `sample` fills it. Raises
    `InputError` where none fits into a GPU.
    """
    end = time.monotonic() + seconds
    recipe = recipe.on(0)
    probes: list[Probe] = []
    with _watched(recipe.predictor.device) as memory:
        for precision, size in _tries(recipe.predictor):
            batch = _batch(sample, size)
            before = [one for one in probes if one.precision == precision]
            if before and not _worth_trying(batch, before[-1], memory, end):
                continue
            try:
                probes.append(_timed(recipe, batch, precision, size, end))
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
    if not probes:
        raise InputError("not even the smallest batch fits into the memory of the GPU; take another, or --device cpu")
    return Measured(tuple(probes), memory.host, memory.gpu)


def _tries(predictor: Predictor) -> Iterator[tuple[Precision, int]]:
    """What to time, in order."""
    precisions: list[Precision] = [predictor.precision]
    if predictor.precision == "bf16" or fast_bf16(predictor.device):
        precisions.append("bf16" if predictor.precision == "fp32" else "fp32")
    sizes = {predictor.batch_size, *(1 << power for power in range(1, LARGEST.bit_length()))}
    return ((precision, size) for precision in precisions for size in sorted(sizes))


def fast_bf16(device: torch.device) -> bool:
    """Whether `device` has instructions for bfloat16: without them it is slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _batch(sample: Sequence[Haplotypes], size: int) -> list[Haplotypes]:
    """As many of `sample` as fill a batch of `size` windows; at least one."""
    batch: list[Haplotypes] = []
    filled = 0
    for made in sample:
        if batch and filled + len(made.sequences) > size:
            break
        batch.append(made)
        filled += len(made.sequences)
    return batch


def _distinct(batch: Sequence[Haplotypes]) -> int:
    return len({codes.tobytes() for made in batch for codes in made.sequences})


def _worth_trying(batch: Sequence[Haplotypes], last: Probe, memory: _Memory, end: float) -> bool:
    larger = _distinct(batch) / last.windows
    in_time = time.monotonic() + larger * last.seconds < end
    return larger > 1 and in_time and larger * (memory.host - memory.start) < free_memory() / 2


def _timed(recipe: Recipe, batch: Sequence[Haplotypes], precision: Precision, size: int, end: float) -> Probe:
    """Score a batch up to three times while there is time: the first call has costs that the others haven't."""
    probed = replace(recipe, predictor=replace(recipe.predictor, batch_size=size, precision=precision))
    took: list[float] = []
    while not took or (len(took) < 3 and time.monotonic() + took[-1] < end):
        start = time.monotonic()
        probed.answers(batch)  # the numbers come back to the CPU, so a GPU is done too
        took.append(time.monotonic() - start)
    return Probe(precision, size, _distinct(batch), min(took))


@dataclass
class _Memory:
    start: int
    host: int
    gpu: int = 0


@contextmanager
def _watched(device: torch.device) -> Iterator[_Memory]:
    """Notes the most memory that the process, and its GPU, hold while the block runs."""
    found, done = _Memory(resident(), resident()), Event()

    def watch() -> None:
        while not done.wait(_TICK):
            found.host = max(found.host, resident())

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found.host = max(found.host, resident())
        found.gpu = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def resident() -> int:
    """Bytes of memory that this process holds now; where the system doesn't say, the most that it ever held."""
    status = Path("/proc/self/statm")
    if status.is_file():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory() -> int:
    """Bytes that this machine, or the container, has left; a lower bound (what caches hold could be freed)."""
    pages = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else os.sysconf("SC_PHYS_PAGES") // 2
    free = pages * os.sysconf("SC_PAGE_SIZE")
    limit, used = _CGROUP / "memory.max", _CGROUP / "memory.current"
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return free
