"""
Expression of held-out genes
============================

``distal eval expression`` sums predicted and measured signal at the start sites of genes, and correlates them across
genes and across tissues.
"""

# %%
# The data set is what enformer-mini predicts (no measured one ships with distal), the genes are those of the locus.
from importlib.resources import files

from distal.cli.notebook import ask, run

demo = files("distal") / "demo"
fasta = demo / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal data splits --fasta {fasta} --out expression.bed --valid 0 --test 0.5
        --piece-bp 300000 --bins 512 --train-stride-bp 262144""")
run(f"""distal data distil --model enformer-mini --fasta {fasta} --windows expression.bed
        --out expressed""")
rows = ask(f"""distal eval expression --model basenji2-mini --data expressed
        --genes {demo}/genes.bed""")

# %%
# Each number with its 95 % bootstrap interval. In a terminal the same command prints a table.
from distal import plots
from distal.plots.benchmarks import Mark

model, shown = "basenji2-mini", ("value", "low", "high")
marks = [Mark(row["statistic"], row["name"], model, *(row[x] for x in shown)) for row in rows]
plots.intervals(marks)
