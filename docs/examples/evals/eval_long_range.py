"""
How far away may an enhancer be?
================================

``distal eval long-range`` trains a small Enformer and a small Basenji2 on simulated loci and tells, by the enhancer's
distance, how well they do. The whole experiment takes an hour of one core; :doc:`/long-range` has its answer.
"""

# %%
# A locus has promoters of two kinds; those of a kind answer to one enhancer, which is as strong for all of them. So two
# promoters of equal strength differ in nothing but what their enhancers are.
from distal.evals import simulated
from distal.plots.style import Figure

design = simulated.Design(16_384, promoters=6)
locus = simulated.locus(design, 0, "train", 0)
figure = Figure(figsize=(7, 2.4), layout="constrained")
axes = figure.subplots()
for kind, colour in enumerate(("#0072B2", "#D55E00")):
    genes = [gene for gene in locus.genes if gene.kind == kind]
    axes.bar([gene.bin for gene in genes], [gene.expression for gene in genes], color=colour)
axes.set_xlabel("bins of 128 bp; promoters of two kinds")
axes.set_ylabel("expression")
figure

# %%
# The experiment in small: its first stage only, eight steps of each model. That is far from enough to learn anything;
# ``distal eval long-range --out FOLDER --figure X.png`` trains to the end, with three seeds, and draws the answer.
from dataclasses import asdict
from pathlib import Path

import polars as pl

from distal.evals.long_range import Experiment, Stage, summary

stage = Stage(design, steps=8, batch=1, lr=4e-3, loci=8)
experiment = Experiment(Path("long-range"), seeds=(0,), stages=(stage,))
pl.DataFrame([asdict(spread) for spread in summary(experiment.run(test_loci=3))])
