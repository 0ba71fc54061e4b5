"""`distal eval direction` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import builders
from tests.evals.test_direction import HEADER, LETTERS, TSS, fasta

from distal.cli import main
from distal.models import zoo


def test_direction_as_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = builders.predictor("enformer")
    zoo.save(made.module, tmp_path / "model", made.spec, {"human": builders.TABLE})
    fasta(tmp_path)
    (tmp_path / "genes.bed").write_text(f"chr1\t{TSS}\t{TSS + 1}\tENSG1\t0\t+\nchr1\t{TSS}\t{TSS + 1}\tENSG2\t0\t-\n")
    lines = [
        f"ENSG{1 + i % 2}\t1\t{at + 1}\t{LETTERS[at]}\t{'ACGT'[('ACGT'.index(LETTERS[at]) + 1) % 4]}\t{(-1) ** i}\t0\n"
        for i, at in enumerate(range(TSS - 290, TSS + 310, 60))
    ]
    (tmp_path / "table.txt").write_text(HEADER + "".join(lines) + "ENSG7\t1\t100\tA\tC\t1\t0.9\n")
    words = ["eval", "direction", "--model", str(tmp_path / "model"), "--eqtls", str(tmp_path / "table.txt")]
    words += ["--genes", str(tmp_path / "genes.bed"), "--fasta", str(tmp_path / "chr1.fa")]
    rows_file = tmp_path / "rows.tsv"
    assert main([*words, "--rc", "--rows", str(rows_file), "--json"]) == 0, capsys.readouterr().err
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert [row["statistic"] for row in rows] == ["concordance"] * 4 + ["auroc", "pearson", "spearman"]
    assert rows[0]["n"] == 10
    assert "11 rows, 10 scored, 1 not_significant" in err
    assert len(rows_file.read_text().splitlines()) == 12
    assert main([*words, "--tracks", "assay=CHIP"]) == 2
    assert main([*words, "--max-distance", "1"]) == 2
    assert "none of 11 rows can be scored (10 too_far, 1 not_significant)" in capsys.readouterr().err
