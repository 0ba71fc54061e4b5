"""`distal train`: the terminal's side of a training run; knows no model and no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distal.cli.console import duration, emit, progress, say


def train(
    config: str, *, data: Path = Path(), out: Path | None = None, steps: int | None = None, json: bool = False
) -> None:
    """Train a model from a TOML file; goes on where it stopped.

    The best model by validation lies in <out>/<name> from the first validation on, and `distal predict --model` takes
    that folder. Beside it are log.jsonl (a line a step) and the checkpoint from which the same command goes on. On
    several devices: `torchrun --nproc-per-node 8 --no-python distal train ...`.

    Parameters
    ----------
    config
        TOML file, or the name of a recipe that ships with distal: enformer, basenji2, enformer-mini, basenji2-mini ...
    data
        Folder that the config's data folders are relative to.
    out
        Folder of log, checkpoint and model, instead of the config's.
    steps
        Number of steps, instead of the config's.
    json
        Print the result as JSON.
    """
    from distal.train import config as configs
    from distal.train.distributed import here
    from distal.train.loop import fit
    from distal.train.run import steps_done

    run = configs.read(configs.find(config))
    run = configs.changed(run, out=str(out or run.out), steps=run.steps if steps is None else steps)
    if not here().first:
        fit(run, data)  # in silence
        return
    validations: list[dict[str, Any]] = []
    with progress(run.name, max(run.steps - steps_done(run), 0), "steps") as advance:

        def report(line: dict[str, Any]) -> None:
            if "valid" in line:
                say(_sentence(line))
                validations.append(line)
            else:
                advance()

        folder = fit(run, data, report)
    emit({"model": str(folder), "steps": run.steps, "validations": validations[-1:]}, json)


def _sentence(line: dict[str, Any]) -> str:
    heads = "; ".join(
        f"{head} " + " ".join(f"{assay} {value:.3f}" for assay, value in assays.items() if value is not None)
        for head, assays in line["valid"].items()
    )
    star = " (best)" if line["best_step"] == line["step"] else ""
    return f"step {line['step']}: validation r {line['score']:.3f}{star}: {heads} in {duration(line['seconds'])}"
