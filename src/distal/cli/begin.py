"""`distal models begin`: a student from its teacher; knows options and file names only."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress
from distal.cli.options import Json, Model
from distal.errors import InputError


def begin(
    config: str,
    /,
    *,
    teacher: Model,
    data: Path = Path(),
    examples: list[str],
    out: Path | None = None,
    json: Json = False,
) -> None:
    """Make a student of a Borzoi: its convolutions and attention, and new layers fitted to data.

    What the student inherits is computed once for each example, so this takes minutes where training takes hours. The
    model folder that it writes predicts; `distal train` can go on from it.

    Parameters
    ----------
    config
        TOML file as for `distal train`, or the name of a recipe that ships with distal: enformer-mini,
        basenji2-mini.
    data
        Folder that the config's data folders are relative to.
    examples
        How many examples of a head are looked at: `--examples human=360`, once for each head.
    out
        Folder to write the model's folder in, instead of the config's.
    """
    from distal.predictor import load
    from distal.train import config as configs
    from distal.train.begin import begin as begin_student

    chosen = configs.read(configs.find(config))
    chosen = configs.changed(chosen, out=str(out or chosen.out))
    counts = _counts(examples, list(chosen.data))
    losses: dict[str, float] = {}
    with progress(chosen.name, sum(counts.values()) + chosen.steps, "examples and steps") as advance:

        def report(head: str, loss: float | None) -> None:
            if loss is not None:
                losses[head] = loss
            advance()

        folder = begin_student(chosen, load(teacher), data, counts, report)
    emit({"model": str(folder), "examples": counts, "steps": chosen.steps, "last losses": losses}, json)


def _counts(words: list[str], heads: list[str]) -> dict[str, int]:
    counts = dict(word.split("=", 1) for word in words if "=" in word)
    if set(counts) != set(heads) or not all(text.isdigit() and int(text) for text in counts.values()):
        raise InputError(f"--examples {' '.join(words)} is not understood; give one HEAD=NUMBER for {', '.join(heads)}")
    return {head: int(counts[head]) for head in heads}
