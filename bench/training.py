"""What a training step costs in time and memory: forward and backward of one sequence, Poisson loss, beside the peers.

    python -m bench.training [--json] [--rounds 2] [--peer-checkpointing]

Batch 1, all tracks of one head, fp32, dropout off on both sides so that the loss and a gradient can be compared (the
stem's first convolution, the last one that backward reaches); the optimiser's step, the same for both, is left out.
Ours is the module as `distal train` uses it with activation_checkpointing = true (`--keep-activations`: without).
Memory is that of the whole process, weights and gradients included. enformer-pytorch needs 16 GiB for Enformer and is
left out where less is free. `--peer-checkpointing` lets it recompute its transformer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.command import run
from bench.report import Case
from bench.sides import Given, letters, sides

NEEDED_GIB = {"enformer": 18.0, "basenji2": 3.0}
"""Free memory without which the peer is not started on a CPU."""
OWN = (
    ("--keep-activations", {"action": "store_true", "help": "ours without activation checkpointing"}),
    ("--peer-checkpointing", {"action": "store_true", "help": "enformer-pytorch recomputes its transformer"}),
    ("--peer-once", {"action": "store_true", "help": "measure the peer in the first round only"}),
)


def compare(given: Given, family: str) -> tuple[list[Case], list[str]]:
    """One case, and what is to be said of it."""
    kept = []
    if given.python and not given.quick and given.device == "cpu" and free_gib() < NEEDED_GIB[family]:
        kept = [f"{family}'s peer is left out: it needs {NEEDED_GIB[family]:.0f} GiB and {free_gib():.0f} are free"]
        given = replace(given, python=None)
    own = {"train": True, "checkpointing": not given.more.keep_activations}
    with sides(given, family, own, checkpointing=given.more.peer_checkpointing) as both:
        shape, counted = both.machine["geometry"], both.machine["operations"]
        codes = both.put("codes", letters(shape["input_bp"]))
        drawn = np.random.default_rng(2).gamma(0.7, 1.5, (shape["bins"], shape["heads"]["human"]))
        targets = both.put("targets", drawn.astype(np.float32))
        case = Case(f"{family} training step fp32", "batch 1", both.peer_name)
        case.plain, case.remaining = 3 * counted["plain"], 3 * counted["every tap"]
        first = both.ours("step", codes=codes, targets=targets, save=both.saved("gradient", "ours"))
        peer = both.peer("step", codes=codes, targets=targets, save=both.saved("gradient", "peer"))
        case.difference = both.apart("gradient")
        if peer is not None:
            case.more["loss_difference"] = abs(first["loss"] / peer["loss"] - 1)
        for i in range(given.rounds):
            rate = both.gemm("fp32")
            ours = both.ours("step", codes=codes, targets=targets)
            if i == 0 or not given.more.peer_once:
                peer = both.peer("step", codes=codes, targets=targets)
            for one in (ours, peer or ours):
                one["above"] = one["peak"]
            case.add(ours, peer, rate)
        note = "what remains counts nothing twice; memory is that of the whole process, weights and gradients included"
        return [case], [*kept, *both.notes()[:1], note]


def free_gib() -> float:
    """Memory that programs can still have, from Linux."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) / 2**20


if __name__ == "__main__":
    run(__doc__, compare, rounds=2, add=OWN)
