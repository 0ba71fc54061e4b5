"""
Annotations for heritability methods
====================================

``distal disease annot`` writes scores as annotations for SLDP (signed) or LDSC (sizes), a file for each chromosome.
"""

# %%
# Scores of the SNPs of the locus, and the reference panel's list of variants, which LDSC wants back in its own order.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

demo = files("distal") / "demo"
rows = [
    line.split("\t")
    for line in (demo / "variants.vcf").read_text().splitlines()
    if "SOURCE=eQTL" in line
]
Path("panel.tsv").write_text(
    "chrom\tpos\tid\tref\talt\n" + "".join("\t".join(row[:5]) + "\n" for row in rows)
)
Path("panel.20.bim").write_text(
    "".join(f"20\t{row[2]}\t0\t{row[1]}\t{row[4]}\t{row[3]}\n" for row in rows)
)
run(f"""distal score --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --vcf panel.tsv --out leads --formats h5""")

# %%
# Signed scores of the DNase tracks for SLDP; the sizes of them for LDSC.
run(
    'distal disease annot --scores leads --kind signed --bim panel.@.bim --tracks "assay=DNASE" --out sldp'
)
run(
    'distal disease annot --scores leads --kind size --bim panel.@.bim --tracks "assay=DNASE" --out ldsc'
)

# %%
import polars as pl

pl.read_csv("sldp/20.sannot.gz", separator="\t")

# %%
# Variants from top to bottom, annotations from left to right.
import numpy as np

from distal.plots.style import Figure

signed = pl.read_csv("sldp/20.sannot.gz", separator="\t").select(pl.col(pl.Float64)).to_numpy()
figure = Figure(figsize=(6, 2.4), layout="constrained")
axes = figure.subplots()
most = np.abs(signed).max()
figure.colorbar(
    axes.imshow(signed, aspect="auto", cmap="RdBu", vmin=-most, vmax=most), label="signed score"
)
axes.set_xlabel("DNase tracks")
axes.set_yticks(range(len(rows)), [row[2] for row in rows])
figure
