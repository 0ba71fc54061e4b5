"""Command lines in a notebook: the verbs run in this process and print where the notebook shows it; knows no verb.

A model's second run costs no second start of Python, and the notebook's own variables are at hand:
``run(f"distal score --fasta {fasta} ...")``. Line ends count as spaces.
"""

from __future__ import annotations

import io
import json
import shlex
from contextlib import redirect_stdout
from typing import Any


def run(line: str) -> None:
    """Run a command line such as ``distal models list``, as a terminal would.

    What ends with another exit code than 0 raises `RuntimeError`, so that the cells below don't run on; the reason is
    printed as on a terminal.
    """
    from distal.cli import main

    program, *words = shlex.split(line)
    if program != "distal":
        raise ValueError(f"{program} is another program; give a command line that begins with `distal`")
    code = main(words)
    if code != 0:
        raise RuntimeError(f"`distal {' '.join(words[:2])} ...` ended with exit code {code}; it says above why")


def ask(line: str) -> Any:
    """What a command line answers with ``--json``, as Python's own dictionaries, lists, texts and numbers."""
    with redirect_stdout(io.StringIO()) as printed:
        run(f"{line} --json")
    return json.loads(printed.getvalue())
