"""All variants of a real cohort through the command line: every row has a status, whoever computes, the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import pytest
from tests.scoring import small

pytestmark = [pytest.mark.shared, pytest.mark.slow]

VARIANTS = 24_990
SHARED_OUT = 6_000
"""How many of them are scored once more by each way of sharing the work."""
COMMAND = [sys.executable, "-c", "import sys; from distal.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def vcf(shared: Path) -> Path:
    return shared / "data" / "eqtl" / "1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"


@pytest.fixture(scope="module")
def fasta(shared: Path) -> Path:
    return shared / "data" / "sequence" / "GRCh37_chr20.fa.gz"


def score(out: Path, model: Path | str, fasta: Path, vcf: Path, *options: str) -> Any:
    """What `distal score` prints as JSON."""
    arguments = [
        "score",
        "--model",
        model,
        "--fasta",
        fasta,
        "--vcf",
        vcf,
        "--out",
        out,
        "--json",
    ]
    command = [*COMMAND, *map(str, arguments), "--threads", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def contents(out: Path) -> dict[str, str]:
    """A digest of every data set, of the text of every TSV, and of every Parquet file."""
    found = {}
    for path in sorted((out / "scores").glob("*.h5")):
        with h5py.File(path) as file:
            found |= {f"{path.name}/{name}": digest(data[:].tobytes()) for name, data in file.items()}
    for path in sorted((out / "pcs").glob("*.tsv.gz")):
        found[path.name] = digest(gzip.decompress(path.read_bytes()))
    for path in sorted((out / "parquet").glob("*.parquet")):
        found[path.name] = digest(path.read_bytes())
    assert {name.rpartition(".")[2] for name in found} >= {"gz", "parquet"}
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, model: Path, fasta: Path, vcf: Path) -> Path:
    """Scored by one process."""
    out = tmp_path_factory.mktemp("alone")
    score(out, model, fasta, vcf, "--formats", "h5,parquet,tsv")
    return out


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory, vcf: Path) -> Path:
    return head(vcf, tmp_path_factory.mktemp("some") / "some.vcf", SHARED_OUT)


@pytest.fixture(scope="module")
def some_alone(tmp_path_factory: pytest.TempPathFactory, model: Path, fasta: Path, some: Path) -> Path:
    """These scored by one process."""
    out = tmp_path_factory.mktemp("some-alone")
    score(out, model, fasta, some, "--formats", "h5,parquet,tsv")
    return out


def test_every_record_has_a_status(alone: Path, vcf: Path) -> None:
    summary = json.loads((alone / "summary.json").read_text())
    with gzip.open(vcf, "rt") as file:
        alleles = sum(line.split("\t", 5)[4].count(",") + 1 for line in file if not line.startswith("#"))
    assert summary["n_in"] == sum(summary["statuses"].values()) == alleles == VARIANTS
    assert summary["statuses"]["scored"] > 0.99 * VARIANTS
    with h5py.File(alone / "scores" / "20.h5") as file:
        assert len(file["SAD"]) == VARIANTS


@pytest.mark.parametrize("how", ["2 processes", "ray", "7 shards"])
def test_whoever_computes_the_bytes_are_the_same(
    some_alone: Path, model: Path, fasta: Path, some: Path, tmp_path: Path, how: str
) -> None:
    options = ["--formats", "h5,parquet,tsv"]
    if how == "ray":
        pytest.importorskip("ray")
        options += ["--engine", "ray"]
    if how == "7 shards":
        for i in range(7):
            score(tmp_path, model, fasta, some, "--shard", f"{i + 1}/7")
    else:
        options += ["--workers", "2"]
    score(tmp_path, model, fasta, some, *options)
    assert contents(tmp_path) == contents(some_alone)


def test_a_trained_model_too(fasta: Path, vcf: Path, tmp_path: Path) -> None:
    few = head(vcf, tmp_path / "few.vcf", 60)
    for out, options in (("one", ["--workers", "1"]), ("two", ["--workers", "2"])):
        score(tmp_path / out, "basenji2-mini", fasta, few, "--formats", "h5,parquet,tsv", *options)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def head(vcf: Path, path: Path, records: int) -> Path:
    """The first records of a VCF, without its genotypes."""
    with gzip.open(vcf, "rt") as file, path.open("w") as out:
        out.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n")
        for line in islice((line for line in file if not line.startswith("#")), records):
            out.write("\t".join(line.split("\t", 5)[:5]) + "\n")
    return path


PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def test_memory_does_not_grow_with_the_cohort(model: Path, fasta: Path, vcf: Path, tmp_path: Path) -> None:
    peaks = {}
    for n in (2_500, VARIANTS):
        some = head(vcf, tmp_path / f"{n}.vcf", n)
        options = ["--model", model, "--fasta", fasta, "--vcf", some, "--out", tmp_path / str(n)]
        command = [sys.executable, "-c", PEAK, *COMMAND, "score", *map(str, options), "--formats", "h5,tsv"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr
        peaks[n] = int(done.stdout)
    assert peaks[VARIANTS] <= 1.05 * peaks[2_500], f"{peaks} kB"
