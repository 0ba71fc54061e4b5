"""A run that starts from a trained model: whose architecture it has, which weights it takes over, which may move.

Knows models and track tables, no data and no steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from distal.errors import InputError
from distal.models import adapters, zoo
from distal.tracks import TrackTable
from distal.train.config import FinetuneSection


def architecture(chosen: FinetuneSection) -> tuple[str, dict[str, Any]]:
    """Family and configuration of the model that a run starts from, with what the section changes of it."""
    spec = zoo.read_spec(zoo.find(chosen.base))
    return spec.family, {**spec.config.to_json(), **chosen.architecture}


def base(chosen: FinetuneSection) -> dict[str, str]:
    """Name and checksum of the weights that a run starts from."""
    spec = zoo.read_spec(zoo.find(chosen.base))
    return {"name": spec.name, "weights_sha256": spec.weights_sha256}


def begin(model: nn.Module, chosen: FinetuneSection, tables: Mapping[str, TrackTable]) -> None:
    """Give a new `model` the trained weights, and let only those learn that `chosen.mode` names.

    A head of the same name and the same tracks, in the same order, is taken over with the trunk; all others are new,
    and left as they are. Heads always learn. Raises `InputError` where the weights have other shapes.
    """
    trained, _, known = zoo.open_folder(zoo.find(chosen.base))
    same = [head for head, table in tables.items() if _names(known.get(head)) == table.names]
    own, theirs = (_taken(module.state_dict(), same) for module in (model, trained))
    _check_shapes(chosen.base, own, theirs)
    model.load_state_dict({**model.state_dict(), **theirs})
    trunk = nn.ModuleList(part for name, part in model.named_children() if name != "heads")
    if chosen.mode == "lora":
        adapters.adapt(trunk, chosen.rank, chosen.alpha)
    elif chosen.mode == "frozen":
        trunk.requires_grad_(False)


def _names(table: TrackTable | None) -> tuple[str, ...] | None:
    return None if table is None else table.names


def _taken(state: Mapping[str, Tensor], heads: list[str]) -> dict[str, Tensor]:
    """The weights that are the trained model's: those of the trunk, and of the heads that stay."""
    stay = tuple(f"heads.{head}." for head in heads)
    return {name: tensor for name, tensor in state.items() if not name.startswith("heads.") or name.startswith(stay)}


def _check_shapes(base: str, own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    shapes = [{name: list(tensor.shape) for name, tensor in state.items()} for state in (own, theirs)]
    for name in shapes[0].keys() | shapes[1].keys():
        asked, there = (of.get(name, "nowhere") for of in shapes)
        if asked != there:
            raise InputError(
                f"[finetune] architecture: weight {name} is {asked} here and {there} in {base}; "
                "change only what has no weights (input_bp, bins, dropout)"
            )
