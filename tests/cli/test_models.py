"""`distal models`: what is listed, described, fetched and imported is what is there; with JSON for machines."""

import json
import shutil
from pathlib import Path

import pytest

from distal import cli
from distal.models import zoo
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.sources import KNOWN
from distal.tracks import Track, TrackTable

CONFIG = Basenji2Config(
    stem=8, tower=(8, 8, 8, 8, 8, 8), dilated_layers=1, dilated=4, final=12, input_bp=2048, bins=8, heads={"human": 4}
)
TABLE = TrackTable(
    (
        Track(0, "CNhs1+", "CAGE:liver", strand_pair=1),
        Track(1, "CNhs1-", "CAGE:liver", strand_pair=0),
        Track(2, "ENC1", "DNASE:liver"),
        Track(3, "ENC2", "CHIP:H3K27ac:brain"),
    )
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DISTAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DISTAL_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path) -> Path:
    spec = zoo.Spec("tiny", "basenji2", CONFIG, "CC0", {"trained on": "nothing"})
    return zoo.save(Basenji2(CONFIG), tmp_path / "tiny", spec, {"human": TABLE})


@pytest.fixture
def run(capsys):
    def command(*tokens, code=0):
        assert cli.main([str(token) for token in tokens]) == code
        streams = capsys.readouterr()
        return streams.err if code else streams.out

    return command


def test_list_shows_what_ships_what_is_here_and_what_can_be(run, cache, tiny):
    shutil.copytree(tiny, cache / "models" / "basenji2")
    rows = {row["name"]: row for row in json.loads(run("models", "list", "--json"))}
    assert rows["basenji2"]["weights"] == "here"
    assert rows["basenji2"]["tracks"] == {"human": 4}
    assert rows["enformer"]["weights"] == "distal models fetch enformer"
    assert rows["enformer-tfhub"]["weights"] == "cannot be imported"
    assert set(KNOWN) <= set(rows)
    for folder in zoo.SHIPPED.glob("*/"):
        assert rows[folder.name]["weights"] == "ships with distal"
    assert "enformer-hf" in run("models", "list")


def test_info_describes_a_folder(run, tiny):
    facts = json.loads(run("models", "info", tiny, "--json"))
    assert facts["reads"] == "2,048 bp"
    assert facts["says"] == "8 bins of 128 bp"
    assert facts["human tracks"] == {"CAGE": 2, "CHIP": 1, "DNASE": 1}
    assert facts["parameters"] == sum(p.numel() for p in Basenji2(CONFIG).parameters())
    assert (facts["licence"], facts["trained on"], facts["weights"]) == ("CC0", "nothing", "here")
    assert "CAGE 2, CHIP 1, DNASE 1" in run("models", "info", tiny)


def test_info_says_when_the_weights_are_gone(run, tiny):
    (tiny / "model.safetensors").unlink()
    assert json.loads(run("models", "info", tiny, "--json"))["weights"] == "missing"


def test_info_describes_a_source_that_is_not_here(run):
    facts = json.loads(run("models", "info", "basenji2", "--json"))
    assert facts["weights"] == "not here; `distal models fetch basenji2`"
    assert facts["files"][0]["sha256"].startswith("3f74da00")
    assert facts["files"][0]["url"] == "https://storage.googleapis.com/basenji_barnyard2/model_human.h5"
    assert "unknown" in run("models", "info", "enformer")
    assert "fetch basenji2" in run("models", "info", "basenji2", "--tracks", code=2)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ([], ["CNhs1+", "CNhs1-", "ENC1", "ENC2"]),
        (["assay=CAGE"], ["CNhs1+", "CNhs1-"]),
        (["assay!=CAGE", "biosample~LIV"], ["ENC1"]),
    ],
)
def test_info_lists_the_tracks_that_match(run, tiny, query, names):
    rows = json.loads(run("models", "info", tiny, "--json", "--tracks", *query))
    assert [row["name"] for row in rows] == names
    assert rows[0].keys() == {"head", "index", "name", "assay", "target", "biosample", "strand"}


def test_info_refuses_a_query_that_matches_nothing(run, tiny):
    assert "no track matches 'assay=RNA'" in run("models", "info", tiny, "--tracks", "assay=RNA", code=2)


def test_info_refuses_to_list_tracks_that_nobody_knows(run, tmp_path):
    folder = zoo.save(Basenji2(CONFIG), tmp_path / "bare", zoo.Spec("bare", "basenji2", CONFIG, "CC0"))
    assert "has no track table" in run("models", "info", folder, "--tracks", code=2)
    assert json.loads(run("models", "info", folder, "--json"))["human tracks"] == 4


def test_fetch_refuses_what_is_unknown_or_not_importable(run):
    assert "no published model is called 'x'; there are enformer," in run("models", "fetch", "x", code=2)
    assert "the same weights" in run("models", "fetch", "enformer-tfhub", code=2)


def test_fetch_leaves_a_model_that_is_here_alone(run, cache, tiny):
    shutil.copytree(tiny, cache / "models" / "basenji2")
    assert json.loads(run("models", "fetch", "basenji2", "--json"))["was here"] is True


def test_fetch_names_what_the_mirror_lacks(run, tmp_path, monkeypatch):
    monkeypatch.setenv("DISTAL_MIRROR", str(tmp_path))
    assert "basenji2/model_human.h5" in run("models", "fetch", "basenji2", code=2)


@pytest.fixture
def borzoi_mini(shared, tmp_path, monkeypatch) -> Path:
    """A mirror that holds Calico's small trained model under the names of its publishers."""
    folder = tmp_path / "mirror" / "borzoi-mini"
    folder.mkdir(parents=True)
    for name, here in [("model.h5", "model.h5"), ("params.json", "params.json"), ("targets.txt", "targets_human.txt")]:
        shutil.copyfile(shared / "data/weights/baskerville_mini_borzoi" / name, folder / here)
    monkeypatch.setenv("DISTAL_MIRROR", str(folder.parent))
    return folder


@pytest.mark.shared
def test_fetch_brings_a_real_model_that_then_has_a_name(run, cache, borzoi_mini):
    result = json.loads(run("models", "fetch", "borzoi-mini", "--json"))
    assert Path(result["folder"]) == cache / "models" / "borzoi-mini" == zoo.find("borzoi-mini")
    assert all(file["as published"] for file in result["files"])
    facts = json.loads(run("models", "info", "borzoi-mini", "--json"))
    assert facts["human tracks"] == {"RNA": 30, "CAGE": 24, "DNASE": 10, "RNA3": 10}
    assert facts["says"] == "2,048 bins of 32 bp"


@pytest.mark.shared
def test_a_damaged_file_of_the_mirror_is_refused_and_no_model_appears(run, cache, borzoi_mini):
    content = bytearray((borzoi_mini / "model.h5").read_bytes())
    content[100_000] ^= 1
    (borzoi_mini / "model.h5").write_bytes(content)
    assert "model.h5 has SHA-256" in run("models", "fetch", "borzoi-mini", code=2)
    assert not (cache / "models").exists()
    assert list((cache / "downloads" / "borzoi-mini").iterdir()) == []


@pytest.mark.shared
def test_import_makes_a_folder_of_weights_that_are_here(run, borzoi_mini, tmp_path):
    out = tmp_path / "out"
    targets = f"human={borzoi_mini / 'targets_human.txt'}"
    command = (
        "models",
        "import",
        borzoi_mini / "model.h5",
        "--out",
        out,
        "--head-names",
        "human",
        "--targets",
        targets,
    )
    facts = json.loads(run(*command, "--name", "mine", "--licence", "Apache-2.0", "--json"))
    assert (facts["name"], facts["licence"], facts["human tracks"]["CAGE"]) == ("mine", "Apache-2.0", 24)
    assert "already holds a model" in run(*command, code=2)


@pytest.mark.parametrize("words", ["targets.txt", "human=", "=targets.txt"])
def test_import_refuses_targets_that_name_no_head(run, tmp_path, words):
    (tmp_path / "model.h5").write_bytes(b"")
    command = ("models", "import", tmp_path / "model.h5", "--out", tmp_path / "out", "--targets", words)
    assert "write --targets human=targets_human.txt" in run(*command, code=2)


def test_import_refuses_what_is_no_weights(run, tmp_path):
    (tmp_path / "weights.zip").write_bytes(b"PK")
    assert "not a kind of weights" in run("models", "import", tmp_path / "weights.zip", "--out", tmp_path / "o", code=2)
    assert not (tmp_path / "o").exists()
