"""
Import published weights
========================

``distal models import`` turns weights on your disk into a model folder: DeepMind's Sonnet checkpoint, enformer-pytorch's
files, Calico's Keras files. Every tensor must be used, none may be left over, and nothing in a file is executed.
"""

# %%
# No published weights ship with distal, so this writes a file as Calico's programs do: a small Basenji2 with random
# weights, its layers named and laid out as Keras has them.
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

import distal
from distal.cli.notebook import run
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.layers import BatchNorm

config = Basenji2Config(
    stem=16, tower_first=16, dilated=8, final=32, input_bp=16_384, bins=96, heads={"human": 3}
)
torch.manual_seed(0)
module = Basenji2(config).eval()
numbers = dict.fromkeys(("conv1d", "batch_normalization", "dense"), 0)
with h5py.File("weights.h5", "w") as file:
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d):
            kind, weights = "conv1d", {"kernel": layer.weight.permute(2, 1, 0)}
        elif isinstance(layer, nn.Linear):
            kind, weights = "dense", {"kernel": layer.weight.T, "bias": layer.bias}
        elif isinstance(layer, BatchNorm):
            names = {
                "gamma": "weight",
                "beta": "bias",
                "moving_mean": "running_mean",
                "moving_variance": "running_var",
            }
            kind, weights = (
                "batch_normalization",
                {theirs: getattr(layer, ours) for theirs, ours in names.items()},
            )
        else:
            continue
        name = f"{kind}_{numbers[kind]}" if numbers[kind] else kind
        numbers[kind] += 1
        for key, tensor in weights.items():
            file[f"{name}/{name}/{key}:0"] = tensor.detach().numpy()

# %%
# The import. What the weights don't say is asked for: which GELU, how much is read, how many bins are cut off.
with Path("targets.txt").open("w") as table:
    table.write("index\tidentifier\tfile\tdescription\n")
    for i, what in enumerate(("DNASE:liver", "CAGE:liver", "ATAC:brain")):
        table.write(f"{i}\ttrack{i}\t.\t{what}\n")
run("""distal models import weights.h5 --out imported --gelu sigmoid --input-bp 16384
        --crop 16 --targets human=targets.txt --licence Apache-2.0""")

# %%
# The folder is a model like any other, and computes what the original does.
model = distal.load("imported")
codes = np.random.default_rng(0).integers(0, 4, (1, 16_384)).astype(np.uint8)
letters = torch.nn.functional.one_hot(torch.from_numpy(codes).long(), 4).float()
with torch.no_grad():
    original = module(letters, "human").numpy()
imported = model(codes)
print("largest difference", np.abs(imported - original).max())
run("distal models info imported")

# %%
from distal import plots

plots.scatter(
    original.ravel(),
    imported.ravel(),
    ("the original's output", "the imported model's"),
    title="288 bins",
)
