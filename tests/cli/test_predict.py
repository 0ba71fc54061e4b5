"""`distal predict` and `distal ism` as a user runs them: what the files hold, and what is said of wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests import builders

from distal.cli import main
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import FullForward, Incremental
from distal.interpret.attribution import DIFFERENCE, Objective, ism, substitutions
from distal.io import mutagenesis, predictions
from distal.io.fasta import Genome
from distal.models import zoo
from distal.predictor import load, predict

pybigwig = pytest.importorskip("pyBigWig")


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = builders.predictor("basenji2")
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return str(zoo.save(made.module, folder, made.spec, {"human": builders.TABLE}))


@pytest.fixture
def run(model: str, genome: Genome, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a verb with the small model and genome; returns exit code, stdout, stderr."""

    def run_verb(verb: str, *options: str) -> tuple[int, str, str]:
        code = main([verb, "--model", model, "--fasta", str(genome.path), *options])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_verb


def bed(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("suffix", ["h5", "npz"])
@pytest.mark.parametrize("rc", [False, True])
def test_files_hold_what_the_api_gives(run, model: str, genome: Genome, tmp_path: Path, suffix: str, rc: bool) -> None:  # type: ignore[no-untyped-def]
    regions = bed(tmp_path / "r.bed", "chr1\t0\t300\tfirst", "1\t900\t4100", "chr1\t100\t200\tover")
    out = tmp_path / f"x.{suffix}"
    options = ["--rc"] if rc else []
    code, printed, _ = run(
        "predict", "--regions", regions, "--out", str(out), "--tracks", "assay=CAGE,DNASE", "--shifts", "-1,1", *options
    )
    assert code == 0
    assert "bins     29" in printed  # 300 bp are 3 bins of 128, 3,200 are 25, 100 are 1
    intervals = [Interval("chr1", 0, 300), Interval("chr1", 900, 4100), Interval("chr1", 100, 200)]
    expected = list(predict(load(model), genome, intervals, "assay=CAGE,DNASE", rc, (-1, 1)))
    found = list(predictions.read(out))
    assert [tracks.interval for tracks in found] == [tracks.interval for tracks in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert one.table.names == ("cage+", "cage-", "dnase")
    assert list(tmp_path.glob(".*")) == []


def test_hdf5_says_what_it_is(run, model: str, genome: Genome, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    regions = bed(tmp_path / "r.bed", "chr1\t0\t300\tfirst", "1\t900\t1000")
    run("predict", "--regions", regions, "--out", str(tmp_path / "x.h5"), "--tracks", "index=5,2", "--rc")
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["values"].shape == (4, 2)
        assert list(file["region_chrom"].asstr()) == ["chr1", "chr1"]
        assert list(file["region_name"].asstr()) == ["first", "."]
        assert file["region_start"][:].tolist() == [0, 900]
        assert file["region_end"][:].tolist() == [300, 1000]
        assert file["region_row"][:].tolist() == [0, 3]
        assert file["track_channel"][:].tolist() == [2, 5]
        assert list(file["track_text"].asstr()) == ["DNASE:HepG2", "RNA:brain"]
        facts = dict(file.attrs)
    assert facts["bin_bp"] == 128
    assert facts["model"] == "tiny-basenji2"
    assert facts["weights_sha256"] == load(model).spec.weights_sha256
    assert len(facts["weights_sha256"]) == 64
    assert facts["fasta_sha256"] == genome.digest()
    assert (bool(facts["rc"]), facts["shifts"], facts["precision"]) == (True, "0", "fp32")
    assert facts["command"].startswith("distal predict --model ")


def test_bigwigs_are_read_back_by_another_reader(run, model: str, genome: Genome, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    # Out of order; the first ends 44 bases into its third bin, where the next region begins.
    regions = bed(tmp_path / "r.bed", "chr1\t1300\t1428", "chr1\t1000\t1300")
    code, printed, _ = run(
        "predict", "--regions", regions, "--out", str(tmp_path / "x.bw"), "--json", "--tracks", "RNA"
    )
    assert code == 0
    files = json.loads(printed)["files"]
    assert files == [str(tmp_path / "x.rna-.bw"), str(tmp_path / "x.rna+.bw")]
    (late, early) = predict(
        load(model), genome, [Interval("chr1", 1300, 1428), Interval("chr1", 1000, 1300)], "index=4,5"
    )
    for column, path in enumerate(files):
        expected = (
            np.repeat(early.values[:, column], 128)[:300].tolist() + np.repeat(late.values[:, column], 128).tolist()
        )
        with pybigwig.open(path) as file:
            assert file.chroms() == {"chr1": 6000}
            np.testing.assert_array_equal(np.array(file.values("chr1", 1000, 1428), np.float32), expected)
            assert np.isnan(file.values("chr1", 999, 1000)[0])
            assert np.isnan(file.values("chr1", 1428, 1429)[0])


def test_one_track_is_one_bigwig_up_to_the_chromosomes_end(run, genome: Genome, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, _ = run("predict", "--regions", "1:5,801-6,000", "--out", str(tmp_path / "x.bw"), "--tracks", "DNASE")
    assert code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.bw"]
    with pybigwig.open(str(tmp_path / "x.bw")) as file:
        assert [(start, end) for start, end, _ in file.intervals("chr1")] == [(5800, 5928), (5928, 6000)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--regions", "chr1:1-100", "--out", "x.txt"], "must end in .bw"),
        (["--regions", "chr1:1-100", "--out", "nowhere/x.bw"], "nowhere is not a folder"),
        (["--regions", "nope.bed", "--out", "x.h5"], "neither a BED file nor a region"),
        (["--regions", "chr1:1-7,000", "--out", "x.h5"], "ask for a part of chr1:1-6,000"),
        (["--regions", "chr9:1-70", "--out", "x.h5"], "chr9"),
        (["--regions", "empty.bed", "--out", "x.h5"], "holds no region"),
        (["--regions", "overlapping.bed", "--out", "x.bw"], "overlap"),
        (["--regions", "chr1:1-100", "--out", "x.h5", "--tracks", "assay=ChIA"], "no track matches"),
        (["--regions", "chr1:1-100", "--out", "x.h5", "--head", "yeast"], "no head 'yeast'"),
        (["--regions", "chr1:1-100", "--out", "x.h5", "--shifts", "one"], "whole numbers"),
        (["--regions", "chr1:1-100", "--out", "x.h5", "--precision", "fp8"], "fp32"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    bed(tmp_path / "overlapping.bed", "chr1\t0\t300", "chr1\t299\t400")
    bed(tmp_path / "empty.bed", "# nothing")
    before = sorted(tmp_path.iterdir())
    code, printed, said = run("predict", *options)
    assert (code, printed) == (2, "")
    assert message in said
    assert said.startswith("distal: ")
    assert said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_overlapping_regions_go_into_hdf5(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    regions = bed(tmp_path / "r.bed", "chr1\t0\t300", "chr1\t299\t400")
    assert run("predict", "--regions", regions, "--out", str(tmp_path / "x.h5"))[0] == 0


def test_an_interrupted_prediction_leaves_no_file(model: str, genome: Genome, tmp_path: Path) -> None:
    table, region = builders.TABLE, Interval("chr1", 0, 256)
    layout = predictions.Layout([region], ["."], table, 128, {})
    with (
        pytest.raises(ValueError, match="not all of the 2 bins"),
        predictions.write(tmp_path / "x.h5", layout) as values,
    ):
        values.append(np.zeros((1, 6), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_not_predictions(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"text")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["values"] = [1.0]
    for name in ("x.npz", "x.h5", "missing.h5"):
        with pytest.raises(InputError, match="does not hold predictions"):
            list(predictions.read(tmp_path / name))
    with pytest.raises(InputError, match="does not hold a mutagenesis"):
        mutagenesis.read(tmp_path / "x.h5")


@pytest.mark.parametrize("full_forward", [False, True])
@pytest.mark.parametrize("deletions", [False, True])
@pytest.mark.parametrize("rc", [False, True])
def test_ism_writes_what_the_api_gives(  # type: ignore[no-untyped-def]
    run, model: str, genome: Genome, tmp_path: Path, rc: bool, deletions: bool, full_forward: bool
) -> None:
    out, figure = tmp_path / "x.h5", tmp_path / "x.png"
    options = ["--tracks", "CAGE", "--target", "chr1:2,951-3,050", "--statistic", "difference", "--figure", str(figure)]
    flags = {"--rc": rc, "--deletions": deletions, "--full-forward": full_forward}
    options += [flag for flag, wanted in flags.items() if wanted]
    code, printed, _ = run("ism", "--region", "1:3,001-3,004", "--out", str(out), "--json", *options)
    assert code == 0
    objective = Objective("CAGE", Interval("chr1", 2950, 3050), DIFFERENCE)
    through = FullForward(load(model)) if full_forward else Incremental(load(model))
    expected = ism(through, genome, Interval("chr1", 3000, 3004), objective, rc, deletions)
    found = mutagenesis.read(out)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.codes, expected.codes)
    assert (found.deletions is None) == (expected.deletions is None) == (not deletions)
    if found.deletions is not None:
        np.testing.assert_array_equal(found.deletions, expected.deletions)
    assert (found.interval, found.target) == (expected.interval, expected.target)
    assert found.table.names == ("cage+", "cage-")
    assert found.attributes["formula"] == DIFFERENCE.formula
    assert found.attributes["full_forward"] == full_forward
    said = json.loads(printed)
    assert said["files"] == [str(out), str(figure)]
    assert (said["substitutions"], said["deletions"]) == (substitutions(found.codes), 4 * deletions)
    assert figure.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--region", "chr1:3,001-3,004", "--out", "x.bw"], "must end in .h5"),
        (["--region", "chr1:3,001-3,004", "--out", "x.h5", "--figure", "x.gif"], ".png, .svg, .pdf"),
        (["--region", "chr1:3,001-3,004", "--out", "no/x.h5"], "no is not a folder"),
        (["--region", "chr1:1,001-3,004", "--out", "x.h5"], "is not inside"),
        (["--region", "chr1:3,001", "--out", "x.h5", "--target", "chr1:1-10"], "target"),
        (["--region", "chr1", "--out", "x.h5"], "not understood"),
    ],
)
def test_ism_says_what_is_wrong(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = run("ism", *options)
    assert code == 2
    assert message in said
    assert list(tmp_path.iterdir()) == []
