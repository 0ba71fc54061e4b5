"""
Nothing held out may be learned from
====================================

``distal data lift`` moves held-out regions to another assembly, ``distal data overlap`` checks that no window has a base
of one. It ends with exit code 3 where one has.
"""

# %%
# A held-out window on another assembly, and the chain that leads here. This chain moves everything by 1,000 bases; UCSC's
# hg38ToHg19.over.chain.gz is one in earnest. ``--width`` widens regions to what a model reads before they are moved.
from pathlib import Path

from distal.cli.notebook import run

Path("held_out_there.bed").write_text("chr20\t42900000\t42912288\ttest\n")
Path("there.chain").write_text(
    "chain 1 chr20 64000000 + 0 60000000 chr20 63025520 + 1000 60001000 1\n60000000\n\n"
)
run("""distal data lift held_out_there.bed --chain there.chain --width 16384
        --out held_out.bed""")

# %%
# Windows apart from it, and a window that has 384 of its bases.
Path("windows.bed").write_text("chr20\t43000000\t43016384\ttrain\n")
run("distal data overlap --windows windows.bed --held-out held_out.bed")
Path("leak.bed").write_text("chr20\t42914952\t42931336\ttrain\n")
try:
    run("distal data overlap --windows leak.bed --held-out held_out.bed")
except RuntimeError as error:
    print(error)

# %%
# What lies where.
import distal
from distal.io import bed
from distal.plots.style import Figure, positions

figure = Figure(figsize=(7, 1.6), layout="constrained")
axes = figure.subplots()
for place, (name, colour) in enumerate(
    {"windows": "#0072B2", "leak": "#D55E00", "held_out": "#8c8c8c"}.items()
):
    for row in bed.read(f"{name}.bed"):
        axes.barh(place, row.interval.width, left=row.interval.start, color=colour)
axes.set_yticks(range(3), ["apart", "leaking", "held out"])
positions(axes, distal.Interval("chr20", 42_890_000, 43_020_000))
axes.set_xlabel("position on chr20")
figure
