"""Whether the published Enformer learns on this machine: its loss on one real window, step by step, and its memory.

    python -m bench.descent --data FOLDER [--steps 3] [--channels 1536]

FOLDER is a data set of windows of 196,608 bp and 896 bins (`distal data build`). The steps are `distal train`'s, with
activation checkpointing, Adam at 1e-4 and no dropout, all on the first training example: losses can be compared.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
from pathlib import Path

from distal.train import loop, schedule
from distal.train.config import Config
from distal.train.run import start


def descend(data: Path, out: Path, steps: int, channels: int) -> list[float]:
    """The loss before each step, printed with seconds and the process's peak memory as it comes."""
    still = dict.fromkeys(("dropout", "attention_dropout", "position_dropout"), 0.0)
    config = Config.model_validate(
        {
            "name": "descent",
            "out": str(out),
            "steps": steps,
            "batch": 1,
            "activation_checkpointing": True,
            "model": {"family": "enformer", "architecture": {"channels": channels} | still},
            "data": {"window": data.name},
            "optimizer": {"lr": 1e-4, "warmup": 0},
        }
    )
    run = start(config, data.parent)
    batch = run.feed(next(iter(schedule.parts(config, 1))))
    losses = []
    for number in range(1, steps + 1):
        line = loop.step(run, number, itertools.repeat(batch))
        losses.append(float(str(line["loss"])))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"step {number}  loss {line['loss']:.4f}  norm {line['norm']:.3f}  {line['seconds']} s  {peak:.1f} GiB")
    return losses


def main() -> None:
    """Read the command line and descend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--channels", type=int, default=1536, help="1536 as published")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        descend(given.data.resolve(), Path(temporary), given.steps, given.channels)


if __name__ == "__main__":
    main()
