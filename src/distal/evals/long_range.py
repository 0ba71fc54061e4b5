"""The article's claim on simulated loci: accuracy by the enhancer's distance, of two models with equal budgets.

Knows what is trained on what, and what is compared; not how models learn. Avsec et al. 2021 (Nature Methods 18:1196)
say that attention sees the enhancers that lie beyond the ±27 kb of Basenji2's dilated convolutions.

Both models see the same loci in the same order for as many steps: short loci first, which are cheap and teach motifs
and near enhancers, then longer ones as far as Basenji2 sees, then whole windows, where it can learn nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.dna import Codes
from distal.evals import simulated
from distal.evals.simulated import DISTANCES, KINDS, Design, Gene, Locus
from distal.predictor import load
from distal.train.config import Config
from distal.train.log import Report
from distal.train.loop import fit
from distal.train.run import steps_done

HEAD = "simulated"
REACH = 27_459
"""Bases on either side of a bin's middle that Basenji2 sees, whatever its widths: half of 54,918."""
VALID_LOCI, WARMUP = 4, 30
Values = NDArray[np.float64]
Model = Callable[[Codes], NDArray[np.float32]]
"""Codes uint8 [n, L] to tracks [n, bins, tracks], such as a `Predictor`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training: on which loci, and for how long."""

    design: Design
    steps: int
    batch: int
    lr: float
    loci: int
    """Different ones to learn from."""


STAGES = (
    Stage(Design(16_384, promoters=6), steps=600, batch=2, lr=4e-3, loci=600),
    Stage(Design(65_536, promoters=8), steps=200, batch=1, lr=3e-4, loci=200),
    Stage(Design(196_608, promoters=4), steps=60, batch=1, lr=3e-4, loci=60),
)
"""From the first to the last, whose loci have every distance."""

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "enformer": {"channels": 24, "layers": 1, "attention_heads": 4, "key_size": 8, "divisible_by": 4}
    | dict.fromkeys(("dropout", "attention_dropout", "position_dropout"), 0.0),
    "basenji2": {"stem": 16, "tower_first": 16, "dilated": 48, "final": 64}
    | dict.fromkeys(("dropout", "final_dropout"), 0.0),
}
"""What differs from the published configurations: the widths, and no dropout, for no locus is seen often."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One trained model on the genes of one class of distance."""

    model: str
    seed: int
    low: int
    high: int
    """Bases from enhancer to promoter, `[low, high)`."""
    genes: int
    expression: float
    """Pearson's r of log predicted with log true expression among promoters of equal strength and kind."""
    effect: float
    """Pearson's r of predicted with true log fold change on erasing the enhancer; 0 where no prediction changes."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The models of one family, over the seeds: means and standard deviations (ddof 1, 0 for a single seed)."""

    model: str
    low: int
    high: int
    genes: int
    """Of all seeds."""
    expression: float
    expression_sd: float
    effect: float
    effect_sd: float


@dataclass(frozen=True)
class Experiment:
    """What is trained, and where it lies; a run that was killed is gone on with."""

    out: Path
    seeds: Sequence[int]
    stages: Sequence[Stage] = STAGES

    def configs(self, family: str, seed: int) -> list[Config]:
        """The training runs of a model, one a stage; each begins with the model of the one before."""
        chosen: list[Config] = []
        for stage in self.stages:
            shape = {"input_bp": stage.design.input_bp, "bins": stage.design.bins}
            start: dict[str, Any] = {"model": {"family": family, "architecture": ARCHITECTURES[family] | shape}}
            for before in chosen[-1:]:
                base = {"from": str(before.folder / before.name), "mode": "full", "architecture": shape}
                start = {"finetune": base, "batch_norm": "batch"}
            name = f"{family}-{seed}-{stage.design.input_bp}"
            chosen.append(_config(start, name, self.out / "runs" / name, seed, stage))
        return chosen

    @property
    def steps_left(self) -> int:
        """Training steps that `run` has still to do."""
        configs = [config for family in ARCHITECTURES for seed in self.seeds for config in self.configs(family, seed)]
        return sum(config.steps - steps_done(config) for config in configs)

    def run(self, test_loci: int, report: Report | None = None) -> list[Accuracy]:
        """Simulate, train, and compare on held-out loci. `report` hears the lines of each training run's log."""
        for stage in self.stages:
            counts = {"train": stage.loci, "valid": VALID_LOCI}
            simulated.write(self.out / _data(stage), stage.design, counts, seed=0)
        rows = []
        for family in ARCHITECTURES:
            for seed in self.seeds:
                *_, model = [fit(config, self.out, report) for config in self.configs(family, seed)]
                test = (simulated.locus(self.stages[-1].design, 0, "test", i) for i in range(test_loci))
                rows += accuracy(load(str(model), HEAD), test, family, seed)
        return rows


def _config(start: dict[str, Any], name: str, folder: Path, seed: int, stage: Stage) -> Config:
    return Config.model_validate(
        start
        | {"name": name, "out": str(folder), "data": {HEAD: _data(stage)}, "seed": seed}
        | {"steps": stage.steps, "batch": stage.batch, "checkpoint_every": 50}
        | {"optimizer": {"lr": stage.lr, "warmup": WARMUP}}
        | {"validation": {"every": stage.steps, "keep": "last"}}
    )


def _data(stage: Stage) -> str:
    return f"data/{stage.design.input_bp}"


def accuracy(model: Model, loci: Iterable[Locus], family: str, seed: int) -> list[Accuracy]:
    """A model's rows, one for each class of distance that the genes of `loci` have."""
    genes: list[Gene] = []
    logs: list[Values] = []
    for locus in loci:
        genes += locus.genes
        logs.append(_logs(model, locus))
    predicted = np.concatenate(logs)
    distances = np.array([gene.distance for gene in genes])
    classes = [(low, high, (distances >= low) & (distances < high)) for low, high in pairwise(DISTANCES)]
    return [
        Accuracy(family, seed, low, high, *_measure(predicted[here], [genes[i] for i in np.flatnonzero(here)]))
        for low, high, here in classes
        if here.any()
    ]


def _logs(model: Model, locus: Locus) -> Values:
    """Log predicted expression of each gene of a locus, with its enhancer and without: [genes, 2]."""
    bins = [gene.bin for gene in locus.genes]
    kinds = [gene.kind for gene in locus.genes]
    codes = np.stack([locus.codes, *(simulated.erased(locus, kind) for kind in range(len(KINDS)))])
    cage = np.log(model(codes)[:, :, -1].astype(np.float64))
    return np.stack([cage[0, bins], cage[1:][kinds, bins]], axis=1)


def _measure(logs: Values, genes: Sequence[Gene]) -> tuple[int, float, float]:
    """Number of genes, accuracy of their expression, and of the effect of their enhancers."""
    truth = np.log([gene.expression for gene in genes])
    expression = correlation(among_equals(logs[:, 0], genes), among_equals(truth, genes))
    effect = correlation(logs[:, 0] - logs[:, 1], np.log1p([gene.enhancer for gene in genes]))
    return len(genes), expression, effect


def among_equals(values: Values, genes: Sequence[Gene]) -> Values:
    """`values` [genes] less the mean over the genes whose promoters are as strong and answer to the same factor."""
    alike = [(gene.promoter, gene.kind) for gene in genes]
    group = np.array([sorted(set(alike)).index(each) for each in alike])
    means = np.bincount(group, values) / np.bincount(group)
    centred: Values = values - means[group]
    return centred


def correlation(x: Values, y: Values) -> float:
    """Pearson's r, 0 where either never changes."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else 0.0


def summary(rows: Sequence[Accuracy]) -> list[Spread]:
    """Mean and spread over seeds, by model and class of distance, in the order of `rows`."""
    keys = list(dict.fromkeys((row.model, row.low, row.high) for row in rows))
    return [_spread([row for row in rows if (row.model, row.low, row.high) == key]) for key in keys]


def _spread(rows: Sequence[Accuracy]) -> Spread:
    expression, effect = np.array([(row.expression, row.effect) for row in rows]).T
    ddof = min(1, len(rows) - 1)
    first = rows[0]
    return Spread(
        first.model,
        first.low,
        first.high,
        sum(row.genes for row in rows),
        float(expression.mean()),
        float(expression.std(ddof=ddof)),
        float(effect.mean()),
        float(effect.std(ddof=ddof)),
    )
