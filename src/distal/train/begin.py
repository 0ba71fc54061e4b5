"""A student before its training: its teacher's weights where it has them, and its other layers fitted to the data.

What a student inherits (`models.inheritance`) stays as it is here, so it is computed once for each example. The layers
behind it are few and small: they see every example many times, at a hundredth of the price of a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from distal.data.mixture import Mixture
from distal.errors import InputError
from distal.models import inference, zoo
from distal.models.basenji2 import Basenji2
from distal.models.borzoi import Borzoi
from distal.models.enformer import Enformer
from distal.models.inheritance import Student, inherit
from distal.predictor import Predictor
from distal.train.config import Config
from distal.train.run import Run, loss, start
from distal.train.schedule import learning_rate

Report = Callable[[str, float | None], None]
"""Hears of every example that is seen (head, None) and of every step (head, loss)."""


class Seen(NamedTuple):
    """Examples of one head: what the inherited layers make of them, and what was measured."""

    features: Tensor
    """float16 [n, positions, channels]."""
    targets: Tensor
    """float16 [n, bins, tracks]."""


def begin(config: Config, teacher: Predictor, data: Path, examples: Mapping[str, int], report: Report) -> Path:
    """Make the student that `config` describes, fit its new layers, and write its folder; returns that.

    Of each head the first `examples` of the training stream are seen; batch, steps, loss, rate and decay are the
    config's. Raises `InputError` where the student can't begin as its teacher, the data don't fit, or the config's
    folder holds a training run.
    """
    run = start(config, data)
    student = run.model
    if run.progress.step:
        raise InputError(f"{run.out} holds a training run; choose another `out`")
    if not (isinstance(student, Enformer | Basenji2) and isinstance(teacher.module, Borzoi)):
        raise InputError(f"an Enformer or a Basenji2 begins as a Borzoi; {config.name} as {teacher.spec.name} cannot")
    inherit(student, teacher.module)
    seen = {
        head: see(student, mixture, (config.seed, head), examples[head], report) for head, mixture in run.train.items()
    }
    fit(run, student, seen, report)
    return _write(run, student, teacher, examples)


@torch.inference_mode()
def see(student: Student, mixture: Mixture, stream: tuple[int, str], count: int, report: Report) -> Seen:
    """The first `count` examples of a stream = (seed, head) as the inherited layers show them."""
    window, network = student.config.window, inference.network(student.eval())
    features, targets = [], []
    for number in range(count):
        codes, signal = mixture.batch(window, [mixture.draw(window, stream, number)])
        bins = network.features(codes)
        features.append((student.transformed(bins) if isinstance(student, Enformer) else bins)[0].half())
        targets.append(torch.from_numpy(signal[0]).half())
        report(stream[1], None)
    return Seen(torch.stack(features), torch.stack(targets))


def fit(run: Run, student: Student, seen: Mapping[str, Seen], report: Report) -> None:
    """Train what `student.read` and the heads are made of; heads take turns. Leaves the student in evaluation mode.

    What is inherited has no part in the loss: it gets no gradient, and the optimizer leaves it alone.
    """
    chance = torch.Generator().manual_seed(run.config.seed)
    student.train()
    for number in range(1, run.config.steps + 1):
        head = list(seen)[(number - 1) % len(seen)]
        chosen = torch.randint(len(seen[head].targets), (run.config.batch,), generator=chance)
        features, targets = (part[chosen].to(run.device).float() for part in seen[head])
        found = loss(run.config.loss)(F.softplus(student.heads[head](student.read(features))), targets)
        run.optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.config, number)
        run.optimizer.step()
        report(head, found.item())
    student.eval()


def _write(run: Run, student: Student, teacher: Predictor, examples: Mapping[str, int]) -> Path:
    """The model folder, with track tables that name no one's files."""
    provenance = {
        "command": "distal models begin",
        "teacher": {"name": teacher.spec.name, "weights_sha256": teacher.spec.weights_sha256},
        "examples": dict(examples),
        "config": run.config.model_dump(mode="json", exclude={"out"}),
    }
    tables = {head: mixture.table.without_files() for head, mixture in run.train.items()}
    spec = replace(run.spec, provenance=provenance)
    return zoo.save(student, run.out / run.config.name, spec, tables, dtype=run.config.weights)
