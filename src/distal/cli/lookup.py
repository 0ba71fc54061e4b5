"""`distal lookup`: variants in scores that were written before, by us or by others; knows options and columns only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import emit
from distal.cli.options import Json, TrackQuery
from distal.coords import Interval, Variant, Window
from distal.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from distal.io.fasta import Genome
    from distal.io.scores import ScoreRow, Scores

_ANY_LENGTH = Window(1 << 30, 1 << 10, 1 << 20)
"""A window that no allele is too long for."""


def lookup(
    *,
    scores: Path,
    id: str = "",
    region: str = "",
    variant: str = "",
    tracks: TrackQuery = "",
    fasta: Path | None = None,
    json: Json = False,
) -> None:
    """Look up variants in scores that were written before: ours, DeepMind's published files, Basenji's.

    Prints a line for each variant and track, with each score as ALT minus REF of the file. Files of others keep no
    status; theirs are shown as scored. Their REF is not always the genome's (it may be the more frequent allele): with
    --fasta the column `orientation` says `genome` where it is; `swapped` where ALT is the genome's, so that scores
    have to be multiplied by -1 to be those of the change of the genome; `neither`; else `unknown`.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, a folder of score files, or one file.
    id
        The variant's ID, such as rs1800961.
    region
        A region such as chr20:42,900,000-43,100,000 (counted from 1, both ends included), or one position.
    variant
        Position and alleles, such as chr20:42984264:C>T; the file may have them the other way round.
    fasta
        The genome that was scored, to tell which allele is its own.
    """
    from distal.io.fasta import Genome
    from distal.io.scores import Scores, files

    if sum(map(bool, (id, region, variant))) != 1:
        raise InputError("give one of --id, --region and --variant")
    genome = None if fasta is None else Genome(fasta)
    found = []
    for path in files(scores):
        with Scores(path) as opened:
            found += list(_lines(opened, _rows(opened, id, region, variant), tracks, genome))
    if not found:
        what = id or variant or f"of {region}"
        raise InputError(f"no variant {what} in {scores}; positions are those of the genome scored there")
    emit(found, json)


def _rows(scores: Scores, id: str, region: str, variant: str) -> NDArray[np.int64]:
    """Indices of the rows asked for."""
    if id:
        return scores.named(id)
    if region:
        return scores.within(Interval.from_ucsc(region))
    asked = Variant.parse(variant)
    there = scores.within(Interval(asked.chrom, asked.start, asked.start + 1))
    rows = scores.read(there, ()).rows
    return there[[{row.ref, row.alt} == {asked.ref, asked.alt} for row in rows]]


def _lines(scores: Scores, where: NDArray[np.int64], query: str, genome: Genome | None) -> Iterator[dict[str, Any]]:
    table = scores.table.select(query)
    block = scores.read(where, scores.scores)
    for i, row in enumerate(block.rows):
        about = {"chrom": row.chrom, "pos": row.pos, "id": row.name, "ref": row.ref, "alt": row.alt}
        about |= {"orientation": _orientation(row, genome), "status": row.status}
        for track in table.rows:
            values = {name: float(matrix[i, track.index]) for name, matrix in block.values.items()}
            yield {**about, "track": track.name, "description": track.description, **values}


def _orientation(row: ScoreRow, genome: Genome | None) -> str:
    """Whether REF of a row is the genome's, or ALT is."""
    from distal.io.vcf import VcfRow
    from distal.scoring.alleles import REF_FLIPPED, REF_MISMATCH, SCORED, judge

    if genome is None:
        return "unknown"
    judged = judge(genome, _ANY_LENGTH, VcfRow(0, 0, row.chrom, row.pos, row.name, row.ref, row.alt))
    return {SCORED: "genome", REF_FLIPPED: "swapped", REF_MISMATCH: "neither"}.get(judged.status, "unknown")
