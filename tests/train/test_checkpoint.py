"""Checkpoints: only whole ones of the same run are taken up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.train import small

from distal.errors import InputError
from distal.train import checkpoint, loop
from distal.train.checkpoint import Progress
from distal.train.run import LAST, save, start


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_everything_comes_back(tmp_path: Path, data: Path, ema: float) -> None:
    config = small.config(tmp_path, ema=ema)
    loop.fit(config, data)
    before = load_file(tmp_path / LAST)
    run = start(config, data)
    assert run.progress.step == 6
    save(run)
    after = load_file(tmp_path / LAST)
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    with checkpoint.opened(tmp_path / LAST) as saved:
        assert saved.config == config.model_dump(mode="json")
        assert bool(saved.names("mean/")) == bool(ema)
        assert set(saved.names("model/")) == set(run.model.state_dict())


@pytest.mark.parametrize(
    "change",
    [{"seed": 5}, {"batch": 3}, {"ema": 0.5}, {"optimizer": {"lr": 1e-3}}, {"splits": ["train", "test"]}],
    ids=lambda change: next(iter(change)),
)
def test_another_config_is_refused(tmp_path: Path, data: Path, change: dict[str, object]) -> None:
    loop.fit(small.config(tmp_path, steps=1), data)
    with pytest.raises(InputError, match=f"holds a run with another {next(iter(change))};"):
        start(small.config(tmp_path, **change), data)


@pytest.mark.parametrize(
    "change",
    [{"steps": 9}, {"checkpoint_every": 1}, {"validation": {"every": 1}}, {"weights": "float16"}, {"workers": 0}],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_touch_the_weights_may_change(tmp_path: Path, data: Path, change: dict[str, object]) -> None:
    loop.fit(small.config(tmp_path, steps=1), data)
    assert start(small.config(tmp_path, **change), data).progress.step == 1


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path, steps=1)
    loop.fit(config, data)
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        start(config, data)
    save_file({"a": torch.zeros(1)}, tmp_path / LAST)
    with pytest.raises(InputError, match="not a checkpoint"):
        start(config, data)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, data: Path) -> None:
    loop.fit(small.config(tmp_path, steps=1), data)
    run = start(small.config(tmp_path / "other", model=small.ENFORMER), data)
    with checkpoint.opened(tmp_path / LAST) as saved:
        with pytest.raises(InputError, match="checkpoint of another model"):
            saved.fill("model/", run.model.state_dict())
        wider = {name: torch.cat([tensor, tensor]) for name, tensor in saved_tensors(saved).items()}
        with pytest.raises(InputError, match=r"another model \(.* is \["):
            saved.fill("model/", wider)


def saved_tensors(saved: checkpoint.Saved) -> dict[str, torch.Tensor]:
    return {name: torch.atleast_1d(saved.tensor(f"model/{name}")) for name in saved.names("model/")}


def test_a_failing_write_leaves_the_old_checkpoint(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path, steps=1)
    loop.fit(config, data)
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path / LAST, {"a": torch.zeros(1)}, Progress(), {"not": object()})
    assert (tmp_path / LAST).read_bytes() == before
    assert [path.name for path in tmp_path.glob("*last*")] == [LAST]
