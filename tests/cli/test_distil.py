"""`distal data lift`, `overlap` and `distil`, and `distal models begin`: from held-out windows to a student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import builders
from tests.data import tiny
from tests.models.small import perturbed
from tests.train import small
from tests.train.test_begin import BASENJI2, TEACHER

import distal
from distal import cli
from distal.models import zoo
from distal.models.borzoi import Borzoi


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*tokens: object, code: int = 0) -> Any:
        assert cli.main([str(token) for token in tokens]) == code
        streams = capsys.readouterr()
        return json.loads(streams.out) if code in (0, 3) else streams.err

    return command


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    module = perturbed(Borzoi(TEACHER))
    for block in module.tower:
        block.norm.weight.data.abs_()
    return zoo.save(module, tmp_path / "teacher", zoo.Spec("teacher", "borzoi", TEACHER, "CC0"), {"human": tiny.TABLE})


def test_regions_are_lifted_and_found_again(run: Any, tmp_path: Path) -> None:
    """[100, 200) lies 1000 further on; widened to 140 it is [80, 220), and [1080, 1220) touches [1210, 1300)."""
    chain, bed, out, windows = (tmp_path / name for name in ("x.chain", "held.bed", "lifted.bed", "windows.bed"))
    chain.write_text("chain 1 chr1 5000 + 0 2000 chr1 9000 + 1000 3000 1\n2000\n")
    bed.write_text("chr1\t100\t200\ttest\nchr5\t0\t10\tvalid\n")
    windows.write_text("1\t1210\t1300\ttrain\n")
    assert run("data", "lift", bed, "--chain", chain, "--out", out, "--json")["lifted to"] == 1
    assert out.read_text() == "chr1\t1100\t1200\ttest\n"
    assert run("data", "overlap", "--windows", windows, "--held-out", out, "--json")["overlapping"] == "none"
    run("data", "lift", bed, "--chain", chain, "--out", out, "--width", 140, "--json")
    assert out.read_text() == "chr1\t1080\t1220\ttest\n"
    found = run("data", "overlap", "--windows", windows, "--held-out", out, "--json", code=3)["overlapping"]
    assert found == [{"held out": "chr1:[1080, 1220)", "split": "test", "windows": 1, "bases": 10}]


def test_a_student_learns_from_a_teacher(run: Any, teacher: Path, tmp_path: Path) -> None:
    genome, windows = builders.genome(tmp_path), tmp_path / "windows.bed"
    windows.write_text("".join(f"chr1\t{start}\t{start + 2048}\ttrain\n" for start in (0, 1000, 2000)))
    made = run(
        *("data", "distil", "--model", teacher, "--fasta", genome.path, "--windows", windows),
        *("--out", tmp_path / "distilled", "--bin-bp", 128, "--rc", "--json"),
    )
    assert made["windows"] == {"train": 3}
    assert made["recipe"]["teacher"] == "teacher"
    small.data(tmp_path)
    recipe = tmp_path / "student.toml"
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in BASENJI2["architecture"].items())
    recipe.write_text(
        'name = "student"\nsteps = 4\nbatch = 2\n[model]\nfamily = "basenji2"\n[model.architecture]\n'
        f'{settings}\n[data]\nhuman = [{{folder = "hg"}}, {{folder = "distilled"}}]\nmouse = "mm"\n'
    )
    begin = ("models", "begin", recipe, "--teacher", teacher, "--data", tmp_path, "--out", tmp_path / "out")
    result = run(*begin, "--examples", "human=4", "--examples", "mouse=2", "--json")
    assert distal.load(result["model"]).spec.provenance["command"] == "distal models begin"
    assert "give one HEAD=NUMBER for human, mouse" in run(*begin, "--examples", "human=4", code=2)
    assert "is not understood" in run(*begin, "--examples", "human=x", "--examples", "mouse=1", code=2)


@pytest.mark.shared
def test_no_base_of_a_real_window_is_held_out(run: Any, shared: Path, tmp_path: Path) -> None:
    """One window of the set, 131,072 bp of hg38, lies on GRCh37's chr20; with it left in, the check sees it."""
    fasta = shared / "data/sequence/GRCh37_chr20.fa.gz"
    chain = shared / "data/annotation/hg38ToHg19.over.chain.gz"
    measured = shared / "data/tracks/baskerville_tiny/hg38/sequences.bed"
    held_out, windows = tmp_path / "held_out.bed", tmp_path / "windows.bed"
    lifted = run("data", "lift", measured, "--width", 131_072, "--chain", chain, "--out", held_out, "--json")
    assert lifted == {"regions": 65, "lifted to": 65, "out": str(held_out)}
    splits = ("data", "splits", "--fasta", fasta, "--valid", 0, "--test", 0, "--bin-bp", 32, "--bins", 2048)
    splits = (*splits, "--piece-bp", 100_000_000, "--out", windows, "--json")
    check = ("data", "overlap", "--windows", windows, "--held-out", held_out, "--json")
    run(*splits, "--blacklist", held_out)
    assert run(*check)["overlapping"] == "none"
    run(*splits)
    (leak,) = run(*check, code=3)["overlapping"]
    assert (leak["held out"], leak["split"], leak["bases"]) == ("chr20:[20199299, 20330371)", "train", 131_072)
