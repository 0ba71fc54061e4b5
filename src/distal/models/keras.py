"""Keras HDF5 files (full models and weights alone): layers in order with their weights, and the graph's facts.

Knows the file format, not any model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.models.tensors import State, Tensors, reversed_axes

_NUMBERED = re.compile(r"^(?P<kind>.*?)(?:_(?P<number>\d+))?$")


class KerasFile:
    """The weights of a Keras `.h5` file as `tensors`, named ``<layer>/<weight>``, and its graph when it holds one."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with h5py.File(self.path) as file:
                root = file.get("model_weights", file)
                arrays = dict(_arrays(root))
                config = file.attrs.get("model_config")
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise InputError(f"{self.path} cannot be read as a Keras HDF5 file: {_first_line(error)}") from None
        if not arrays:
            raise InputError(f"{self.path} holds no Keras layer with weights")
        self.tensors = Tensors(self.path, arrays)
        self.graph = _graph(config, self.path)
        """Configurations of the layers as Keras describes them, in order; empty for a file of weights alone."""

    def layers(self, kind: str) -> list[str]:
        """Names of the layers of a kind (``conv1d`` -> conv1d, conv1d_1, …) with weights, by their number.

        Keras counts on over all models built in one process, so the numbers may start anywhere.
        """
        found = {name.split("/")[0] for name in self.tensors.names()}
        matches = [_NUMBERED.match(name) for name in found]
        numbers = {m[0]: int(m["number"] or 0) for m in matches if m is not None and m["kind"] == kind}
        return sorted(numbers, key=numbers.__getitem__)

    def of_class(self, kind: str) -> list[dict[str, Any]]:
        """The graph's layers of a Keras class, in order."""
        return [layer for layer in self.graph if layer.get("class_name") == kind]

    def demand(self, kind: str, key: str, wanted: object) -> None:
        """Raise `InputError` where the graph gives a layer of class `kind` another value for `key`."""
        for layer in self.of_class(kind):
            value = layer["config"].get(key, wanted)
            if value != wanted:
                name = layer["config"].get("name")
                raise InputError(f"{self.path}: layer {name} has {key} {value}; distal's models have {wanted}")

    def linear(self, ours: str, layer: str) -> State:
        """Weight and bias of a dense layer or a convolution, under our name, in torch's layout."""
        take = self.tensors.take
        return {f"{ours}.weight": take(f"{layer}/kernel", reversed_axes), f"{ours}.bias": take(f"{layer}/bias")}

    def norm(self, ours: str, layer: str, *, running: bool) -> State:
        """Scale and offset of a batch norm (`running`: with its moving statistics) or a layer norm, under our name."""
        names = {"weight": "gamma", "bias": "beta"}
        if running:
            names |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
        return {f"{ours}.{name}": self.tensors.take(f"{layer}/{theirs}") for name, theirs in names.items()}


def gelu_of(file: KerasFile) -> str | None:
    """Which GELU the graph computes: "sigmoid", "tanh" or "erf"; None for a graph without one (weights alone).

    A custom class `GELU` is Basenji's of 2018 to 2022, x·sigmoid(1.702 x); `tf.nn.gelu` says itself whether it is the
    tanh approximation; Keras's own activation is the exact one.
    """
    found = set()
    for layer in file.graph:
        name = (layer["config"].get("function"), layer["config"].get("activation"))
        if layer.get("class_name") == "GELU":
            found.add("sigmoid")
        elif layer.get("class_name") == "TFOpLambda" and name[0] == "nn.gelu":
            found.add("tanh" if "'approximate': True" in repr(layer.get("inbound_nodes")) else "erf")
        elif name[1] == "gelu":
            found.add("erf")
    if len(found) > 1:
        raise InputError(f"{file.path} mixes the GELUs {', '.join(sorted(found))}; distal's models have one")
    return found.pop() if found else None


def input_length(file: KerasFile) -> int | None:
    """Bases that the graph's input layer takes; None when the graph doesn't say."""
    for layer in file.of_class("InputLayer"):
        shape = layer["config"].get("batch_input_shape") or layer["config"].get("batch_shape") or [None, None]
        if len(shape) == 3 and isinstance(shape[1], int):
            return shape[1]
    return None


def cropping(file: KerasFile) -> int | None:
    """Bins that the graph's `Cropping1D` cuts from each side; None without such a layer."""
    for layer in file.of_class("Cropping1D"):
        left, right = layer["config"]["cropping"]
        if left != right:
            raise InputError(f"{file.path} crops {left} bins on the left and {right} on the right; they must be equal")
        return int(left)
    return None


def _arrays(root: h5py.Group) -> Iterator[tuple[str, NDArray[Any]]]:
    """``<layer>/<weight>`` and the array, from ``<layer>/<scope>/<weight>:0``."""
    for layer, group in root.items():
        if not isinstance(group, h5py.Group):
            raise ValueError(f"{layer} is not a layer")
        weights: dict[str, h5py.Dataset | h5py.Group] = {}
        group.visititems(weights.__setitem__)
        for path, dataset in weights.items():
            if not isinstance(dataset, h5py.Dataset):
                continue
            inner = path.partition("/")[2] or path
            yield f"{layer}/{inner.removesuffix(':0')}", np.asarray(dataset)


def _graph(config: Any, path: Path) -> list[dict[str, Any]]:
    if config is None:
        return []
    try:
        layers = json.loads(config)["config"]["layers"]
        if not all(isinstance(layer["config"], dict) for layer in layers):
            raise TypeError("a layer has no config")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: model_config is not Keras's description of a graph ({error})") from None
    return list(layers)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
