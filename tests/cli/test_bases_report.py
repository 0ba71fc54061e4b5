"""`--report` of `distal ism` and `distal contributions`: the page says what the HDF5 file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import builders
from tests.cli.conftest import Call
from tests.web.pages import Page

from distal import dna
from distal.coords import Interval
from distal.io import contributions as stored
from distal.io import mutagenesis
from distal.io.fasta import Genome
from distal.models import zoo
from distal.web.reports import bases


def number(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(",", ""))


@pytest.fixture
def options(model: Path, genome: Genome, tmp_path: Path) -> list[object]:
    files = ("--out", tmp_path / "x.h5", "--report", tmp_path / "x.html")
    return ["--model", model, "--fasta", genome.path, "--tracks", "assay=CAGE,DNASE", *files]


@pytest.mark.parametrize("deletions", [False, True])
def test_the_edits_that_change_most(call: Call, options: list[object], tmp_path: Path, deletions: bool) -> None:
    code, _, err = call("ism", *options, "--region", "chr1:9,001-9,006", *(["--deletions"] * deletions))
    assert code == 0, err
    seen, made = Page(tmp_path / "x.html"), mutagenesis.read(tmp_path / "x.h5")
    means = {}
    for i, code in enumerate(made.codes.tolist()):
        for new, letter in enumerate("ACGT"):
            if new != code:
                means[f"chr1:{9001 + i}:{'ACGT'[code]}>{letter}"] = made.values[i, new]
        if deletions:
            means[f"chr1:{9001 + i}:{'ACGT'[code]}>-"] = made.deletions[i]
    _, *rows = seen.table("edit")
    listed = {row[1]: row for row in rows}
    assert set(listed) >= set(means)
    sizes = [abs(number(row[2])) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    for name, effects in means.items():
        assert number(listed[name][2]) == pytest.approx(effects.mean(), rel=6e-3)
        column = int(np.abs(effects).argmax())
        assert number(listed[name][3]) == pytest.approx(effects[column], rel=6e-3)
        assert listed[name][4] == made.table.rows[column].description
    assert "distal ism --model" in seen.text
    assert len(seen.pictures) == 1
    seen.check()


def test_a_letter_is_never_replaced_by_itself(
    call: Call, options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "EDITS", 20)
    code, _, err = call("ism", *options, "--region", "chr1:9,001-9,010")
    assert code == 0, err
    _, *rows = Page(tmp_path / "x.html").table("edit")
    assert len(rows) == 20
    assert all(row[1].split(":")[2][0] != row[1][-1] for row in rows)


@pytest.mark.parametrize("method", ["grad-centred", "ism"])
def test_the_strongest_places(call: Call, options: list[object], tmp_path: Path, method: str) -> None:
    region = ("--region", "chr1:9,001-9,050")
    code, _, err = call("contributions", *options, "--target", "chr1:9,000-9,010", "--method", method, *region)
    assert code == 0, err
    seen, made = Page(tmp_path / "x.html"), stored.read(tmp_path / "x.h5")
    _, *rows = seen.table("place")
    best = max(abs(float(made.contributions[i : i + 20].sum(dtype=float))) for i in range(31))
    assert abs(number(rows[0][3])) == pytest.approx(best, rel=6e-3)
    for row in rows:
        place = Interval.from_ucsc(row[1])
        part = slice(place.start - 9000, place.end - 9000)
        assert place.width == 20
        assert row[2] == dna.decode(made.codes[part])
        assert number(row[3]) == pytest.approx(float(made.contributions[part].sum(dtype=float)), rel=6e-3, abs=1e-9)
        share = np.abs(made.contributions[part]).sum() / np.abs(made.contributions).sum()
        assert number(row[4]) == pytest.approx(float(share), rel=6e-3)
    assert len(seen.pictures) == 1
    seen.check()


def test_attention_has_a_page_without_a_table(
    call: Call, genome: Genome, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = builders.predictor("enformer")
    folder = zoo.save(made.module, tmp_path_factory.mktemp("m") / "m", made.spec, {"human": builders.TABLE})
    words = ("--model", folder, "--fasta", genome.path, "--target", "chr1:9,000-9,010", "--method", "attention")
    code, _, err = call("contributions", *words, "--out", tmp_path / "x.h5", "--report", tmp_path / "x.html")
    assert code == 0, err
    seen = Page(tmp_path / "x.html")
    assert "Attention from" in seen.text
    assert (len(seen.pictures), seen.tables) == (1, [])
    seen.check()


@pytest.mark.parametrize("verb", [("ism", "--region"), ("contributions", "--target")])
@pytest.mark.parametrize(("name", "why"), [("x.htm", "must end in .html"), ("no/x.html", "is not a folder")])
def test_what_is_refused(
    call: Call, model: Path, genome: Genome, tmp_path: Path, verb: tuple[str, str], name: str, why: str
) -> None:
    words = ("--model", model, "--fasta", genome.path, "--out", tmp_path / "x.h5", "--report", tmp_path / name)
    code, _, err = call(verb[0], *words, verb[1], "chr1:9,000-9,010")
    assert code == 2
    assert why in err
    assert not list(tmp_path.iterdir())
