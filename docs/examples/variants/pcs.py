"""
Scores as principal components
==============================

Thousands of tracks say much the same. ``distal pcs fit`` finds the components of scores as the published ones were
made, ``distal pcs apply`` turns scores into them, ``distal pcs info`` says which tracks weigh most in each.
"""

# %%
# Scores of every substitution at 9 positions of *HNF4A*'s promoter.
from importlib.resources import files
from pathlib import Path

import distal
from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
first = 42_984_298  # counted from 0
letters = distal.Genome(fasta).fetch(distal.Interval("chr20", first, first + 9))
rows = [
    (first + i + 1, ref, alt) for i, ref in enumerate(letters) for alt in "ACGT" if alt != ref
]
Path("every.tsv").write_text(
    "chrom\tpos\tref\talt\n"
    + "".join(f"chr20\t{pos}\t{ref}\t{alt}\n" for pos, ref, alt in rows)
)
run(f"""distal score --model basenji2-mini --fasta {fasta} --vcf every.tsv --out every
        --formats h5""")

# %%
# Fit, and look at what the components are made of.
run("distal pcs fit every --out every.safetensors --components 4")
run("distal pcs info every.safetensors --top 3")

# %%
# Applied to a folder of scores they become a table with a tabix index, a line for each variant.
run("distal pcs apply every --pcs every.safetensors")

# %%
import polars as pl

components = pl.read_csv("every/pcs/chr20.tsv.gz", separator="\t")
components.head(4)

# %%
# The first component along the promoter: where a substitution changes most.
from distal import plots

values = components["PC1"].to_numpy(), components["PC2"].to_numpy()
plots.scatter(*values, ("PC1", "PC2"), title="27 substitutions of HNF4A's promoter")
