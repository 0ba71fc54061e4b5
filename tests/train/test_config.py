"""Training configs: what is left out, what is refused, and that every recipe builds its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from distal.errors import InputError
from distal.models import zoo
from distal.models.basenji2 import Basenji2Config
from distal.models.enformer import EnformerConfig
from distal.train import config as configs
from distal.train import run

LEAST = """
name = "a"
steps = 10
[model]
family = "enformer"
[data]
human = "hg38"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "a.toml"
    path.write_text(text)
    return path


def test_what_is_left_out_is_enformers_training(tmp_path: Path) -> None:
    config = configs.read(written(tmp_path, LEAST))
    chosen = config.optimizer
    assert (chosen.lr, chosen.warmup, chosen.betas, chosen.eps) == (5e-4, 5000, (0.9, 0.999), 1e-8)
    assert (chosen.clip, chosen.weight_decay, chosen.schedule) == (0.2, 0.0, "constant")
    assert (config.precision, config.ema, config.crop, config.splits) == ("fp32", 0.0, None, ["train"])
    assert not config.activation_checkpointing
    assert config.folder == Path("runs/a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LEAST.replace("10", "0"), "steps: "),
        (LEAST + "[optimizer]\nrate = 1", "optimizer.rate: "),
        (LEAST.replace('"a"', '"../a"'), "name: "),
        (LEAST.replace("enformer", "resnet"), "model.family: "),
        (LEAST.replace('human = "hg38"', ""), "data: "),
        (LEAST.replace("steps", 'splits = ["train", "valid"]\nsteps'), "cannot choose by it"),
        (LEAST + '[optimizer]\nkind = "sgd"\nweight_decay = 0.1', "weight_decay goes with adam only"),
        (LEAST + '[validation]\nkeep = "last"\npatience = 3', "waits for the best weights"),
        ('parallel = "fsdp"\n' + LEAST.replace("[model]\nfamily", "[finetune]\nfrom"), 'use parallel = "ddp"'),
        ("name = ", "not TOML"),
        ("\0", "not TOML"),
    ],
)
def test_a_wrong_config_names_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        configs.read(written(tmp_path, text))
    assert "a.toml" in str(caught.value)


def test_values_are_changed_as_strictly_as_they_are_read(tmp_path: Path) -> None:
    config = configs.read(written(tmp_path, LEAST))
    assert configs.changed(config, steps=7, out="there").model_dump() == {
        **config.model_dump(),
        "steps": 7,
        "out": "there",
    }
    with pytest.raises(InputError, match="a: steps: "):
        configs.changed(config, steps=0)


def test_training_on_the_validation_windows_is_allowed_when_the_last_weights_are_kept(tmp_path: Path) -> None:
    text = LEAST.replace("steps", 'splits = ["train", "valid"]\nsteps') + '[validation]\nkeep = "last"'
    assert configs.read(written(tmp_path, text)).splits == ["train", "valid"]


def test_a_config_is_found_by_path_or_as_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "enformer-mini").mkdir()
    assert configs.find("enformer-mini") == configs.RECIPES / "enformer-mini.toml"
    with pytest.raises(InputError, match=r"no training config nowhere\.toml; give .* a recipe: .*enformer-mini"):
        configs.find("nowhere.toml")
    assert configs.find(written(tmp_path, LEAST)) == tmp_path / "a.toml"
    with pytest.raises(InputError, match="cannot be read"):
        configs.read(tmp_path / "missing.toml")


@pytest.mark.parametrize("recipe", sorted(configs.RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_describes_a_model(recipe: Path) -> None:
    config = configs.read(recipe)
    if config.finetune is not None:  # the model that it starts from is made by another recipe
        assert config.finetune.base.startswith("runs/")
        return
    spec, crop = run.describe(config, dict.fromkeys(config.data, 7))
    assert config.name == recipe.stem
    assert spec.heads == dict.fromkeys(config.data, 7)
    assert crop.window.bin_bp == spec.window.bin_bp
    assert sum(p.numel() for p in zoo.blank(spec).parameters()) > 1000


def test_an_impossible_architecture_is_refused(tmp_path: Path) -> None:
    config = configs.read(written(tmp_path, LEAST + "[model.architecture]\nwidth = 3"))
    with pytest.raises(InputError, match=r"\[model.architecture\].*width"):
        run.describe(config, {"human": 3})
    config = configs.read(written(tmp_path, LEAST + "[crop]\ninput_bp = 1000\nbins = 2"))
    with pytest.raises(InputError, match="whole number of bins"):
        run.describe(config, {"human": 3})


def test_a_head_learns_from_one_folder_or_from_several_by_weight(tmp_path: Path) -> None:
    [source] = configs.read(written(tmp_path, LEAST)).data["human"]
    assert (source.folder, source.weight) == ("hg38", 1.0)
    several = LEAST.replace('"hg38"', '[{folder = "hg38"}, {folder = "teacher", weight = 3.0}]')
    sources = configs.read(written(tmp_path, several)).data["human"]
    assert [(source.folder, source.weight) for source in sources] == [("hg38", 1.0), ("teacher", 3.0)]
    for wrong in ("[]", '[{folder = "hg38", weight = 0}]', "3"):
        with pytest.raises(InputError, match=r"data\.human"):
            configs.read(written(tmp_path, LEAST.replace('"hg38"', wrong)))


def test_published_recipes_are_the_papers() -> None:
    enformer, stage2, basenji2 = (
        configs.read(configs.find(name)) for name in ("enformer", "enformer-human", "basenji2")
    )
    assert (enformer.steps, enformer.batch, enformer.loss.kind) == (150_000, 64, "poisson")
    assert run.describe(enformer, {"human": 5313, "mouse": 1643})[1].to_json() == EnformerConfig().to_json()
    assert (stage2.steps, stage2.optimizer.lr, list(stage2.data), stage2.batch_norm) == (
        30_000,
        1e-4,
        ["human"],
        "batch",
    )
    for chosen in (enformer.optimizer, stage2.optimizer):
        assert (chosen.kind, chosen.betas, chosen.eps, chosen.clip, chosen.clip_by) == (
            *("adam", (0.9, 0.999), 1e-8),
            *(0.2, "model"),
        )
    chosen = basenji2.optimizer
    assert (chosen.kind, chosen.lr, chosen.momentum, chosen.clip, chosen.clip_by) == ("sgd", 0.15, 0.99, 2.0, "tensor")
    assert (basenji2.batch, basenji2.validation.patience) == (4, 16)
    architecture = run.describe(basenji2, {"human": 5313})[1]
    assert architecture.to_json() == Basenji2Config().to_json()
