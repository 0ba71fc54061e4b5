"""Several processes train what one does: gradients, batch norm, checkpoints, on the CPU over gloo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.train import processes, small
from torch.nn import functional as F

from distal.train import log, loop
from distal.train.log import Line
from distal.train.run import LAST, start

pytestmark = pytest.mark.slow
Arrays = dict[str, np.ndarray]

SILENT = {"dropout": 0, "attention_dropout": 0, "position_dropout": 0}
ENFORMER = {**small.ENFORMER, "architecture": {**small.ENFORMER["architecture"], **SILENT}}
BASENJI2 = {**small.BASENJI2, "architecture": {**small.BASENJI2["architecture"], "dropout": 0, "final_dropout": 0}}
SHARED_NORM: dict[str, dict[str, Any]] = {
    "enformer-ddp": {"model": ENFORMER, "parallel": "ddp"},
    "enformer-fsdp": {"model": ENFORMER, "parallel": "fsdp"},
    "enformer-fsdp-checkpointed": {"model": ENFORMER, "parallel": "fsdp", "activation_checkpointing": True},
    "basenji2-ddp-checkpointed": {"model": BASENJI2, "parallel": "ddp", "activation_checkpointing": True},
    "basenji2-fsdp": {"model": BASENJI2, "parallel": "fsdp"},
}
IN_PARTS: dict[str, dict[str, Any]] = {
    f"{parallel}-{clip_by}": {
        "model": BASENJI2,
        "parallel": parallel,
        "accumulate": 2,
        "batch_norm": "frozen",
        "optimizer": {"kind": "sgd", "lr": 1e-3, "warmup": 0, "clip_by": clip_by},
    }
    for parallel, clip_by in (("ddp", "model"), ("fsdp", "tensor"))
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """What one process, one that is a group of its own, and two find in the first step of every case."""
    folder = tmp_path_factory.mktemp("found")
    common = {"batch": 4, "optimizer": {"lr": 1e-3, "warmup": 0}}
    configs = {
        name: small.config(folder / name, **{**common, **changes}).model_dump(mode="json")
        for name, changes in (SHARED_NORM | IN_PARTS).items()
    }
    for side, number in (("plain", 1), ("group", 1), ("two", 2)):
        (folder / side).mkdir()
        given = {"data": str(data), "configs": configs, "save": str(folder / side), "grouped": side == "group"}
        actions = [("gradients", given)] + [("normalise", {"save": str(folder)})] * (number - 1)
        assert processes.run(actions, number) == [0] * number
    return folder


def read(folder: Path, side: str, name: str) -> Arrays:
    with np.load(folder / side / f"{name}.npz") as arrays:
        return dict(arrays)


def apart(one: Arrays, other: Arrays, kind: str) -> float:
    """Norm of the difference beside the norm, over all tensors of a kind."""
    names = [name for name in one if name.startswith(kind)]
    assert names == [name for name in other if name.startswith(kind)]
    a, b = (np.concatenate([side[name].astype(np.float64).ravel() for name in names]) for side in (one, other))
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))


@pytest.mark.parametrize("name", SHARED_NORM)
def test_two_processes_find_the_gradient_of_one(folder: Path, name: str) -> None:
    one, two = read(folder, "group", name), read(folder, "two", name)
    assert apart(one, two, "gradient") < 1e-6
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-6)
    assert two["norm"] == pytest.approx(one["norm"], rel=1e-6)
    assert apart(one, two, "weight") < 1e-4  # Adam divides what is nearly zero by itself


@pytest.mark.parametrize("name", SHARED_NORM)
def test_shared_batch_norm_is_torchs_up_to_rounding(folder: Path, name: str) -> None:
    """Deep random networks magnify the last bit of a statistic: torch sums them in float32, we in float64."""
    one, two = read(folder, "plain", name), read(folder, "two", name)
    assert apart(one, two, "gradient") < 2e-5
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    statistics = [key for key in one if "running" in key]
    assert len(statistics) > 10
    for key in statistics:
        np.testing.assert_allclose(two[key], one[key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", IN_PARTS)
def test_parts_of_a_batch_add_up(folder: Path, name: str) -> None:
    """Two processes, each in two parts, with frozen statistics: the gradient of one process in two parts."""
    one, two = read(folder, "plain", name), read(folder, "two", name)
    assert apart(one, two, "gradient") < 1e-6
    assert two["norm"] == pytest.approx(one["norm"], rel=1e-6)


def test_batch_norm_over_two_processes_is_that_of_the_whole_batch_in_float64(folder: Path) -> None:
    x, weights, layer = processes.batch_norm_case()
    x.requires_grad_()
    mean, variance = x.mean((0, 2)).detach(), x.var((0, 2), correction=0).detach()
    y = F.batch_norm(x, None, None, layer.weight, layer.bias, True, 0.0, layer.eps)
    (y * weights).sum().backward()
    parts = [read(folder, ".", f"norm-{rank}") for rank in (0, 1)]
    found = np.concatenate([part["halves"] for part in parts], axis=1)
    np.testing.assert_allclose(found[0], y.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[1], x.grad.numpy(), rtol=1e-11, atol=1e-12)
    for part in parts:
        for name, parameter in layer.named_parameters():
            np.testing.assert_allclose(part[f"gradient/{name}"], parameter.grad.numpy(), rtol=1e-11)
        # a tenth of the way from where they were
        np.testing.assert_allclose(part["running_mean"], (0.9 * layer.running_mean + 0.1 * mean).numpy(), rtol=1e-12)
        np.testing.assert_allclose(part["running_var"], (0.9 * layer.running_var + 0.1 * variance).numpy(), rtol=1e-12)


def lines(out: Path) -> list[Line]:
    """The log without its clock."""
    return [{k: v for k, v in line.items() if k != "seconds"} for line in log.read(out / loop.LOG)]


def test_a_killed_run_in_parts_ends_with_the_same_bytes_and_one_process_can_take_it_up(
    tmp_path: Path, data: Path
) -> None:
    changes = {"parallel": "fsdp", "ema": 0.9, "steps": 4, "checkpoint_every": 2, "validation": {"every": 4}}
    configs = [
        small.config(tmp_path / name, model=small.ENFORMER, **changes).model_dump(mode="json")
        for name in ("straight", "broken")
    ]
    straight, broken = ({"data": str(data), "config": config} for config in configs)
    codes = processes.run([("fit", straight), ("fit", broken | {"killed_at": 3})])
    assert codes[0] == -9
    assert codes[1] != 0
    assert processes.run([("fit", broken)]) == [0, 0]
    assert lines(tmp_path / "broken") == lines(tmp_path / "straight")
    parts = sorted(path.name for path in (tmp_path / "straight").glob("last*"))
    assert parts == ["last.4.1.safetensors", LAST]
    assert sorted(path.name for path in (tmp_path / "broken").glob("last*")) == parts
    first, second = (load_file(tmp_path / "straight" / name) for name in (LAST, parts[0]))
    for name in parts:
        again, once = (load_file(tmp_path / run / name) for run in ("broken", "straight"))
        assert all(torch.equal(again[key], once[key]) for key in once)

    run = start(small.config(tmp_path / "straight", model=small.ENFORMER, **{**changes, "steps": 6}), data)
    assert run.progress.step == 4
    for name, tensor in run.model.state_dict().items():
        pieces = [part[f"model/{name}"] for part in (first, second) if f"model/{name}" in part]
        assert torch.equal(tensor, torch.cat(pieces) if tensor.ndim else pieces[0])
    alone, together = loop.validate(run), lines(tmp_path / "straight")[-1]
    assert alone["score"] == pytest.approx(together["score"], abs=1e-6)
    for head, assays in together["valid"].items():
        assert alone["valid"][head] == pytest.approx(assays, abs=1e-6)
    assert np.isfinite(loop.step(run, 5)["loss"])
