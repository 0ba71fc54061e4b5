"""What the tests of scoring and of its commands share: a model folder, a genome without N, rows of variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests import builders

from distal.coords import Interval
from distal.io.fasta import Genome
from distal.io.vcf import VcfRow
from distal.models import zoo

CHROMS = ("chr1", "chr2")
SIZE = 20_000

Allele = tuple[str, int, str, str]
"""chrom, pos (1-based), ref, alt."""


def model(folder: Path, family: str = "basenji2") -> Path:
    """The random model of `builders` as a folder that `load` reads: 2,048 bp to 8 bins of 128 bp, six tracks."""
    made = builders.predictor(family)
    return zoo.save(made.module, folder / f"tiny-{family}", made.spec, {"human": builders.TABLE})


def genome(folder: Path) -> Genome:
    """`CHROMS`, each `SIZE` random bases."""
    path = folder / "g.fa"
    letters = np.random.default_rng(8).choice(list("ACGT"), (len(CHROMS), SIZE))
    path.write_text("".join(f">{name}\n{''.join(row)}\n" for name, row in zip(CHROMS, letters, strict=True)))
    return Genome(path)


def snv(genome: Genome, pos: int, turn: int = 1, chrom: str = "chr1") -> Allele:
    """The base at `pos` (1-based) to the one `turn` further in ACGT."""
    ref = genome.fetch(Interval.from_one_based(chrom, pos, pos))
    return chrom, pos, ref, "ACGT"[("ACGT".index(ref) + turn) % 4]


def alleles(genome: Genome, n: int, seed: int = 0) -> list[Allele]:
    """`n` SNVs, insertions, deletions and replacements, half on each chromosome, sorted; no two the same."""
    draw = np.random.default_rng(seed)
    found = []
    for chrom in CHROMS:
        for pos in np.sort(draw.choice(np.arange(1, SIZE - 5), n // 2, replace=False)).tolist():
            ref = genome.fetch(Interval.from_one_based(chrom, pos, pos + int(draw.integers(0, 3))))
            alt = "".join(draw.choice(list("ACGT"), int(draw.integers(1, 4))))
            found.append((chrom, pos, ref, ref + "A" if alt == ref else alt))
    return found


def rows(*alleles: Allele) -> list[VcfRow]:
    """As the rows of a VCF with one record each."""
    return [VcfRow(i + 3, i, chrom, pos, f"v{i}", ref, alt) for i, (chrom, pos, ref, alt) in enumerate(alleles)]


def write_vcf(path: Path, alleles: list[Allele]) -> Path:
    """The same rows as a file."""
    lines = [f"{chrom}\t{pos}\tv{i}\t{ref}\t{alt}\t.\t.\t.\n" for i, (chrom, pos, ref, alt) in enumerate(alleles)]
    path.write_text("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "".join(lines))
    return path
