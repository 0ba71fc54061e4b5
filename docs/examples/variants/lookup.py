"""
Look up scores that were written before
=======================================

``distal lookup`` finds variants by place, name, alleles or gene in what ``distal score`` wrote, and in the score files
that DeepMind and Basenji publish.
"""

# %%
# Scores to look things up in: the variants of the HNF4A locus that ship with distal, between two positions.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import ask, run

demo = files("distal") / "demo"
lines = (demo / "variants.vcf").read_text().splitlines(keepends=True)
near = [
    line
    for line in lines
    if line[0] == "#" or 42_984_290 < int(line.split("\t")[1]) < 43_003_000
]
Path("near.vcf").write_text("".join(near))
run(f"""distal score --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --vcf near.vcf --out near --scores SAD,SADR_tss --genes {demo}/genes.bed --formats h5""")

# %%
# By position and alleles, on some tracks. With the genome at hand, ``orientation`` says whose allele REF is.
run(f"""distal lookup --scores near --variant chr20:42984299:T>C
        --tracks "assay=DNASE biosample~HepG2,renal" --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz""")

# %%
# On all DNase tracks, drawn.
from distal.plots.style import Figure

rows = ask("distal lookup --scores near --variant chr20:42984299:T>C --tracks assay=DNASE")
rows.sort(key=lambda row: row["SAD"])
figure = Figure(figsize=(7, 3), layout="constrained")
axes = figure.subplots()
axes.barh(
    [row["description"].removeprefix("DNASE:") for row in rows],
    [row["SAD"] for row in rows],
    color="#0072B2",
)
axes.set_xlabel("SAD of HNF4A c.-146T>C")
figure

# %%
# By name, and every variant of a region.
run("""distal lookup --scores near --id rs6103716 --tracks "assay=DNASE biosample~HepG2" """)
run(
    'distal lookup --scores near --region chr20:42,999,000-43,003,000 --tracks "assay=DNASE biosample~HepG2"'
)

# %%
# What the variants do at the start sites of a gene.
run("""distal lookup --scores near --gene HNF4A --region chr20:42,984,299-42,984,299
        --tracks "assay=CAGE biosample~epithelial,neuroblastoma,monocyte" """)
