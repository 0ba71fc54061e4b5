"""What a step that broke leaves behind: the batch that broke it, to be looked at and tried again; mends nothing."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from distal.errors import InputError
from distal.train import schedule
from distal.train.run import Run


def broken(run: Run, number: int, loss: float, norm: float) -> InputError:
    """The error to raise when loss or gradient are no numbers. This process's share of the batch is saved before.

    ``broken-step-<number>.npz`` holds `codes` [n, input_bp] and `targets` [n, bins, tracks]; the JSON file beside it
    says where they come from. The last checkpoint is older than the step and sound.
    """
    batches = [run.feed(part) for part in schedule.parts(run.config, number)]
    head = batches[0].head
    rank = f"-rank-{run.world.rank}" if run.world.size > 1 else ""
    path = run.out / f"broken-step-{number}{rank}.json"
    np.savez(
        path.with_suffix(".npz"),
        codes=np.concatenate([batch.codes for batch in batches]),
        targets=np.concatenate([batch.targets for batch in batches]),
    )
    sources = run.train[head].sources
    examples = [
        {"source": source, **asdict(draw), "window": repr(sources[source].intervals[draw.index])}
        for batch in batches
        for source, draw in batch.draws
    ]
    facts = {"step": number, "head": head, "loss": repr(loss), "norm": repr(norm), "examples": examples}
    path.write_text(json.dumps(facts, indent=2) + "\n")
    return InputError(
        f"step {number} on head {head!r}: loss {loss}, gradient norm {norm}; its examples are in {path}, their bases "
        "and targets beside it; lower the learning rate or lengthen the warm-up, and start in a new `out`"
    )
