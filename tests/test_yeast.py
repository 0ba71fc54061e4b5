"""docs/yeast.md runs as it is printed, on the real files, with a few steps of training."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from distal.cli import main
from distal.data import dataset
from distal.io import bigwig
from distal.predictor import load

DOCS = Path(__file__).parents[1] / "docs"
PACKED, PLAIN = "sacCer3.fa.gz", "sacCer3.fa"


def commands() -> list[list[str]]:
    """The command lines of the page, as words."""
    script = "".join(re.findall(r"```sh\n(.*?)```", (DOCS / "yeast.md").read_text(), re.DOTALL))
    return [shlex.split(line) for line in script.replace("\\\n", " ").splitlines()]


@pytest.mark.shared
@pytest.mark.slow
def test_the_page_runs(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in [*(shared / "data" / "tracks" / "yeast").iterdir(), *(DOCS / "yeast").iterdir()]:
        shutil.copyfile(file, tmp_path / file.name)
    monkeypatch.chdir(tmp_path)
    unpack, *steps = commands()
    assert unpack == ["gunzip", "-c", PACKED, ">", PLAIN]
    Path(PLAIN).write_bytes(gzip.decompress(Path(PACKED).read_bytes()))
    tables = []
    for words in steps:
        assert words[0] == "distal"
        more = {"train": ["--steps", "2"], "eval": ["--json"]}.get(words[1], [])
        assert main([*words[1:], *more]) == 0, (words, capsys.readouterr().err)
        printed = capsys.readouterr().out
        tables += [json.loads(printed)] if words[1] == "eval" else []
    _the_data_set_is_that_of_the_page()
    yeast, cohesin = tables
    assert (yeast["windows"], yeast["bins"], len(yeast["tracks"])) == (65, 65 * 96, 8)
    assert yeast["genes"] > 300  # on chromosome II
    scores = {track["name"]: track for track in yeast["tracks"]}
    # the bar of docs/yeast.md; two steps of training are far below it
    assert min(scores[name]["kmer_pearson"] for name in ("rna+", "rna-")) > 0.6
    assert min(scores[name]["kmer_tss_spearman"] for name in ("tss_wt+", "tss_wt-")) > 0.1
    assert [track["name"] for track in cohesin["tracks"]] == ["scc1"]
    assert load("runs/cohesin/cohesin", "cohesin").spec.provenance["config"]["finetune"]["mode"] == "lora"


def _the_data_set_is_that_of_the_page() -> None:
    test = dataset.load("yeast", "test", 128)
    counts = [len(dataset.load("yeast", split, 128)) for split in ("train", "valid")]
    assert (counts, len(test), {interval.chrom for interval in test.intervals}) == ([343, 22], 65, {"chrII"})
    measured = test.intervals[7].clip(test.intervals[7].start + 2048, test.intervals[7].end - 2048)
    mean = bigwig.read_bins("RNA.rev.bw", measured, 128, "mean")
    np.testing.assert_allclose(test.targets(7, 0, 96)[:, 1], np.sqrt(1 + mean) - 1, rtol=1e-3, atol=1e-3)
