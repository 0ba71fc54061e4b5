"""
Windows for training, validation and test
=========================================

``distal data splits`` cuts what is left of a genome without gaps and blacklist into pieces, gives each piece to one split
as a whole, and lays windows over it.
"""

# %%
# A million bases of chr20; the rest of that chromosome is N here and counts as a gap. The windows are smaller than
# those of the published models: they read 16,384 bp, of which the central 12,288 are measured.
from importlib.resources import files

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal data splits --fasta {fasta} --out windows.bed --valid 0.15 --test 0.15
        --piece-bp 98304 --input-bp 16384 --bins 96 --own-bp 12288""")

# %%
# Where they lie. Windows of two splits never measure the same base.
import distal
from distal.io import bed
from distal.plots.style import Figure, positions

figure = Figure(figsize=(7, 1.6), layout="constrained")
axes = figure.subplots()
splits = {"train": "#0072B2", "valid": "#E69F00", "test": "#D55E00"}
for row in bed.read("windows.bed"):
    place = list(splits).index(row.name)
    axes.barh(
        place,
        row.interval.width - 4_096,
        left=row.interval.start + 2_048,
        color=splits[row.name],
        edgecolor="white",
    )
axes.set_yticks(range(3), list(splits))
positions(axes, distal.Interval("chr20", 42_440_000, 43_640_000))
axes.set_xlabel("position on chr20")
figure
