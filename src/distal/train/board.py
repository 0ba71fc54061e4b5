"""A run's log as TensorBoard draws it; knows the log's lines, and no training. Needs the extra `tensorboard`."""

from __future__ import annotations

from pathlib import Path

from distal.errors import InputError
from distal.train.log import Line


class Board:
    """Writes every number of every line to `folder`; a run that resumes after `step` steps takes back what follows."""

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "tensorboard = true, but TensorBoard is not installed; `pip install 'distal[tensorboard]'`"
            ) from None
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, line: Line) -> None:
        """Add one line."""
        for name, value in scalars(line).items():
            self._writer.add_scalar(name, value, line["step"])

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def scalars(line: Line) -> dict[str, float]:
    """A line's numbers under the names of their charts: ``loss/human``, ``valid/human/CAGE``, ``lr``…"""
    if "valid" in line:
        means = {f"valid/{head}/{assay}": r for head, assays in line["valid"].items() for assay, r in assays.items()}
        return {"valid/score": line["score"], **{name: r for name, r in means.items() if r is not None}}
    head = line["head"]
    return {f"loss/{head}": line["loss"], f"norm/{head}": line["norm"], "lr": line["lr"], "seconds": line["seconds"]}
