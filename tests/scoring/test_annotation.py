"""Scores as INFO: the right numbers at the right allele, whatever the order of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam
import pytest
from tests import builders
from tests.scoring import small

from distal.errors import InputError
from distal.io import vcf
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.io.scores import Scores
from distal.scoring.annotation import annotate
from distal.scoring.components import fit
from distal.scoring.run import score_file
from distal.scoring.scorers import Scorer, d2
from distal.scoring.variants import score_variants


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return small.genome(tmp_path_factory.mktemp("genome"))


@pytest.mark.parametrize("with_components", [False, True])
def test_every_allele_gets_its_own_numbers(genome: Genome, tmp_path: Path, with_components: bool) -> None:
    some = small.alleles(genome, 600)
    mixed = [some[i] for i in np.random.default_rng(0).permutation(600)]  # chromosomes and positions in any order
    chrom, pos, ref, alt = small.snv(genome, 777)
    source = small.write_vcf(tmp_path / "v.vcf", [*mixed, (chrom, pos, ref, f"{alt},<DEL>,{ref}A")])
    scorers = ("SAD", "SAR", Scorer("my-D2", d2, 'distance, "squared"'))
    summary = score_variants(
        builders.predictor("basenji2", 32), genome, vcf.read(source), tmp_path / "run", scorers, dtype="float32"
    )
    components = fit([tmp_path / "run"], n=3) if with_components else None
    annotate(source, tmp_path / "run", summary.facts["formulas"], tmp_path / "a.vcf.gz", components)
    expected = by_allele(tmp_path / "run")
    seen = 0
    with pysam.VariantFile(str(tmp_path / "a.vcf.gz")) as file:
        assert file.header.info["DISTAL_my_D2"].number == "A"
        for record in file:
            for i, alt in enumerate(record.alts or ()):
                status, values = expected[record.chrom, record.pos, record.ref, alt]
                info = {key: record.info[key][i] for key in record.info}
                assert info["DISTAL_STATUS"] == status
                assert ("DISTAL_PC3" in info) == with_components
                if status != "scored":
                    assert info["DISTAL_SAD"] is None
                    assert info["DISTAL_SAD_TRACK"] in (None, ".")
                    continue
                for score, key in (("SAD", "SAD"), ("SAR", "SAR"), ("my-D2", "my_D2")):
                    column = np.abs(values[score]).argmax()
                    assert info[f"DISTAL_{key}"] == pytest.approx(values[score][column], rel=1e-5)
                    assert info[f"DISTAL_{key}_TRACK"] == builders.TABLE.names[column]
                if components is not None:
                    pcs = [info[f"DISTAL_{name}"] for name in components.names]
                    np.testing.assert_allclose(pcs, components(values["SAD"][None])[0], rtol=1e-4, atol=1e-5)
                seen += 1
    assert seen == summary.statuses["scored"] == 602


@pytest.mark.parametrize("scores", [("SADR_gene",), ("SADR_gene", "SAD")])
def test_scores_on_genes_are_left_out(genome: Genome, tmp_path: Path, scores: tuple[str, ...]) -> None:
    exon = 'chr1\tx\texon\t700\t900\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; gene_name "A";\n'
    (tmp_path / "g.gtf").write_text(exon)
    genes = Genes.read(tmp_path / "g.gtf")
    source = small.write_vcf(tmp_path / "v.vcf", [small.snv(genome, 777), small.snv(genome, 800)])
    predictor = builders.predictor("basenji2")
    summary = score_variants(predictor, genome, vcf.read(source), tmp_path / "run", scores, genes=genes)
    assert summary is not None
    annotate(source, tmp_path / "run", summary.facts["formulas"], tmp_path / "a.vcf.gz")
    with Scores(score_file(tmp_path / "run", "chr1")) as opened:
        block = opened.read(slice(None))
    assert block.genes is not None
    assert [(gene.id, gene.tss_distance) for gene in block.genes.genes] == [("g1", 77), ("g1", 100)]
    with pysam.VariantFile(str(tmp_path / "a.vcf.gz")) as file:
        keys = {"DISTAL_STATUS", *(("DISTAL_SAD", "DISTAL_SAD_TRACK") if "SAD" in scores else ())}
        assert set(file.header.info) == keys
        assert [set(record.info) for record in file] == [keys, keys]


def by_allele(folder: Path) -> dict[tuple[str, int, str, str], tuple[str, dict[str, np.ndarray]]]:
    found = {}
    for chrom in small.CHROMS:
        with Scores(score_file(folder, chrom)) as scores:
            block = scores.read(slice(None))
        for i, row in enumerate(block.rows):
            values = {name: matrix[i] for name, matrix in block.values.items()}
            found[row.chrom, row.pos, row.ref, row.alt] = row.status, values
    return found


def test_another_vcf_than_was_scored(genome: Genome, tmp_path: Path) -> None:
    some = small.alleles(genome, 20)
    rows = vcf.read(small.write_vcf(tmp_path / "v.vcf", some))
    summary = score_variants(builders.predictor("basenji2"), genome, rows, tmp_path / "run")
    for changed in (some[::-1], [*some, some[-1]]):
        other = small.write_vcf(tmp_path / "other.vcf", changed)
        with pytest.raises(InputError, match=r"line \d+ of the VCF is not what was scored"):
            annotate(other, tmp_path / "run", summary.facts["formulas"], tmp_path / "a.vcf.gz")
    assert not (tmp_path / "a.vcf.gz").exists()
