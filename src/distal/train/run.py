"""A training run between two steps: data, modules and optimizer, from a config or a checkpoint; takes no step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from distal.coords import Window
from distal.data import dataset
from distal.data.dataset import Examples
from distal.data.loading import Feed
from distal.data.mixture import Mixture
from distal.errors import InputError
from distal.models import zoo
from distal.models.adapters import merged_state
from distal.models.checkpointing import checkpoint_activations
from distal.models.zoo import Spec
from distal.predictor import Predictor, open_device
from distal.train import checkpoint, finetune, losses, optimizer, schedule
from distal.train.checkpoint import Progress
from distal.train.config import Config, LossSection
from distal.train.distributed import ALONE, World, spread, whole
from distal.train.ema import RunningMean

LAST = "last.safetensors"
_MAY_CHANGE = {
    *("out", "steps", "device", "parallel", "accumulate", "activation_checkpointing"),
    *("checkpoint_every", "tensorboard", "validation", "weights", "workers"),
}

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(eq=False)
class Run:
    """Everything that the next step depends on."""

    config: Config
    spec: Spec
    """The model that comes out of the run."""
    window: Window
    """What a training example is: the crop, or the model's whole window."""
    train: dict[str, Mixture]
    feed: Feed
    """The batches of this process, by number."""
    valid: dict[str, Examples]
    model: nn.Module
    """The weights that learn, set up for the crop."""
    spread: nn.Module
    """What is called to train `model`: itself, or what shares the work with other processes."""
    kept: nn.Module
    """What is validated and kept, set up for the whole window; `refresh` gives it its weights."""
    mean: RunningMean | None
    """The running mean of the weights, with `ema`."""
    optimizer: torch.optim.Optimizer
    device: torch.device
    world: World
    progress: Progress

    @property
    def out(self) -> Path:
        """Where the run writes."""
        return self.config.folder

    def refresh(self) -> None:
        """Give `kept` the weights as they are after the last step, or their running mean."""
        weights = merged_state(self.model) if self.mean is None else self.mean.weights
        self.kept.load_state_dict({name: whole(tensor) for name, tensor in weights.items()})

    def predictor(self, head: str) -> Predictor:
        """The kept weights, ready to predict a head in the precision of the run."""
        return Predictor(self.kept, self.spec, self.valid[head].table, head, self.device, self.config.precision)


def start(config: Config, data: Path, world: World = ALONE, device: str = "") -> Run:
    """Load the data, build the model, and take up the last checkpoint in the run's folder if there is one.

    `device` is this process's own, where it isn't the config's. Raises `InputError` when the data can't be used, or the
    folder holds another run.
    """
    torch.manual_seed(config.seed)
    place = open_device(device or config.device)
    share = schedule.share(config, world.size)
    spec, crop = describe(config, _tracks(config, data))
    train = {head: _mixture(config, head, data, spec.window.bin_bp) for head in config.data}
    valid = {
        head: dataset.load(data / first.folder, "valid", spec.window.bin_bp)
        for head, (first, *_) in config.data.items()
    }
    for mixture in train.values():
        for examples in mixture.sources:
            dataset.places(examples, crop.window)
    model, kept = (module.to(place) for module in _build(config, spec, crop, train))
    checkpoint_activations(model, config.activation_checkpointing)
    outer = spread(model, config.parallel, world)
    run = Run(
        config=config,
        spec=spec,
        window=crop.window,
        train=train,
        feed=Feed(train, crop.window, config.seed, share, world.rank, world.size),
        valid=valid,
        model=model,
        spread=outer,
        kept=kept.eval().requires_grad_(False),
        mean=RunningMean.of(merged_state(model), config.ema) if config.ema else None,
        optimizer=optimizer.build(config.optimizer, model),
        device=place,
        world=world,
        progress=Progress(),
    )
    _resume(run)
    return run


def _tracks(config: Config, data: Path) -> dict[str, int]:
    return {head: dataset.tracks(data / first.folder) for head, (first, *_) in config.data.items()}


def _mixture(config: Config, head: str, data: Path, bin_bp: int) -> Mixture:
    sources = config.data[head]
    examples = tuple(dataset.load(data / source.folder, config.splits, bin_bp) for source in sources)
    return Mixture(examples, tuple(source.weight for source in sources))


def steps_done(config: Config) -> int:
    """How many steps of a run lie in its checkpoint: 0 before the first."""
    path = config.folder / LAST
    if not path.exists():
        return 0
    with checkpoint.opened(path) as saved:
        return saved.progress.step


def describe(config: Config, heads: dict[str, int]) -> tuple[Spec, Any]:
    """The finished model's spec, and its architecture set up for the crop."""
    family, architecture = _architecture(config)
    module, describe, _ = zoo.FAMILIES[family]
    try:
        full = getattr(import_module(module), describe).from_json({**architecture, "heads": heads})
        crop = full if config.crop is None else replace(full, **config.crop.model_dump())
    except (TypeError, ValueError) as error:
        raise InputError(f"[model.architecture] or [crop] of {config.name}: {error}") from None
    return Spec(config.name, family, full, config.licence), crop


def _architecture(config: Config) -> tuple[str, dict[str, Any]]:
    """Family and configuration: the config's own, or those of the model that is fine-tuned."""
    if config.finetune is not None:
        return finetune.architecture(config.finetune)
    assert config.model is not None  # the config sees to it
    return config.model.family, config.model.architecture


def _build(config: Config, spec: Spec, crop: Any, train: dict[str, Mixture]) -> tuple[nn.Module, nn.Module]:
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
    if config.finetune is not None:
        finetune.begin(model, config.finetune, {head: mixture.table for head, mixture in train.items()})
    kept.load_state_dict(merged_state(model))
    return model, kept


def loss(chosen: LossSection) -> Loss:
    """The function that `[loss]` names."""
    match chosen.kind:
        case "poisson":
            return losses.poisson
        case "mse":
            return losses.mse
        case "multinomial-basenji":
            return partial(losses.multinomial_basenji, total_weight=chosen.total_weight, rescale=chosen.rescale)
        case "multinomial-baskerville":
            return partial(
                losses.multinomial_baskerville,
                total_weight=chosen.total_weight,
                rescale=chosen.rescale,
                weight_range=chosen.weight_range,
                weight_exp=chosen.weight_exp,
            )


def save(run: Run) -> None:
    """Write the checkpoint that `start` takes up."""
    tensors = {f"model/{name}": tensor for name, tensor in run.model.state_dict().items()}
    if run.mean is not None:
        tensors |= {f"mean/{name}": tensor for name, tensor in run.mean.weights.items()}
    remembered = checkpoint.moments(run.model, run.optimizer)
    tensors |= {f"optimizer/{name}": tensor for name, tensor in remembered.items()}
    checkpoint.save(run.out / LAST, tensors, run.progress, run.config.model_dump(mode="json"), run.world)


def _resume(run: Run) -> None:
    run.out.mkdir(parents=True, exist_ok=True)
    if not (run.out / LAST).exists():
        return
    with checkpoint.opened(run.out / LAST) as saved:
        now, before = run.config.model_dump(), Config.model_validate(saved.config).model_dump()
        changed = [key for key in now if now[key] != before[key] and key not in _MAY_CHANGE]
        if changed:
            raise InputError(
                f"{run.out} holds a run with another {', '.join(changed)}; restore that, or choose another `out`"
            )
        saved.fill("model/", run.model.state_dict())
        if run.mean is not None:
            saved.fill("mean/", run.mean.weights)
        saved.remember("optimizer/", run.model, run.optimizer)
        run.progress = saved.progress
