"""
How far away may an enhancer be?
================================

``distal eval long-range`` trains a small Enformer and a small Basenji2 on simulated loci and tells, by the enhancer's
distance, how well they do. The whole experiment takes an hour of one core; :doc:`/long-range` has its answer.
"""

# %%
# A locus: promoters answer to one enhancer each. The true change on erasing an enhancer is known.
from distal.evals import simulated

design = simulated.Design(16_384, promoters=6)
locus = simulated.locus(design, 0, "train", 0)
for gene in locus.genes:
    print(gene)

# %%
# The experiment in small: its first stage only, eight steps of each model. That is far from enough to learn.
from pathlib import Path

from distal.evals.long_range import Experiment, Stage, summary

stage = Stage(design, steps=8, batch=1, lr=4e-3, loci=8)
spreads = summary(Experiment(Path("long-range"), seeds=(0,), stages=(stage,)).run(test_loci=3))

# %%
# What ``distal eval long-range --out FOLDER --figure X.png`` draws, here of models that have learned nothing.
from distal import plots

limits = sorted({limit for spread in spreads for limit in (spread.low, spread.high)})
lines = {
    model: (
        [s.effect for s in spreads if s.model == model],
        [s.effect_sd for s in spreads if s.model == model],
    )
    for model in dict.fromkeys(spread.model for spread in spreads)
}
plots.by_distance(limits, {"Effect of erasing the enhancer": lines}, 27_459)
