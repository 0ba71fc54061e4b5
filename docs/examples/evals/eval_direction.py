"""
Which way does an eQTL go?
==========================

``distal eval direction`` asks whether a model predicts that ALT raises or lowers its gene, by distance to the start site
and by strength of the prediction.
"""

# %%
# GTEx's columns: SNPs of the locus with the gene that starts nearest. The slopes are random numbers, so that half of the
# signs are right by construction.
from importlib.resources import files
from pathlib import Path

import numpy as np

import distal
from distal.cli.notebook import ask

demo = files("distal") / "demo"
genes = distal.Genes.read(demo / "genes.bed")
snps = [
    line.split("\t")
    for line in (demo / "variants.vcf").read_text().splitlines()
    if "SOURCE=HepG2_open" in line
][:16]
slopes = np.random.default_rng(0).normal(size=len(snps))
rows = ["gene_id\tchr\tpos\tref\talt\tslope\n"]
for (chrom, pos, _, ref, alt, *_), slope in zip(snps, slopes):
    _, gene = genes.tss_distance(chrom, int(pos) - 1)
    rows.append(f"{gene.id}\t{chrom}\t{pos}\t{ref}\t{alt}\t{slope:.3f}\n")
Path("egenes.txt").write_text("".join(rows))
rows = ask(f"""distal eval direction --model basenji2-mini --eqtls egenes.txt
        --genes {demo}/genes.bed --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz --rows rows.tsv""")

# %%
# Each number with its 95 % bootstrap interval. In a terminal the same command prints a table.
from distal import plots
from distal.plots.benchmarks import Mark

model, shown = "basenji2-mini", ("value", "low", "high")
marks = [Mark(row["statistic"], row["name"], model, *(row[x] for x in shown)) for row in rows]
plots.intervals(marks)

# %%
# Every row is accounted for.
import polars as pl

pl.read_csv("rows.tsv", separator="\t", null_values=["NA", "nan"]).head(5)
