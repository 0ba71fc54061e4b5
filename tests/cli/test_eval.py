"""`distal eval tracks` as it is typed: what a row is, and what is asked for beside the correlation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests import builders
from tests.data import tiny

from distal.cli import main
from distal.models import zoo

TRACKS = ("cage+", "cage-", "dnase")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command line for a random model and data of six windows' training."""
    folder = tmp_path_factory.mktemp("eval")
    made = builders.predictor("basenji2")
    head = made.module.heads["human"]
    head.weight.data, head.bias.data = head.weight.data[:3], head.bias.data[:3]
    made.module.config = replace(made.spec.config, heads={"human": 3})
    zoo.save(made.module, folder / "model", replace(made.spec, config=made.module.config), {"human": tiny.TABLE})
    data = tiny.folder(folder / "set")
    starts = range(80_000, 100_000, 200)
    (folder / "genes.bed").write_text("".join(f"1\t{at}\t{at + 1}\tg{at}\t0\t{'+-'[at % 3 % 2]}\n" for at in starts))
    return ["eval", "tracks", "--model", str(folder / "model"), "--data", str(data)]


def genes(ask: list[str]) -> list[str]:
    return ["--genes", str(Path(ask[-1]).parent / "genes.bed")]


def test_a_row_is_an_assay_or_a_track(ask: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ask) == 0
    assays = capsys.readouterr().out.split("\n")
    assert [line.split()[0] for line in assays if line] == ["assay", "CAGE", "DNASE", "all"]
    assert main([*ask, "--per", "track", *genes(ask)]) == 0
    printed = capsys.readouterr()
    header, *rows = (line.split() for line in printed.out.splitlines())
    assert header == ["track", "assay", "pearson", "r2", "tss_pearson", "tss_spearman"]
    assert [row[0] for row in rows] == list(TRACKS)
    assert "genes, one strand" in printed.err


def test_the_baseline_stands_beside_the_model(ask: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ask, "--baseline", "--rc", *genes(ask), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rc"]
    assert result["genes"] > 3
    for row in (*result["tracks"], *result["assays"]):
        assert {"pearson", "kmer_pearson", "kmer_r2", "tss_spearman", "kmer_tss_spearman"} <= row.keys()
    assert all(track["kmer_pearson"] > max(0.7, track["pearson"]) for track in result["tracks"])


def test_a_card_says_what_was_measured_and_keeps_the_rest(ask: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    card = Path(ask[3]) / "README.md"
    assert main(ask) == 0
    assert not card.exists()
    card.write_text("# Mine\n\nWritten by hand.\n")
    for options in ([], ["--rc"], ["--rc"]):
        assert main([*ask, "--card", *options]) == 0
    printed = capsys.readouterr()
    head, _, block = card.read_text().partition("\n\n<!-- tracks human test -->\n")
    assert head == "# Mine\n\nWritten by hand."
    assert "both strands" in block
    assert block.count("| assay | tracks | pearson | r2 |") == 1
    last = printed.out.split("assay")[-1].splitlines()[-1].split()
    assert f"| all | 3 | {float(last[2]):.3f} |" in block
    assert block.endswith(" --split test --rc\n<!-- /tracks human test -->\n")
    assert str(card.parent.parent) not in block
    card.write_text(card.read_text().replace("<!-- /tracks", "<!-- tracks"))
    assert main([*ask, "--card"]) == 2
    assert "no <!-- /tracks human test -->" in capsys.readouterr().err


def test_mistakes_are_one_sentence(ask: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ask, "--per", "bin"]) == 2
    (tmp_path / "empty.bed").write_text("")
    assert main([*ask, "--genes", str(tmp_path / "empty.bed")]) == 2
    assert [line.startswith("distal: ") for line in capsys.readouterr().err.splitlines()] == [True] * 2
