"""
Enhancers as CRISPR interference found them
===========================================

``distal eval crispri`` ranks tested pairs of element and gene by every method of every model, and by baselines from
distance and measured activity.
"""

# %%
# A table in the columns of ENCODE's benchmark, which does not ship with distal. The elements here are where enformer-mini
# predicts open chromatin around *HNF4A*, and which of them regulate is invented: every fourth.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import ask, run

demo = files("distal") / "demo"
run(f"""distal enhancers --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --genes {demo}/genes.bed --gene HNF4A --methods gradient --out elements.tsv""")

# %%
# The benchmark wants reads of DNase-seq and H3K27ac in each element; the predicted activity stands for both.
import polars as pl

elements = (
    pl.read_csv("elements.tsv", separator="\t", null_values="NA").sort("DistanceToTSS").head(12)
)
rows = [
    "chrom\tchromStart\tchromEnd\tstartTSS\tendTSS\tmeasuredGeneSymbol\tRegulated\tEffectSize\tDataset\tDHS.RPM\tH3K27ac.RPM\n"
]
for i, row in enumerate(elements.iter_rows(named=True)):
    place = f"{row['chr']}\t{row['start']}\t{row['end']}\t{row['TargetGeneTSS']}\t{row['TargetGeneTSS'] + 1}"
    rows.append(
        f"{place}\tHNF4A\t{str(i % 4 == 0).upper()}\t-0.3\tinvented\t{row['activity']}\t{row['activity']}\n"
    )
Path("pairs.tsv").write_text("".join(rows))

# %%
# The area under the precision-recall curve of every method; :doc:`/enhancers` has the real pairs. There are no
# intervals, because genes are drawn and here is one.
from distal import plots
from distal.plots.benchmarks import Mark

found = ask(f"""distal eval crispri --models basenji2-mini --pairs pairs.tsv
        --accessibility assay=DNASE --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz --methods gradient
        --scores scored.tsv""")
whole = [row for row in found if row["pairs"] == len(elements)]
shown = ("auprc", "auprc_low", "auprc_high")
marks = [
    Mark("AUPRC", row["method"], row["model"] or "none", *(row[x] for x in shown))
    for row in whole
]
plots.intervals(marks)

# %%
# The pairs as the methods see them: true ones should have the largest scores.
scored = pl.read_csv("scored.tsv", separator="\t", null_values="NA")
scored.select(
    "chrom", "start", "end", "regulated", "DNase/distance", "basenji2-mini:gradient"
).head(6)
