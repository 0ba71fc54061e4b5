"""Model folders: what is written is read back, and what is damaged or contradicts itself is refused in one sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distal.errors import InputError
from distal.models import zoo
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.enformer import Enformer, EnformerConfig
from distal.models.sources import KNOWN
from distal.tracks import Track, TrackTable

ENFORMER = EnformerConfig(
    channels=48,
    layers=1,
    attention_heads=4,
    key_size=4,
    divisible_by=4,
    input_bp=2048,
    bins=8,
    heads={"human": 3, "mouse": 2},
)
BASENJI2 = Basenji2Config(
    stem=8, tower=(8, 8, 8, 8, 8, 8), dilated_layers=2, dilated=4, final=12, input_bp=2048, bins=8, heads={"human": 3}
)
TABLE = TrackTable(tuple(Track(i, f"t{i}", f"CAGE:tissue {i}") for i in range(3)))


def module_of(config):
    """A module whose every tensor differs from its initial value, BatchNorm statistics included."""
    torch.manual_seed(7)
    module = (Enformer if isinstance(config, EnformerConfig) else Basenji2)(config).eval()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) / 8)
    return module


def spec_of(config, name="tiny"):
    family = "enformer" if isinstance(config, EnformerConfig) else "basenji2"
    return zoo.Spec(name, family, config, "Apache-2.0", {"trained on": "nothing", "steps": 0})


@pytest.fixture
def folder(tmp_path):
    return zoo.save(module_of(ENFORMER), tmp_path / "tiny", spec_of(ENFORMER), {"human": TABLE, "mouse": None})


def edit(folder: Path, change) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize("config", [ENFORMER, BASENJI2], ids=["enformer", "basenji2"])
def test_a_saved_model_predicts_the_same_to_the_bit_after_opening(config, tmp_path):
    module = module_of(config)
    zoo.save(module, tmp_path / "m", spec_of(config))
    again, spec, tables = zoo.open_folder(tmp_path / "m")
    x = torch.rand(2, 2048, 4)
    for head in config.heads:
        assert torch.equal(again(x, head), module(x, head))
    assert spec.config == config
    assert spec.window.bins == 8
    assert spec.provenance == {"trained on": "nothing", "steps": 0}
    assert tables == dict.fromkeys(config.heads)
    assert not again.training


def test_track_tables_and_card_travel_with_the_model(tmp_path):
    folder = zoo.save(module_of(BASENJI2), tmp_path / "m", spec_of(BASENJI2), {"human": TABLE}, card="# tiny\n")
    _, spec, tables = zoo.open_folder(folder)
    assert tables["human"].names == TABLE.names
    assert spec.targets == {"human": "targets_human.txt"}
    assert (folder / "README.md").read_text() == "# tiny\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "targets_human.txt",
    ]


def test_float16_storage_is_half_as_large_and_opens_as_float32(tmp_path):
    module = module_of(BASENJI2)
    whole = zoo.save(module, tmp_path / "whole", spec_of(BASENJI2))
    half = zoo.save(module, tmp_path / "half", spec_of(BASENJI2), dtype="float16")
    assert (half / "model.safetensors").stat().st_size < 0.7 * (whole / "model.safetensors").stat().st_size
    opened, _, _ = zoo.open_folder(half)
    for name, tensor in opened.state_dict().items():
        assert tensor.dtype in (torch.float32, torch.int64), name
        # float16 keeps 11 significant bits: rounding moves a value by at most 2^-11 of itself
        assert torch.allclose(tensor, module.state_dict()[name], rtol=2**-11, atol=1e-7), name


def test_a_weight_beyond_float16_is_refused_and_nothing_is_written(tmp_path):
    module = module_of(BASENJI2)
    with torch.no_grad():
        module.heads["human"].bias[0] = 70_000.0  # float16 ends at 65,504
    with pytest.raises(InputError, match=r"heads\.human\.bias.*float16"):
        zoo.save(module, tmp_path / "m", spec_of(BASENJI2), dtype="float16")
    assert list((tmp_path / "m").iterdir()) == []
    zoo.save(module, tmp_path / "m", spec_of(BASENJI2))


def test_saving_again_replaces_the_model_and_keeps_other_files(folder):
    (folder / "notes.txt").write_text("mine")
    module = module_of(ENFORMER)
    with torch.no_grad():
        module.heads["human"].bias.add_(1.0)
    zoo.save(module, folder, spec_of(ENFORMER, "second"))
    opened, spec, _ = zoo.open_folder(folder)
    assert spec.name == "second"
    assert torch.equal(opened.heads["human"].bias, module.heads["human"].bias)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_spec_of_another_module_is_our_own_fault(tmp_path):
    with pytest.raises(ValueError, match="describes"):
        zoo.save(module_of(ENFORMER), tmp_path, spec_of(BASENJI2))


def test_a_table_of_another_length_is_refused_when_saving_and_when_opening(folder, tmp_path):
    with pytest.raises(InputError, match="has 3 rows, the model gives 2 tracks"):
        zoo.save(module_of(ENFORMER), tmp_path / "m", spec_of(ENFORMER), {"mouse": TABLE})
    with (folder / "targets_human.txt").open("a") as file:
        file.write("3\tt3\t\t\t\t1\tsum\t3\tCAGE:one too many\n")
    with pytest.raises(InputError, match=r"targets_human\.txt of head 'human' has 4 rows, the model gives 3"):
        zoo.open_folder(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(format="distal-2"), "format 'distal-2' is not 'distal-1'"),
        (lambda v: v.pop("licence"), r"missing \['licence'\]"),
        (lambda v: v.update(colour="red"), r"not understood \['colour'\]"),
        (lambda v: v.update(family="resnet"), "family 'resnet' is not one of enformer, basenji2, borzoi"),
        (lambda v: v.update(family="basenji2"), "architecture is not one of basenji2"),
        (lambda v: v["architecture"].update(channels=50), "architecture is not one of enformer.*50"),
        (lambda v: v["architecture"].update(channels="many"), "architecture is not one of enformer"),
        (lambda v: v["architecture"].update(depth=3), "architecture is not one of enformer.*depth"),
        (lambda v: v.update(architecture=[]), "architecture is not one of enformer"),
        (lambda v: v["heads"]["human"].update(tracks=4), "heads .* contradict the architecture"),
        (lambda v: v["heads"].pop("mouse"), "heads .* contradict the architecture"),
        (lambda v: v.update(heads=["human"]), "heads is not of the form"),
        (lambda v: v["heads"]["human"].update(targets="../targets.txt"), "files of the same folder"),
        (lambda v: v["heads"]["human"].update(targets="nowhere.txt"), r"nowhere\.txt cannot be read"),
        (lambda v: v["architecture"].update(layers=2), r"tensors missing \(transformer\.1\."),
        (lambda v: v["architecture"].update(key_size=8), "tensors of another shape"),
    ],
)
def test_a_config_that_contradicts_itself_or_the_weights_is_named(folder, change, message):
    edit(folder, change)
    with pytest.raises(InputError, match=message):
        zoo.open_folder(folder)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00\xff"])
def test_a_config_that_is_no_config_is_refused(folder, text):
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"config\.json"):
        zoo.open_folder(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_weights_are_refused(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model\.safetensors is damaged or no safetensors file"):
        zoo.open_folder(folder)


def test_a_pickle_in_place_of_the_weights_is_never_run(folder):
    class Bomb:
        def __reduce__(self):
            return (Path(folder / "exploded").touch, ())

    torch.save({"x": Bomb()}, folder / "model.safetensors")
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        zoo.open_folder(folder)
    assert not (folder / "exploded").exists()


def test_missing_extra_misshapen_and_infinite_weights_are_named(folder):
    path = folder / "model.safetensors"
    good = load_file(path)

    def reason(**changes):
        tensors = {name: tensor for name, tensor in {**good, **changes}.items() if tensor is not None}
        save_file(tensors, path)
        with pytest.raises(InputError) as caught:
            zoo.open_folder(folder)
        return str(caught.value)

    assert "1 tensors missing (heads.human.bias)" in reason(**{"heads.human.bias": None})
    assert "1 tensors unknown (heads.yeast.bias)" in reason(**{"heads.yeast.bias": torch.zeros(3)})
    assert "heads.human.bias [4] instead of [3]" in reason(**{"heads.human.bias": torch.zeros(4)})
    assert "heads.human.bias holds NaN or infinity" in reason(**{"heads.human.bias": torch.tensor([0, 0, torch.nan])})
    path.unlink()
    with pytest.raises(InputError, match="is missing; fetch, import or export"):
        zoo.open_folder(folder)


def test_blank_has_every_shape_and_no_memory():
    module = zoo.blank(spec_of(ENFORMER))
    assert all(tensor.is_meta for tensor in module.state_dict().values())
    assert sum(p.numel() for p in module.parameters()) == sum(p.numel() for p in module_of(ENFORMER).parameters())


def test_weights_sha256_is_that_of_the_file(folder):
    import hashlib

    expected = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert zoo.read_spec(folder).weights_sha256 == expected
    assert spec_of(ENFORMER).weights_sha256 == ""


def test_find_takes_fetched_models_by_name_and_others_by_path(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DISTAL_CACHE", str(tmp_path / "cache"))
    fetched = zoo.save(module_of(BASENJI2), tmp_path / "cache" / "models" / "basenji2", spec_of(BASENJI2))
    monkeypatch.chdir(folder.parent)
    assert zoo.find("basenji2") == fetched
    assert zoo.find("tiny") == Path("tiny")
    assert zoo.find(folder) == folder
    assert zoo.installed()["basenji2"] == fetched


def test_find_says_what_to_do_about_a_model_that_is_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTAL_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for text, message in [
        ("enformer", "`distal models fetch enformer` downloads about 1,006 MB"),
        ("enformr", "did you mean enformer?"),
        ("zzz", "`distal models list` shows what there is"),
        (".", "is not a model folder"),
    ]:
        with pytest.raises(InputError) as caught:
            zoo.find(text)
        assert message in str(caught.value)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_source_is_complete_and_consistent(name):
    source = KNOWN[name]
    files = {file.name for file in source.files}
    assert source.family in zoo.FAMILIES
    assert set(source.targets.values()) <= files
    assert not source.importable or any(file.startswith(source.weights) for file in files)
    assert set(source.targets) <= set(source.heads)
    assert source.licence
    for file in source.files:
        for digest in (file.sha256, *file.contents.values()):
            assert digest is None or (len(digest) == 64 and set(digest) <= set("0123456789abcdef"))


@pytest.mark.shared
def test_pinned_checksums_are_those_of_the_copies_we_hold(shared):
    import hashlib

    held = {
        ("enformer", "targets_human.txt"): "data/targets/targets_human.txt",
        ("enformer", "targets_mouse.txt"): "data/targets/targets_mouse.txt",
        ("borzoi-mini", "model.h5"): "data/weights/baskerville_mini_borzoi/model.h5",
        ("borzoi-mini", "params.json"): "data/weights/baskerville_mini_borzoi/params.json",
        ("borzoi-mini", "targets_human.txt"): "data/weights/baskerville_mini_borzoi/targets.txt",
    }
    for (source, name), path in held.items():
        (file,) = (file for file in KNOWN[source].files if file.name == name)
        content = (shared / path).read_bytes()
        assert (file.sha256, file.size) == (hashlib.sha256(content).hexdigest(), len(content))
