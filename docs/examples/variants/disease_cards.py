"""
Evidence on single variants
===========================

``distal disease cards`` writes a page for every variant of a list: the tracks and biosamples that it changes most, the
genes nearby, and what made the scores.
"""

# %%
# Four substitutions that were found in families with diabetes of the young, scored and looked at.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

demo = files("distal") / "demo"
lines = (demo / "variants.vcf").read_text().splitlines(keepends=True)
Path("mody.vcf").write_text(
    "".join(line for line in lines if line[0] == "#" or "SOURCE=MODY1" in line)
)
run(f"""distal score --model basenji2-mini --fasta {demo}/GRCh37_chr20_HNF4A.fa.gz
        --vcf mody.vcf --out mody1 --formats h5""")
run(f"""distal disease cards --scores mody1 --trait mody.vcf --genes {demo}/genes.bed --top 4
        --out cards""")

# %%
# One of the pages; beside each lies the same as JSON.
print(next(Path("cards").glob("*42984264*.md")).read_text())
