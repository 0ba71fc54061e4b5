"""
One sequence in two species
===========================

``distal evolution orthologs`` predicts orthologous windows of two genomes with two heads, and compares them bin by bin.
"""

# %%
# Two genomes and the chain that aligns them. Only one genome ships with distal, so the other species is made of it: the
# same bases, with one in a hundred replaced, and another name. Real chains come from UCSC, such as
# hg38ToMm10.over.chain.gz.
from importlib.resources import files
from pathlib import Path

import numpy as np

import distal
from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
start, end = 42_850_000, 43_150_000
letters = np.array(list(distal.Genome(fasta).fetch(distal.Interval("chr20", start, end))))
draw = np.random.default_rng(0)
changed = draw.random(len(letters)) < 0.01
letters[changed] = draw.choice(list("ACGT"), changed.sum())
Path("other.fa").write_text(f">other\n{''.join(letters)}\n")
size = end - start
Path("to_other.chain").write_text(
    f"chain 1000 chr20 63025520 + {start} {end} other {size} + 0 {size} 1\n{size}\n\n"
)
Path("places.bed").write_text("chr20\t42984000\t42985000\nchr20\t43030000\t43031000\n")

# %%
# The human head reads the human genome, the mouse head the other. ``same_head``: the mouse head reads both, which leaves
# only the changed bases; ``mismatched``: windows that do not belong together.
run(f"""distal evolution orthologs --model basenji2-mini --fasta {fasta}
        --other-fasta other.fa --chain to_other.chain --regions places.bed --out orthologs""")

# %%
import polars as pl

from distal.plots.style import Figure

table = pl.read_csv("orthologs/likeness.tsv", separator="\t")
figure = Figure(figsize=(6, 2.8), layout="constrained")
axes = figure.subplots()
for place, (column, colour) in enumerate(
    {"pearson": "#0072B2", "same_head": "#009E73", "mismatched": "#8c8c8c"}.items()
):
    axes.bar(
        [i + 0.25 * place for i in range(len(table))],
        table[column],
        width=0.25,
        color=colour,
        label=column,
    )
axes.set_xticks([i + 0.25 for i in range(len(table))], table["group"].to_list())
axes.set_ylabel("Pearson's r over bins")
axes.legend(frameon=False, ncols=3, loc="upper right")
axes.set_ylim(-0.1, 1.25)
figure
