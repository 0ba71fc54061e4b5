"""
Every substitution of a region
==============================

``distal ism`` replaces every base by every other and predicts what that changes: in-silico mutagenesis.
"""

# %%
# 60 bases of *HNF4A*'s P2 promoter, whose substitutions were measured too (Kircher et al. 2019). Effects are log2 of the
# ratio of the signal around the region; the picture has the logo, the map, and deletions in its last row.
from importlib.resources import files

from distal.cli.notebook import run

demo = files("distal") / "demo"
run(f"""distal ism --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --region chr20:42,984,255-42,984,314 --tracks "assay=DNASE biosample~renal,HepG2"
        --deletions --out promoter.h5 --figure promoter.png""")

# %%
# Beside the measurement
# ----------------------
# The file holds every effect on every track; the measured ones are a table in the wheel.
import numpy as np
import polars as pl

from distal import plots
from distal.io import mutagenesis

found = mutagenesis.read("promoter.h5")
predicted = found.values.mean(axis=2)
measured = np.full_like(predicted, np.nan)
table = pl.read_csv(demo / "measured.tsv", separator="\t").filter(
    pl.col("tags") >= 10, pl.col("alt") != "-"
)
for row in table.iter_rows(named=True):
    if 0 <= row["pos"] - 1 - found.interval.start < found.interval.width:
        measured[row["pos"] - 1 - found.interval.start, "ACGT".index(row["alt"])] = row[
            "effect"
        ]
both = [
    plots.Effects(predicted, found.codes, found.interval, "predicted", "basenji2-mini, DNase"),
    plots.Effects(
        measured, found.codes, found.interval, "measured", "Kircher et al. 2019, HEK293T"
    ),
]
plots.mutagenesis(both, "HNF4A's P2 promoter")

# %%
# The model is small and reads another cell type than the experiment: the correlation is what it can do.
known = ~np.isnan(measured)
print(
    f"Pearson's r {np.corrcoef(measured[known], predicted[known])[0, 1]:.2f} over {known.sum()} substitutions"
)
