"""
What did the derived allele do?
===============================

``distal evolution polarise`` turns scores of ALT against REF into scores of derived against ancestral alleles, and says
which way each track moved.
"""

# %%
# A list of changes with their ancestral alleles. Which allele of these SNPs is the ancestral one is invented here; the
# 1000 Genomes' VCF files have it as AA, and differences of human and chimpanzee are written in the same columns.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

demo = files("distal") / "demo"
snps = [
    line.split("\t")
    for line in (demo / "variants.vcf").read_text().splitlines()
    if "SOURCE=HepG2_open" in line
]
rows = ["chrom\tpos\tid\tancestral\tderived"]
for i, (chrom, pos, name, ref, alt, *_) in enumerate(snps[:16]):
    rows.append("\t".join((chrom, pos, name, *((ref, alt) if i % 3 else (alt, ref)))))
Path("changes.tsv").write_text("\n".join(rows) + "\n")

# %%
# ``--ref-mismatch swap`` scores a change whichever of the two alleles the genome has.
run(f"""distal score --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --vcf changes.tsv --ref-mismatch swap --out changes --formats h5
        --tracks assay=DNASE,ATAC""")
run("distal evolution polarise --scores changes --alleles changes.tsv --out polarised")

# %%
import polars as pl

pl.read_csv("polarised/tracks.tsv", separator="\t").head(5)

# %%
# The share of the changes that raised each track, beside the half that chance would.
from distal.plots.style import Figure

table = pl.read_csv("polarised/tracks.tsv", separator="\t").sort("up")
figure = Figure(figsize=(7, 3), layout="constrained")
axes = figure.subplots()
axes.barh(table["description"].to_list(), table["up"].to_list(), color="#009E73")
axes.axvline(0.5, color="#222222", ls=":")
axes.set_xlabel("share of derived alleles that raise the track")
figure
