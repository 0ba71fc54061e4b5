"""
Models beside each other on one page
====================================

``distal eval report`` measures several models on several benchmarks, with paired tests, and writes one HTML page that
needs nothing else, and JSON.
"""

# %%
# What is measured on which data stands in a TOML file. Here: a part of the saturation mutagenesis of *HNF4A*'s promoter.
import math
from importlib.resources import files
from pathlib import Path

import polars as pl

from distal.cli.notebook import run

demo = files("distal") / "demo"
table = pl.read_csv(demo / "measured.tsv", separator="\t").filter(
    pl.col("alt") != "-", pl.col("tags") >= 10, pl.col("pos").is_between(42_984_298, 42_984_310)
)
rows = ["#Chrom\tPos\tRef\tAlt\tValue\tConfidence"]
for row in table.iter_rows(named=True):
    confidence = min(1.0, -math.log10(max(row["p_value"], 1e-50)) / 50)
    rows.append(
        f"20\t{row['pos']}\t{row['ref']}\t{row['alt']}\t{row['effect']}\t{confidence:.3f}"
    )
Path("mpra").mkdir(exist_ok=True)
Path("mpra/release_HNF4A.tsv").write_text("\n".join(rows) + "\n")
Path("plan.toml").write_text(f"""
[cagi5]
data = "mpra"
fasta = "{demo}/GRCh37_chr20_HNF4A.fa.gz"
lasso = false
""")
run("""distal eval report --plan plan.toml --models enformer-mini,basenji2-mini
        --out report.html""")

# %%
# The page's numbers, as JSON.
import json

rows = json.loads(Path("report.json").read_text())["comparisons"]
pl.DataFrame(rows).select(list(rows[0])[:8]).head(6)

# %%
# The same as a figure of the page.
from distal import plots
from distal.plots.benchmarks import Mark

found = json.loads(Path("report.json").read_text())["rows"]
plots.intervals(
    [
        Mark(row["statistic"], row["name"], row["model"], row["value"], row["low"], row["high"])
        for row in found
    ]
)
