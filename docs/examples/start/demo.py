"""
The whole way on a real locus
=============================

``distal demo`` scores the known variants around the diabetes gene *HNF4A* with both models that ship with distal,
predicts tracks, draws REF against ALT, and replaces every base of the gene's P2 promoter beside what an experiment
measured. It takes some minutes, and no network.
"""

# %%
# To have it within seconds here: one of the models, the variants of families with diabetes of the young and the
# strongest ones that were measured, and a fifth of the promoter. Without these lines it takes all of them.
from pathlib import Path

from distal.cli import demo
from distal.cli.notebook import run

lines = demo.VCF.read_text().splitlines(keepends=True)
few = ("SOURCE=MODY1", "\t42984307\t", "\t42984304\t", "\trs1884614\t")
Path("few.vcf").write_text(
    "".join(line for line in lines if line[0] == "#" or any(word in line for word in few))
)
demo.VCF, demo.MODELS, demo.PROMOTER = (
    Path("few.vcf"),
    ("basenji2-mini",),
    "chr20:42,984,250-42,984,309",
)
run("distal demo --out demo")

# %%
# Everything, with the commands and checksums that made it, stands in ``report.json``.
for path in sorted(Path("demo/basenji2-mini").rglob("*")):
    if path.is_file():
        print(f"{path.stat().st_size / 1e3:8.1f} kB  {path}")
