"""Checkpoints: only whole ones of the same run are taken up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.train import small

from distal.errors import InputError
from distal.train import checkpoint, loop
from distal.train.run import LAST, start


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.data(tmp_path_factory.mktemp("data"))


def test_everything_comes_back(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path)
    loop.fit(config, data)
    run = start(config, data)
    assert run.progress.step == 6
    assert checkpoint.config_of(tmp_path / LAST) == config.model_dump(mode="json")
    modules = {"model": run.model, "kept": run.kept}
    checkpoint.save(tmp_path / "again.safetensors", modules, run.optimizer, run.progress, {})
    header = 8 + int.from_bytes((tmp_path / LAST).read_bytes()[:8], "little")
    other = 8 + int.from_bytes((tmp_path / "again.safetensors").read_bytes()[:8], "little")
    # the tensors, weights and moments, are the same bytes behind headers whose configs differ
    assert (tmp_path / LAST).read_bytes()[header:] == (tmp_path / "again.safetensors").read_bytes()[other:]


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
    [{"steps": 9}, {"checkpoint_every": 1}, {"validation": {"every": 1}}, {"weights": "float16"}],
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
    config = small.config(tmp_path, steps=1)
    loop.fit(config, data)
    run = start(small.config(tmp_path / "other", model=small.ENFORMER), data)
    modules = {"model": run.model, "kept": run.kept}
    with pytest.raises(InputError, match="checkpoint of another model"):
        checkpoint.restore(tmp_path / LAST, modules, run.optimizer, run.device)


def test_a_failing_write_leaves_the_old_checkpoint(tmp_path: Path, data: Path) -> None:
    config = small.config(tmp_path, steps=1)
    loop.fit(config, data)
    before = (tmp_path / LAST).read_bytes()
    run = start(config, data)
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path / LAST, {"model": run.model}, run.optimizer, run.progress, {"not": object()})
    assert (tmp_path / LAST).read_bytes() == before
