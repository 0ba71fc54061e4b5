"""Importing published files: round trips through each format, what is asked for, and files that must be refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tests.models.small import BASENJI2, BORZOI, ENFORMER, arrays, perturbed
from tests.oracles import published
from tests.oracles.bundle_writer import write_bundle

from distal.errors import InputError
from distal.models import zoo
from distal.models.basenji2 import Basenji2
from distal.models.borzoi import Borzoi
from distal.models.enformer import Enformer
from distal.models.weights import convert, kind_of, load, load_enformer_hf, load_enformer_tf, load_keras

HEADS = ["human", "mouse"]
MODELS = {"enformer": Enformer(ENFORMER), "basenji2": Basenji2(BASENJI2), "borzoi": Borzoi(BORZOI)}
STATES = {family: arrays(perturbed(model)) for family, model in MODELS.items()}
PARAMS = {
    "train": {"batch_size": 4, "optimizer": "adam"},
    "model": {
        "seq_length": 256,
        "augment_rc": True,
        "augment_shift": 3,
        "activation": "gelu",
        "norm_type": "batch",
        "bn_momentum": 0.9,
        "kernel_initializer": "lecun_normal",
        "l2_scale": 2e-7,
        "trunk": [
            {
                "name": "conv_dna",
                "filters": 4,
                "kernel_size": 5,
                "norm_type": None,
                "activation": "linear",
                "pool_size": 2,
            },
            {"name": "res_tower", "filters_init": 5, "filters_end": 8, "kernel_size": 5, "pool_size": 2, "repeat": 3},
            {
                "name": "transformer_tower",
                "key_size": 3,
                "heads": 2,
                "num_position_features": 6,
                "dropout": 0.2,
                "repeat": 2,
            },
            {"name": "unet_conv", "kernel_size": 3, "upsample_conv": True},
            {"name": "unet_conv", "kernel_size": 3, "upsample_conv": True},
            {"name": "Cropping1D", "cropping": 8},
        ],
        "head_human": {"name": "final", "units": 4, "activation": "softplus"},
        "head_mouse": {"name": "final", "units": 3, "activation": "softplus"},
    },
}


def write_sonnet(folder: Path) -> Path:
    write_bundle(folder / "ckpt", published.sonnet(STATES["enformer"], 2, HEADS))
    return folder / "ckpt"


def write_torch(folder: Path, suffix: str = ".bin", *, aliases: bool = True) -> Path:
    state = published.enformer_pytorch(STATES["enformer"], 2, HEADS, aliases=aliases)
    path = folder / f"model{suffix}"
    if suffix == ".safetensors":
        save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, path)
    else:
        torch.save({name: torch.from_numpy(np.array(value)) for name, value in state.items()}, path)
    return path


def write_basenji2(folder: Path, *, graph: bool = True, start: int = 0) -> Path:
    path = folder / "model.h5"
    weights = published.basenji2(STATES["basenji2"], 4, "human", start)
    described = published.basenji2_graph(1536, [1, 2, 3, 4], "sigmoid", 2) if graph else None
    published.write_keras(path, weights, described, "model_weights" if graph else "")
    return path


def write_borzoi(folder: Path, heads: list[str] = HEADS, params: dict[str, Any] | None = None) -> Path:
    published.write_keras(folder / "model.h5", published.borzoi(STATES["borzoi"], (3, 2, 2), heads))
    (folder / "params.json").write_text(json.dumps(params or PARAMS))
    return folder / "model.h5"


def assert_same(state: dict[str, torch.Tensor], family: str) -> None:
    expected = STATES[family]
    assert set(state) == set(expected)
    for name, value in state.items():
        assert value.is_contiguous()
        np.testing.assert_array_equal(value.numpy(), expected[name], err_msg=name)


def test_sonnet_round_trip(tmp_path: Path) -> None:
    config, state = load_enformer_tf(write_sonnet(tmp_path), input_bp=1280, bins=6)
    assert config == ENFORMER
    assert_same(state, "enformer")


def test_sonnet_without_attention_pooling(tmp_path: Path) -> None:
    config = replace(ENFORMER, pooling="max")
    model = perturbed(Enformer(config))
    write_bundle(tmp_path / "ckpt", published.sonnet(arrays(model), 2, HEADS))
    found, state = load_enformer_tf(tmp_path, input_bp=1280, bins=6)
    assert found == config
    model.load_state_dict(state, strict=True)


@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
@pytest.mark.parametrize("aliases", [True, False])
def test_enformer_pytorch_round_trip(tmp_path: Path, suffix: str, aliases: bool) -> None:
    config, state = load_enformer_hf(write_torch(tmp_path, suffix, aliases=aliases), input_bp=1280, bins=6)
    assert config == ENFORMER
    assert_same(state, "enformer")


def test_enformer_pytorch_by_its_aliases_alone_and_without_counters(tmp_path: Path) -> None:
    state = published.enformer_pytorch(STATES["enformer"], 2, HEADS)
    kept = {k: v for k, v in state.items() if k.startswith(("_trunk.", "_heads.")) and "num_batches" not in k}
    save_file({name: np.ascontiguousarray(value) for name, value in kept.items()}, tmp_path / "m.safetensors")
    _, loaded = load_enformer_hf(tmp_path / "m.safetensors", input_bp=1280, bins=6)
    assert_same(loaded, "enformer")


def test_target_length_comes_from_the_ports_config(tmp_path: Path) -> None:
    (path := write_torch(tmp_path)).rename(tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text('{"target_length": 8}')
    assert not path.exists()
    assert load_enformer_hf(tmp_path, input_bp=1280)[0].bins == 8
    for wrong, words in (("[1", "not enformer-pytorch's"), ('{"target_length": "x"}', "target_length is 'x'")):
        (tmp_path / "config.json").write_text(wrong)
        with pytest.raises(InputError, match=words):
            load_enformer_hf(tmp_path, input_bp=1280)


@pytest.mark.parametrize("start", [0, 30])
def test_basenji2_round_trip_wherever_keras_started_counting(tmp_path: Path, start: int) -> None:
    config, state = load_keras(write_basenji2(tmp_path, start=start))
    assert config == BASENJI2
    assert_same(state, "basenji2")


def test_basenji2_weights_alone_need_their_gelu(tmp_path: Path) -> None:
    path = write_basenji2(tmp_path, graph=False)
    with pytest.raises(InputError, match="say which GELU they were trained with: sigmoid"):
        load_keras(path, input_bp=1536, crop=2)
    config, state = load_keras(path, gelu="erf", input_bp=1536, crop=2)
    assert config == replace(BASENJI2, gelu="erf")
    assert_same(state, "basenji2")


@pytest.mark.parametrize(("crop", "bins"), [(None, 8), (0, 12), (5, 2)])
def test_basenji2_crop_can_be_chosen(tmp_path: Path, crop: int | None, bins: int) -> None:
    config, _ = load_keras(write_basenji2(tmp_path), crop=crop)
    assert config.bins == bins


def test_basenji2_without_a_stored_crop_gets_the_papers(tmp_path: Path) -> None:
    weights = published.basenji2(STATES["basenji2"], 4, "human")
    published.write_keras(tmp_path / "m.h5", weights, published.basenji2_graph(131_072, [1, 2, 3, 4], "tanh", None))
    assert load_keras(tmp_path / "m.h5")[0].bins == 896
    assert load_keras(tmp_path / "m.h5", crop=0)[0].bins == 1024
    with pytest.raises(InputError, match="cropping 64 bins on each side leaves none of 12"):
        load_keras(tmp_path / "m.h5", input_bp=1536)


@pytest.mark.parametrize("gelu", ["sigmoid", "tanh", "erf"])
def test_the_graph_names_the_gelu_and_the_user_may_differ(tmp_path: Path, gelu: str) -> None:
    weights = published.basenji2(STATES["basenji2"], 4, "human")
    published.write_keras(tmp_path / "m.h5", weights, published.basenji2_graph(1536, [1, 2, 3, 4], gelu, 2))
    assert load_keras(tmp_path / "m.h5")[0].gelu == gelu
    assert load_keras(tmp_path / "m.h5", gelu="erf")[0].gelu == "erf"


def test_borzoi_round_trip(tmp_path: Path) -> None:
    config, state = load_keras(write_borzoi(tmp_path))
    assert config == BORZOI
    assert_same(state, "borzoi")


def test_borzoi_with_one_of_its_heads(tmp_path: Path) -> None:
    config, state = load_keras(write_borzoi(tmp_path, ["mouse"]))
    assert config == replace(BORZOI, heads={"mouse": 3})
    assert set(STATES["borzoi"]) - set(state) == {"heads.human.weight", "heads.human.bias"}
    twice = json.loads(json.dumps(PARAMS))
    twice["model"]["head_rat"] = twice["model"]["head_mouse"]
    with pytest.raises(InputError, match="name the file's heads"):
        load_keras(write_borzoi(tmp_path, ["mouse"], twice))
    assert load_keras(write_borzoi(tmp_path, ["mouse"], twice), ["rat"])[0].heads == {"rat": 3}


WRITERS: dict[str, Callable[[Path], Path]] = {
    "enformer": write_sonnet,
    "basenji2": write_basenji2,
    "borzoi": write_borzoi,
}


@pytest.mark.parametrize("family", WRITERS)
def test_convert_writes_a_folder_that_opens_as_the_same_model(tmp_path: Path, family: str) -> None:
    (tmp_path / "source").mkdir()
    source = WRITERS[family](tmp_path / "source")
    options = {"input_bp": 1280, "crop": 2} if family == "enformer" else {}
    folder = convert(source, tmp_path / "out", name="mine", licence="Apache-2.0", **options)
    module, spec, tables = zoo.open_folder(folder)
    assert (spec.name, spec.family, spec.licence) == ("mine", family, "Apache-2.0")
    assert spec.config == MODELS[family].config
    assert set(tables.values()) == {None}
    assert_same(module.state_dict(), family)
    digests = spec.provenance["files"]
    assert all(len(digest) == 64 for digest in digests.values())
    assert set(digests) >= {source.name if source.is_file() else "ckpt.index"}
    with pytest.raises(InputError, match="already holds a model"):
        convert(source, folder, **options)


def test_the_folder_of_a_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    for family, write in WRITERS.items():
        (tmp_path / family).mkdir()
        assert kind_of(write(tmp_path / family)) == kind_of(tmp_path / family)
    (tmp_path / "hf").mkdir()
    write_torch(tmp_path / "hf", ".safetensors")
    assert kind_of(tmp_path / "hf") == "enformer-pytorch weights"
    assert kind_of(tmp_path / "enformer" / "ckpt.index") == "Sonnet checkpoint"


def test_heads_are_renamed_in_their_order(tmp_path: Path) -> None:
    config, state = load_enformer_tf(write_sonnet(tmp_path), ["a", "b"], input_bp=1280, bins=6)
    assert config.heads == {"a": 5, "b": 3}
    np.testing.assert_array_equal(state["heads.a.bias"].numpy(), STATES["enformer"]["heads.human.bias"])
    for names in (["a"], ["a", "a"]):
        with pytest.raises(InputError, match="2 heads"):
            load_enformer_tf(tmp_path / "ckpt", names, input_bp=1280, bins=6)
    with pytest.raises(InputError, match="one head; 2 names"):
        load_keras(write_basenji2(tmp_path), ["a", "b"])


@pytest.mark.parametrize(
    ("family", "option"),
    [("enformer", "gelu"), ("enformer", "params"), ("basenji2", "params"), ("borzoi", "crop"), ("borzoi", "gelu")],
)
def test_arguments_without_a_use_are_refused(tmp_path: Path, family: str, option: str) -> None:
    value = {"gelu": "tanh", "params": tmp_path / "params.json", "crop": 1}[option]
    with pytest.raises(InputError, match=f"`{option}` is not a choice there"):
        load(WRITERS[family](tmp_path), **{option: value})


def test_unknown_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no "):
        load(tmp_path / "nowhere.h5")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="not a kind of weights"):
        load(tmp_path / "notes.txt")
    for name in ("a.h5", "b.h5"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"holds 2 \.h5 files; name one: a\.h5, b\.h5"):
        load(tmp_path)


# Damage. Every way of breaking a file ends in one InputError, and nothing is written.


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("bomb"),))


def test_hostile_pickles_are_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "plain.bin").open("wb") as file:
        pickle.dump({"stem.0.weight": Bomb()}, file)
    torch.save({"stem.0.weight": Bomb()}, tmp_path / "zip.pt")
    for name in ("plain.bin", "zip.pt"):
        with pytest.raises(InputError, match="not a file of tensors alone and was not loaded"):
            convert(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "bomb").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [[1, 2], {"stem.0.weight": "text"}])
def test_files_that_are_no_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "m.bin")
    with pytest.raises(InputError, match="not a state dict"):
        load(tmp_path / "m.bin")


@pytest.mark.parametrize("suffix", [".bin", ".safetensors", ".h5"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.97])
def test_truncated_files(tmp_path: Path, suffix: str, keep: float) -> None:
    path = write_basenji2(tmp_path) if suffix == ".h5" else write_torch(tmp_path, suffix)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(InputError, match=path.name):
        convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write enformer-pytorch's small state dict again after `change`."""
    state = published.enformer_pytorch(STATES["enformer"], 2, HEADS, aliases=False)
    change(state)
    torch.save({name: torch.as_tensor(np.array(value)) for name, value in state.items()}, path)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("transformer.1.1.fn.4.bias"), r"no tensor transformer\.1\.1\.fn\.4\.bias"),
        (lambda s: s.pop("stem.0.weight"), r"no tensor stem\.0\.weight"),
        (lambda s: s.update({"tf_gammas": np.zeros((3, 2), np.float32)}), "no place for: tf_gammas"),
        (lambda s: s.update({"_trunk.9.x": np.zeros(3, np.float32)}), r"no place for: _trunk\.9\.x"),
        (lambda s: s.update({"stem.0.bias": np.zeros(5, np.float32)}), r"stem\.0\.bias would get shape \(5,\)"),
        (lambda s: s.update({"stem.0.weight": np.zeros(5, np.float32)}), r"stem\.0\.weight would get shape"),
        (lambda s: s.update({"stem.2.to_attn_logits.weight": np.zeros(5, np.float32)}), r"impossible shape \(5,\)"),
        (lambda s: s.update({"stem.0.bias": np.zeros(12, np.int64)}), "has type int64"),
        (lambda s: s.update({"stem.0.bias": np.full(12, np.nan, np.float32)}), "not finite"),
        (lambda s: s.update({"conv_tower.3.0.2.bias": np.zeros(99, np.float32)}), "tower widths"),
        (lambda s: s.update({"transformer.0.0.fn.1.rel_content_bias": np.zeros((), np.float32)}), "geometry|shape"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("transformer")], "no transformer block"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("_heads")], "0 heads"),
        (lambda s: s.update({"final_pointwise.1.0.weight": np.zeros(7, np.float32)}), "geometry|multiple"),
    ],
)
def test_state_dicts_that_do_not_fit(tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert(rewrite(tmp_path / "m.bin", change), tmp_path / "out", input_bp=1280, crop=2)
    assert not (tmp_path / "out").exists()


def test_a_sonnet_checkpoint_with_something_left_over(tmp_path: Path) -> None:
    tensors = published.sonnet(STATES["enformer"], 2, HEADS)
    write_bundle(tmp_path / "ckpt", {**tensors, "module/_trunk/extra": np.zeros(2, np.float32)})
    with pytest.raises(InputError, match="no place for: module/_trunk/extra"):
        load_enformer_tf(tmp_path, input_bp=1280, bins=6)
    write_bundle(tmp_path / "ckpt", tensors)
    with pytest.raises(InputError, match="same whole number of bins"):
        load_enformer_tf(tmp_path, input_bp=1280, bins=5)


def test_keras_files_of_other_models(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    published.write_keras(path, {"conv1d/kernel": np.zeros((3, 4, 5), np.float32)})
    with pytest.raises(InputError, match="not a Basenji2: it has 1 convolutions, 0 batch norms and 0 dense"):
        load(path)
    with h5py.File(path, "w") as file:
        file.create_group("model_weights")
    with pytest.raises(InputError, match="holds no Keras layer"):
        load(path)
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(InputError, match="cannot be read as a Keras HDF5 file"):
        load(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="cannot be read as a Keras HDF5 file"):
        load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g[2]["config"].update(dilation_rate=[2]), "has dilations"),
        (lambda g: g[3]["config"].update(epsilon=1e-5), "epsilon 1e-05; distal's models have 0.001"),
        (lambda g: g[-1]["config"].update(activation="relu"), "activation relu"),
        (lambda g: g[-2]["config"].update(cropping=[1, 2]), "1 bins on the left and 2"),
        (lambda g: g.append({"class_name": "Activation", "config": {"activation": "gelu"}}), "mixes the GELUs"),
        (lambda g: g.append({"class_name": "Dense"}), "not Keras's description of a graph"),
    ],
)
def test_basenji2_graphs_that_compute_something_else(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], words: str
) -> None:
    graph = published.basenji2_graph(1536, [1, 2, 3, 4], "sigmoid", 2)
    change(graph)
    published.write_keras(tmp_path / "m.h5", published.basenji2(STATES["basenji2"], 4, "human"), graph)
    with pytest.raises(InputError, match=words):
        load(tmp_path / "m.h5")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("trunk"), "not a params.json"),
        (lambda m: m["trunk"].pop(0), "trunk .* is not that of a Borzoi"),
        (lambda m: m["trunk"][1].update(num_convs=2), "res_tower: num_convs 2 is not supported"),
        (lambda m: m["trunk"][1].update(repeat=0), "repeat must be a whole number above 0"),
        (lambda m: m["trunk"][2].update(gated=True), "transformer_tower: gated is not supported"),
        (lambda m: m["trunk"][2].update(dropout=2), "dropout must be a number from 0 to 1"),
        (lambda m: m["trunk"][3].pop("upsample_conv"), "unet_conv: upsample_conv False"),
        (lambda m: m["trunk"][5].update(cropping=9999), "does not describe a Borzoi"),
        (lambda m: m["trunk"][2].update(repeat=3), "dense layers, its params.json asks for 10"),
        (lambda m: m.update(activation="relu"), "activation 'relu' is not supported"),
        (lambda m: m["head_human"].update(activation="linear"), "head_human: activation 'linear'"),
        (lambda m: m.update(head_human="x"), "head_human must be a table"),
        (lambda m: m.update(seq_length="long"), "seq_length must be a whole number"),
    ],
)
def test_params_json_that_means_something_else(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    params = json.loads(json.dumps(PARAMS))
    change(params["model"])
    with pytest.raises(InputError, match=words):
        load(write_borzoi(tmp_path, params=params))


def test_borzoi_without_its_params(tmp_path: Path) -> None:
    path = write_borzoi(tmp_path)
    (tmp_path / "params.json").rename(tmp_path / "elsewhere.json")
    with pytest.raises(InputError, match=r"params\.json.* cannot be read"):
        load(path)
    assert load(path, params=tmp_path / "elsewhere.json")[0] == BORZOI
    (tmp_path / "params.json").write_text("{")
    with pytest.raises(InputError, match=r"not a params\.json"):
        load(path)
