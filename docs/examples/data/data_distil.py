"""
A model's predictions as a data set
===================================

``distal data distil`` writes what a model predicts as a data set, for a smaller model to learn from beside what was
measured. :doc:`/distillation` tells how the models that ship with distal were made so.
"""

# %%
# Windows as long as what the teacher reads, then its predictions over them. Sums over two of its bins make bins of 256.
from importlib.resources import files

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal data splits --fasta {fasta} --out windows.bed --valid 0 --test 0 --bins 512
        --train-stride-bp 262144 --piece-bp 100000000""")
run(f"""distal data distil --model basenji2-mini --fasta {fasta} --windows windows.bed
        --bin-bp 256 --out distilled""")

# %%
run("distal data info distilled")

# %%
# One window of it: what the student is asked to say of 131,072 bases, its 74 tracks from top to bottom.
import numpy as np

from distal.data import dataset
from distal.plots.style import Figure

examples = dataset.load("distilled", "train", 256)
targets = examples.targets(2, 0, 256)
figure = Figure(figsize=(7, 3), layout="constrained")
axes = figure.subplots()
axes.imshow(np.log1p(targets.T), aspect="auto", cmap="cividis")
axes.set_xlabel(f"bins of 256 bp of {examples.intervals[2].to_ucsc()}")
axes.set_ylabel("tracks")
figure
