"""
How large is a score?
=====================

Raw scores of two tracks, or of two models, cannot be compared. ``distal calibrate build`` makes a null of the scores of
common variants; ``distal calibrate apply`` writes each score's place among them beside it, from -1 to 1.
"""

# %%
# A null: ours has a substitution every 100 bp of 10 kb, because no panel ships with distal. A real one has thousands of
# common variants. ``--share-reference`` reads neighbours in one window, which is faster and moves scores, as it says.
from importlib.resources import files
from pathlib import Path

import distal
from distal.cli.notebook import run

demo = files("distal") / "demo"
genome = distal.Genome(demo / "GRCh37_chr20_HNF4A.fa.gz")
rows = ["chrom\tpos\tref\talt\n"]
for at in range(42_979_000, 42_989_400, 100):
    ref = genome.fetch(distal.Interval("chr20", at, at + 1))
    rows.append(f"chr20\t{at + 1}\t{ref}\t{'ACGT'[('ACGT'.index(ref) + 2) % 4]}\n")
Path("common.tsv").write_text("".join(rows))
score = f"distal score --model basenji2-mini --fasta {genome.path} --formats h5 --share-reference 4096"
run(f"{score} --vcf common.tsv --out common")

# %%
# The null, and what it is made of.
run(
    'distal calibrate build common --out null.safetensors --name "104 SNVs of the HNF4A locus" --scores SAD'
)
run("distal calibrate info null.safetensors")

# %%
# Variants of patients beside it. ``SAD_quantile`` 0.9 says: nine in ten common variants change this track less.
# ``distal score --calibration null.safetensors`` does both in one go.
lines = (demo / "variants.vcf").read_text().splitlines(keepends=True)
Path("mody.vcf").write_text(
    "".join(line for line in lines if line[0] == "#" or "SOURCE=MODY1" in line)
)
run(f"{score} --vcf mody.vcf --out patients")
run("distal calibrate apply patients --null null.safetensors")
run("""distal lookup --scores patients --variant chr20:42984264:G>A --tracks "assay=DNASE" """)

# %%
# Every track of that variant: raw scores and their places in the null.
from distal import plots
from distal.io.scores import Scores

with Scores("patients/scores/chr20.h5") as scores:
    block = scores.read(scores.named("HNF4A:c.-181G>A"), ["SAD", "SAD_quantile"])
raw, quantile = (block.values[name][0].astype(float) for name in ("SAD", "SAD_quantile"))
plots.scatter(raw, quantile, ("SAD", "quantile among 104 SNVs"), title="c.-181G>A, 74 tracks")
