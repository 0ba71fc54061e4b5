"""
Predicted against measured tracks
=================================

``distal eval tracks`` correlates predictions with a data set's held-out windows, track by track.
"""

# %%
# A data set to compare with. No measured one ships with distal, so this one holds what enformer-mini predicts of the
# locus: the numbers below say how alike the two models are, not how good.
from importlib.resources import files

from distal.cli.notebook import run

demo = files("distal") / "demo"
fasta = demo / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal data splits --fasta {fasta} --out windows.bed --valid 0 --test 0.5
        --piece-bp 300000 --bins 512 --train-stride-bp 262144""")
run(f"""distal data distil --model enformer-mini --fasta {fasta} --windows windows.bed
        --out alike""")

# %%
# The mean of each assay, over all bins of the held-out windows.
run("distal eval tracks --model basenji2-mini --data alike")

# %%
# From Python
# -----------
# The same as numbers for every track.
import distal
from distal.plots.style import Figure

found = distal.evaluate(distal.load("basenji2-mini"), "alike", "test")
figure = Figure(figsize=(6, 3), layout="constrained")
axes = figure.subplots()
rows = found.by_track()
for place, assay in enumerate(dict.fromkeys(row["assay"] for row in rows)):
    r = [row["pearson"] for row in rows if row["assay"] == assay]
    axes.plot([place] * len(r), r, "o", alpha=0.4, label=assay)
axes.set_xticks(range(len(axes.lines)), [line.get_label() for line in axes.lines])
axes.set_ylabel("Pearson's r, a dot a track")
figure
