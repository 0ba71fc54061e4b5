"""`distal lookup`: variants in scores that were written before, by us or by others; knows options and columns only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import emit
from distal.coords import Interval
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.io.scores import Scores


def lookup(*, scores: Path, id: str = "", region: str = "", tracks: str = "", json: bool = False) -> None:
    """Look up variants in scores that were written before: ours, DeepMind's published files, Basenji's.

    Prints a line for each variant and track. Files of others keep no status; theirs are shown as scored.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, a folder of score files, or one file.
    id
        The variant's ID, such as rs1800961.
    region
        A region such as chr20:42,900,000-43,100,000 (counted from 1, both ends included), or one position.
    tracks
        Which tracks, such as "assay=DNASE biosample~HepG2"; all when left out.
    json
        Print JSON.
    """
    from distal.io.scores import Scores, files

    if bool(id) == bool(region):
        raise InputError("give either --id or --region")
    where = Interval.from_ucsc(region) if region else None
    found = []
    for path in files(scores):
        with Scores(path) as opened:
            found += list(_lines(opened, id, where, tracks))
    if not found:
        raise InputError(
            f"no variant {id or 'of ' + region} in {scores}; positions are those of the genome scored there"
        )
    emit(found, json)


def _lines(scores: Scores, id: str, where: Interval | None, query: str) -> Iterator[dict[str, Any]]:
    table = scores.table.select(query)
    block = scores.read(scores.named(id) if where is None else scores.within(where))
    for i, row in enumerate(block.rows):
        about = {"chrom": row.chrom, "pos": row.pos, "id": row.name, "ref": row.ref, "alt": row.alt}
        for track in table.rows:
            values = {name: float(matrix[i, track.index]) for name, matrix in block.values.items()}
            yield {**about, "status": row.status, "track": track.name, "description": track.description, **values}
