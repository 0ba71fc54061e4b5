"""Students before their training: what they see is what the module computes, and only what is new is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.data import tiny
from tests.models.small import perturbed
from tests.train import small

import distal
from distal import dna
from distal.data import dataset
from distal.data.mixture import Mixture
from distal.errors import InputError
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.enformer import Enformer, EnformerConfig
from distal.models.zoo import Spec
from distal.predictor import Predictor
from distal.tracks import Track, TrackTable
from distal.train import begin as beginning
from distal.train.begin import begin, see

TEACHER = BorzoiConfig(
    stem=8,
    tower=(8, 8, 10, 10, 12, 12),
    layers=1,
    attention_heads=2,
    key_size=4,
    position_features=8,
    input_bp=2048,
    bins=32,
    heads={"human": 3},
)
ENFORMER = {
    "family": "enformer",
    "architecture": {
        "channels": 24,
        "layers": 1,
        "attention_heads": 2,
        "key_size": 4,
        "divisible_by": 2,
        "input_bp": 2048,
        "bins": 8,
    },
}
BASENJI2 = {
    "family": "basenji2",
    "architecture": {
        "stem": 8,
        "tower": [8, 8, 10, 10, 12, 12],
        "dilated_layers": 2,
        "dilated": 4,
        "final": 12,
        "gelu": "tanh",
        "input_bp": 2048,
        "bins": 8,
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small.data(tmp_path_factory.mktemp("data"))
    tiny.stored(folder / "distilled", train=4, seed=500)
    return folder


@pytest.fixture(scope="module")
def teacher() -> Predictor:
    torch.manual_seed(0)
    module = perturbed(Borzoi(TEACHER))
    for block in module.tower:
        block.norm.weight.data.abs_()
    spec = Spec("teacher", "borzoi", TEACHER, "CC0")
    return Predictor(module, spec, tiny.TABLE, "human", torch.device("cpu"))


def silent(head: str, loss: float | None) -> None:
    """Nobody listens."""


def config(out: Path, model: dict[str, Any], **changes: Any) -> Any:
    sources = [{"folder": "hg"}, {"folder": "distilled", "weight": 2.0}]
    return small.config(out, model=model, data={"human": sources, "mouse": "mm"}, steps=40, **changes)


@pytest.mark.parametrize(
    "student",
    [
        Basenji2(Basenji2Config.from_json({**BASENJI2["architecture"], "heads": {"human": 3}})),
        Enformer(EnformerConfig.from_json({**ENFORMER["architecture"], "heads": {"human": 3}})),
    ],
    ids=["basenji2", "enformer"],
)
def test_what_is_seen_leads_to_what_the_module_predicts(data: Path, teacher: Predictor, student: Any) -> None:
    beginning.inherit(student, teacher.module)
    mixture = Mixture((dataset.load(data / "hg", "train", 128),), (1.0,))
    seen = see(student, mixture, (5, "human"), 3, silent)
    for i in range(3):
        codes, targets = mixture.batch(student.config.window, [mixture.draw(student.config.window, (5, "human"), i)])
        with torch.inference_mode():
            whole = student.trunk(torch.from_numpy(dna.one_hot(codes)))
            read = student.read(seen.features[i : i + 1].float())
        torch.testing.assert_close(read, whole, rtol=0.01, atol=0.01)  # features are float16
        np.testing.assert_allclose(seen.targets[i].numpy(), targets[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", [BASENJI2, ENFORMER], ids=["basenji2", "enformer"])
def test_only_what_is_new_learns_and_a_second_student_is_the_same(
    data: Path, teacher: Predictor, tmp_path: Path, model: dict[str, Any]
) -> None:
    losses: list[tuple[str, float | None]] = []
    counts = {"human": 6, "mouse": 3}
    folders = [
        begin(config(tmp_path / name, model), teacher, data, counts, lambda *heard: losses.append(heard))
        for name in ("one", "two")
    ]
    fitted = [loss for head, loss in losses[: len(losses) // 2] if head == "human" and loss is not None]
    assert np.mean(fitted[-5:]) < np.mean(fitted[:5])
    assert (folders[0] / "model.safetensors").read_bytes() == (folders[1] / "model.safetensors").read_bytes()
    student = distal.load(str(folders[0]))
    assert student.spec.provenance["examples"] == counts
    assert [row.file for row in student.tracks] == ["", "", ""]
    torch.manual_seed(0)
    start = type(student.module)(student.spec.config)
    beginning.inherit(start, teacher.module)
    for name, value in start.state_dict().items():
        moved = not torch.equal(value, student.module.state_dict()[name])
        assert moved == name.startswith(("final", "heads", "dilated")), name


def test_heads_begin_at_the_mean_of_their_tracks(data: Path, teacher: Predictor, tmp_path: Path) -> None:
    """With a rate of next to nothing the head's bias stays: softplus(bias) is the mean of the mixture, 1 : 2."""
    slow = config(tmp_path, BASENJI2, optimizer={"lr": 1e-12, "warmup": 0})
    student = distal.load(str(begin(slow, teacher, data, {"human": 2, "mouse": 2}, silent)))
    sources = [dataset.load(data / name, "train", 128).means for name in ("hg", "distilled")]
    wanted = (333 * sources[0] + 667 * sources[1]) / 1000  # shares of a round of 1000 positions
    bias = student.module.heads["human"].bias.detach()
    np.testing.assert_allclose(torch.nn.functional.softplus(bias).numpy(), wanted, rtol=1e-5)


def test_a_teacher_is_a_borzoi(data: Path, tmp_path: Path) -> None:
    module = Basenji2(Basenji2Config.from_json({**BASENJI2["architecture"], "heads": {"human": 1}})).eval()
    spec = Spec("other", "basenji2", module.config, "CC0")
    other = Predictor(module, spec, TrackTable((Track(0, "a"),)), "human", torch.device("cpu"))
    with pytest.raises(InputError, match="tiny as other cannot"):
        begin(config(tmp_path, BASENJI2), other, data, {"human": 1, "mouse": 1}, silent)
