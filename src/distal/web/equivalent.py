"""The command line and the Python lines that compute what is on the screen; knows verbs and names, runs nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """How to get the same without the page."""

    command: str
    python: str


@dataclass(frozen=True)
class Called:
    """What the user calls the model and the files."""

    model: str
    fasta: str
    genes: str = ""
    head: str = "human"

    def command(self, verb: str, **options: str | bool) -> str:
        """``distal VERB --model … --fasta …`` and options; those that are empty or False are left out."""
        words = ["distal", verb, "--model", self.model, "--fasta", self.fasta]
        if self.head != "human":
            words += ["--head", self.head]
        for name, value in options.items():
            if value is True:
                words.append(f"--{name}")
            elif value:
                words += [f"--{name}", str(value)]
        return shlex.join(words)

    def python(self, imports: Sequence[str], lines: Sequence[str]) -> str:
        """A snippet that begins by opening model and genome."""
        head = "" if self.head == "human" else f", head={self.head!r}"
        opening = [f"predictor = distal.load({self.model!r}{head})", f"genome = distal.Genome({self.fasta!r})"]
        return "\n".join(["import distal", *imports, "", *opening, *lines]) + "\n"


def query(channels: Iterable[int]) -> str:
    """The track query that chooses some output channels."""
    return f"index={','.join(map(str, sorted(set(channels))))}"
