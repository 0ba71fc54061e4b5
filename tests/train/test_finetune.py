"""Fine-tuning: what is taken over, what moves, and that the kept model is a plain one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.data import tiny
from tests.train import processes, small

from distal.errors import InputError
from distal.files import digest
from distal.models import adapters, zoo
from distal.predictor import load
from distal.tracks import read_targets, write_targets
from distal.train import config as configs
from distal.train import loop
from distal.train.config import Config
from distal.train.run import LAST, start

MODES = ("frozen", "lora", "full")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two species, and a third data set of the first one's windows whose tracks have other names."""
    folder = small.data(tmp_path_factory.mktemp("data"))
    other = tiny.folder(folder / "other", train=5) / "targets.txt"
    table = read_targets(other)
    write_targets(replace(table, rows=tuple(replace(row, name=f"new {row.name}") for row in table.rows)), other)
    return folder


@pytest.fixture(scope="module", params=["basenji2", "enformer"])
def base(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of both heads that has seen six steps."""
    model = {"basenji2": small.BASENJI2, "enformer": small.ENFORMER}[request.param]
    return loop.fit(small.config(tmp_path_factory.mktemp("base"), model=model), data)


def config(base: Path, out: Path, data: dict[str, str] | None = None, **section: Any) -> Config:
    values = small.config(out, data=data or {"human": "hg", "new": "other"}, workers=0).model_dump(exclude={"model"})
    del values["batch_norm"]
    return Config.model_validate({**values, "finetune": {"from": str(base), "rank": 2, **section}})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / zoo.WEIGHTS)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_starts_as_the_model_it_comes_from(base: Path, data: Path, tmp_path: Path, mode: str) -> None:
    """Trunk and the head of the same tracks are the trained ones, bit for bit; the other head is new."""
    run = start(config(base, tmp_path, mode=mode), data)
    trained = weights(base)
    state = adapters.merged_state(run.model)
    assert {name.split(".")[1] for name in state if name.startswith("heads.")} == {"human", "new"}
    for name, tensor in state.items():
        if not name.startswith("heads.new"):
            assert torch.equal(tensor, trained[name])
    codes = np.random.default_rng(0).integers(0, 4, (1, run.spec.window.input_bp)).astype(np.uint8)
    assert np.array_equal(run.predictor("human")(codes), load(str(base))(codes))


@pytest.mark.parametrize("mode", MODES)
def test_only_what_the_mode_names_moves(base: Path, data: Path, tmp_path: Path, mode: str) -> None:
    folder = loop.fit(config(base, tmp_path, mode=mode), data)
    before, after = weights(base), weights(folder)
    assert after.keys() == {name.replace("mouse", "new") for name in before}
    assert (folder / zoo.CONFIG).read_text().count(digest(base / zoo.WEIGHTS)) == 1
    assert str(base) not in (folder / zoo.CONFIG).read_text()
    moved = {name for name in after if name in before and not torch.equal(before[name], after[name])}
    norms = {name for name in before if "running" in name or "num_batches" in name}
    trunk = {name for name in before if not name.startswith("heads.")} - norms
    kernels = {name for name in trunk if before[name].ndim > 1 and "bias" not in name}
    assert moved >= {"heads.human.weight", "heads.human.bias"}
    assert not moved & norms
    wanted = {"frozen": set(), "lora": kernels, "full": trunk}[mode]
    assert moved & trunk <= wanted
    assert len(moved & trunk) >= 0.8 * len(wanted)  # a branch that is switched off gives some no gradient


def test_the_kept_lora_model_is_a_plain_one_and_low_in_rank(base: Path, data: Path, tmp_path: Path) -> None:
    chosen = config(base, tmp_path, mode="lora")
    folder = loop.fit(chosen, data)
    module, _, tables = zoo.open_folder(folder)
    assert list(adapters.adapted(module)) == []
    assert tables["new"].names[0] == "new cage+"
    before, after = weights(base), weights(folder)
    for name, weight in after.items():
        if weight.ndim > 1 and not name.startswith("heads.") and "_bias" not in name:
            change = (weight - before[name]).double().flatten(1)
            assert torch.linalg.matrix_rank(change, atol=1e-6) <= 2
    run = start(chosen, data)  # from its checkpoint
    assert all(torch.equal(after[name], tensor) for name, tensor in adapters.merged_state(run.model).items())


def test_a_run_in_two_goes_is_the_run_in_one(base: Path, data: Path, tmp_path: Path) -> None:
    loop.fit(config(base, tmp_path / "straight", mode="lora"), data)
    broken = config(base, tmp_path / "broken", mode="lora")
    for steps in (3, 6):
        loop.fit(configs.changed(broken, steps=steps), data)
    one, other = (load_file(tmp_path / name / LAST) for name in ("straight", "broken"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize(("parallel", "mode"), [("ddp", "lora"), ("fsdp", "frozen")])
def test_two_processes_fit_what_one_does(base: Path, data: Path, tmp_path: Path, parallel: str, mode: str) -> None:
    silent = {name: 0.0 for name in json.loads((base / zoo.CONFIG).read_text())["architecture"] if "dropout" in name}
    runs = [
        configs.changed(
            config(base, tmp_path / name, architecture=silent, mode=mode), steps=2, ema=0.5, parallel=parallel
        )
        for name in ("one", "two")
    ]
    loop.fit(runs[0], data)
    given = {"data": str(data), "config": runs[1].model_dump(mode="json")}
    assert processes.run([("fit", given)], 2) == [0, 0]
    one, two = (weights(run.folder / run.name) for run in runs)
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=1e-5)


def test_statistics_are_frozen_unless_asked_otherwise(base: Path, data: Path, tmp_path: Path) -> None:
    assert config(base, tmp_path).batch_norm == "frozen"
    chosen = configs.changed(config(base, tmp_path, mode="full"), batch_norm="batch")
    before, after = weights(base), weights(loop.fit(chosen, data))
    assert any(not torch.equal(before[name], after[name]) for name in before if name.endswith("running_mean"))


def test_the_window_may_change_and_the_width_may_not(base: Path, data: Path, tmp_path: Path) -> None:
    run = start(config(base, tmp_path, architecture={"input_bp": 1024, "bins": 4, "dropout": 0.1}), data)
    assert (run.spec.window.input_bp, run.spec.window.bins, run.spec.config.dropout) == (1024, 4, 0.1)
    wider = {"channels": 48} if run.spec.family == "enformer" else {"dilated": 16}
    with pytest.raises(InputError, match=r"\[finetune\] architecture: weight .* change only what has no weights"):
        start(config(base, tmp_path / "wider", architecture=wider), data)
    deeper = {"layers": 2} if run.spec.family == "enformer" else {"dilated_layers": 3}
    with pytest.raises(InputError, match="nowhere"):
        start(config(base, tmp_path / "deeper", architecture=deeper), data)


def test_a_head_of_the_same_name_but_other_tracks_is_new(base: Path, data: Path, tmp_path: Path) -> None:
    run = start(config(base, tmp_path, data={"human": "other"}), data)
    assert not torch.equal(run.model.heads["human"].weight, weights(base)["heads.human.weight"])


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("", r"needs \[model\] or \[finetune\]"),
        ('[model]\nfamily = "enformer"\n[finetune]\nfrom = "x"', r"needs \[model\] or \[finetune\], not both"),
        ('[finetune]\nfrom = "x"\nmode = "some"', "finetune.mode: "),
        ('[finetune]\nfrom = "x"\nrank = 0', "finetune.rank: "),
        ("[finetune]\nrank = 1", "finetune.from: "),
    ],
)
def test_wrong_sections_are_named(tmp_path: Path, sections: str, words: str) -> None:
    (tmp_path / "a.toml").write_text(f'name = "a"\nsteps = 1\n{sections}\n[data]\nhuman = "hg"\n')
    with pytest.raises(InputError, match=words):
        configs.read(tmp_path / "a.toml")


def test_a_model_that_is_not_there_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model and no folder 'enformer-maxi'"):
        start(config(Path("enformer-maxi"), tmp_path), data)
