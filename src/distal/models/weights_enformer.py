"""Enformer's published checkpoints: DeepMind's Sonnet object graph and enformer-pytorch's state dict; no other model.

Both store the same modules under different names. `modules` lists them side by side; one function a source turns
the arrays of a module into ours. Geometry is read off the shapes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from distal.errors import InputError
from distal.models.bundle import Bundle
from distal.models.enformer import TOWER_BLOCKS, Enformer, EnformerConfig
from distal.models.tensors import Change, State, Tensors, count, reversed_axes, unchanged

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_SONNET_HEAD = re.compile(r"^module/_heads/([^/]+)/_layers/0/w/\.ATTRIBUTES/VARIABLE_VALUE$")
_TORCH_HEAD = re.compile(r"^_heads\.([^.]+)\.0\.weight$")
_ALIASES = {
    "_trunk.1.": "stem.",
    "_trunk.2.": "conv_tower.",
    "_trunk.4.": "transformer.",
    "_trunk.6.": "final_pointwise.",
}
_TORCH_FILES = ("model.safetensors", "pytorch_model.bin")


class Module(NamedTuple):
    """One module that holds weights: its kind, and its name with us, in Sonnet's object graph, in enformer-pytorch."""

    kind: str
    ours: str
    sonnet: str
    torch: str


def modules(layers: int, heads: Mapping[str, str], *, attention_pooling: bool) -> Iterator[Module]:
    """Every module with weights; `heads` maps our names to the file's."""
    trunk = "module/_trunk/_layers"
    yield Module("conv", "stem.0", f"{trunk}/0/_layers/0", "stem.0")
    yield from _conv_block("stem.1.0", f"{trunk}/0/_layers/1/_module", "stem.1.fn")
    if attention_pooling:
        yield Module("pool", "stem.2.logits", f"{trunk}/0/_layers/2/_logit_linear", "stem.2.to_attn_logits")
    for i in range(TOWER_BLOCKS):
        ours, sonnet, hf = f"tower.{i}", f"{trunk}/1/_layers/{i}/_layers", f"conv_tower.{i}"
        yield from _conv_block(f"{ours}.0", f"{sonnet}/0", f"{hf}.0")
        yield from _conv_block(f"{ours}.1.0", f"{sonnet}/1/_module", f"{hf}.1.fn")
        if attention_pooling:
            yield Module("pool", f"{ours}.2.logits", f"{sonnet}/2/_logit_linear", f"{hf}.2.to_attn_logits")
    for j in range(layers):
        yield from _transformer_block(f"transformer.{j}", f"{trunk}/2/_layers/{j}/_layers", f"transformer.{j}")
    yield from _conv_block("final", f"{trunk}/4/_layers/0", "final_pointwise.1")
    for ours, theirs in heads.items():
        yield Module("linear", f"heads.{ours}", f"module/_heads/{theirs}/_layers/0", f"_heads.{theirs}.0")


def _conv_block(ours: str, sonnet: str, hf: str) -> Iterator[Module]:
    yield Module("batch_norm", f"{ours}.norm", f"{sonnet}/_layers/0", f"{hf}.0")
    yield Module("conv", f"{ours}.conv", f"{sonnet}/_layers/2", f"{hf}.2")


def _transformer_block(ours: str, sonnet: str, hf: str) -> Iterator[Module]:
    attention, mlp = f"{sonnet}/0/_module/_layers", f"{sonnet}/1/_module/_layers"
    yield Module("layer_norm", f"{ours}.attention_norm", f"{attention}/0", f"{hf}.0.fn.0")
    for name, layer, to in (
        ("query", "_q_layer", "to_q"),
        ("keys", "_k_layer", "to_k"),
        ("values", "_v_layer", "to_v"),
        ("positions", "_r_k_layer", "to_rel_k"),
    ):
        yield Module("matrix", f"{ours}.attention.{name}", f"{attention}/1/{layer}", f"{hf}.0.fn.1.{to}")
    yield Module("linear", f"{ours}.attention.output", f"{attention}/1/_embedding_layer", f"{hf}.0.fn.1.to_out")
    yield Module("bias", f"{ours}.attention.content_bias", f"{attention}/1/_r_w_bias", f"{hf}.0.fn.1.rel_content_bias")
    yield Module("bias", f"{ours}.attention.position_bias", f"{attention}/1/_r_r_bias", f"{hf}.0.fn.1.rel_pos_bias")
    yield Module("layer_norm", f"{ours}.mlp.0", f"{mlp}/0", f"{hf}.1.fn.0")
    yield Module("linear", f"{ours}.mlp.1", f"{mlp}/1", f"{hf}.1.fn.1")
    yield Module("linear", f"{ours}.mlp.4", f"{mlp}/4", f"{hf}.1.fn.4")


def load_enformer_tf(
    path: str | Path, head_names: Sequence[str] | None = None, input_bp: int = 196_608, bins: int = 896
) -> tuple[EnformerConfig, State]:
    """DeepMind's Sonnet checkpoint (prefix, `.index` or folder) -> config and our state dict.

    Width, depth, heads and tracks come from the tensors; `input_bp` and `bins`, which weights don't know, are
    Enformer's. `head_names` renames the heads, which are in alphabetical order. Raises `InputError`.
    """
    bundle = Bundle(path)
    tensors = Tensors(bundle.prefix, bundle)
    tensors.ignore(name for name in bundle if not name.startswith("module/"))  # save counter, optimiser
    tensors.ignore(name for name in bundle if name.endswith((f"/_counter{_SUFFIX}", f"/_hidden{_SUFFIX}")))
    heads = _heads(tensors, _SONNET_HEAD, head_names)
    layers = count(tensors, "module/_trunk/_layers/2/_layers/{}/_layers/0/_module/_layers/0/scale" + _SUFFIX)
    pooling = "attention" if f"module/_trunk/_layers/0/_layers/2/_logit_linear/w{_SUFFIX}" in tensors else "max"
    state: State = {}
    for module in modules(layers, heads, attention_pooling=pooling == "attention"):
        for ours, theirs, change in FROM_SONNET[module.kind]:
            state[module.ours + ours] = tensors.take(module.sonnet + theirs + _SUFFIX, change)
    config = _config(tensors.source, state, layers, heads, pooling=pooling, input_bp=input_bp, bins=bins)
    return config, tensors.finish(lambda: Enformer(config), state)


def load_enformer_hf(
    path: str | Path, head_names: Sequence[str] | None = None, input_bp: int = 196_608, bins: int | None = None
) -> tuple[EnformerConfig, State]:
    """enformer-pytorch's weights (`.bin`, `.safetensors` or their folder) -> config and our state dict.

    Geometry comes from the tensors; `bins` from `config.json` beside them (896 where there is none). The gamma table
    that enformer-pytorch ships is not needed: our position features are the right ones. Raises `InputError`.
    """
    path = _torch_file(Path(path))
    tensors = Tensors(path, _without_aliases(read_state_dict(path)))
    tensors.ignore(name for name in tensors.names() if name.endswith(".num_batches_tracked"))
    heads = _heads(tensors, _TORCH_HEAD, head_names)
    layers = count(tensors, "transformer.{}.0.fn.0.weight")
    state: State = {}
    for module in modules(layers, heads, attention_pooling=True):
        for ours, theirs, change in FROM_TORCH[module.kind]:
            state[module.ours + ours] = tensors.take(module.torch + theirs, change)
    bins = bins or _target_length(path.with_name("config.json"))
    config = _config(path, state, layers, heads, pooling="attention", input_bp=input_bp, bins=bins)
    return config, tensors.finish(lambda: Enformer(config), state)


_Part = tuple[str, str, Change]  # what our name and the file's end with, and the way from theirs to ours


def _flat(x: torch.Tensor) -> torch.Tensor:
    return x.flatten()


def _without_batch(x: torch.Tensor) -> torch.Tensor:
    """[1, heads, 1, key] -> [heads, 1, key]."""
    return x.squeeze(0)


FROM_SONNET: dict[str, list[_Part]] = {
    "conv": [(".weight", "/w", reversed_axes), (".bias", "/b", unchanged)],
    "linear": [(".weight", "/w", reversed_axes), (".bias", "/b", unchanged)],
    "matrix": [(".weight", "/w", reversed_axes)],
    "pool": [(".weight", "/w", lambda w: reversed_axes(w)[..., None])],
    "bias": [("", "", _without_batch)],
    "layer_norm": [(".weight", "/scale", unchanged), (".bias", "/offset", unchanged)],
    "batch_norm": [
        (".weight", "/scale", _flat),
        (".bias", "/offset", _flat),
        (".running_mean", "/moving_mean/average", _flat),
        (".running_var", "/moving_variance/average", _flat),
    ],
}
FROM_TORCH: dict[str, list[_Part]] = {
    "conv": [(".weight", ".weight", unchanged), (".bias", ".bias", unchanged)],
    "linear": [(".weight", ".weight", unchanged), (".bias", ".bias", unchanged)],
    "matrix": [(".weight", ".weight", unchanged)],
    "pool": [(".weight", ".weight", lambda w: w.flatten(2))],
    "bias": [("", "", _without_batch)],
    "layer_norm": [(".weight", ".weight", unchanged), (".bias", ".bias", unchanged)],
    "batch_norm": [(f".{name}", f".{name}", unchanged) for name in ("weight", "bias", "running_mean", "running_var")],
}


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a `.safetensors` or torch file. A torch file may hold tensors only: nothing else is unpickled."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file may fail in any way, and no way is ours
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError(f"{path} is not a file of tensors alone and was not loaded ({reason})") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path} is not a state dict: it must map names to tensors")
    return {str(name): _array(value) for name, value in state.items()}


def _array(value: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = (value.float() if value.dtype == torch.bfloat16 else value).detach().numpy()
    return array


def _torch_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in _TORCH_FILES:
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path} holds neither {' nor '.join(_TORCH_FILES)}")


def _without_aliases(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """enformer-pytorch registers its trunk twice; the names under `_trunk` are used where the others are missing."""
    kept = {name: array for name, array in arrays.items() if not name.startswith("_trunk.")}
    for name, array in arrays.items():
        for alias, prefix in _ALIASES.items():
            if name.startswith(alias):
                kept.setdefault(prefix + name.removeprefix(alias), array)
                break
        else:
            kept[name] = array
    return kept


def _target_length(config: Path) -> int:
    """`target_length` of enformer-pytorch's config.json; 896 when the file isn't there."""
    if not config.is_file():
        return 896
    try:
        length = json.loads(config.read_text()).get("target_length", 896)
    except (ValueError, AttributeError) as error:
        raise InputError(f"{config} is not enformer-pytorch's configuration ({error})") from None
    if not isinstance(length, int) or length <= 0:
        raise InputError(f"{config}: target_length is {length!r}; give `bins`, the number of output bins")
    return length


def _heads(tensors: Tensors, pattern: re.Pattern[str], names: Sequence[str] | None) -> dict[str, str]:
    """Our head names -> the file's."""
    found = [match[1] for name in tensors.names() if (match := pattern.match(name))]
    names = found if names is None else list(names)
    if not found or len(set(names)) != len(found):
        raise InputError(
            f"{tensors.source} has {len(found)} heads ({', '.join(found)}); {len(set(names))} names were given"
        )
    return dict(zip(names, found, strict=True))


def _config(source: Path, state: State, layers: int, heads: Mapping[str, str], **known: Any) -> EnformerConfig:
    """The configuration that the shapes in `state` (our names, our layout) belong to."""
    if layers == 0:
        raise InputError(f"{source} holds no transformer block; it is not an Enformer")
    widths = [state[f"tower.{i}.0.conv.bias"].numel() for i in range(TOWER_BLOCKS)]
    bias, positions = state["transformer.0.attention.content_bias"], state["transformer.0.attention.positions.weight"]
    known["heads"] = {name: state[f"heads.{name}.bias"].numel() for name in heads}
    try:
        for divisor in (d for d in range(math.gcd(*widths), 0, -1) if math.gcd(*widths) % d == 0):
            config = EnformerConfig(
                channels=state["final.norm.weight"].numel(),
                layers=layers,
                attention_heads=bias.shape[0],
                key_size=bias.shape[-1],
                divisible_by=divisor,
                **known,
            )
            if config.tower_widths == widths and config.position_features == positions.shape[-1]:
                return config
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise InputError(f"{source} does not have the geometry of an Enformer: {error}") from None
    raise InputError(
        f"{source}: tower widths {widths} and {positions.shape[-1]} position features are not those of an Enformer "
        f"with {config.channels} channels and {config.attention_heads} heads"
    )
