"""How fast this machine scores, and in how much memory, by precision: measured on the first variants of a run.

Knows a recipe and a clock; counts nothing and writes nothing. What a variant costs depends on its neighbours: those in
one window share REF, of which all other sequences are small changes. So two things are timed, REF by itself and some
variants as the run scores them (`Recipe.score`), and what is left of the second goes to the sequences besides REF.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from threading import Event, Thread

import torch

from distal.errors import InputError
from distal.predictor import Precision, Predictor
from distal.scoring.parts import Part
from distal.scoring.recipe import Recipe

SECONDS = 30.0
"""How long is measured, about; REF and one variant are always finished."""
GAIN_BF16 = 1.5
"""How many times faster bf16 must be to be recommended."""

_TICK = 0.01
_FEW = 1.0
"""Seconds."""
_GROWTH = 4
"""How many times as many variants are timed next, while there is time."""


@dataclass(frozen=True)
class Sequences:
    """What is read for some variants."""

    references: int
    """REF of a window, shared by the variants that follow each other in it."""
    others: int
    """ALT of each variant, and the shifted REF of an indel."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.references + self.others

    def __add__(self, other: Sequences) -> Sequences:
        return Sequences(self.references + other.references, self.others + other.others)


def sequences(recipe: Recipe, part: Part) -> Sequences:
    """What is read for a part; nothing is fetched or predicted."""
    window = recipe.predictor.window
    variants = [variant for i in part.wanted if (variant := part.judged[i].variant)]
    windows = groupby(window.input_of_cell(variant, recipe.share_reference) for variant in variants)
    return Sequences(sum(1 for _ in windows), len(variants) + sum(variant.is_indel for variant in variants))


@dataclass(frozen=True)
class Probe:
    """Some variants that were scored in one precision, and how long it took."""

    precision: Precision
    timed: Sequences
    seconds: float
    reference: float
    """Seconds of one REF by itself."""

    def expected(self, asked: Sequences) -> float:
        """Seconds that `asked` will take. Where REF alone took all the time that there was, all sequences are alike."""
        rest = self.seconds - self.timed.references * self.reference
        if rest <= 0:
            return self.seconds * asked.total / self.timed.total
        return asked.references * self.reference + asked.others * rest / self.timed.others


@dataclass(frozen=True)
class Measured:
    """A probe of each precision that was tried, and the most memory that the process held meanwhile, in bytes."""

    probes: tuple[Probe, ...]
    """The one that was asked for first."""
    memory: int
    gpu_memory: int

    def recommended(self, asked: Sequences) -> Probe:
        """fp32, or bf16 where that makes `asked` much faster."""
        full = [one for one in self.probes if one.precision == "fp32"]
        half = [one for one in self.probes if one.precision == "bf16"]
        if full and half and full[0].expected(asked) < GAIN_BF16 * half[0].expected(asked):
            return full[0]
        return (half or full)[0]


def measure(recipe: Recipe, part: Part, seconds: float = SECONDS) -> Measured:
    """Score the first variants of `part`, which has some, for about `seconds`: one, then more while there is time.

    The precision asked for comes first, then the other: fp32 always, bf16 where the device has instructions for it.
    Raises `InputError` where not even one variant fits into a GPU.
    """
    end = time.monotonic() + seconds
    recipe = recipe.on(0)
    probes: list[Probe] = []
    with _watched(recipe.predictor.device) as memory:
        for precision in _precisions(recipe.predictor):
            if probes and time.monotonic() > end:
                break
            probed = replace(recipe, predictor=replace(recipe.predictor, precision=precision))
            found: list[Probe] = []
            try:
                found.extend(_probed(probed, part, end))  # what was found before memory ran out stays
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
            probes += found[-1:]
    if not probes:
        raise InputError("not even one variant fits into the memory of the GPU; take another, or --device cpu")
    return Measured(tuple(probes), memory.host, memory.gpu)


def _precisions(predictor: Predictor) -> Iterator[Precision]:
    yield predictor.precision
    if predictor.precision == "bf16":
        yield "fp32"
    elif fast_bf16(predictor.device):
        yield "bf16"


def fast_bf16(device: torch.device) -> bool:
    """Whether `device` has instructions for bfloat16: without them it is slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _probed(recipe: Recipe, part: Part, end: float) -> Iterator[Probe]:
    """One variant of `part`, then more of them while there is time, going by those before."""
    some = _first(part, 1)
    took = _timed(recipe, some, end)
    passes = 2 if recipe.full_forward else 1  # ALT that is REF has a pass of its own there
    reference = _timed(recipe, _unchanged(part), end) / passes
    size = 1
    while True:
        probe = Probe(recipe.predictor.precision, sequences(recipe, some), took, reference)
        yield probe
        size *= _GROWTH
        more = _first(part, size)
        if len(more.wanted) == len(some.wanted) or time.monotonic() + probe.expected(sequences(recipe, more)) > end:
            return
        some, took = more, _timed(recipe, more, end)


def _first(part: Part, variants: int) -> Part:
    """The rows of `part` up to its first so many variants."""
    end = part.wanted[:variants][-1] + 1
    return replace(
        part, rows=part.rows[:end], judged=part.judged[:end], places=part.places[:end], firsts=part.firsts[:end]
    )


def _unchanged(part: Part) -> Part:
    """The first variant of `part` by itself, with REF for ALT: nothing but REF has to be computed."""
    i = part.wanted[0]
    variant = part.judged[i].variant
    assert variant is not None
    same = replace(part.judged[i], variant=replace(variant, alt=variant.ref))
    return replace(part, rows=[part.rows[i]], judged=[same], places=[0], firsts=[0])


def _timed(recipe: Recipe, part: Part, end: float) -> float:
    """Seconds to score `part`; where they are few, the least of three times, for the first has costs of its own."""
    took: list[float] = []
    while not took or (len(took) < 3 and took[-1] < _FEW and time.monotonic() + took[-1] < end):
        start = time.monotonic()
        recipe.score(part)  # the numbers come back to the CPU, so a GPU is done too
        took.append(time.monotonic() - start)
    return min(took)


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
