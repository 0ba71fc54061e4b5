"""`fit`: one training run from its config to a model folder; knows no file format but its own log.

The heads (species) take turns, one a step. Everything random is a function of (seed, step) or (seed, head, epoch,
index), and a checkpoint holds everything else, so a run that was killed and started again ends with the same weights.
"""

from __future__ import annotations

import copy
import json
import math
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distal import dna
from distal.coords import Window
from distal.data import dataset
from distal.data.dataset import Draw, Examples
from distal.errors import InputError
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.enformer import Enformer, EnformerConfig
from distal.train import checkpoint
from distal.train.checkpoint import Progress
from distal.train.config import Config
from distal.train.losses import poisson
from distal.train.metrics import PearsonR, mean_by

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"
_MAY_CHANGE = {"name", "out", "steps", "device", "checkpoint_every", "validation"}


@dataclass(eq=False)
class Run:
    """A training run between two steps."""

    config: Config
    window: Window
    """What a training example is: the crop, or the model's whole window."""
    train: dict[str, Examples]
    valid: dict[str, Examples]
    model: nn.Module
    """The weights that Adam moves, set up for the crop."""
    kept: nn.Module
    """The weights that are validated and kept (their running mean, with `ema`), set up for the whole window."""
    optimizer: torch.optim.Optimizer
    progress: Progress
    device: torch.device

    @property
    def out(self) -> Path:
        """Where the run writes."""
        return Path(self.config.out)


def fit(config: Config, data: str | Path = ".", report: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Train to the end, from the last checkpoint in `config.out` if there is one; returns the model's folder.

    `data` is the folder that the config's data folders are relative to. `report` gets every line of the log as it is
    written (a dict). Raises `InputError` when data, config and an earlier run in `out` don't fit together, and
    `FloatingPointError` when the loss is no longer a number.
    """
    run = start(config, Path(data))
    with _Log(run.out / LOG, run.progress.step, report) as log:
        while run.progress.step < config.steps:
            number = run.progress.step + 1
            log.write(step(run, number))
            run.progress = replace(run.progress, step=number)
            if number % config.validation.every == 0 or number == config.steps:
                log.write(_validated(run))
            if number % config.checkpoint_every == 0 or number == config.steps:
                _save(run, LAST)
    return export(run)


def start(config: Config, data: Path) -> Run:
    """Load the data, build the model, and take up the last checkpoint if there is one."""
    device = torch.device(config.device)
    train = {head: dataset.load(data / folder, "train", 128) for head, folder in config.data.items()}
    valid = {head: dataset.load(data / folder, "valid", 128) for head, folder in config.data.items()}
    torch.manual_seed(config.seed)
    model, kept, window = _build(config, {head: examples.targets.shape[2] for head, examples in train.items()})
    model, kept = model.to(device), kept.to(device).eval().requires_grad_(False)
    run = Run(config, window, train, valid, model, kept, _optimizer(config, model), Progress(), device)
    run.out.mkdir(parents=True, exist_ok=True)
    if (run.out / LAST).exists():
        run.progress, before = checkpoint.restore(run.out / LAST, _modules(run), run.optimizer, device)
        _same_run(config.model_dump(mode="json"), before, run.out)
    return run


def _build(config: Config, heads: dict[str, int]) -> tuple[nn.Module, nn.Module, Window]:
    """The module to train, set up for the crop, the module to keep, set up for the whole window, and the crop."""
    kinds: dict[str, tuple[Any, Any]] = {"enformer": (Enformer, EnformerConfig), "basenji2": (Basenji2, Basenji2Config)}
    build, describe = kinds[config.model.family]
    try:
        whole = describe.from_json({**config.model.architecture, "heads": heads})
    except (TypeError, ValueError) as error:
        raise InputError(f"[model.architecture] of {config.name}: {error}") from None
    crop = whole if config.crop is None else replace(whole, input_bp=config.crop.input_bp, bins=config.crop.bins)
    model = build(crop)
    kept = build(whole)
    kept.load_state_dict(model.state_dict())
    return model, kept, crop.window


def _optimizer(config: Config, model: nn.Module) -> torch.optim.Optimizer:
    """Adam; weight decay, if any, spares biases and scales."""
    chosen = config.optimizer
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": chosen.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=chosen.lr, betas=chosen.betas, eps=chosen.eps)


def _same_run(now: dict[str, Any], before: dict[str, Any], out: Path) -> None:
    changed = [key for key in now if now[key] != before.get(key) and key not in _MAY_CHANGE]
    if changed:
        raise InputError(f"{out} holds a run with another {', '.join(changed)}; restore them in the config or choose another `out`")


def learning_rate(config: Config, number: int) -> float:
    """Rate of step `number` (the first is 1): linear warm-up, then constant or a cosine that ends at 0."""
    chosen = config.optimizer
    if number < chosen.warmup:
        return chosen.lr * number / chosen.warmup
    if chosen.schedule == "constant":
        return chosen.lr
    done = (number - chosen.warmup) / max(config.steps - chosen.warmup, 1)
    return chosen.lr * 0.5 * (1 + math.cos(math.pi * done))


def step(run: Run, number: int) -> dict[str, Any]:
    """One step on one head: forward, loss, clipped Adam, running mean. Returns the line of the log."""
    began = time.perf_counter()
    config, heads = run.config, list(run.train)
    head = heads[(number - 1) % len(heads)]
    draws = _draws(run, head, (number - 1) // len(heads))
    codes, targets = dataset.batch(run.train[head], run.window, draws)
    torch.manual_seed(zlib.crc32(f"{config.seed} {number}".encode()))  # dropout
    run.model.train()
    run.optimizer.zero_grad(set_to_none=True)
    with _arithmetic(config, run.device):
        predictions = run.model(_one_hot(codes, run.device), head)
    loss = poisson(predictions, torch.from_numpy(targets).to(run.device))
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), config.optimizer.clip)
    if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
        raise FloatingPointError(_broken(run, number, head, draws, loss.item(), norm.item()))
    rate = learning_rate(config, number)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    _keep(run, number)
    seconds = round(time.perf_counter() - began, 4)
    return {"step": number, "head": head, "loss": loss.item(), "lr": rate, "norm": norm.item(), "seconds": seconds}


def _draws(run: Run, head: str, turn: int) -> list[Draw]:
    """The training examples of a head's turn (0, 1, …)."""
    batch = run.config.batch
    stream = (run.config.seed, head)
    return [dataset.draw(run.train[head], run.window, stream, turn * batch + i) for i in range(batch)]


def _one_hot(codes: dna.Codes, device: torch.device) -> Tensor:
    alphabet = torch.from_numpy(dna.one_hot(np.arange(5, dtype=np.uint8))).to(device)
    indices = torch.from_numpy(codes).to(device).flatten().int()
    return alphabet.index_select(0, indices).view(*codes.shape, 4)


def _arithmetic(config: Config, device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, dtype=torch.bfloat16) if config.precision == "bf16" else nullcontext()


def _broken(run: Run, number: int, head: str, draws: list[Draw], loss: float, norm: float) -> str:
    """Write down which examples broke the run and say so."""
    path = run.out / f"broken-step-{number}.json"
    windows = [str(run.train[head].intervals[drawn.index]) for drawn in draws]
    facts = {"step": number, "head": head, "loss": str(loss), "norm": str(norm), "windows": windows, "draws": [str(d) for d in draws]}
    path.write_text(json.dumps(facts, indent=2) + "\n")
    return (
        f"step {number} on {head}: loss {loss}, gradient norm {norm}; its examples are in {path}. "
        "Lower the learning rate or lengthen the warm-up"
    )


@torch.no_grad()
def _keep(run: Run, number: int) -> None:
    """Move the kept weights: to the model's, or (with `ema`) a little towards them; early on the mean is shorter."""
    decay = min(run.config.ema, (1 + number) / (10 + number))
    for kept, now in zip(run.kept.state_dict().values(), run.model.state_dict().values(), strict=True):
        if decay > 0 and kept.is_floating_point():
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


def _validated(run: Run) -> dict[str, Any]:
    """Validate every head; keeps a copy of the weights when they are the best so far. Returns the line of the log."""
    began = time.perf_counter()
    assays = {head: validate(run, head) for head in run.valid}
    values = [value for means in assays.values() for value in means.values() if not math.isnan(value)]
    score = sum(values) / len(values)
    if score > run.progress.best:
        run.progress = replace(run.progress, best=score, best_step=run.progress.step)
        _save(run, BEST)
    seconds = round(time.perf_counter() - began, 2)
    return {"step": run.progress.step, "valid": assays, "score": score, "best": run.progress.best, "seconds": seconds}


def validate(run: Run, head: str) -> dict[str, float]:
    """Mean Pearson's r per assay over every measured bin of the validation windows, with the kept weights."""
    examples = run.valid[head]
    pearson = PearsonR(examples.targets.shape[2])
    for tile in dataset.tiles(examples, run.kept.config.window):
        pearson.update(_predicted(run, head, tile.codes)[tile.output], tile.targets)
    return mean_by([track.assay for track in examples.table.rows], pearson.pearson())


@torch.inference_mode()
def _predicted(run: Run, head: str, codes: dna.Codes) -> np.ndarray:
    both = [codes, dna.reverse_complement(codes)] if run.config.validation.rc else [codes]
    with _arithmetic(run.config, run.device):
        values = run.kept(_one_hot(np.stack(both), run.device), head).float().cpu().numpy()
    if run.config.validation.rc:
        return (values[0] + values[1][::-1][:, run.valid[head].table.partners]) / 2
    return values[0]


def _modules(run: Run) -> dict[str, nn.Module]:
    return {"model": run.model, "kept": run.kept}


def _save(run: Run, name: str) -> None:
    checkpoint.save(run.out / name, _modules(run), run.optimizer, run.progress, run.config.model_dump(mode="json"))


def export(run: Run) -> Path:
    """Write the best weights so far as a model folder, `<out>/<name>`, with their track tables and provenance."""
    from distal.models import zoo

    progress, _ = checkpoint.restore(run.out / BEST, _modules(run), run.optimizer, run.device)
    folder = run.out / run.config.name
    provenance = {
        "trained_with": "distal train",
        "steps": progress.step,
        "valid_score": progress.best,
        "config": run.config.model_dump(mode="json", exclude={"out"}),
    }
    tables = {head: examples.table for head, examples in run.train.items()}
    zoo.save(run.kept, folder, name=run.config.name, tables=tables, provenance=provenance)
    return folder


class _Log:
    """The run's JSON lines, one a step and one a validation; lines after the checkpoint that a run resumes are dropped."""

    def __init__(self, path: Path, step: int, report: Callable[[dict[str, Any]], None] | None) -> None:
        before = [line for line in _lines(path) if line["step"] <= step]
        temporary = path.with_name(path.name + ".part")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in before))
        temporary.replace(path)
        self._file = path.open("a", buffering=1)
        self._report = report

    def write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        if self._report is not None:
            self._report(line)

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a log; a last line that a kill cut short is left out."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return
