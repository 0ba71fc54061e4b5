"""What tests of scoring at the command line share: a tiny model, a genome, and a way to run a verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.scoring import small

from distal.cli import main
from distal.io.fasta import Genome

Call = Callable[..., tuple[int, str, str]]
"""Words of a command line -> exit code, stdout, stderr."""


@pytest.fixture(scope="session")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    """Two chromosomes of 20,000 bases."""
    return small.genome(tmp_path_factory.mktemp("genome"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that reads 2,048 bp."""
    return small.model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `distal` with some words."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def score(call: Call, model: Path, genome: Genome) -> Call:
    """Run `distal score` with the tiny model and genome."""

    def run(*options: object) -> tuple[int, str, str]:
        return call("score", "--model", model, "--fasta", genome.path, "--threads", 1, *options)

    return run


@pytest.fixture
def variants(genome: Genome, tmp_path: Path) -> Path:
    """82 rows: 80 of all kinds, one that adds a symbolic ALT."""
    chrom, pos, ref, alt = small.snv(genome, 12_345)
    return small.write_vcf(tmp_path / "v.vcf", [*small.alleles(genome, 80), (chrom, pos, ref, f"{alt},<DEL>")])
