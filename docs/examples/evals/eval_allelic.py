"""
Allele-specific accessibility
=============================

``distal eval allelic`` asks whether the predicted effect of a SNV goes the way that the reads of heterozygotes do.
"""

# %%
# SNPs of the locus at which both alleles were seen in HepG2, in UDACHA's columns. Their imbalance did not come with them:
# random numbers stand for it, so that the answer is known to be none.
from importlib.resources import files
from pathlib import Path

import numpy as np

from distal.cli.notebook import ask

demo = files("distal") / "demo"
snps = [
    line.split("\t")
    for line in (demo / "variants.vcf").read_text().splitlines()
    if "SOURCE=HepG2_open" in line
][:16]
noise = np.random.default_rng(0).normal(size=len(snps))
rows = [
    f"{chrom}\t{int(pos) - 1}\t{pos}\t{ref}\t{alt}\t0\t{value:.3f}\n"
    for (chrom, pos, _, ref, alt, *_), value in zip(snps, noise)
]
Path("HepG2.tsv").write_text(
    "#chr\tstart\tend\tref\talt\tref_comb_es\talt_comb_es\n" + "".join(rows)
)
rows = ask(f"""distal eval allelic --model basenji2-mini --data HepG2.tsv
        --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz --tracks "assay=DNASE biosample~HepG2" """)

# %%
# Each number with its 95 % bootstrap interval. In a terminal the same command prints a table.
from distal import plots
from distal.plots.benchmarks import Mark

model, shown = "basenji2-mini", ("value", "low", "high")
marks = [Mark(row["statistic"], row["name"], model, *(row[x] for x in shown)) for row in rows]
plots.intervals(marks)
