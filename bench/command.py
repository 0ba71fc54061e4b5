"""A comparison as a command: its options, every model in turn, one table; knows no side and measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.report import Case, show
from bench.sides import Given, options

Compare = Callable[[Given, str], tuple[list[Case], list[str]]]
"""The cases of a family of models, and what is to be said of them."""


def run(description: str | None, compare: Compare, rounds: int = 3, add: Sequence[tuple[str, Any]] = ()) -> None:
    """Read the command line (see `options`), compare every family that it names, and print the table."""
    given = options(description, rounds, add)
    found = [compare(given, family) for family in given.families]
    notes = dict.fromkeys(note for _, said in found for note in said)
    show([case for cases, _ in found for case in cases], list(notes), given.json)
