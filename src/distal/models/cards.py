"""The model card, a model folder's README.md: which of its lines a command may write; knows Markdown, no model.

A block stands between two comments that no reader sees, ``<!-- name -->`` and ``<!-- /name -->``. Everything outside is
written by people and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distal.errors import InputError
from distal.files import replacing
from distal.models.zoo import CARD


def put(folder: Path, name: str, body: str) -> Path:
    """Write `body` as block `name` of the card in `folder`, in its old place or at the end; returns the card's path.

    Raises `InputError` where the block begins and doesn't end.
    """
    card = folder / CARD
    text = card.read_text() if card.exists() else f"# {folder.name}\n"
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    block = f"{first}\n{body.strip()}\n{last}"
    if first in text:
        if last not in text.partition(first)[2]:
            raise InputError(f"{card} has {first} and no {last} behind it; add that, or delete both")
        text = re.sub(f"{re.escape(first)}.*?{re.escape(last)}", lambda _: block, text, count=1, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    with replacing(card) as temporary:
        temporary.write_text(text)
    return card


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: numbers on the right, those with a fraction to three decimals."""
    names = list(rows[0])
    ruler = ["---" if isinstance(rows[0][name], str) else "---:" for name in names]
    cells = [[_cell(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [names, ruler, *cells])


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
