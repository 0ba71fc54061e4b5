"""`distal doctor` describes the machine it runs on, for people and for machines."""

import json

import torch

from distal import cli


def test_doctor_reports_what_there_is(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DISTAL_CACHE", str(tmp_path / "not" / "yet"))
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert report["cores"] >= 1
    assert report["memory GB"] > 0.5
    assert report["torch"].startswith(torch.__version__)
    assert report[f"float32 GFLOP/s on {device}"] > 0
    assert str(tmp_path / "not" / "yet") in report["cache"]
    assert not (tmp_path / "not").exists()
    assert report["missing"]
