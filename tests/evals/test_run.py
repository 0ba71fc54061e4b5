"""Evaluation against predictions and correlations made one window at a time here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests import builders
from tests.data import tiny

from distal import dna
from distal.cli.console import emit
from distal.coords import Window
from distal.errors import InputError
from distal.evals.run import evaluate
from distal.io.genes import Genes
from distal.predictor import Predictor
from distal.tracks import TrackTable

SCORES = ("pearson", "r2", "tss_pearson", "tss_spearman")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "set", test=3)


@pytest.fixture(scope="module", params=["enformer", "basenji2"])
def predictor(request: pytest.FixtureRequest) -> Predictor:
    """Reads 2,048 bp and says 8 bins of 128 bp, for the three tracks of the data."""
    six = builders.predictor(request.param)
    module, config = six.module, replace(six.spec.config, heads={"human": 3})
    module.heads["human"].weight.data = module.heads["human"].weight.data[:3]
    module.heads["human"].bias.data = module.heads["human"].bias.data[:3]
    return replace(six, spec=replace(six.spec, config=config, targets={"human": "targets.txt"}), tracks=tiny.TABLE)


def predicted(predictor: Predictor, codes: np.ndarray, rc: bool) -> np.ndarray:
    """The 16 measured bins of a window of 4,096 bp: two tiles of 8 bins, 512 bp around each."""
    tiles = []
    for first in (0, 8):
        start = 1024 + 128 * first - 512
        piece = codes[start : start + 2048]
        value = predictor(piece[None])[0]
        if rc:
            other = predictor(dna.reverse_complement(piece)[None])[0][::-1]
            value = (value + other[:, [1, 0, 2]]) / 2
        tiles.append(value)
    return np.concatenate(tiles)


@pytest.mark.parametrize("rc", [False, True])
def test_it_is_numpys_correlation_over_all_bins(predictor: Predictor, data: Path, rc: bool) -> None:
    result = evaluate(predictor, data, "test", rc)
    records = [tiny.example(8 + i) for i in range(3)]  # behind 6 training and 2 validation windows
    p = np.concatenate([predicted(predictor, record.codes, rc) for record in records]).astype(np.float64)
    t = np.concatenate([record.targets.reshape(16, 4, 3).sum(axis=1) for record in records]).astype(np.float64)
    assert (result.windows, result.bins, result.bin_bp, result.rc) == (3, 48, 128, rc)
    r = [np.corrcoef(p[:, i], t[:, i])[0, 1] for i in range(3)]
    r2 = 1 - ((t - p) ** 2).sum(axis=0) / ((t - t.mean(axis=0)) ** 2).sum(axis=0)
    assert [track.pearson for track in result.tracks] == pytest.approx(r, abs=1e-5)
    assert [track.r2 for track in result.tracks] == pytest.approx(r2, rel=1e-4)
    assert [(a.assay, a.tracks) for a in result.assays] == [("CAGE", 2), ("DNASE", 1)]
    assert [a.pearson for a in result.assays] == pytest.approx([(r[0] + r[1]) / 2, r[2]], abs=1e-5)
    assert result.pearson == pytest.approx(np.mean(r), abs=1e-5)
    assert [(track.channel, track.name, track.biosample) for track in result.tracks][2] == (2, "dnase", "HepG2")


def test_the_split_and_the_batch_size(predictor: Predictor, data: Path) -> None:
    test = evaluate(predictor, data)
    assert test.split == "test"
    assert evaluate(predictor, data, "valid").windows == 2
    one = evaluate(replace(predictor, batch_size=1), data)
    assert one.pearson == pytest.approx(test.pearson, abs=1e-5)


def test_a_result_is_a_table_and_json(predictor: Predictor, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = evaluate(predictor, data)
    assert [row["assay"] for row in result.table()] == ["CAGE", "DNASE", "all"]
    assert [row["tracks"] for row in result.table()] == [2, 1, 3]
    emit(result, json=True)
    written = json.loads(capsys.readouterr().out)
    assert written["tracks"][1]["pearson"] == result.tracks[1].pearson
    assert written["assays"][0]["assay"] == "CAGE"


def test_a_model_of_other_tracks_is_refused(predictor: Predictor, data: Path) -> None:
    with pytest.raises(InputError, match=r"\(head human\) has 6 tracks, .* has 3; choose the head"):
        evaluate(builders.predictor("basenji2"), data)
    swapped = TrackTable(tuple(replace(tiny.TABLE.rows[i], index=k) for k, i in enumerate((1, 0, 2))))
    with pytest.raises(InputError, match=r"channel 0 of .* is cage-, in .*targets\.txt it is cage\+"):
        evaluate(replace(predictor, tracks=swapped), data)
    nameless = replace(predictor, tracks=swapped, spec=replace(predictor.spec, targets={}))
    assert evaluate(nameless, data).pearson == evaluate(predictor, data).pearson


def test_a_model_that_reads_more_than_the_records_is_refused(predictor: Predictor, data: Path) -> None:
    config = replace(predictor.spec.config, input_bp=8192, bins=16)
    assert config.window == Window(8192, 128, 16)
    with pytest.raises(InputError, match="give the genome"):
        evaluate(replace(predictor, spec=replace(predictor.spec, config=config)), data)


ANNOTATION = "".join(
    f"chr1\t{start}\t{start + 1}\tg{start}{strand}\t0\t{strand}\n"
    for start in range(80_000, 110_000, 300)
    for strand in "+-"
)


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("annotated", [False, True])
def test_start_sites_and_the_baseline_are_asked_for(
    predictor: Predictor, data: Path, tmp_path: Path, annotated: bool, baseline: bool
) -> None:
    (tmp_path / "genes.bed").write_text(ANNOTATION)
    genes = Genes.read(tmp_path / "genes.bed") if annotated else None
    result = evaluate(predictor, data, "test", genes=genes, baseline=baseline)
    names = [f"{by}{name}" for by in ["", "kmer_"][: 1 + baseline] for name in SCORES[: 4 if annotated else 2]]
    assert list(result.table()[0]) == ["assay", "tracks", *names]
    assert list(result.by_track()[0]) == ["track", "assay", *names]
    assert [track.pearson for track in result.tracks] == [
        track.pearson for track in evaluate(predictor, data, "test").tracks
    ]
    assert (result.genes > 0) == annotated
    for row in (*result.tracks, *result.assays):
        assert (row.tss_pearson is None, row.kmer_pearson is None) == (not annotated, not baseline)
    for name in names:  # the assay CAGE has tracks 0 and 1
        mean = np.mean([getattr(track, name) for track in result.tracks[:2]])
        assert getattr(result.assays[0], name) == pytest.approx(mean, nan_ok=True)


def test_the_baseline_finds_what_letters_say(predictor: Predictor, data: Path) -> None:
    """The signal counts G and C; a random network knows nothing of that."""
    result = evaluate(predictor, data, "test", baseline=True)
    assert all(track.kmer_pearson > max(0.8, track.pearson) for track in result.tracks)


def test_genes_elsewhere_are_refused(predictor: Predictor, data: Path, tmp_path: Path) -> None:
    (tmp_path / "genes.bed").write_text("chr2\t80000\t80001\tg\t0\t+\n")
    with pytest.raises(InputError, match="no gene starts in the windows"):
        evaluate(predictor, data, "test", genes=Genes.read(tmp_path / "genes.bed"))
    bare = tiny.folder(tmp_path / "bare")
    (bare / "sequences.bed").unlink()
    with pytest.raises(InputError, match=r"no sequences\.bed"):
        evaluate(predictor, bare, "test", genes=Genes.read(tmp_path / "genes.bed"))
