"""
Predicted against measured tracks
=================================

``distal eval tracks`` correlates predictions with a data set's held-out windows, track by track.
"""

# %%
# A data set to compare with. No measured one ships with distal, so this one holds what enformer-mini predicts of the
# locus: the numbers below say how alike the two models are, not how good.
from importlib.resources import files

from distal.cli.notebook import ask, run

demo = files("distal") / "demo"
fasta = demo / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal data splits --fasta {fasta} --out windows.bed --valid 0 --test 0.5
        --piece-bp 300000 --bins 512 --train-stride-bp 262144""")
run(f"""distal data distil --model enformer-mini --fasta {fasta} --windows windows.bed
        --out alike""")

# %%
# Over all bins of the held-out windows, for every track. In a terminal the same command prints the mean of each assay.
import polars as pl

found = ask("distal eval tracks --model basenji2-mini --data alike")
table = pl.DataFrame(found["tracks"])
table.group_by("assay", maintain_order=True).agg(pl.len(), pl.col("pearson", "r2").mean())

# %%
# A dot a track.
from distal.plots.style import Figure

figure = Figure(figsize=(6, 3), layout="constrained")
axes = figure.subplots()
for place, ((assay,), rows) in enumerate(table.group_by("assay", maintain_order=True)):
    axes.plot([place] * len(rows), rows["pearson"], "o", alpha=0.4, label=assay)
axes.set_xticks(range(len(axes.lines)), [line.get_label() for line in axes.lines])
axes.set_ylabel("Pearson's r")
figure
