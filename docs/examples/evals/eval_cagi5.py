"""
Saturation mutagenesis
======================

``distal eval cagi5`` compares predicted with measured effects of every substitution in the elements of the CAGI5
challenge, by two published protocols.
"""

# %%
# One of the 15 elements ships with distal: *HNF4A*'s P2 promoter (Kircher et al. 2019), a part of it here. The challenge
# gives a confidence between 0 and 1, of which 0.1 is about p = 1e-5.
import math
from importlib.resources import files
from pathlib import Path

import polars as pl

from distal.cli.notebook import ask

demo = files("distal") / "demo"
table = pl.read_csv(demo / "measured.tsv", separator="\t").filter(
    pl.col("alt") != "-", pl.col("tags") >= 10, pl.col("pos").is_between(42_984_250, 42_984_340)
)
rows = ["#Chrom\tPos\tRef\tAlt\tValue\tConfidence"]
for row in table.iter_rows(named=True):
    confidence = min(1.0, -math.log10(max(row["p_value"], 1e-50)) / 50)
    rows.append(
        f"20\t{row['pos']}\t{row['ref']}\t{row['alt']}\t{row['effect']}\t{confidence:.3f}"
    )
Path("release").mkdir(exist_ok=True)
Path("release/release_HNF4A.tsv").write_text("\n".join(rows) + "\n")

# %%
# ``--untrained`` leaves the LASSO out. :doc:`/benchmarks` has the whole element, all elements and larger models.
rows = ask(f"""distal eval cagi5 --model basenji2-mini --data release
        --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz --elements HNF4A --untrained""")

# %%
# Each number with its 95 % bootstrap interval. In a terminal the same command prints a table.
from distal import plots
from distal.plots.benchmarks import Mark

model, shown = "basenji2-mini", ("value", "low", "high")
marks = [Mark(row["statistic"], row["name"], model, *(row[x] for x in shown)) for row in rows]
plots.intervals(marks)
