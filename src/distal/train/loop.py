"""`fit`: one training run from its config to a model folder; knows the order of things, not their formats.

The heads (species) take turns, one a step. Everything random is a function of (seed, step) or (seed, head, epoch,
index), and a checkpoint holds everything else, so a run that was killed and started again ends with the same weights.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from distal.data.mixture import Drawn
from distal.errors import InputError
from distal.models import zoo
from distal.predictor import alphabet, one_hot
from distal.tracks import TrackTable
from distal.train.config import Config
from distal.train.log import Line, Log, Report
from distal.train.losses import poisson
from distal.train.metrics import mean_by
from distal.train.run import Run, save, start
from distal.train.validation import correlate

LOG = "log.jsonl"


def fit(config: Config, data: str | Path = ".", report: Report | None = None) -> Path:
    """Train to the end, from the last checkpoint if there is one; returns the folder of the best model by validation.

    `data` is the folder that the config's data folders are relative to. `report` gets every line of the log as it is
    written. Raises `InputError` when data, config and an earlier run in the same folder don't fit together, and when
    the loss stops being a number.
    """
    run = start(config, Path(data))
    with Log(run.out / LOG, run.progress.step, report) as log:
        while run.progress.step < config.steps:
            number = run.progress.step + 1
            log.write(step(run, number))
            run.progress = replace(run.progress, step=number)
            last = number == config.steps
            if last or number % config.validation.every == 0:
                log.write(validate(run))
            if last or number % config.checkpoint_every == 0:
                save(run)
    return run.out / config.name


def step(run: Run, number: int) -> Line:
    """Step `number` (the first is 1), on one head: forward, loss, clipped Adam, running mean. Returns a line."""
    began = time.perf_counter()
    head = list(run.train)[(number - 1) % len(run.train)]
    draws = _draws(run, head, (number - 1) // len(run.train))
    loss = _backward(run, head, draws, number)
    norm = float(nn.utils.clip_grad_norm_(run.model.parameters(), run.config.optimizer.clip))
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise InputError(_broken(run, number, head, draws, loss, norm))
    rate = learning_rate(run.config, number)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    _keep(run, number)
    seconds = round(time.perf_counter() - began, 4)
    return {"step": number, "head": head, "loss": loss, "lr": rate, "norm": norm, "seconds": seconds}


def _draws(run: Run, head: str, turn: int) -> list[Drawn]:
    """The training examples of a head's turn (0, 1, …)."""
    batch, stream = run.config.batch, (run.config.seed, head)
    return [run.train[head].draw(run.window, stream, turn * batch + i) for i in range(batch)]


def _backward(run: Run, head: str, draws: list[Drawn], number: int) -> float:
    """Loss of a batch, its gradient left in the parameters. Dropout is a function of (seed, step)."""
    codes, targets = run.train[head].batch(run.window, draws)
    torch.manual_seed(zlib.crc32(f"{run.config.seed} {number}".encode()))
    run.model.train()
    run.optimizer.zero_grad(set_to_none=True)
    with _arithmetic(run):
        predictions = run.model(one_hot(codes, alphabet(run.device)), head)
    loss = poisson(predictions, torch.from_numpy(targets).to(run.device))
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def _arithmetic(run: Run) -> AbstractContextManager[object]:
    return torch.autocast(run.device.type, dtype=torch.bfloat16) if run.config.precision == "bf16" else nullcontext()


def learning_rate(config: Config, number: int) -> float:
    """Rate of step `number` (the first is 1): linear warm-up, then constant or a cosine that ends at 0."""
    chosen = config.optimizer
    if number < chosen.warmup:
        return chosen.lr * number / chosen.warmup
    if chosen.schedule == "constant":
        return chosen.lr
    done = (number - chosen.warmup) / max(config.steps - chosen.warmup, 1)
    return chosen.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


@torch.no_grad()
def _keep(run: Run, number: int) -> None:
    """Move the kept weights: to the model's or, with `ema`, a little towards them; early on the mean is shorter."""
    decay = min(run.config.ema, (1 + number) / (10 + number))
    for kept, now in zip(run.kept.state_dict().values(), run.model.state_dict().values(), strict=True):
        if decay > 0 and kept.is_floating_point():
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


def _broken(run: Run, number: int, head: str, draws: list[Drawn], loss: float, norm: float) -> str:
    """Write down which examples broke the run, and say so."""
    path = run.out / f"broken-step-{number}.json"
    sources = run.train[head].sources
    examples = [
        {"source": source, **asdict(draw), "window": repr(sources[source].intervals[draw.index])}
        for source, draw in draws
    ]
    facts = {"step": number, "head": head, "loss": repr(loss), "norm": repr(norm), "examples": examples}
    path.write_text(json.dumps(facts, indent=2) + "\n")
    return (
        f"step {number} on head {head!r}: loss {loss}, gradient norm {norm}; its examples are in {path}; "
        "lower the learning rate or lengthen the warm-up, and start in a new `out`"
    )


def validate(run: Run) -> Line:
    """Validate every head, write the model folder when it is the best so far, and return the log's line.

    A line has the mean Pearson's r per head and assay (None for assays whose measurements never change); the score is
    the mean of those. With `keep = "last"` the latest weights count as the best.
    """
    began = time.perf_counter()
    valid: dict[str, dict[str, float | None]] = {}
    for head, examples in run.valid.items():
        pearson = correlate(run.predictor(head), examples, run.config.validation.rc).pearson()
        means = mean_by([track.assay for track in examples.table.rows], pearson)
        valid[head] = {assay: None if math.isnan(r) else r for assay, r in means.items()}
    values = [r for assays in valid.values() for r in assays.values() if r is not None]
    score = sum(values) / max(len(values), 1)
    if score > run.progress.best or run.config.validation.keep == "last":
        run.progress = replace(run.progress, best=score, best_step=run.progress.step)
        _export(run, valid)
    seconds, progress = round(time.perf_counter() - began, 2), run.progress
    return {"step": progress.step, "valid": valid, "score": score, "best_step": progress.best_step, "seconds": seconds}


def _export(run: Run, valid: Mapping[str, Mapping[str, float | None]]) -> None:
    """Write the kept weights as a model folder, with provenance and with track tables that name no one's files."""
    config = run.config
    provenance = {
        "command": "distal train",
        "config": config.model_dump(mode="json", exclude={"out"}),
        "steps": run.progress.step,
        "valid_pearson": valid,
    }
    spec = replace(run.spec, provenance=provenance)
    tables = {
        head: TrackTable(tuple(replace(row, file="") for row in mixture.table.rows))
        for head, mixture in run.train.items()
    }
    zoo.save(run.kept, run.out / config.name, spec, tables, dtype=config.weights)
