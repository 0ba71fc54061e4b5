"""Training runs: the arithmetic of a step by hand, and that a killed run ends as if nothing had happened."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.data import tiny
from tests.train import small

import distal
from distal import dna
from distal.errors import InputError
from distal.io import tfrecords
from distal.tracks import TrackTable
from distal.train import log, loop
from distal.train.config import Config
from distal.train.log import Line
from distal.train.run import LAST, Run, start


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.data(tmp_path_factory.mktemp("data"))


def lines(out: Path) -> list[Line]:
    """The log without its clock."""
    return [{k: v for k, v in line.items() if k != "seconds"} for line in log.read(out / loop.LOG)]


def one_hot(codes: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(dna.one_hot(codes))


class KilledError(Exception):
    """Stands for whatever ends a run."""


def fit_killed_at(config: Config, data: Path, step: int) -> None:
    def report(line: Line) -> None:
        if line["step"] == step:
            raise KilledError

    with pytest.raises(KilledError):
        loop.fit(config, data, report)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (small.BASENJI2, {}),
        (
            small.ENFORMER,
            {"ema": 0.9, "optimizer": {"lr": 1e-2, "warmup": 2, "schedule": "cosine", "weight_decay": 0.1}},
        ),
        (
            small.ENFORMER,
            {
                "crop": {"input_bp": 1024, "bins": 4},
                "validation": {"every": 2, "rc": True},
                "activation_checkpointing": True,
            },
        ),
    ],
)
@pytest.mark.parametrize("killed_at", [5, 6])
def test_a_killed_run_ends_with_the_same_bytes(
    tmp_path: Path, data: Path, model: dict[str, Any], changes: dict[str, Any], killed_at: int
) -> None:
    straight, broken = (small.config(tmp_path / name, model=model, **changes) for name in ("straight", "broken"))
    folder = loop.fit(straight, data)
    fit_killed_at(broken, data, killed_at)  # behind the checkpoint of step 3
    again = loop.fit(broken, data)
    assert lines(tmp_path / "broken") == lines(tmp_path / "straight")
    a, b = load_file(tmp_path / "straight" / LAST), load_file(tmp_path / "broken" / LAST)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    for name in ("model.safetensors", "config.json", "targets_human.txt", "targets_mouse.txt"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert not list((tmp_path / "broken").rglob(".part.*"))


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path, steps=2)
    folder = loop.fit(config, data)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert loop.fit(config, data) == folder
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_can_be_lengthened(tmp_path: Path, data: Path) -> None:
    loop.fit(small.config(tmp_path / "long"), data)
    loop.fit(small.config(tmp_path / "two", steps=3), data)
    loop.fit(small.config(tmp_path / "two", steps=6), data)
    long, two = ([line for line in lines(tmp_path / name) if "loss" in line] for name in ("long", "two"))
    assert long == two


@pytest.mark.parametrize("model", [small.BASENJI2, small.ENFORMER])
def test_activation_checkpointing_changes_nothing_and_may_be_switched(
    tmp_path: Path, data: Path, model: dict[str, Any]
) -> None:
    """Dropout and batch norm are at work; the second run switches to checkpointing after three steps."""
    loop.fit(small.config(tmp_path / "plain", model=model), data)
    loop.fit(small.config(tmp_path / "mixed", model=model, steps=3), data)
    loop.fit(small.config(tmp_path / "mixed", model=model, activation_checkpointing=True), data)
    plain, mixed = ([line["loss"] for line in lines(tmp_path / name) if "loss" in line] for name in ("plain", "mixed"))
    assert mixed[:3] == plain[:3]
    assert mixed[3:] == pytest.approx(plain[3:], rel=1e-4)
    assert started(tmp_path / "mixed", data, model=model, activation_checkpointing=True).progress.step == 6


def started(tmp_path: Path, data: Path, **changes: Any) -> Run:
    return start(small.config(tmp_path, **changes), data)


def test_a_first_step_is_clipped_adam_on_the_poisson_loss(tmp_path: Path, data: Path) -> None:
    model = {
        **small.ENFORMER,
        "architecture": {**small.ENFORMER["architecture"], "dropout": 0, "attention_dropout": 0, "position_dropout": 0},
    }
    run = started(tmp_path, data, model=model)
    before = {name: p.detach().clone() for name, p in run.model.named_parameters()}
    line = loop.step(run, 1)

    other = started(tmp_path / "other", data, model=model)
    draws = [other.train["human"].draw(other.window, (0, "human"), i) for i in range(2)]
    codes, targets = other.train["human"].batch(other.window, draws)
    p, t = other.model.train()(one_hot(codes), "human"), torch.from_numpy(targets)
    loss = (p - t * torch.log(p + 1e-7)).mean()
    loss.backward()
    gradients = {name: q.grad for name, q in other.model.named_parameters() if q.grad is not None}
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in gradients.values()))
    assert line["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert line["norm"] == pytest.approx(norm, rel=1e-5)
    # warm-up over 2 steps: half of 0.01 at the first
    assert line["lr"] == pytest.approx(0.005)
    for name, after in run.model.named_parameters():
        if name not in gradients:
            assert name.startswith("heads.mouse")
            assert torch.equal(after, before[name])
            continue
        g = gradients[name].double() * min(1.0, 0.2 / (norm + 1e-6))
        # at the first step the corrected moments are g and g²
        moved = before[name].double() - 0.005 * g / (g.abs() + 1e-8)
        sure = g.abs() > 1e-6  # smaller ones are rounding, and Adam blows them up
        torch.testing.assert_close(after.double()[sure], moved[sure], rtol=1e-4, atol=1e-5)


def test_the_species_take_turns(tmp_path: Path, data: Path) -> None:
    run = started(tmp_path, data)
    for number, head in ((1, "human"), (2, "mouse"), (3, "human")):
        other = "mouse" if head == "human" else "human"
        before = {name: p.detach().clone() for name, p in run.model.named_parameters()}
        assert loop.step(run, number)["head"] == head
        changed = {name for name, p in run.model.named_parameters() if not torch.equal(p, before[name])}
        assert any(name.startswith(f"heads.{head}") for name in changed)
        assert not any(name.startswith(f"heads.{other}") for name in changed)


def test_heads_start_at_the_mean_of_their_tracks(tmp_path: Path, data: Path) -> None:
    run = started(tmp_path, data)
    for head, examples in run.train.items():
        mean = torch.nn.functional.softplus(run.model.heads[head].bias.detach())
        np.testing.assert_allclose(mean.numpy(), examples.means, rtol=1e-4)
        assert torch.equal(run.kept.heads[head].bias, run.model.heads[head].bias)


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_kept_weights_are_the_models_or_their_running_mean(tmp_path: Path, data: Path, ema: float) -> None:
    run = started(tmp_path, data, ema=ema)
    name = "heads.human.bias"
    mean = run.model.state_dict()[name].clone()
    for number in (1, 2, 3):
        loop.step(run, number)
        # the mean is shorter early on: (1 + n) / (10 + n) = 2/11, 3/12, 4/13
        decay = min(ema, (1 + number) / (10 + number))
        mean = decay * mean + (1 - decay) * run.model.state_dict()[name]
        run.refresh()
        torch.testing.assert_close(run.kept.state_dict()[name], mean)
    assert not any(p.requires_grad for p in run.kept.parameters())


def test_the_result_is_a_model_folder_for_the_whole_window(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path, crop={"input_bp": 1024, "bins": 4}, licence="CC0-1.0", weights="float16")
    folder = loop.fit(config, data)
    predictor = distal.load(str(folder), head="mouse")
    assert (predictor.window.input_bp, predictor.window.bins) == (2048, 8)
    assert predictor.tracks == TrackTable(tuple(replace(row, file="") for row in tiny.TABLE.rows))
    assert (predictor.spec.licence, predictor.spec.provenance["config"]["crop"]["bins"]) == ("CC0-1.0", 4)
    assert predictor(np.zeros((1, 2048), np.uint8)).shape == (1, 8, 3)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_which_weights_become_the_model(tmp_path: Path, data: Path, keep: str) -> None:
    folder = loop.fit(small.config(tmp_path, validation={"every": 1, "keep": keep}), data)
    validations = [line for line in lines(tmp_path) if "valid" in line]
    best = max(validations, key=lambda line: line["score"])["step"] if keep == "best" else 6
    assert json.loads((folder / "config.json").read_text())["provenance"]["steps"] == best
    assert validations[-1]["best_step"] == best


def test_an_assay_that_never_changes_is_null_in_a_log_that_stays_json(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tiny.folder(data / "hg")
    flat = [replace(tiny.example(i), targets=tiny.example(i).targets * np.float32([1, 1, 0])) for i in (6, 7)]
    tfrecords.write(data / "hg" / "tfrecords" / "valid-0.tfr", flat)
    out = tmp_path / "out"
    folder = loop.fit(small.config(out, steps=1, data={"human": "hg"}), data)
    [validation] = [line for line in lines(out) if "valid" in line]
    assert validation["valid"]["human"]["DNASE"] is None
    assert validation["score"] == validation["valid"]["human"]["CAGE"]
    assert "NaN" not in (out / loop.LOG).read_text() + (folder / "config.json").read_text()


def test_training_learns(tmp_path: Path, data: Path) -> None:
    # the signal is the number of G and C in each bin: easy
    config = small.config(tmp_path, steps=80, batch=4, optimizer={"lr": 1e-2, "warmup": 10}, validation={"every": 80})
    loop.fit(config, data)
    losses = [line["loss"] for line in lines(tmp_path) if "loss" in line]
    assert np.mean(losses[-20:]) < np.mean(losses[:20])
    [validation] = [line for line in lines(tmp_path) if "valid" in line]
    assert min(validation["valid"][head]["DNASE"] for head in ("human", "mouse")) > 0.5
    assert validation["score"] == pytest.approx(
        np.mean([r for means in validation["valid"].values() for r in means.values()])
    )


def test_bf16_trains_nearly_as_fp32(tmp_path: Path, data: Path) -> None:
    losses = [loop.step(started(tmp_path / p, data, precision=p), 1)["loss"] for p in ("fp32", "bf16")]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_a_loss_that_is_no_number_stops_the_run_and_says_where(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path, optimizer={"lr": 1e30, "warmup": 0})
    with pytest.raises(InputError, match=r"step \d on head '(human|mouse)': loss .* lower the learning rate") as caught:
        loop.fit(config, data)
    [path] = tmp_path.glob("broken-step-*.json")
    facts = json.loads(path.read_text())
    assert str(path) in str(caught.value)
    assert len(facts["examples"]) == 2
    assert facts["examples"][0].keys() == {"source", "index", "bin", "shift", "reverse", "window"}
    assert facts["examples"][0]["window"].startswith("chr1:[")
    window = small.BASENJI2["architecture"]
    with np.load(path.with_suffix(".npz")) as kept:
        assert kept["codes"].shape == (2, window["input_bp"])
        assert kept["targets"].shape == (2, window["bins"], 3)


def test_data_that_does_not_fit_is_refused_before_training(tmp_path: Path, data: Path) -> None:
    model = {**small.BASENJI2, "architecture": {**small.BASENJI2["architecture"], "input_bp": 4096, "bins": 20}}
    with pytest.raises(InputError, match="would have 20 bins, 16 are measured"):
        started(tmp_path, data, model=model)
    with pytest.raises(InputError, match=r"statistics\.json cannot be read"):
        started(tmp_path, data / "hg")
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        started(tmp_path, data, device="abacus")


def test_parts_of_a_batch_add_up_to_its_gradient(tmp_path: Path, data: Path) -> None:
    """Without dropout and with frozen statistics, for batch norm sees one part at a time."""
    model = {**small.BASENJI2, "architecture": {**small.BASENJI2["architecture"], "dropout": 0, "final_dropout": 0}}
    runs = {
        parts: started(tmp_path / str(parts), data, model=model, batch=4, accumulate=parts, batch_norm="frozen")
        for parts in (1, 4)
    }
    found = {parts: loop.step(run, 1) for parts, run in runs.items()}
    assert found[4]["loss"] == pytest.approx(found[1]["loss"], rel=1e-6)
    assert found[4]["norm"] == pytest.approx(found[1]["norm"], rel=1e-6)
    whole, parts = ([p.grad for p in run.model.parameters() if p.grad is not None] for run in runs.values())
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("batch_norm", ["batch", "frozen"])
def test_frozen_statistics_stay_and_scales_learn(tmp_path: Path, data: Path, batch_norm: str) -> None:
    run = started(tmp_path, data, batch_norm=batch_norm)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    loop.step(run, 1)
    after = run.model.state_dict()
    assert torch.equal(after["stem.norm.running_mean"], before["stem.norm.running_mean"]) == (batch_norm == "frozen")
    assert not torch.equal(after["stem.norm.weight"], before["stem.norm.weight"])


def test_a_run_ends_early_when_validation_stands_still(tmp_path: Path, data: Path) -> None:
    # so small a rate changes no prediction by a bit, so no validation is better than the first
    changes = {"optimizer": {"lr": 1e-30, "warmup": 0}, "batch_norm": "frozen", "steps": 20}
    config = small.config(tmp_path, **changes, validation={"every": 2, "patience": 3})
    loop.fit(config, data)
    assert [line["step"] for line in lines(tmp_path) if "valid" in line] == [2, 4, 6, 8]
    assert start(config, data).progress.step == 8
    before = lines(tmp_path)
    loop.fit(config, data)
    assert lines(tmp_path) == before
    loop.fit(small.config(tmp_path, **{**changes, "steps": 9}, validation={"every": 2}), data)
    assert lines(tmp_path)[-1]["step"] == 9


def test_batches_are_the_same_whoever_makes_them(tmp_path: Path, data: Path) -> None:
    mixed = [{"folder": "hg"}, {"folder": "mm", "weight": 0.5}]
    for workers in (0, 3):
        loop.fit(small.config(tmp_path / str(workers), workers=workers, data={"human": mixed, "mouse": "mm"}), data)
    assert lines(tmp_path / "0") == lines(tmp_path / "3")
    assert sum("loss" in line for line in lines(tmp_path / "0")) == 6


@pytest.mark.parametrize("kind", ["mse", "multinomial-basenji", "multinomial-baskerville"])
def test_every_loss_trains(tmp_path: Path, data: Path, kind: str) -> None:
    config = small.config(tmp_path, loss={"kind": kind}, optimizer={"kind": "sgd", "lr": 1e-3, "warmup": 0}, steps=2)
    loop.fit(config, data)
    assert all(np.isfinite(line["loss"]) for line in lines(tmp_path) if "loss" in line)
