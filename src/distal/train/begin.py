"""A student before its training: its teacher's weights where it has them, and its other layers fitted to the data.

What a student inherits (`models.inheritance`) stays as it is here, so it is computed once for each example. The layers
behind it are few and small: they see every example many times, at a hundredth of the price of a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distal.data import dataset
from distal.data.mixture import Mixture
from distal.errors import InputError
from distal.models import inference, zoo
from distal.models.borzoi import Borzoi
from distal.models.enformer import Enformer
from distal.models.inheritance import Student, inherit
from distal.models.zoo import Spec
from distal.predictor import Predictor
from distal.tracks import TrackTable
from distal.train.config import Config
from distal.train.losses import poisson
from distal.train.run import describe

Report = Callable[[str, int, float], None]
"""Hears head, step and loss of every step of the fit, and head, example and 0 while examples are looked at."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Examples of one head: what the inherited layers make of them, and what was measured."""

    features: Tensor
    """float16 [n, positions, channels]."""
    targets: Tensor
    """float16 [n, bins, tracks]."""


def begin(config: Config, teacher: Predictor, data: Path, examples: Mapping[str, int], report: Report) -> Path:
    """Make the student that `config` describes, fit its new layers, and write its folder; returns that.

    Of each head the first `examples` of the training stream are looked at; batch, steps, rate and decay are the
    config's. Raises `InputError` where the student can't hold its teacher, or the data don't fit.
    """
    torch.manual_seed(config.seed)
    heads = {head: dataset.tracks(data / first.folder) for head, (first, *_) in config.data.items()}
    spec, _ = describe(config, heads)
    mixtures = {head: _mixture(config, head, data, spec) for head in heads}
    model = _student(spec, teacher, mixtures)
    seen = {head: see(model, mixtures[head], (config.seed, head), examples[head], report) for head in heads}
    fit(model, seen, config, report)
    kept = {
        "command": "distal models begin",
        "teacher": {"name": teacher.spec.name, "weights_sha256": teacher.spec.weights_sha256},
        "examples": dict(examples),
        "config": config.model_dump(mode="json", exclude={"out"}),
    }
    tables = {head: TrackTable(tuple(replace(row, file="") for row in mixtures[head].table)) for head in heads}
    folder = config.folder / config.name
    zoo.save(model, folder, replace(spec, provenance=kept), tables, dtype=config.weights)
    return folder


def _mixture(config: Config, head: str, data: Path, spec: Spec) -> Mixture:
    sources = config.data[head]
    loaded = tuple(dataset.load(data / source.folder, config.splits, spec.window.bin_bp) for source in sources)
    for examples in loaded:
        dataset.places(examples, spec.window)
    return Mixture(loaded, tuple(source.weight for source in sources))


def _student(spec: Spec, teacher: Predictor, mixtures: Mapping[str, Mixture]) -> Student:
    """The student with its teacher's weights; its heads begin at the mean signal of their tracks."""
    if not isinstance(teacher.module, Borzoi):
        raise InputError(f"{teacher.spec.name} is no Borzoi; students inherit from that family alone")
    module, _, name = zoo.FAMILIES[spec.family]
    model: Student = getattr(import_module(module), name)(spec.config)
    inherit(model, teacher.module)
    with torch.no_grad():
        for head, mixture in mixtures.items():
            mean = torch.from_numpy(mixture.means).clamp_min(1e-4)
            cast(nn.Linear, model.heads[head]).bias.copy_(torch.expm1(mean).log())
    return model


@torch.inference_mode()
def see(model: Student, mixture: Mixture, stream: tuple[int, str], count: int, report: Report) -> Seen:
    """The first `count` examples of a stream = (seed, head) as the inherited layers show them, float16."""
    window, network = model.config.window, inference.network(model.eval())
    features, targets = [], []
    for number in range(count):
        codes, signal = mixture.batch(window, [mixture.draw(window, stream, number)])
        bins = network.features(codes)
        features.append((model.transformed(bins) if isinstance(model, Enformer) else bins)[0].half())
        targets.append(torch.from_numpy(signal[0]).half())
        report(stream[1], number, 0.0)
    return Seen(torch.stack(features), torch.stack(targets))


def fit(model: Student, seen: Mapping[str, Seen], config: Config, report: Report) -> None:
    """Train what `model.read` and the heads are made of; heads take turns. Leaves the model in evaluation mode.

    What is inherited has no part in the loss: it gets no gradient, and Adam leaves it alone.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.optimizer.lr, weight_decay=config.optimizer.weight_decay
    )
    warm = max(config.optimizer.warmup, 1)
    rates = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warm, total_iters=warm),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps - warm),
        ],
        [warm],
    )
    chance = torch.Generator().manual_seed(config.seed)
    model.train()
    for number in range(config.steps):
        head = list(seen)[number % len(seen)]
        chosen = torch.randint(len(seen[head].features), (config.batch,), generator=chance)
        predictions = F.softplus(model.heads[head](model.read(seen[head].features[chosen].float())))
        loss = poisson(predictions, seen[head].targets[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rates.step()
        report(head, number, loss.item())
    model.eval()
