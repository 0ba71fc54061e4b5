"""A training run's state as safetensors: weights, running mean, optimizer's moments, progress. Never pickle.

One process writes one file. Where weights are held in parts (FSDP2), every process writes its own: the first the one
that is asked for, the others ``<name>.<step>.<rank>.safetensors`` beside it, before it. The first file names the step
and the number of parts, so it is what makes a checkpoint, and a kill leaves the old or the new one. The parts of a
tensor lie one behind the other along its first axis: another number of processes can take it up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from distal.errors import InputError
from distal.files import replacing
from distal.train.distributed import ALONE, World, cut_like, own

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
    path: Path, tensors: Mapping[str, Tensor], progress: Progress, config: dict[str, Any], world: World = ALONE
) -> None:
    """Write everything that the next step depends on; every process calls it. The old checkpoint stays until the end.

    Raises `TypeError` where `config` is not made of plain values.
    """
    parts = world.size if any(isinstance(tensor, DTensor) for tensor in tensors.values()) else 1
    mine = {name: tensor for name, tensor in tensors.items() if world.first or isinstance(tensor, DTensor)}
    about = {"format": _FORMAT, "progress": json.dumps(asdict(progress)), "config": json.dumps(config)}
    if 0 < world.rank < parts:
        _write(_part(path, progress.step, world.rank), mine, about)
    world.wait()
    if world.first:
        _write(path, mine, {**about, "parts": str(parts)})
        current = {_part(path, progress.step, rank) for rank in range(1, parts)}
        for old in set(path.parent.glob(f"{path.stem}.*{path.suffix}")) - current:
            old.unlink()
    world.wait()


def _write(path: Path, tensors: Mapping[str, Tensor], about: dict[str, str]) -> None:
    with replacing(path) as temporary:
        save_file({name: own(t.detach()).contiguous() for name, t in tensors.items()}, temporary, metadata=about)


def _part(path: Path, step: int, rank: int) -> Path:
    return path.with_name(f"{path.stem}.{step}.{rank}{path.suffix}")


def moments(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers, as ``<parameter's name>/<kind>``."""
    return {
        f"{name}/{kind}": torch.as_tensor(value)
        for name, parameter in module.named_parameters()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


@dataclass(frozen=True, eq=False)
class Saved:
    """A checkpoint, open; tensors are read when they are asked for."""

    path: Path
    progress: Progress
    config: dict[str, Any]
    files: tuple[Any, ...]

    def names(self, prefix: str) -> list[str]:
        """Names of the tensors under a prefix, without it."""
        found = (name for name in self.files[0].keys() if name.startswith(prefix))  # noqa: SIM118
        return [name[len(prefix) :] for name in found]

    def tensor(self, name: str) -> Tensor:
        """A whole tensor."""
        parts = [file.get_tensor(name) for file in self.files if name in file.keys()]  # noqa: SIM118
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    @torch.no_grad()
    def fill(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Copy what is saved under a prefix into tensors of the same names. Raises `InputError` where they differ."""
        differ = set(tensors).symmetric_difference(self.names(prefix))
        if differ:
            raise self._other(f"one of them lacks {', '.join(sorted(differ)[:3])}")
        for name, tensor in tensors.items():
            saved = self.tensor(f"{prefix}{name}")
            if saved.shape != tensor.shape:
                raise self._other(f"{name} is {list(saved.shape)}, here {list(tensor.shape)}")
            own(tensor).copy_(own(cut_like(saved, tensor)))

    def remember(self, prefix: str, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Give an optimizer the moments back that `moments` named."""
        names = self.names(prefix)
        for name, parameter in module.named_parameters():
            kinds = [saved.rpartition("/")[2] for saved in names if saved.rpartition("/")[0] == name]
            found = {kind: self.tensor(f"{prefix}{name}/{kind}") for kind in kinds}
            if found:  # moments have their parameter's shape, a count of steps stays on the CPU
                optimizer.state[parameter] = {k: cut_like(t, parameter) if t.ndim else t for k, t in found.items()}

    def _other(self, reason: str) -> InputError:
        return InputError(f"{self.path} is a checkpoint of another model ({reason}); train in a new folder")


@contextmanager
def opened(path: Path) -> Iterator[Saved]:
    """A checkpoint to be read. Raises `InputError` when it isn't one, or not whole."""
    with ExitStack() as stack:
        try:
            first = stack.enter_context(safetensors.safe_open(path, framework="pt"))
            about = first.metadata() or {}
            if about.get("format") != _FORMAT:
                raise InputError(f"{path} is not a checkpoint of `distal train`; give the run another `out` folder")
            progress = Progress(**json.loads(about["progress"]))
            others = [_part(path, progress.step, rank) for rank in range(1, int(about.get("parts", "1")))]
            files = (first, *_all(stack, others))
        except (OSError, safetensors.SafetensorError) as error:
            raise InputError(f"checkpoint {path} cannot be read ({error}); delete it to start the run again") from None
        yield Saved(path, progress, json.loads(about["config"]), files)


def _all(stack: ExitStack, paths: Iterable[Path]) -> list[Any]:
    return [stack.enter_context(safetensors.safe_open(path, framework="pt")) for path in paths]
