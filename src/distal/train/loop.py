"""`fit`: one training run from its config to a model folder; knows the order of things, not their formats.

The heads (species) take turns, one a step. Everything random is a function of (seed, step) or (seed, head, epoch,
index), and a checkpoint holds everything else, so a run that was killed and started again ends with the same weights.
Every process of a run goes through all of this; the first one writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor

from distal.data.loading import Batch, ahead
from distal.data.part import Part
from distal.models import zoo
from distal.models.adapters import merged_state
from distal.models.layers import freeze_statistics
from distal.models.letters import alphabet, one_hot
from distal.train import finetune, guard, optimizer, schedule
from distal.train.board import Board
from distal.train.config import Config
from distal.train.distributed import adding, joined
from distal.train.log import Line, Log, Report
from distal.train.metrics import PearsonR, mean_by
from distal.train.run import Run, loss, save, start
from distal.train.validation import correlate

LOG = "log.jsonl"
BOARD = "tensorboard"


def fit(config: Config, data: str | Path = ".", report: Report | None = None) -> Path:
    """Train to the end, from the last checkpoint if there is one; returns the folder of the best model by validation.

    `data` is the folder that the config's data folders are relative to. `report` gets every line of the log as it is
    written, in the first process. Raises `InputError` when data, config and an earlier run in the same folder don't fit
    together, and when the loss stops being a number.
    """
    with joined(config.device) as (world, device), _repeatable():
        run = start(config, Path(data), world, device)
        with _writing(run, report) as write, closing(_batches(run)) as batches:
            while not schedule.ended(config, run.progress):
                number = run.progress.step + 1
                write(step(run, number, batches))
                run.progress = replace(run.progress, step=number)
                if number == config.steps or number % config.validation.every == 0:
                    write(validate(run))
                if schedule.ended(config, run.progress) or number % config.checkpoint_every == 0:
                    save(run)
    return run.out / config.name


def _repeatable() -> AbstractContextManager[object]:
    """On GPUs: fp32 is fp32, and the same sums in the same order every time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


@contextmanager
def _writing(run: Run, report: Report | None) -> Iterator[Report]:
    """Where lines go: to the log, to `report`, to TensorBoard if it is asked for; nowhere but in the first process."""
    if not run.world.first:
        yield lambda _: None
        return
    with ExitStack() as stack:
        log = stack.enter_context(Log(run.out / LOG, run.progress.step, report))
        sinks = [log.write]
        if run.config.tensorboard:
            sinks.append(stack.enter_context(Board(run.out / BOARD, run.progress.step)).write)
        yield partial(_each, sinks)


def _each(sinks: Sequence[Report], line: Line) -> None:
    for sink in sinks:
        sink(line)


def _batches(run: Run) -> Generator[Batch]:
    """The batches of all steps to come, made ahead."""
    steps = range(run.progress.step + 1, run.config.steps + 1)
    numbers = chain.from_iterable(schedule.parts(run.config, number) for number in steps)
    return ahead(run.feed, numbers, run.config.workers)


def step(run: Run, number: int, batches: Iterator[Batch] | None = None) -> Line:
    """Step `number` (the first is 1), on one head: forward, loss, clipped gradient, running mean. Returns a line.

    `batches` gives the step's batches next; without it they are made now.
    """
    began = time.perf_counter()
    parts = batches or map(run.feed, schedule.parts(run.config, number))
    head, found = _backward(run, number, islice(parts, run.config.accumulate))
    norm = optimizer.clip(run.config.optimizer, run.model.parameters())
    if not (math.isfinite(found) and math.isfinite(norm)):
        raise guard.broken(run, number, found, norm)
    rate = schedule.learning_rate(run.config, number)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    if run.mean is not None:
        run.mean.update(merged_state(run.model), number)
    seconds = round(time.perf_counter() - began, 4)
    return {"step": number, "head": head, "loss": found, "lr": rate, "norm": norm, "seconds": seconds}


def _backward(run: Run, number: int, parts: Iterable[Batch]) -> tuple[str, float]:
    """Head and loss of a step over all its parts and processes, its gradient left in the parameters."""
    run.model.train()
    if run.config.batch_norm == "frozen":
        freeze_statistics(run.model)
    run.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=run.device)
    for place, part in enumerate(parts, start=1):
        torch.manual_seed(schedule.dropout_seed(run.config, number, place, run.world.rank))
        with adding(run.spread, last=place == run.config.accumulate):
            share = _loss(run, part) / run.config.accumulate
            share.backward()  # type: ignore[no-untyped-call]
        total += share.detach()
    return part.head, run.world.mean(total).item()


def _loss(run: Run, part: Batch) -> Tensor:
    with _arithmetic(run):
        predictions = run.spread(one_hot(part.codes, alphabet().to(run.device)), part.head)
    targets = torch.from_numpy(part.targets).to(run.device)
    return loss(run.config.loss)(predictions, targets)


def _arithmetic(run: Run) -> AbstractContextManager[object]:
    return torch.autocast(run.device.type, dtype=torch.bfloat16) if run.config.precision == "bf16" else nullcontext()


def validate(run: Run) -> Line:
    """Validate every head, write the model folder when it is the best so far, and return the log's line.

    A line has the mean Pearson's r per head and assay (None for assays whose measurements never change); the score is
    the mean of those. With `keep = "last"` the latest weights count as the best.
    """
    began = time.perf_counter()
    run.refresh()
    valid: dict[str, dict[str, float | None]] = {}
    for head, examples in run.valid.items():
        means = mean_by([track.assay for track in examples.table.rows], _moments(run, head).pearson())
        valid[head] = {assay: None if math.isnan(r) else r for assay, r in means.items()}
    values = [r for assays in valid.values() for r in assays.values() if r is not None]
    score = sum(values) / max(len(values), 1)
    if score > run.progress.best or run.config.validation.keep == "last":
        run.progress = replace(run.progress, best=score, best_step=run.progress.step)
        if run.world.first:
            _export(run, valid)
    seconds, progress = round(time.perf_counter() - began, 2), run.progress
    return {"step": progress.step, "valid": valid, "score": score, "best_step": progress.best_step, "seconds": seconds}


def _moments(run: Run, head: str) -> PearsonR:
    """Predictions against measurements over the validation windows, which the processes share."""
    examples = run.valid[head]
    mine = Part(examples, range(run.world.rank, len(examples), run.world.size))
    seen = correlate(run.predictor(head), mine, run.config.validation.rc)
    together = PearsonR(len(examples.table))
    for moments in run.world.gathered(seen.moments()):
        together.merge(PearsonR.of(moments))
    return together


def _export(run: Run, valid: Mapping[str, Mapping[str, float | None]]) -> None:
    """Write the kept weights as a model folder; its provenance and track tables name no one's files."""
    config = run.config
    provenance = {
        "command": "distal train",
        "base": None if config.finetune is None else finetune.base(config.finetune),
        "config": config.model_dump(mode="json", exclude={"out": True, "finetune": {"base"}}),
        "steps": run.progress.step,
        "valid_pearson": valid,
    }
    spec = replace(run.spec, provenance=provenance)
    tables = {head: mixture.table.without_files() for head, mixture in run.train.items()}
    zoo.save(run.kept, run.out / config.name, spec, tables, dtype=config.weights)
