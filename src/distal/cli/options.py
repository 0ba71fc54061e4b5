"""Option types that several verbs share, each with the one text that explains it; from words to values, nothing else.

A verb that takes one of them needs no line for it in its own docstring. `Shifts` and `FileOrStdin` have rules of their
own because ``--shifts -1,0,1`` and ``--vcf -`` begin with a hyphen, which is refused elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

Model = Annotated[str, Parameter(help="A model's name (`distal models list`) or folder.")]
Fasta = Annotated[Path, Parameter(help="The genome: .fa, .fa.gz (bgzip) or .2bit.")]
TrackQuery = Annotated[
    str, Parameter(help='Which tracks, such as "assay=DNASE biosample~HepG2"; all when left out.', show_default=False)
]
BothStrands = Annotated[bool, Parameter(help="Average both strands.")]
Head = Annotated[str, Parameter(help="Which output head of the model: human, mouse ...")]
Precision = Annotated[
    Literal["fp32", "bf16"],
    Parameter(
        help="fp32, or bf16: three digits, small effects drown; faster only where the hardware has it "
        "(`distal doctor` tells)."
    ),
]
BatchSize = Annotated[int, Parameter(help="Windows that go through the model together.")]
Device = Annotated[str, Parameter(help="cpu, cuda, cuda:1, mps.")]
Json = Annotated[bool, Parameter(help="Print JSON.")]
FileOrStdin = Annotated[Path, Parameter(allow_leading_hyphen=True)]
"""A path, or ``-``."""


def words(text: str) -> tuple[str, ...]:
    """The words of a list that commas separate: ``--methods gradient,ism``."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _comma_separated(type_: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in tokens[0].value.split(","))
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not a list of whole numbers such as -1,0,1") from None


Shifts = Annotated[
    tuple[int, ...],
    Parameter(
        converter=_comma_separated,
        n_tokens=1,
        allow_leading_hyphen=True,
        accepts_keys=False,
        help="Average the sequence moved by so many bases, such as -1,0,1.",
    ),
]
"""Whole numbers separated by commas: ``--shifts -1,0,1``."""
