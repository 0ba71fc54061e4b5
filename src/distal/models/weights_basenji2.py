"""Basenji2's published Keras files -> our config and state dict; knows no other model.

Geometry is read off the shapes, and off the graph where the file has one; what neither says (which GELU, the crop) is
asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distal.errors import InputError
from distal.models.basenji2 import BIN_BP, EPS, TOWER_BLOCKS, Basenji2, Basenji2Config
from distal.models.keras import KerasFile, cropping, gelu_of, input_length
from distal.models.tensors import State, reversed_axes

_HEADS_BY_TRACKS = {5313: "human", 1643: "mouse"}
_CROP = 64  # bins on each side: the paper's params_human.json, and the published targets


def load_basenji2(
    file: KerasFile,
    head_names: Sequence[str] | None = None,
    *,
    gelu: str | None = None,
    crop: int | None = None,
    input_bp: int | None = None,
) -> tuple[Basenji2Config, State]:
    """A full-model file or weights alone -> config and our state dict. Raises `InputError`.

    `gelu` is "sigmoid", "tanh" or "erf"; by default what the graph computes, and needed where there is no graph.
    `crop` is the number of bins cut from each side: by default the graph's, or 64 where it cuts none (the released
    file predicts 1,024 bins of which the published targets cover the central 896; 0 keeps all). `input_bp` is by
    default the graph's, or 131,072. The head is called human, or mouse where it has the paper's 1,643 mouse tracks.
    """
    convs, norms, dense = (file.layers(kind) for kind in ("conv1d", "batch_normalization", "dense"))
    pairs, odd = divmod(len(convs) - TOWER_BLOCKS - 2, 2)
    if odd or pairs < 1 or len(norms) != len(convs) or len(dense) != 1:
        raise InputError(
            f"{file.path} is not a Basenji2: it has {len(convs)} convolutions, {len(norms)} batch norms and "
            f"{len(dense)} dense layers with weights"
        )
    state: State = {}
    for place, conv, norm in zip(_places(pairs), convs, norms, strict=True):
        state[f"{place}.conv.weight"] = file.tensors.take(f"{conv}/kernel", reversed_axes)
        state |= file.norm(f"{place}.norm", norm, running=True)
    head = file.linear("", dense[0])
    tracks = head[".bias"].numel()
    names = [_HEADS_BY_TRACKS.get(tracks, "human")] if head_names is None else list(head_names)
    if len(names) != 1:
        raise InputError(f"{file.path} has one head; {len(names)} names were given")
    state |= {f"heads.{names[0]}{part}": value for part, value in head.items()}
    bins = _bins(file, crop, input_bp)
    config = _config(state, pairs, _gelu(file, gelu), {names[0]: tracks}, bins)
    _check_graph(file, config)
    return config, file.tensors.finish(lambda: Basenji2(config), state)


def _places(pairs: int) -> list[str]:
    """Our names of the blocks, in the order of Keras's counters, which may start anywhere."""
    tower = [f"tower.{i}" for i in range(TOWER_BLOCKS)]
    dilated = [f"dilated.{i}.{part}" for i in range(pairs) for part in ("dilated", "pointwise")]
    return ["stem", *tower, *dilated, "final"]


def _gelu(file: KerasFile, chosen: str | None) -> str:
    gelu = chosen or gelu_of(file)
    if gelu is None:
        raise InputError(
            f"{file.path} holds weights without a graph; say which GELU they were trained with: sigmoid (Basenji until "
            "April 2022, as published), tanh (since) or erf"
        )
    return gelu


def _bins(file: KerasFile, crop: int | None, input_bp: int | None) -> tuple[int, int]:
    """Input length in bases and number of output bins."""
    length = input_bp or input_length(file) or Basenji2Config().input_bp
    stored = cropping(file)
    cut = crop if crop is not None else stored if stored is not None else _CROP
    bins = length // BIN_BP - 2 * cut
    if bins <= 0 or cut < 0:
        raise InputError(
            f"{file.path}: cropping {cut} bins on each side leaves none of {length // BIN_BP}; give another crop"
        )
    return length, bins


def _config(state: State, pairs: int, gelu: str, heads: dict[str, int], geometry: tuple[int, int]) -> Basenji2Config:
    def width(place: str) -> int:
        return state[f"{place}.norm.weight"].numel()

    tower = tuple(width(f"tower.{i}") for i in range(TOWER_BLOCKS))
    config = Basenji2Config(
        stem=width("stem"),
        tower_first=tower[0],
        dilated_layers=pairs,
        dilated=width("dilated.0.dilated"),
        final=width("final"),
        input_bp=geometry[0],
        bins=geometry[1],
        gelu=gelu,
        heads=heads,
    )
    return config if config.tower_widths == list(tower) else replace(config, tower=tower)


def _check_graph(file: KerasFile, config: Basenji2Config) -> None:
    """What the weights cannot show but the graph can: epsilon, dilations, the head's activation."""
    file.demand("BatchNormalization", "epsilon", EPS)
    file.demand("Dense", "activation", "softplus")
    dilations = [layer["config"].get("dilation_rate", [1])[0] for layer in file.of_class("Conv1D")]
    wanted = [1] * (TOWER_BLOCKS + 1) + [d for dilation in config.dilations for d in (dilation, 1)] + [1]
    if dilations and dilations != wanted:
        raise InputError(f"{file.path} has dilations {dilations}; a Basenji2 of this depth has {wanted}")
