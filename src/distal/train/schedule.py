"""What a step number means: rate, examples, dropout, the end. Pure functions of a config; nothing happens here."""

from __future__ import annotations

import math
import zlib

from distal.errors import InputError
from distal.train.checkpoint import Progress
from distal.train.config import Config


def learning_rate(config: Config, number: int) -> float:
    """Rate of step `number` (the first is 1): linear warm-up, then constant or a cosine that ends at 0."""
    chosen = config.optimizer
    if number < chosen.warmup:
        return chosen.lr * number / chosen.warmup
    if chosen.schedule == "constant":
        return chosen.lr
    done = (number - chosen.warmup) / max(config.steps - chosen.warmup, 1)
    return chosen.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def parts(config: Config, number: int) -> range:
    """The batches of `loading.Feed` that make up step `number`: as many as `accumulate` says, of one head, in a row.

    A step's examples are the same whoever shares them: parts follow each other, and in each the processes.
    """
    heads = len(config.data)
    turn, place = divmod(number - 1, heads)
    first = turn * config.accumulate * heads + place + 1
    return range(first, first + config.accumulate * heads, heads)


def share(config: Config, processes: int) -> int:
    """Examples that one of the processes computes on at a time. Raises `InputError` where a batch can't be shared."""
    pieces = processes * config.accumulate
    if config.batch % pieces:
        raise InputError(
            f"a batch of {config.batch} cannot be shared by {processes} processes in {config.accumulate} parts each; "
            f"give a multiple of {pieces}"
        )
    return config.batch // pieces


def dropout_seed(config: Config, number: int, part: int, rank: int) -> int:
    """What dropout is a function of: the step, its part (the first is 1) and the process."""
    place = f" {part} {rank}" if part > 1 or rank else ""
    return zlib.crc32(f"{config.seed} {number}{place}".encode())


def ended(config: Config, progress: Progress) -> bool:
    """Whether a run has done its steps, or the last `patience` validations have brought nothing better."""
    waited = progress.step - progress.best_step
    patience = config.validation.patience * config.validation.every
    return progress.step >= config.steps or 0 < patience <= waited
