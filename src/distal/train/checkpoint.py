"""A training run's state as one safetensors file: weights, running mean, Adam's moments, progress. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from distal.errors import InputError
from distal.files import replacing

_FORMAT = "distal-training-1"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    """Steps done."""
    best: float = float("-inf")
    """Highest validation score so far."""
    best_step: int = 0


def save(
    path: Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    config: dict[str, Any],
) -> None:
    """Write everything that the next step depends on. The file appears whole or the old one stays.

    `modules` are saved under their keys; the optimizer's moments under the parameter names of ``modules["model"]``.
    """
    tensors = {f"{key}/{name}": value for key, module in modules.items() for name, value in module.state_dict().items()}
    tensors |= _moments(modules["model"], optimizer)
    about = {"format": _FORMAT, "progress": json.dumps(asdict(progress)), "config": json.dumps(config)}
    with replacing(path) as temporary:
        save_file({name: value.detach().contiguous() for name, value in tensors.items()}, temporary, metadata=about)


def _moments(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state
    return {
        f"optimizer/{name}/{kind}": torch.as_tensor(value)
        for name, parameter in module.named_parameters()
        for kind, value in state.get(parameter, {}).items()
    }


def restore(
    path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer, device: torch.device
) -> Progress:
    """Put a saved state back, strictly, and return the progress of the run that wrote it.

    Raises `InputError` when the file isn't a whole checkpoint of these modules.
    """
    with _opened(path, device) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for key, module in modules.items():
        try:
            module.load_state_dict(_under(tensors, f"{key}/"))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path} is a checkpoint of another model ({reason}); train in a new folder") from None
    for name, parameter in modules["model"].named_parameters():
        moments = _under(tensors, f"optimizer/{name}/")
        if moments:
            optimizer.state[parameter] = {**moments, "step": moments["step"].cpu()}
    return progress_of(path)


def progress_of(path: Path) -> Progress:
    """How far the run was that wrote a checkpoint. Raises `InputError` when it isn't one."""
    with _opened(path, torch.device("cpu")) as file:
        return Progress(**json.loads(file.metadata()["progress"]))


def config_of(path: Path) -> dict[str, Any]:
    """The config of the run that wrote a checkpoint. Raises `InputError` when it isn't one."""
    with _opened(path, torch.device("cpu")) as file:
        config: dict[str, Any] = json.loads(file.metadata()["config"])
    return config


@contextmanager
def _opened(path: Path, device: torch.device) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, framework="pt", device=str(device)) as file:
            if (file.metadata() or {}).get("format") != _FORMAT:
                raise InputError(f"{path} is not a checkpoint of `distal train`; give the run another `out` folder")
            yield file
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"checkpoint {path} cannot be read ({error}); delete it to start the run again") from None


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
