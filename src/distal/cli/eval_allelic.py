"""`distal eval allelic`: the terminal's side of the benchmark; knows options, no model."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress, say
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Precision, Shifts


def allelic(
    *,
    model: Model,
    data: Path,
    fasta: Fasta,
    tracks: str,
    chain: Path | None = None,
    chroms: tuple[str, ...] = (),
    rc: BothStrands = False,
    shifts: Shifts = (0,),
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Allele-specific accessibility: predicted effects of SNVs against the imbalance of heterozygotes' reads.

    Correlation of predicted and measured log2 effects, and how often the signs agree, over all SNVs and over the tenth
    with the strongest measured effect; 95 % bootstrap intervals over loci of 10 kb. Data: UDACHA
    (adastra.autosome.org/udacha) or the extract of it in autosome-ru/human_legnet; nothing is downloaded.

    Parameters
    ----------
    data
        Table with the columns chr, start, ref, alt, ref_comb_es, alt_comb_es (UDACHA's), plain or gzip.
    tracks
        Which tracks predict the assay, such as "assay=DNASE biosample~HepG2".
    chain
        UCSC chain file to the genome's assembly, where the table is of another one.
    chroms
        Chromosomes of the table that are looked at; all that the genome has when left out.
    """
    from distal.evals import allelic as benchmark
    from distal.evals.cases import table
    from distal.incremental import Incremental
    from distal.io.chain import Chains
    from distal.io.fasta import Genome
    from distal.predictor import load

    genome = Genome(fasta)
    through = Incremental(load(model, head, device, precision))
    through.predictor.tracks.select(tracks)
    imbalance = benchmark.read(data, genome, None if chain is None else Chains(chain), chroms)
    with progress("allelic", len(imbalance.variants), "SNVs") as advance:
        found = benchmark.cases(through, genome, imbalance, tracks, data.name.split(".tsv")[0], rc, shifts, advance)
    say(f"{through.predictor.spec.name}, {head}: {len(imbalance.variants):,} SNVs, {found[0].notes}")
    emit(table(found), json)
