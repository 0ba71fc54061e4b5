"""
A report on scored variants
===========================

``distal score --report`` writes one HTML page that needs nothing else and opens from disk: the variants with the largest
effects as tracks of REF and ALT, what became of every row, and what the scores were made of.
"""

# %%
# One of the substitutions of *HNF4A*'s promoter that were found in families with diabetes of the young. A report on a
# whole file has the ten strongest.
from importlib.resources import files

from distal.cli.notebook import run

demo = files("distal") / "demo"
run(f"""distal score --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --variant chr20:42984299:T>C --genes {demo}/genes.bed --out mody-one
        --report mody-one.html""")
