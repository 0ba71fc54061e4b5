"""The README's commands run as they are printed: the session on the shipped locus, scoring with tiny models."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests import builders
from tests.scoring import small

from distal.cli import app, main
from distal.cli.demo import FASTA
from distal.models import zoo

ROOT = Path(__file__).parents[1]
VCF = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr20\t42984264\tMODY1\tG\tA\t.\t.\t.
chr20\t42984265\twrong\tN\tA\t.\t.\t.
"""
SHARDS = 7


def blocks(language: str, section: str = "") -> list[str]:
    """The code blocks of the README, or of one of its sections."""
    text = (ROOT / "README.md").read_text()
    if section:
        (text,) = re.findall(rf"^## {section}\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(block: str) -> Iterator[list[str]]:
    """The command lines of a shell script, as words; one for each job of an array."""
    for line in block.replace("\\\n", " ").splitlines():
        jobs = range(1, SHARDS + 1) if "$SLURM_ARRAY_TASK_ID" in line else [0]
        for job in jobs:
            if words := shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", str(job)), comments=True):
                yield words


def test_the_session_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (session,) = blocks("python")
    (tmp_path / "variants.vcf").write_text(VCF)
    monkeypatch.chdir(tmp_path)
    exec(session.replace("hg19.fa.gz", str(FASTA)), {})
    predicted, scored = capsys.readouterr().out.splitlines()
    assert predicted.endswith("(10, 1)")  # 1,280 bp are ten bins of 128 bp; one DNase track of HepG2
    assert "'scored': 1" in scored


def test_scoring_runs_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    genome = small.genome(tmp_path)
    variant = small.snv(genome, 500)
    rows = sorted([variant, *small.alleles(genome, 120)])
    small.write_vcf(tmp_path / "cohort.vcf.gz", rows)  # told by content, so it may be plain text
    (tmp_path / "gencode.gtf.gz").write_text(
        'chr1\tx\ttranscript\t600\t900\t.\t+\t.\tgene_id "g"; transcript_id "t"; gene_name "G";\n'
    )
    for family in ("enformer", "basenji2"):
        made = builders.predictor(family)
        spec = replace(made.spec, name=f"{family}-mini")
        zoo.save(made.module, tmp_path / spec.name, spec, {"human": builders.TABLE})
    monkeypatch.setattr(zoo, "SHIPPED", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    theirs = {"hg19.fa.gz": genome.path.name, "chr20:42984264:G>A": "{}:{}:{}>{}".format(*variant), "8": "1"}
    for words in (words for block in blocks("sh", "Score your variants") for words in commands(block)):
        if words[0] == "ray":
            continue
        assert words[0] == "distal"
        if "ray" in words:
            app.parse_args(words[1:], exit_on_error=False, print_error=False)  # there is no cluster here
            continue
        code = main([theirs.get(word, word) for word in words[1:]])
        assert code == 0, (words, capsys.readouterr().err)
    for made_of in (
        "scores/annotated.vcf.gz",
        "array/scores/chr1.h5",
        "calibrated/summary.json",
        "compared/tracks.tsv",
    ):
        assert (tmp_path / made_of).is_file()
    assert not (tmp_path / "cluster").exists()
