"""
A student that begins as its teacher
====================================

``distal models begin`` makes an Enformer or a Basenji2 of a Borzoi's layers and fits only what is new: minutes where
training takes hours. The models that ship with distal began like this.
"""

# %%
# The teacher is a Borzoi of random weights here, because none ships with distal; ``distal models fetch borzoi-mini`` gets
# one that was trained.
from pathlib import Path

import torch

from distal.cli.notebook import run
from distal.evals import simulated
from distal.models import zoo
from distal.models.borzoi import Borzoi, BorzoiConfig

shape = BorzoiConfig(
    stem=16,
    tower=(16, 16, 20, 20, 24, 24),
    layers=1,
    attention_heads=2,
    key_size=8,
    position_features=8,
    input_bp=16_384,
    bins=512,
    heads={"human": len(simulated.table())},
)
torch.manual_seed(0)
zoo.save(
    Borzoi(shape),
    "teacher",
    zoo.Spec("teacher", "borzoi", shape, "Apache-2.0"),
    {"human": simulated.table()},
)

# %%
# Something to fit: simulated loci, in which promoters answer to enhancers (``distal eval long-range`` uses them too).
simulated.write(
    "loci", simulated.Design(16_384, promoters=6), {"train": 24, "valid": 4}, seed=0
)

# %%
# The student, and how many examples of each head it is shown.
Path("student.toml").write_text("""
name = "student"
steps = 20
batch = 4
[model]
family = "basenji2"
[model.architecture]
stem = 16
tower = [16, 16, 20, 20, 24, 24]
dilated_layers = 2
dilated = 8
final = 24
input_bp = 16384
bins = 128
gelu = "tanh"
[data]
human = "loci"
[optimizer]
lr = 3e-3
""")
run("distal models begin student.toml --teacher teacher --examples human=24 --out students")
run("distal models info students/student")

# %%
# What the student says of a locus, beside the truth. Of a teacher that knows nothing, and in twenty steps, it has learned
# little more than how high the signal is on average.
import distal
from distal.data import dataset
from distal.plots.style import Figure

examples = dataset.load("loci", "valid", 128)
predicted = distal.load("students/student", "human")(examples.codes(0, 0, 16_384)[None])[0]
figure = Figure(figsize=(7, 2.4), layout="constrained")
axes = figure.subplots()
axes.step(range(128), examples.targets(0, 0, 128)[:, 0], color="#8c8c8c", label="true")
axes.step(range(128), predicted[:, 0], color="#D55E00", label="student")
axes.set_xlabel("bins of 128 bp")
axes.legend(frameon=False)
figure
