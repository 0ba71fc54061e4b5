"""`distal eval long-range`: the terminal's side of the experiment with distances; knows no model and no locus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from distal.cli.console import emit, progress
from distal.cli.ism import PICTURES
from distal.errors import InputError
from distal.files import replacing

if TYPE_CHECKING:
    from distal.evals.long_range import Spread


def long_range(
    *, out: Path, seeds: tuple[int, ...] = (0, 1, 2), loci: int = 96, figure: Path | None = None, json: bool = False
) -> None:
    """The article's claim on simulated loci: how far away an enhancer may be for a model to see it.

    Simulates loci whose promoters answer to one enhancer each, 2 to 90 kb away; trains a small Enformer and a small
    Basenji2 on the same loci for as many steps; and tells, by the enhancer's distance, how well they predict held-out
    loci. Goes on where it stopped.

    Columns: Pearson's r of predicted with true expression among promoters of equal strength and kind (expression), and
    of the predicted with the true change on erasing the enhancer (effect), mean and standard deviation over the seeds.

    Parameters
    ----------
    out
        Folder of the simulated data, the training runs and the models; accuracy.json is the table, seed by seed.
    seeds
        Trainings of each model, from other weights and in another order.
    loci
        Held-out loci.
    figure
        X.png, X.svg or X.pdf: the table as a picture.
    json
        Print every seed as JSON.
    """
    from distal.evals.long_range import Experiment, summary

    if figure is not None and figure.suffix not in PICTURES:
        raise InputError(f"--figure {figure} must end in {', '.join(PICTURES)}")
    experiment = Experiment(out, seeds)
    with progress("long-range", experiment.steps_left, "steps") as advance:
        rows = experiment.run(loci, lambda line: None if "valid" in line else advance())
    with replacing(out / "accuracy.json") as temporary:
        temporary.write_text(dumps([asdict(row) for row in rows], indent=1) + "\n")
    spreads = summary(rows)
    if figure is not None:
        _draw(spreads, figure)
    emit(rows if json else [asdict(spread) for spread in spreads], json)


def _draw(spreads: Sequence[Spread], path: Path) -> None:
    """The table as lines over the distance, a panel for each column."""
    from distal import plots
    from distal.evals.long_range import REACH

    limits = sorted({limit for spread in spreads for limit in (spread.low, spread.high)})
    models = list(dict.fromkeys(spread.model for spread in spreads))
    panels = {
        "Expression, among equal promoters": {
            model: _line((spread.expression, spread.expression_sd) for spread in spreads if spread.model == model)
            for model in models
        },
        "Effect of erasing the enhancer": {
            model: _line((spread.effect, spread.effect_sd) for spread in spreads if spread.model == model)
            for model in models
        },
    }
    plots.save(plots.by_distance(limits, panels, REACH), path)


def _line(points: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Means and standard deviations, from pairs of them."""
    means, spreads = zip(*points, strict=True)
    return list(means), list(spreads)
