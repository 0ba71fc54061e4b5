"""A training run between two steps: data, modules and optimizer, from a config or a checkpoint; takes no step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from distal.coords import Window
from distal.data import dataset
from distal.data.dataset import Examples
from distal.data.mixture import Mixture
from distal.errors import InputError
from distal.models import zoo
from distal.models.checkpointing import checkpoint_activations
from distal.models.zoo import Spec
from distal.predictor import Predictor, open_device
from distal.train import checkpoint
from distal.train.checkpoint import Progress
from distal.train.config import Config

LAST = "last.safetensors"
_MAY_CHANGE = {"out", "steps", "device", "checkpoint_every", "validation", "weights", "activation_checkpointing"}


@dataclass(eq=False)
class Run:
    """Everything that the next step depends on."""

    config: Config
    spec: Spec
    """The model that comes out of the run."""
    window: Window
    """What a training example is: the crop, or the model's whole window."""
    train: dict[str, Mixture]
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
        return self.config.folder

    def predictor(self, head: str) -> Predictor:
        """The kept weights, ready to predict a head in the precision of the run."""
        return Predictor(self.kept, self.spec, self.valid[head].table, head, self.device, self.config.precision)


def start(config: Config, data: Path) -> Run:
    """Load the data, build the model, and take up the last checkpoint in the run's folder if there is one.

    Raises `InputError` when the data can't be used, or the folder holds another run.
    """
    torch.manual_seed(config.seed)
    device = open_device(config.device)
    spec, crop = describe(
        config, {head: dataset.tracks(data / first.folder) for head, (first, *_) in config.data.items()}
    )
    train = {head: _mixture(config, head, data, spec.window.bin_bp) for head in config.data}
    valid = {
        head: dataset.load(data / first.folder, "valid", spec.window.bin_bp)
        for head, (first, *_) in config.data.items()
    }
    model, kept = _build(spec, crop, train)
    checkpoint_activations(model, config.activation_checkpointing)
    model, kept = model.to(device), kept.to(device).eval().requires_grad_(False)
    optimizer = _optimizer(config, model)
    run = Run(config, spec, crop.window, train, valid, model, kept, optimizer, Progress(), device)
    for mixture in train.values():
        for examples in mixture.sources:
            dataset.places(examples, run.window)
    _resume(run)
    return run


def _mixture(config: Config, head: str, data: Path, bin_bp: int) -> Mixture:
    sources = config.data[head]
    examples = tuple(dataset.load(data / source.folder, config.splits, bin_bp) for source in sources)
    return Mixture(examples, tuple(source.weight for source in sources))


def steps_done(config: Config) -> int:
    """How many steps of a run lie in its checkpoint: 0 before the first."""
    path = config.folder / LAST
    return checkpoint.progress_of(path).step if path.exists() else 0


def describe(config: Config, heads: dict[str, int]) -> tuple[Spec, Any]:
    """The finished model's spec, and its architecture set up for the crop."""
    module, describe, _ = zoo.FAMILIES[config.model.family]
    try:
        whole = getattr(import_module(module), describe).from_json({**config.model.architecture, "heads": heads})
        crop = whole if config.crop is None else replace(whole, **config.crop.model_dump())
    except (TypeError, ValueError) as error:
        raise InputError(f"[model.architecture] or [crop] of {config.name}: {error}") from None
    return Spec(config.name, config.model.family, whole, config.licence), crop


def _build(spec: Spec, crop: Any, train: dict[str, Mixture]) -> tuple[nn.Module, nn.Module]:
    """The module to train and the module to keep: the same weights, set up for the crop and for the whole window.

    Each head starts at its tracks' mean signal, softplus(bias) = mean: most tracks lie far below softplus(0) = 0.69,
    and a warm-up is too short to carry every bias there.
    """
    module, _, name = zoo.FAMILIES[spec.family]
    build = getattr(import_module(module), name)
    model, kept = build(crop), build(spec.config)
    with torch.no_grad():
        for head, examples in train.items():
            mean = torch.from_numpy(examples.means).clamp_min(1e-4)
            model.heads[head].bias.copy_(torch.expm1(mean).log())
    kept.load_state_dict(model.state_dict())
    return model, kept


def _optimizer(config: Config, model: nn.Module) -> torch.optim.Optimizer:
    """Adam; weight decay, if any, spares biases and scales."""
    chosen = config.optimizer
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": chosen.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=chosen.lr, betas=chosen.betas, eps=chosen.eps)


def save(run: Run) -> None:
    """Write the checkpoint that `start` takes up."""
    checkpoint.save(run.out / LAST, _modules(run), run.optimizer, run.progress, run.config.model_dump(mode="json"))


def _resume(run: Run) -> None:
    run.out.mkdir(parents=True, exist_ok=True)
    if not (run.out / LAST).exists():
        return
    now, before = run.config.model_dump(), Config.model_validate(checkpoint.config_of(run.out / LAST)).model_dump()
    changed = [key for key in now if now[key] != before[key] and key not in _MAY_CHANGE]
    if changed:
        raise InputError(
            f"{run.out} holds a run with another {', '.join(changed)}; restore that, or choose another `out`"
        )
    run.progress = checkpoint.restore(run.out / LAST, _modules(run), run.optimizer, run.device)


def _modules(run: Run) -> dict[str, nn.Module]:
    return {"model": run.model, "kept": run.kept}
