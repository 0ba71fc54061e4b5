"""Published checkpoints -> our model folders: finds out which kind a file is and writes it the way distal reads it.

The names and layouts of each kind are in `weights_enformer`, `weights_basenji2` and `weights_borzoi`; every tensor of
a file is used or named as left over. Nothing in a file is executed: no pickle, no Keras layers, no TensorFlow graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import torch
from torch import nn

import distal
from distal.errors import InputError
from distal.files import digest
from distal.models import zoo
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.bundle import find_prefix
from distal.models.enformer import BIN_BP, Enformer, EnformerConfig
from distal.models.keras import KerasFile
from distal.models.tensors import State
from distal.models.weights_basenji2 import load_basenji2
from distal.models.weights_borzoi import load_borzoi
from distal.models.weights_enformer import load_enformer_hf, load_enformer_tf
from distal.tracks import read_targets

__all__ = ["convert", "kind_of", "load", "load_enformer_hf", "load_enformer_tf", "load_keras"]

AnyConfig = EnformerConfig | Basenji2Config | BorzoiConfig

TENSORFLOW, TORCH, BASENJI2, BORZOI = (
    "Sonnet checkpoint",
    "enformer-pytorch weights",
    "Basenji2 Keras file",
    "Borzoi Keras file",
)
_ASKED = {  # what the weights of a kind don't say, and a caller may
    TENSORFLOW: {"crop", "input_bp"},
    TORCH: {"crop", "input_bp"},
    BASENJI2: {"crop", "input_bp", "gelu"},
    BORZOI: {"params"},
}
_TORCH_SUFFIXES = (".bin", ".pt", ".pth", ".safetensors")
_TORCH_FILES = ("model.safetensors", "pytorch_model.bin")


def convert(
    source: str | Path,
    out_dir: str | Path,
    *,
    name: str | None = None,
    head_names: Sequence[str] | None = None,
    targets: Mapping[str, str | Path] | None = None,
    licence: str = "see the source of the weights",
    gelu: str | None = None,
    crop: int | None = None,
    input_bp: int | None = None,
    params: str | Path | None = None,
) -> Path:
    """Write the published weights `source` as the model folder `out_dir` and return it.

    `source` is a Sonnet checkpoint, enformer-pytorch's weights, a Keras `.h5`, or the folder of one of them. `targets`
    gives heads their targets.txt; the other arguments are those of `load`. `out_dir` must not hold a model yet, and
    nothing is written until the whole source is read and checked. Raises `InputError`.
    """
    out_dir = Path(out_dir)
    if (out_dir / zoo.CONFIG).exists():
        raise InputError(f"{out_dir} already holds a model; give a folder that doesn't")
    config, state = load(source, head_names=head_names, gelu=gelu, crop=crop, input_bp=input_bp, params=params)
    family, module = _module(config, state)
    tables = {head: read_targets(path) for head, path in (targets or {}).items()}
    provenance = {"kind": kind_of(source), "files": _digests(source), "converted by": f"distal {distal.__version__}"}
    spec = zoo.Spec(name or out_dir.name, family, config, licence, provenance)
    return zoo.save(module, out_dir, spec, tables)


def load(
    source: str | Path,
    *,
    head_names: Sequence[str] | None = None,
    gelu: str | None = None,
    crop: int | None = None,
    input_bp: int | None = None,
    params: str | Path | None = None,
) -> tuple[AnyConfig, State]:
    """Published weights of any known kind -> config and our state dict, complete and fitting each other.

    What is left as None comes from the file or, where it doesn't say, from the paper: `head_names` in the file's order,
    `input_bp` read by the model, `crop` in bins cut from each side (Enformer 320, Basenji2 64), `gelu` of a Basenji2
    ("sigmoid", "tanh", "erf"), `params` the params.json of a Borzoi. Raises `InputError`, also for an argument that
    this kind of weights has no use for.
    """
    kind = kind_of(source)
    given = {"gelu": gelu, "crop": crop, "input_bp": input_bp, "params": params}
    for argument, value in given.items():
        if value is not None and argument not in _ASKED[kind]:
            raise InputError(f"{source} is a {kind}: `{argument}` is not a choice there; leave it out")
    if kind in (BASENJI2, BORZOI):
        return load_keras(source, head_names, gelu=gelu, crop=crop, input_bp=input_bp, params=params)
    length = input_bp or EnformerConfig().input_bp
    bins = None if crop is None else length // BIN_BP - 2 * crop
    if kind == TORCH:
        return load_enformer_hf(source, head_names, length, bins)
    return load_enformer_tf(source, head_names, length, bins or EnformerConfig().bins)


def load_keras(
    path: str | Path,
    head_names: Sequence[str] | None = None,
    *,
    gelu: str | None = None,
    crop: int | None = None,
    input_bp: int | None = None,
    params: str | Path | None = None,
) -> tuple[Basenji2Config | BorzoiConfig, State]:
    """A Keras `.h5` of Calico's, or its folder: with attention layers it is a Borzoi, without a Basenji2.

    See `load_basenji2` for `gelu`, `crop` and `input_bp`, and `load_borzoi` for `params`, by default the params.json
    beside the file. Raises `InputError`.
    """
    file = KerasFile(_keras_file(Path(path)))
    if file.layers("multihead_attention"):
        return load_borzoi(file, params or file.path.with_name("params.json"), head_names)
    return load_basenji2(file, head_names, gelu=gelu, crop=crop, input_bp=input_bp)


def kind_of(source: str | Path) -> str:
    """What `source` is, from its name and content. Raises `InputError` for anything else."""
    path = Path(source)
    if _is_keras(path):
        return BORZOI if KerasFile(_keras_file(path)).layers("multihead_attention") else BASENJI2
    if any((path / name).is_file() for name in _TORCH_FILES) or (path.is_file() and path.suffix in _TORCH_SUFFIXES):
        return TORCH
    if any(path.glob("*.index")) if path.is_dir() else path.with_name(path.name + ".index").is_file():
        return TENSORFLOW
    if path.suffix == ".index" and path.is_file():
        return TENSORFLOW
    if not path.exists():
        raise InputError(f"there is no {path}")
    raise InputError(
        f"{path} is not a kind of weights that distal knows: a Sonnet checkpoint (.index and .data files), "
        f"enformer-pytorch ({', '.join(_TORCH_SUFFIXES)}) or Keras (.h5)"
    )


def _is_keras(path: Path) -> bool:
    if path.is_dir():
        return any(path.glob("*.h5"))
    return path.is_file() and (path.suffix == ".h5" or bool(h5py.is_hdf5(path)))


def _keras_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.h5"))
    if len(files) != 1:
        raise InputError(f"{path} holds {len(files)} .h5 files; name one: {', '.join(file.name for file in files)}")
    return files[0]


def _module(config: AnyConfig, state: State) -> tuple[str, nn.Module]:
    """Family and module, built around the tensors of `state` without a second copy."""
    module: nn.Module
    with torch.device("meta"):
        if isinstance(config, EnformerConfig):
            family, module = "enformer", Enformer(config)
        elif isinstance(config, Basenji2Config):
            family, module = "basenji2", Basenji2(config)
        else:
            family, module = "borzoi", Borzoi(config)
    module.load_state_dict(state, strict=True, assign=True)
    return family, module


def _digests(source: str | Path) -> dict[str, str]:
    """SHA-256 of each file that the weights were read from, by name."""
    path = Path(source)
    kind = kind_of(path)
    if kind == TENSORFLOW:
        prefix = find_prefix(path)
        files = [*sorted(prefix.parent.glob(f"{prefix.name}.data-*")), prefix.with_name(prefix.name + ".index")]
    elif kind == TORCH:
        files = [path] if path.is_file() else [path / name for name in _TORCH_FILES if (path / name).is_file()][:1]
    else:
        files = [_keras_file(path)]
    return {file.name: digest(file) for file in files}
