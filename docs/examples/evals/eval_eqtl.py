"""
Which eQTL variants are causal?
===============================

``distal eval eqtl`` trains random forests on the scores of fine-mapped eQTL variants and of their negatives, tissue by
tissue, as the articles do.
"""

# %%
# Each tissue has two runs of ``distal score``. Instead of fine-mapped variants, which don't ship with distal: positives
# are substitutions inside *HNF4A*'s promoter, negatives lie 20 kb from it, so that forests have something to find.
from importlib.resources import files
from pathlib import Path

import distal
from distal.cli.notebook import ask, run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
genome = distal.Genome(fasta)
for side, start in (("pos", 42_984_200), ("neg", 43_004_200)):
    rows = ["chrom\tpos\tref\talt\n"]
    for at in range(start, start + 240, 20):
        ref = genome.fetch(distal.Interval("chr20", at, at + 1))
        rows.append(f"chr20\t{at + 1}\t{ref}\t{'ACGT'[('ACGT'.index(ref) + 1) % 4]}\n")
    Path(f"{side}.tsv").write_text("".join(rows))
    run(f"""distal score --model basenji2-mini --fasta {fasta} --vcf {side}.tsv
            --out eqtl/Pancreas_{side} --formats h5""")

# %%
# One draw of the eight folds; the published number is a mean over 100.
rows = ask("distal eval eqtl --scores eqtl --iterations 1")

# %%
# Each number with its 95 % bootstrap interval. In a terminal the same command prints a table.
from distal import plots
from distal.plots.benchmarks import Mark

model, shown = "basenji2-mini", ("value", "low", "high")
marks = [Mark(row["statistic"], row["name"], model, *(row[x] for x in shown)) for row in rows]
plots.intervals(marks)
