"""baskerville's Keras files and their params.json -> our Borzoi config and state dict; knows no other model.

params.json is a small language of blocks. What the Borzoi family uses of it is translated here, strictly: a key that
would change the computation and isn't known is an error, keys that matter in training only are passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from distal.errors import InputError
from distal.models.borzoi import EPS, Borzoi, BorzoiConfig
from distal.models.keras import KerasFile, gelu_of
from distal.models.layers import round_half_even
from distal.models.tensors import State, reversed_axes

_ATTENTION = {
    "query": "q_layer/kernel",
    "keys": "k_layer/kernel",
    "values": "v_layer/kernel",
    "positions": "r_k_layer/kernel",
    "output": "embedding_layer/kernel",
}
_TRAINING_ONLY = {"name", "l2_scale", "mha_l2_scale", "kernel_initializer", "augment_rc", "augment_shift"}
_NATURAL = re.compile(r"(\d+)")


def load_borzoi(
    file: KerasFile, params: str | Path, head_names: Sequence[str] | None = None
) -> tuple[BorzoiConfig, State]:
    """Weights and their params.json -> config and our state dict. Raises `InputError`.

    A file holds one head or all of params.json's; `head_names` names the file's heads, in its order, where the number
    of tracks doesn't tell which they are.
    """
    params = Path(params)
    config, offered = read_params(params)
    dense = file.layers("dense")
    inside = 2 * (config.layers + config.upsamplings)
    heads = dense[inside:]
    if not heads:
        raise InputError(f"{file.path} has {len(dense)} dense layers, its params.json asks for {inside} and the heads")
    units = [file.tensors.shape(f"{layer}/bias")[-1] for layer in heads]
    names = list(head_names) if head_names is not None else _which_heads(file, units, offered)
    if len(set(names)) != len(heads):
        raise InputError(f"{file.path} has {len(heads)} heads; {len(set(names))} names were given")
    config = replace(config, gelu=gelu_of(file) or config.gelu, heads=dict(zip(names, units, strict=True)))
    state = _trunk(file, config, dense[:inside])
    for name, layer in zip(names, heads, strict=True):
        state |= file.linear(f"heads.{name}", layer)
    file.demand("BatchNormalization", "epsilon", EPS)
    file.demand("LayerNormalization", "epsilon", EPS)
    return config, file.tensors.finish(lambda: Borzoi(config), state)


def _trunk(file: KerasFile, config: BorzoiConfig, dense: list[str]) -> State:
    """Everything but the heads; Keras numbers the layers in the order in which the blocks are built."""
    towers, blocks, steps = len(config.tower), config.layers, config.upsamplings
    convs = _exactly(file, "conv1d", 1 + towers)
    norms = _exactly(file, "batch_normalization", towers + 2 * steps)
    layer_norms = _exactly(file, "layer_normalization", 2 * blocks)
    attentions = _exactly(file, "multihead_attention", blocks)
    separable = _exactly(file, "separable_conv1d", steps)
    state = file.linear("stem", convs[0])
    for i in range(towers):
        state |= file.norm(f"tower.{i}.norm", norms[i], running=True) | file.linear(f"tower.{i}.conv", convs[1 + i])
    for j in range(blocks):
        state |= file.norm(f"transformer.{j}.attention_norm", layer_norms[2 * j], running=False)
        state |= _attention(file, f"transformer.{j}.attention", attentions[j])
        state |= file.norm(f"transformer.{j}.mlp.0", layer_norms[2 * j + 1], running=False)
        state |= file.linear(f"transformer.{j}.mlp.1", dense[2 * j])
        state |= file.linear(f"transformer.{j}.mlp.4", dense[2 * j + 1])
    for k in range(steps):
        for branch, part in enumerate(("coarse", "fine")):
            state |= file.norm(f"unet.{k}.{part}.norm", norms[towers + 2 * k + branch], running=True)
            state |= _pointwise(file.linear(f"unet.{k}.{part}.conv", dense[2 * (blocks + k) + branch]))
        state |= _separable(file, f"unet.{k}", separable[k])
    return state


def _attention(file: KerasFile, ours: str, layer: str) -> State:
    take = file.tensors.take
    state = {f"{ours}.{name}.weight": take(f"{layer}/{theirs}", reversed_axes) for name, theirs in _ATTENTION.items()}
    state[f"{ours}.output.bias"] = take(f"{layer}/embedding_layer/bias")
    state[f"{ours}.content_bias"] = take(f"{layer}/r_w_bias", lambda x: x.squeeze(0))
    state[f"{ours}.position_bias"] = take(f"{layer}/r_r_bias", lambda x: x.squeeze(0))
    return state


def _pointwise(linear: State) -> State:
    """A dense layer over positions is a convolution of width 1."""
    return {name: value[..., None] if name.endswith("weight") else value for name, value in linear.items()}


def _separable(file: KerasFile, ours: str, layer: str) -> State:
    def per_channel(x: Tensor) -> Tensor:
        return x.permute(1, 2, 0)  # [k, channels, 1] -> [channels, 1, k]

    return {
        f"{ours}.depthwise.weight": file.tensors.take(f"{layer}/depthwise_kernel", per_channel),
        f"{ours}.pointwise.weight": file.tensors.take(f"{layer}/pointwise_kernel", reversed_axes),
        f"{ours}.pointwise.bias": file.tensors.take(f"{layer}/bias"),
    }


def _exactly(file: KerasFile, kind: str, wanted: int) -> list[str]:
    layers = file.layers(kind)
    if len(layers) != wanted:
        raise InputError(f"{file.path} has {len(layers)} {kind} layers, its params.json asks for {wanted}")
    return layers


def _which_heads(file: KerasFile, units: list[int], offered: Mapping[str, int]) -> list[str]:
    if units == list(offered.values()):
        return list(offered)
    matching = [[name for name, tracks in offered.items() if tracks == n] for n in units]
    if any(len(names) != 1 for names in matching):
        raise InputError(f"{file.path} has heads of {units} tracks, params.json {dict(offered)}; name the file's heads")
    return [names[0] for names in matching]


class _Block:
    """The keys of one block of params.json, each to be used once."""

    def __init__(self, where: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise InputError(f"{where} must be a table of settings, not {values!r}")
        self.where = where
        self.left = {key: value for key, value in values.items() if key not in _TRAINING_ONLY}

    def count(self, key: str, default: int | None = None) -> int:
        value = self.left.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InputError(f"{self.where}: {key} must be a whole number above 0, not {value!r}")
        return value

    def rate(self, key: str, default: float) -> float:
        value = self.left.pop(key, default)
        if not isinstance(value, int | float) or not 0 <= value < 1:
            raise InputError(f"{self.where}: {key} must be a number from 0 to 1, not {value!r}")
        return float(value)

    def demand(self, key: str, *wanted: object, default: object = None) -> None:
        value = self.left.pop(key, default)
        if value not in wanted:
            raise InputError(f"{self.where}: {key} {value!r} is not supported, only {wanted[0]!r}")

    def finish(self) -> None:
        if self.left:
            raise InputError(f"{self.where}: {', '.join(sorted(self.left))} is not supported")


def read_params(path: Path) -> tuple[BorzoiConfig, dict[str, int]]:
    """What baskerville's params.json describes: the config, and the tracks of each of its heads.

    Understood: conv_dna, res_tower, transformer_tower, any number of unet_conv, Cropping1D, and `final` heads.
    Raises `InputError` for anything else.
    """
    try:
        settings = dict(json.loads(path.read_text())["model"])
        trunk = settings.pop("trunk")
        kinds = [block["name"] for block in trunk]
    except OSError as error:
        raise InputError(
            f"{path}, which says how the weights belong together, cannot be read: {error.strerror}"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a params.json of baskerville's ({error!r})") from None
    steps = kinds.count("unet_conv")
    shape = ["conv_dna", "res_tower", "transformer_tower", *["unet_conv"] * steps]
    if kinds not in (shape, [*shape, "Cropping1D"]):
        raise InputError(f"{path}: trunk {kinds} is not that of a Borzoi, {[*shape, 'Cropping1D']}")
    blocks = [_Block(f"{path}, {kind}", values) for kind, values in zip(kinds, trunk, strict=True)]
    model = _Block(str(path), settings)
    known = _conv_dna(blocks[0]) | _res_tower(blocks[1]) | _transformer_tower(blocks[2])
    for block in blocks[3 : 3 + steps]:
        known |= _unet_conv(block)
    length, cropped = model.count("seq_length"), blocks[-1].count("cropping") if kinds[-1] == "Cropping1D" else 0
    heads = _globals_and_heads(model)
    for block in blocks:
        block.finish()
    bins = length // 2 ** (len(known["tower"]) + 1 - steps) - 2 * cropped
    try:
        return BorzoiConfig(**known, upsamplings=steps, input_bp=length, bins=bins, heads=heads), heads
    except ValueError as error:
        raise InputError(f"{path} does not describe a Borzoi: {error}") from None


def _conv_dna(block: _Block) -> dict[str, Any]:
    block.demand("norm_type", None)
    block.demand("activation", "linear")
    block.demand("pool_size", 2)
    return {"stem": block.count("filters"), "stem_kernel": block.count("kernel_size", 15)}


def _res_tower(block: _Block) -> dict[str, Any]:
    block.demand("num_convs", 1, default=1)
    block.demand("pool_size", 2)
    first, last, repeat = (block.count(key) for key in ("filters_init", "filters_end", "repeat"))
    divisor = block.count("divisible_by", 1)
    growth = math.log(last / first) / max(repeat - 1, 1)
    tower = tuple(round_half_even(first * math.exp(growth * i), divisor) for i in range(repeat))
    return {"tower": tower, "tower_kernel": block.count("kernel_size", 1)}


def _transformer_tower(block: _Block) -> dict[str, Any]:
    return {
        "key_size": block.count("key_size"),
        "attention_heads": block.count("heads", 1),
        "position_features": block.count("num_position_features"),
        "dropout": block.rate("dropout", 0.25),
        "attention_dropout": block.rate("attention_dropout", 0.05),
        "position_dropout": block.rate("position_dropout", 0.01),
        "layers": block.count("repeat", 1),
    }


def _unet_conv(block: _Block) -> dict[str, Any]:
    block.demand("upsample_conv", True, default=False)
    return {"unet_kernel": block.count("kernel_size", 1)}


def _globals_and_heads(model: _Block) -> dict[str, int]:
    """Check the settings that hold for every block; the heads in the order in which baskerville builds them."""
    model.demand("activation", "gelu")
    model.demand("norm_type", "batch", "batch-sync")
    model.demand("bn_momentum", 0.9, default=0.99)
    heads: dict[str, int] = {}
    for key in sorted((k for k in model.left if k.startswith("head")), key=_NATURAL.split):
        head = _Block(f"{model.where}, {key}", model.left.pop(key))
        head.demand("activation", "softplus")
        heads[key.removeprefix("head_")] = head.count("units")
        head.finish()
    model.finish()
    return heads
