"""`distal evolution`: effects along a lineage, and one sequence in two species; knows options and files only."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distal.cli.console import emit, plain, progress
from distal.cli.options import BothStrands, Device, Fasta, Json, Model, TrackQuery

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 15


def polarise(
    *,
    scores: Path,
    alleles: Path,
    out: Path,
    score: str = "SAD",
    tracks: TrackQuery = "",
    sure: bool = False,
    json: Json = False,
) -> None:
    """Scores of derived alleles against ancestral ones, and which way they move each track.

    Writes polarised.tsv.gz (tabix: ANCESTRAL, DERIVED and a column for each track, derived minus ancestral) and
    tracks.tsv: mean effect, share of the variants that the derived allele raises, a sign test with FDR.

    Score the list first: `distal score --ref-mismatch swap` takes a VCF, or a table with chrom, pos, ancestral and
    derived, such as the differences of human and chimpanzee, whichever of the two the genome has.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, or score files of others.
    alleles
        VCF with AA in INFO, or a table with a column ancestral (or aa); a list may have more variants than the scores.
    out
        Folder for both tables.
    score
        The score to polarise.
    sure
        Leave out ancestral alleles in small letters, which the 1000 Genomes call unsure.
    """
    import numpy as np

    from distal.errors import InputError
    from distal.evals import polarised
    from distal.evals.pool import Pool
    from distal.io import named, score_tables, tables

    pool = Pool.of(scores)
    table = pool.table.select(tracks)
    found = polarised.polarise(pool, list(named.read(alleles, (polarised.KEYS,))), sure)
    if not len(found.places):
        raise InputError(f"{scores} has no scored variant whose ancestral allele {alleles} says")
    shifts = polarised.Shifts(len(table))

    def blocks() -> Iterator[tuple[list[Any], Any]]:
        for rows, pairs, values in polarised.effects(pool, found, score, table.channels):
            shifts.add(values)
            yield rows, np.concatenate([pairs, values.astype(object)], axis=1)

    out.mkdir(parents=True, exist_ok=True)
    written = score_tables.write_tsv(out / "polarised.tsv.gz", ("ANCESTRAL", "DERIVED", *table.names), blocks())
    rows = sorted(shifts.rows(pool, score, table.channels), key=lambda row: (row.p, -abs(row.mean)))
    tables.write(out / "tracks.tsv", polarised.Shift, rows)
    about: dict[str, Any] = {
        "listed": found.listed,
        "polarised": written,
        "derived is ALT": int(found.derived_is_alt.sum()),
    }
    about |= {"ancestral unknown": found.unknown, "ancestral is neither": found.neither, "score": score}
    emit({**about, "tracks": plain([asdict(row) for row in (rows if json else rows[:_SHOWN])]), "out": str(out)}, json)


def orthologs(
    *,
    model: Model,
    fasta: Fasta,
    other_fasta: Path,
    chain: Path,
    regions: Path,
    out: Path,
    other_model: str = "",
    head: str = "human",
    other_head: str = "mouse",
    by: Literal["assay", "experiment"] = "assay",
    tracks: TrackQuery = "",
    rc: BothStrands = False,
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Compare what two heads predict for orthologous windows of two genomes, bin by bin.

    Writes likeness.tsv (for each assay, or experiment, that both heads have: correlation over the bins that the chain
    aligns; the same where the second head reads both sequences; the same between windows that don't belong together)
    and windows.tsv.

    Parameters
    ----------
    fasta
        The first genome, such as hg38.
    other_fasta
        The second, such as mm10.
    chain
        UCSC chain file from the first to the second, such as hg38ToMm10.over.chain.gz.
    regions
        BED file of regions of the first genome: a window is read around the middle of each.
    out
        Folder for both tables.
    other_model
        The model of the second head, where it is another one.
    head
        The first head.
    other_head
        The second.
    by
        What tracks are brought together by: assay, or experiment (assay, target and biosample in the same words).
    tracks
        Which tracks of both heads; all when left out.
    """
    from distal.errors import InputError
    from distal.evals import orthologs as compared
    from distal.io import bed, tables
    from distal.io.chain import Chains
    from distal.io.fasta import Genome
    from distal.predictor import load

    first = load(model, head, device), Genome(fasta)
    second = load(other_model or model, other_head, device), Genome(other_fasta)
    chosen = first[0].tracks.select(tracks), second[0].tracks.select(tracks)
    groups = compared.groups(*chosen, by)
    asked = [row.interval for row in bed.read(regions)]
    sides = (first[1], first[0].window), (second[1], second[0].window)
    found = list(compared.pairs(Chains(chain), asked, *sides))
    if not found:
        raise InputError(f"{chain} aligns no region of {regions}; is it from the genome of {fasta} to the other?")
    with progress("orthologs", len(found), "windows") as advance:
        rows = compared.likeness(found, first, second, chosen, groups, rc, advance)
    out.mkdir(parents=True, exist_ok=True)
    tables.write(out / "likeness.tsv", compared.Likeness, rows)
    tables.write(out / "windows.tsv", compared.WindowRow, (each.row for each in found))
    emit({"regions": len(asked), "aligned": len(found), "likeness": plain(rows), "out": str(out)}, json)
