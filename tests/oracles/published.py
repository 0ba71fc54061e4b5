"""Our weights as the published files have them, for tests: names and layouts as the formats describe them.

Independent of `distal.models.weights*`: it goes the other way and shares no table with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = Mapping[str, Array]
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def sonnet(state: State, layers: int, heads: list[str]) -> dict[str, Array]:
    """Object-graph keys of DeepMind's checkpoint -> arrays in TensorFlow's layout."""
    out: dict[str, Array] = {}

    def put(key: str, array: Array) -> None:
        out[f"module/{key}{SUFFIX}"] = array

    def conv(key: str, ours: str) -> None:
        put(f"{key}/w", state[f"{ours}.weight"].transpose(2, 1, 0))
        put(f"{key}/b", state[f"{ours}.bias"])

    def batch_norm(key: str, ours: str) -> None:
        put(f"{key}/scale", state[f"{ours}.weight"])
        put(f"{key}/offset", state[f"{ours}.bias"])
        for average, name in (("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            value = state[f"{ours}.{name}"][None, None]
            put(f"{key}/{average}/average", value)
            put(f"{key}/{average}/_hidden", 7 * value)
            put(f"{key}/{average}/_counter", np.array(1000, dtype=np.int64))

    def linear(key: str, ours: str, bias: bool = True) -> None:
        put(f"{key}/w", state[f"{ours}.weight"].T)
        if bias:
            put(f"{key}/b", state[f"{ours}.bias"])

    def layer_norm(key: str, ours: str) -> None:
        put(f"{key}/scale", state[f"{ours}.weight"])
        put(f"{key}/offset", state[f"{ours}.bias"])

    def pool(key: str, ours: str) -> None:
        if f"{ours}.logits.weight" in state:
            put(f"{key}/_logit_linear/w", state[f"{ours}.logits.weight"][:, :, 0].T)

    stem, tower, blocks, final = (f"_trunk/_layers/{i}/_layers" for i in (0, 1, 2, 4))
    conv(f"{stem}/0", "stem.0")
    batch_norm(f"{stem}/1/_module/_layers/0", "stem.1.0.norm")
    conv(f"{stem}/1/_module/_layers/2", "stem.1.0.conv")
    pool(f"{stem}/2", "stem.2")
    for i in range(6):
        batch_norm(f"{tower}/{i}/_layers/0/_layers/0", f"tower.{i}.0.norm")
        conv(f"{tower}/{i}/_layers/0/_layers/2", f"tower.{i}.0.conv")
        batch_norm(f"{tower}/{i}/_layers/1/_module/_layers/0", f"tower.{i}.1.0.norm")
        conv(f"{tower}/{i}/_layers/1/_module/_layers/2", f"tower.{i}.1.0.conv")
        pool(f"{tower}/{i}/_layers/2", f"tower.{i}.2")
    for j in range(layers):
        mha, mlp, ours = (*(f"{blocks}/{j}/_layers/{k}/_module/_layers" for k in (0, 1)), f"transformer.{j}")
        layer_norm(f"{mha}/0", f"{ours}.attention_norm")
        for theirs, name in (("q", "query"), ("k", "keys"), ("v", "values"), ("r_k", "positions")):
            linear(f"{mha}/1/_{theirs}_layer", f"{ours}.attention.{name}", bias=False)
        linear(f"{mha}/1/_embedding_layer", f"{ours}.attention.output")
        put(f"{mha}/1/_r_w_bias", state[f"{ours}.attention.content_bias"][None])
        put(f"{mha}/1/_r_r_bias", state[f"{ours}.attention.position_bias"][None])
        layer_norm(f"{mlp}/0", f"{ours}.mlp.0")
        linear(f"{mlp}/1", f"{ours}.mlp.1")
        linear(f"{mlp}/4", f"{ours}.mlp.4")
    batch_norm(f"{final}/0/_layers/0", "final.norm")
    conv(f"{final}/0/_layers/2", "final.conv")
    for head in heads:
        linear(f"_heads/{head}/_layers/0", f"heads.{head}")
    out[f"save_counter{SUFFIX}"] = np.array(1, dtype=np.int64)
    return out


def enformer_pytorch(state: State, layers: int, heads: list[str], *, aliases: bool = True) -> dict[str, Array]:
    """State-dict names of enformer-pytorch; with `aliases` its trunk appears a second time under `_trunk`."""
    out: dict[str, Array] = {}

    def put(theirs: str, ours: str) -> None:
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            if f"{ours}.{name}" in state:
                out[f"{theirs}.{name}"] = state[f"{ours}.{name}"]

    put("stem.0", "stem.0")
    put("stem.1.fn.0", "stem.1.0.norm")
    put("stem.1.fn.2", "stem.1.0.conv")
    out["stem.2.to_attn_logits.weight"] = state["stem.2.logits.weight"][..., None]
    for i in range(6):
        put(f"conv_tower.{i}.0.0", f"tower.{i}.0.norm")
        put(f"conv_tower.{i}.0.2", f"tower.{i}.0.conv")
        put(f"conv_tower.{i}.1.fn.0", f"tower.{i}.1.0.norm")
        put(f"conv_tower.{i}.1.fn.2", f"tower.{i}.1.0.conv")
        out[f"conv_tower.{i}.2.to_attn_logits.weight"] = state[f"tower.{i}.2.logits.weight"][..., None]
    for j in range(layers):
        ours, theirs = f"transformer.{j}", f"transformer.{j}.0.fn"
        put(f"{theirs}.0", f"{ours}.attention_norm")
        for to, name in (("q", "query"), ("k", "keys"), ("v", "values"), ("rel_k", "positions"), ("out", "output")):
            put(f"{theirs}.1.to_{to}", f"{ours}.attention.{name}")
        out[f"{theirs}.1.rel_content_bias"] = state[f"{ours}.attention.content_bias"][None]
        out[f"{theirs}.1.rel_pos_bias"] = state[f"{ours}.attention.position_bias"][None]
        for k in (0, 1, 4):
            put(f"transformer.{j}.1.fn.{k}", f"{ours}.mlp.{k}")
    put("final_pointwise.1.0", "final.norm")
    put("final_pointwise.1.2", "final.conv")
    if aliases:
        places = {"stem": 1, "conv_tower": 2, "transformer": 4, "final_pointwise": 6}
        out |= {f"_trunk.{places[k.split('.')[0]]}.{k.partition('.')[2]}": v for k, v in out.items()}
    for head in heads:
        put(f"_heads.{head}.0", f"heads.{head}")
    return out


class Keras:
    """Collects layers as Keras names and numbers them, each kind counting on from `start`."""

    def __init__(self, state: State, start: int = 0) -> None:
        self.state, self.start = state, start
        self.weights: dict[str, Array] = {}
        self._next: dict[str, int] = {}

    def add(self, kind: str, **weights: Array) -> None:
        number = self._next.get(kind, self.start)
        self._next[kind] = number + 1
        layer = f"{kind}_{number}" if number else kind
        self.weights |= {f"{layer}/{name.replace('__', '/')}": value for name, value in weights.items()}

    def norm(self, ours: str, kind: str = "batch_normalization") -> None:
        names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
        self.add(kind, **{k: self.state[f"{ours}.{v}"] for k, v in names.items() if f"{ours}.{v}" in self.state})

    def conv(self, ours: str) -> None:
        weights = {"kernel": self.state[f"{ours}.weight"].transpose(2, 1, 0)}
        if f"{ours}.bias" in self.state:
            weights["bias"] = self.state[f"{ours}.bias"]
        self.add("conv1d", **weights)

    def dense(self, ours: str) -> None:
        weight = self.state[f"{ours}.weight"]
        self.add("dense", kernel=weight.reshape(weight.shape[:2]).T, bias=self.state[f"{ours}.bias"])


def basenji2(state: State, dilated: int, head: str, start: int = 0) -> dict[str, Array]:
    """``<layer>/<weight>`` of Basenji's Keras file."""
    keras = Keras(state, start)
    pairs = [f"dilated.{i}.{part}" for i in range(dilated) for part in ("dilated", "pointwise")]
    for place in ["stem", *(f"tower.{i}" for i in range(6)), *pairs, "final"]:
        keras.conv(f"{place}.conv")
        keras.norm(f"{place}.norm")
    keras.dense(f"heads.{head}")
    return keras.weights


def borzoi(state: State, sizes: tuple[int, int, int], heads: list[str]) -> dict[str, Array]:
    """``<layer>/<weight>`` of baskerville's Keras file; `sizes` are tower blocks, transformer blocks, U-net steps."""
    towers, layers, steps = sizes
    keras = Keras(state)
    keras.conv("stem")
    for i in range(towers):
        keras.norm(f"tower.{i}.norm")
        keras.conv(f"tower.{i}.conv")
    for j in range(layers):
        ours = f"transformer.{j}.attention"
        keras.norm(f"{ours}_norm", "layer_normalization")
        keras.add(
            "multihead_attention",
            r_w_bias=state[f"{ours}.content_bias"][None],
            r_r_bias=state[f"{ours}.position_bias"][None],
            q_layer__kernel=state[f"{ours}.query.weight"].T,
            k_layer__kernel=state[f"{ours}.keys.weight"].T,
            v_layer__kernel=state[f"{ours}.values.weight"].T,
            r_k_layer__kernel=state[f"{ours}.positions.weight"].T,
            embedding_layer__kernel=state[f"{ours}.output.weight"].T,
            embedding_layer__bias=state[f"{ours}.output.bias"],
        )
        keras.norm(f"transformer.{j}.mlp.0", "layer_normalization")
        keras.dense(f"transformer.{j}.mlp.1")
        keras.dense(f"transformer.{j}.mlp.4")
    for k in range(steps):
        for part in ("coarse", "fine"):
            keras.norm(f"unet.{k}.{part}.norm")
            keras.dense(f"unet.{k}.{part}.conv")
        keras.add(
            "separable_conv1d",
            depthwise_kernel=state[f"unet.{k}.depthwise.weight"].transpose(2, 0, 1),
            pointwise_kernel=state[f"unet.{k}.pointwise.weight"].transpose(2, 1, 0),
            bias=state[f"unet.{k}.pointwise.bias"],
        )
    for head in heads:
        keras.dense(f"heads.{head}")
    return keras.weights


def write_keras(
    path: Path, weights: Mapping[str, Array], graph: list[dict[str, Any]] | None = None, group: str = "model_weights"
) -> None:
    """A full-model file (`graph` given), or weights alone with the layers at the root (`group` empty)."""
    with h5py.File(path, "w") as file:
        root = file.require_group(group) if group else file
        for name, array in weights.items():
            layer = name.split("/")[0]
            root.create_dataset(f"{layer}/{name}:0", data=array)
        root.attrs["layer_names"] = sorted({name.split("/")[0].encode() for name in weights})
        if graph is not None:
            file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": graph}})


def basenji2_graph(length: int, dilations: list[int], gelu: str, crop: int | None) -> list[dict[str, Any]]:
    """What Keras writes down of the graph, as far as the weights cannot tell."""
    activation = {
        "sigmoid": {"class_name": "GELU", "config": {"name": "gelu"}},
        "tanh": _operation(approximate=True),
        "erf": _operation(approximate=False),
    }[gelu]
    layers = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, length, 4]}}, activation]
    rates = [1] * 7 + [rate for dilation in dilations for rate in (dilation, 1)] + [1]
    for rate in rates:
        layers.append({"class_name": "Conv1D", "config": {"dilation_rate": [rate]}})
        layers.append({"class_name": "BatchNormalization", "config": {"epsilon": 0.001}})
    if crop is not None:
        layers.append({"class_name": "Cropping1D", "config": {"cropping": [crop, crop]}})
    layers.append({"class_name": "Dense", "config": {"activation": "softplus"}})
    return layers


def _operation(*, approximate: bool) -> dict[str, Any]:
    node = [["conv1d", 0, 0, {"approximate": approximate}]]
    return {"class_name": "TFOpLambda", "config": {"function": "nn.gelu"}, "inbound_nodes": node}
