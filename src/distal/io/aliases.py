"""Further names of a genome's sequences, from UCSC's chromAlias files; knows names and no bases.

The file of an assembly has a line for each sequence, its names separated by tabs (``chr1``, ``1``, ``CM000663.1``,
``NC_000001.10``), under a header that starts with ``#``. Every name in a line is the same sequence.

Source: https://genomewiki.ucsc.edu/index.php/Chrom_Alias
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Container, Iterator
from pathlib import Path

from distal.coords import spellings
from distal.errors import InputError


def read(path: str | Path, sequences: Container[str]) -> dict[str, str]:
    """Alias -> the name that `sequences` has, from a chromAlias file (plain or gzip).

    Lines that name no sequence are for other genomes' files of the same assembly and mean nothing here; a word that
    stands beside several sequences (the dumps of UCSC's tables have a column such as ``ensembl``) names none of them.
    Raises `InputError` for a file that cannot be read, a line that names two sequences, and a file that names none.
    """
    found: dict[str, set[str]] = {}
    for number, names in _lines(Path(path)):
        here = {name for name in names if name in sequences} or {
            spelling for name in names for spelling in spellings(name) if spelling in sequences
        }
        if len(here) > 1:
            raise InputError(
                f"{path} line {number}: {' and '.join(sorted(here))} are one sequence here and two in the genome; "
                "give the chromAlias.txt of the genome's own assembly"
            )
        for name in names:
            found.setdefault(name, set()).update(here)
    aliases = {name: min(here) for name, here in found.items() if len(here) == 1}
    if not aliases:
        raise InputError(f"{path} names no sequence of the genome; give the chromAlias.txt of its assembly")
    return aliases


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and names of every line that is not a comment."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a chromAlias.txt of UCSC") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("#"):
            yield number, [name.strip() for name in line.split("\t") if name.strip()]
