"""Option types that several verbs share: from the text on the command line to a value, and nothing else.

`Shifts` exists because ``--shifts -1,0,1`` begins with a hyphen, which a plain list of numbers refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token


def _comma_separated(type_: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in tokens[0].value.split(","))
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not a list of whole numbers such as -1,0,1") from None


Shifts = Annotated[
    tuple[int, ...],
    Parameter(converter=_comma_separated, n_tokens=1, allow_leading_hyphen=True, accepts_keys=False),
]
"""Whole numbers separated by commas: ``--shifts -1,0,1``."""
