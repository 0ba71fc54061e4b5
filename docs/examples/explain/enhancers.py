"""
Which elements regulate a gene
==============================

``distal enhancers`` scores the elements around a gene by what the prediction at its start sites owes to each, beside
distance and ABC: a table in ENCODE's columns, BEDPE for browsers, arcs. :doc:`/enhancers` says how the methods compare
with CRISPR interference.
"""

# %%
# Candidates are where the model predicts open chromatin, unless ``--elements`` names a BED file of measured ones.
from importlib.resources import files

from distal.cli.notebook import run

demo = files("distal") / "demo"
run(f"""distal enhancers --model enformer-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --genes {demo}/genes.bed --gene HNF4A --out hnf4a.tsv --bedpe hnf4a.bedpe
        --figure arcs.png""")

# %%
# The table, with the first method's best first.
import polars as pl

table = pl.read_csv("hnf4a.tsv", separator="\t", null_values="NA")
table.select(
    "chr", "start", "end", "class", "DistanceToTSS", "gradient", "gaussian", "attention", "abc"
).head(6)

# %%
# From Python
# -----------
# The same question of Basenji2, which sees 20 kb on either side and has no attention.
import distal

model, genome = distal.load("basenji2-mini"), distal.Genome(demo / "GRCh37_chr20_HNF4A.fa.gz")
genes = distal.Genes.read(demo / "genes.bed")
links = distal.link_enhancers(model, genome, genes, "HNF4A", methods=("gradient",))
for link in links.rows()[:5]:
    print(link.element.to_ucsc(), link.kind, f"gradient {link.scores['gradient']:.3g}")
