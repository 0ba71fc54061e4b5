"""The VCF for VEP's Enformer plugin, made of a run: one number a score, and what the plugin cannot be given."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pysam
import pytest
from tests import builders
from tests.scoring import small

from distal.errors import InputError
from distal.io.fasta import Genome
from distal.scoring import vep
from distal.scoring.components import fit
from distal.scoring.variants import score_variants


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


def run(genome: Genome, out: Path, rows: list[small.Allele], scores: tuple[str, ...] = ("SAD", "SAR")) -> Path:
    score_variants(builders.predictor("basenji2"), genome, small.rows(*rows), out, scores, dtype="float32", threads=1)
    return out


def test_one_number_a_score(genome: Genome, tmp_path: Path) -> None:
    shuffled = small.alleles(genome, 40)[::-1]
    chrom, pos, _, alt = small.snv(genome, 77)
    out = run(genome, tmp_path / "run", [*shuffled, (chrom, pos, "N", alt)])
    components = fit([out], "SAD", 3)
    assert vep.write(out, components, tmp_path / "vep.vcf.gz") == 40
    with h5py.File(out / "scores" / "chr1.h5") as file:
        pos, sad, sar = file["pos"][:], file["SAD"][:], file["SAR"][:]
    with pysam.VariantFile(str(tmp_path / "vep.vcf.gz")) as file:
        records = list(file.fetch("chr1"))
    assert [record.pos for record in records] == sorted(record.pos for record in records)
    assert 77 not in [record.pos for record in records]  # it has no scores
    for record in records:
        (row,) = np.flatnonzero(pos == record.pos)
        assert list(record.info) == ["PC1", "PC2", "PC3", "SAD", "SAR"]
        for name, values in (("SAD", sad[row]), ("SAR", sar[row])):
            assert record.info[name] == pytest.approx(values[np.abs(values).argmax()], rel=1e-4)
        expected = components(sad[row][None])[0]
        assert [record.info[f"PC{i}"] for i in (1, 2, 3)] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-4)


def test_what_the_plugin_cannot_be_given(genome: Genome, tmp_path: Path) -> None:
    rows = small.alleles(genome, 20)
    out = run(genome, tmp_path / "sad", rows, ("SAD",))
    components = fit([out], "SAD", 2)
    with pytest.raises(InputError, match="has no SAR"):
        vep.write(out, components, tmp_path / "vep.vcf.gz")
    _, pos, ref, alt = small.snv(genome, 77)
    out = run(genome, tmp_path / "both", [*rows, ("1", pos, ref, alt)])
    with pytest.raises(InputError, match="on 1 and on chr1"):
        vep.write(out, components, tmp_path / "vep.vcf.gz")
    assert not (tmp_path / "vep.vcf.gz").exists()
