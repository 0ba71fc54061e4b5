"""`distal lookup`: variants in scores that were written before, by us or by others; knows options and columns only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    from distal.io.scores import Matrix, ScoreRow, Scores
    from distal.tracks import TrackTable

_ANY_LENGTH = Window(1 << 30, 1 << 10, 1 << 20)
"""A window that no allele is too long for."""


def lookup(
    *,
    scores: Path,
    id: str = "",
    region: str = "",
    variant: str = "",
    gene: str = "",
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
    gene
        A gene's name or identifier, such as HNF4A: its own scores (those ending in _tss and _gene), of the variants
        asked for, or of all that are near it.
    fasta
        The genome that was scored, to tell which allele is its own.
    """
    from distal.io.fasta import Genome
    from distal.io.scores import Scores, files

    asked = sum(map(bool, (id, region, variant)))
    if asked > 1 or not (asked or gene):
        raise InputError("give one of --id, --region and --variant, or --gene and at most one of them")
    genome = None if fasta is None else Genome(fasta)
    found = []
    for path in files(scores):
        with Scores(path) as opened:
            rows = _rows(opened, id, region, variant, gene)
            found += list(_gene_lines(opened, rows, tracks, gene) if gene else _lines(opened, rows, tracks, genome))
    if not found:
        what = id or variant or (f"of {region}" if region else "")
        raise InputError(
            f"no variant {what} with scores on {gene} in {scores}; `distal score --scores SADR_tss --genes` makes them"
            if gene
            else f"no variant {what} in {scores}; positions are those of the genome scored there"
        )
    emit(found, json)


def _rows(scores: Scores, id: str, region: str, variant: str, gene: str) -> NDArray[np.int64]:
    """Indices of the rows asked for; of a gene those near it, if nothing narrows them down."""
    if gene and not (id or region or variant):
        return scores.on_gene(gene)
    if id:
        return scores.named(id)
    if region:
        return scores.within(Interval.from_ucsc(region))
    return scores.carrying(Variant.parse(variant))


def _lines(scores: Scores, where: NDArray[np.int64], query: str, genome: Genome | None) -> Iterator[dict[str, Any]]:
    table = scores.table.select(query)
    block = scores.read(where, scores.scores)
    for i, row in enumerate(block.rows):
        about = {**_allele(row), "orientation": _orientation(row, genome), "status": row.status}
        yield from _by_track(about, table, block.values, i)


def _gene_lines(scores: Scores, where: NDArray[np.int64], query: str, gene: str) -> Iterator[dict[str, Any]]:
    """The scores on one gene of the rows at `where`."""
    table = scores.table.select(query)
    block = scores.read(where, scores.gene_scores)
    if block.genes is None:
        return
    for i, (row, at) in enumerate(zip(block.genes.rows.tolist(), block.genes.genes, strict=True)):
        if gene in (at.name, at.id, at.id.partition(".")[0]):
            about = {**_allele(block.rows[row]), "gene": at.name, "tss_distance": at.tss_distance}
            yield from _by_track(about, table, block.genes.values, i)


def _allele(row: ScoreRow) -> dict[str, Any]:
    return {"chrom": row.chrom, "pos": row.pos, "id": row.name, "ref": row.ref, "alt": row.alt}


def _by_track(
    about: dict[str, Any], table: TrackTable, matrices: Mapping[str, Matrix], row: int
) -> Iterator[dict[str, Any]]:
    for track in table.rows:
        values = {name: float(matrix[row, track.index]) for name, matrix in matrices.items()}
        yield {**about, "track": track.name, "description": track.description, **values}


def _orientation(row: ScoreRow, genome: Genome | None) -> str:
    """Whether REF of a row is the genome's, or ALT is."""
    from distal.io.vcf import VcfRow
    from distal.scoring.alleles import REF_FLIPPED, REF_MISMATCH, SCORED, judge

    if genome is None:
        return "unknown"
    judged = judge(genome, _ANY_LENGTH, VcfRow(0, 0, row.chrom, row.pos, row.name, row.ref, row.alt))
    return {SCORED: "genome", REF_FLIPPED: "swapped", REF_MISMATCH: "neither"}.get(judged.status, "unknown")
