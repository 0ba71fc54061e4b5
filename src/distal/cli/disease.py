"""`distal disease`: what variant scores say of a trait; knows options and files only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distal.cli.console import emit, plain
from distal.cli.options import Json, TrackQuery

if TYPE_CHECKING:
    from distal.evals.disease import Enrichment
    from distal.evals.matching import Fact
    from distal.evals.pool import Pool
    from distal.scoring.cards import Card

_MAF = ("maf", "af", "freq", "alt_freqs", "effect_allele_frequency")
_LD = ("l2", "ldscore", "ld_score")
_SHOWN = 15
_ALLELE = 12
"""Letters of an allele in a file's name."""


def annot(
    *,
    scores: Path,
    out: Path,
    kind: Literal["signed", "size", "top"] = "signed",
    score: str = "SAD",
    tracks: TrackQuery = "",
    pcs: Path | None = None,
    bim: str = "",
    top: float = 0.01,
    json: Json = False,
) -> None:
    """Write scores as annotations for SLDP (<chromosome>.sannot.gz) or LDSC (<chromosome>.annot.gz).

    A column for each track, or for each component with --pcs. SLDP's carry a sign: they are of A1 against A2. LDSC's
    have none: the size of a score, or 1 for the largest and 0 for the rest. Pass --out, with a slash behind it, to
    `sldp --sannot-chr` or to `ldsc.py --annot` and --ref-ld-chr.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, or score files of others, on the panel's genome build.
    out
        Folder for the files.
    kind
        signed (for SLDP); size or top (for LDSC).
    score
        The score to write.
    pcs
        Components to write in place of tracks: X.safetensors, from `distal pcs fit`.
    bim
        The reference panel's .bim, with @ for the chromosome's number (1000G.EUR.QC.@.bim): a row for each of its
        variants in its order, as LDSC needs, 0 where there is no score. Without it, a row for each scored variant.
    top
        With --kind top: the share of the variants that get 1.
    """
    from distal.errors import InputError
    from distal.scoring import heritability
    from distal.scoring.components import Components

    if pcs is not None and tracks:
        raise InputError("give --tracks or --pcs, not both; components are made of all tracks")
    chosen = (
        heritability.by_track(scores, score, tracks) if pcs is None else heritability.by_component(Components.load(pcs))
    )
    if kind == "signed":
        written = heritability.write_signed(scores, out, chosen, bim)
    else:
        sized = heritability.sizes(chosen) if kind == "size" else heritability.largest(chosen, scores, top)
        written = heritability.write_sizes(scores, out, sized, bim)
    emit({"annotations": len(chosen.names), "score": chosen.score, "files": [asdict(each) for each in written]}, json)


def enrich(
    *,
    scores: Path,
    trait: Path,
    out: Path,
    weight: str = "",
    score: str = "SAD",
    tracks: TrackQuery = "",
    by: Literal["track", "experiment", "biosample"] = "biosample",
    specific: bool = False,
    genes: Path | None = None,
    maf: Path | None = None,
    ld: Path | None = None,
    controls: int = 20,
    permutations: int = 9999,
    seed: int = 0,
    fdr: float = 0.05,
    json: Json = False,
) -> None:
    """Which cell types a trait's variants act in: are their effects larger than those of variants like them?

    The scores must hold many more variants than the trait's, such as a whole panel's: controls are drawn from them,
    for each variant from those in the same class of allele frequency (--maf), distance to the nearest start site
    (--genes) and LD score (--ld), as far as these are given. Writes enrichment.tsv, enrichment.svg and enrichment.json.

    Effects are compared by rank, track by track, without their sign. Give variants that are independent of each other:
    lead variants, or a fine-mapped list with its probabilities as weights.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, or score files of others.
    trait
        The trait's variants: VCF, a table with a line of names (id, or chrom and pos, or these with ref and alt), or
        an ID on each line.
    out
        Folder for table, figure and JSON.
    weight
        Column or INFO key of the list with a weight for each variant, such as pip; all count the same without it.
    score
        The score whose size counts.
    by
        What is tested: tracks, experiments (assay, target and biosample) or biosamples.
    specific
        Take from every variant what it does to all of them alike: what is left is specific to a cell type.
    genes
        Annotation of the genome (GTF, GFF3 or BED), for the distance to start sites.
    maf
        VCF with AF, or a table with a column maf or af (any file that names variants as the trait's does).
    ld
        LD scores: a table with a column l2, such as LDSC's.
    controls
        At most so many for each variant.
    permutations
        Random choices of the cases.
    seed
        Of the controls and the permutations.
    fdr
        False discovery rate below which a bar is coloured.
    """
    from distal.errors import InputError
    from distal.evals import disease
    from distal.evals.pool import Pool
    from distal.io import named

    if min(controls, permutations) < 1:
        raise InputError("give one control and one permutation at least")
    pool = Pool.of(scores)
    listed = list(named.read(trait, ((weight.lower(),),) if weight else ()))
    cases = disease.Cases.of(pool, listed, bool(weight))
    facts = list(_facts(pool, maf, genes, ld))
    found = disease.enrich(pool, cases, facts, score, tracks, by, specific, controls, permutations, seed)
    _write_enrichment(out, found, trait.name, fdr)
    rows = [asdict(one) for one in found.groups]
    about = {key: value for key, value in asdict(found).items() if key != "groups"}
    emit({**about, "groups": rows if json else rows[:_SHOWN], "out": str(out)}, json)


def _facts(pool: Pool, maf: Path | None, genes: Path | None, ld: Path | None) -> Iterator[Fact]:
    """What cases and controls have to be alike in."""
    import numpy as np

    from distal.errors import InputError
    from distal.evals.matching import DISTANCES, FREQUENCIES, Fact
    from distal.io import named
    from distal.io.genes import Genes

    if maf is not None:
        frequency = pool.numbers(named.read(maf, (_MAF,)))
        if np.isnan(frequency).all():
            raise InputError(f"{maf} has no frequency of any scored variant; are both on one genome build?")
        yield Fact("maf", np.minimum(frequency, 1 - frequency), FREQUENCIES)
    if genes is not None:
        yield Fact("tss_distance", pool.tss_distances(Genes.read(genes)), DISTANCES)
    if ld is not None:
        yield Fact.by_deciles("ld_score", pool.numbers(named.read(ld, (_LD,))))


def _write_enrichment(out: Path, found: Enrichment, trait: str, fdr: float) -> None:
    from distal import plots
    from distal.evals.enrichment import Enriched
    from distal.io import documents, tables
    from distal.plots.enrichments import enrichments

    out.mkdir(parents=True, exist_ok=True)
    tables.write(out / "enrichment.tsv", Enriched, found.groups)
    documents.write(out / "enrichment.json", plain(found))
    names = [one.group for one in found.groups]
    ratio, p, q = ([getattr(one, name) for one in found.groups] for name in ("enrichment", "p", "q"))
    plots.save(enrichments(names, ratio, p, q, fdr, f"{trait}: {found.tested:,} variants"), out / "enrichment.svg")


def cards(
    *,
    scores: Path,
    trait: Path,
    out: Path,
    weight: str = "",
    score: str = "",
    tracks: TrackQuery = "",
    genes: Path | None = None,
    top: int = 10,
    json: Json = False,
) -> None:
    """An evidence card for each variant of a list: tracks, biosamples, genes nearby, status, what made the scores.

    Writes <variant>.md to read and <variant>.json for programs, and index.md, into a folder. Variants of the list that
    the scores don't have are counted.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, or score files of others.
    trait
        The variants: VCF, a table with a line of names (id, or chrom and pos, or these with ref and alt), or an ID on
        each line.
    out
        Folder for the cards.
    weight
        Column or INFO key of the list to show on the card, such as pip.
    score
        The score to show; all when left out. Calibrated ones stand beside theirs.
    genes
        Annotation of the genome (GTF, GFF3 or BED).
    top
        How many tracks, biosamples and genes a card lists.
    """
    import numpy as np

    from distal.errors import InputError
    from distal.evals.pool import Pool
    from distal.io import named
    from distal.io.genes import Genes
    from distal.io.scores import Scores
    from distal.scoring import alleles
    from distal.scoring.cards import cards as made_cards

    if top < 1:
        raise InputError(f"{top} tracks cannot be shown; give 1 or more")
    listed = list(named.read(trait, ((weight.lower(),),) if weight else ()))
    pool = Pool.of(scores, alleles.STATUSES)
    places, items = pool.found(listed)
    places, first = np.unique(places, return_index=True)
    if not len(places):
        raise InputError(f"{scores} has no variant of {trait}; are both on one genome build?")
    annotation = None if genes is None else Genes.read(genes)
    out.mkdir(parents=True, exist_ok=True)
    weights = [listed[item].number(0) if weight else None for item in items[first].tolist()]
    written: dict[str, Card] = {}
    for path, part, rows in pool.by_file(places):
        with Scores(path) as opened:
            for card in made_cards(opened, rows, weights[part], (score,) if score else (), tracks, annotation, top):
                written[_write_card(out, card, written)] = card
    _write_index(out, written)
    result = {"listed": len(listed), "without a row": len(listed) - len(np.unique(items)), "cards": len(written)}
    emit({**result, "out": str(out)}, json)


def _write_card(out: Path, card: Card, written: Collection[str]) -> str:
    """Write both forms of a card; returns their name."""
    import re

    from distal.files import replacing
    from distal.io import documents
    from distal.scoring.cards import markdown

    short = [re.sub(r"[^A-Za-z0-9]", "", allele)[:_ALLELE] for allele in (card.ref, card.alt)]
    plainly = "_".join((re.sub(r"[^A-Za-z0-9.-]", "-", card.chrom), str(card.pos), *short))
    name = plainly if plainly not in written else f"{plainly}_{len(written)}"
    documents.write(out / f"{name}.json", plain(card))
    with replacing(out / f"{name}.md") as temporary:
        temporary.write_text(markdown(card), encoding="utf-8")
    return name


def _write_index(out: Path, written: Mapping[str, Card]) -> None:
    from distal.files import replacing

    lines = ["| variant | ID | weight | status | strongest track | nearest gene |", "|---|---|---|---|---|---|"]
    for name, card in written.items():
        effect = card.scores[0].tracks[0] if card.scores else None
        track = "" if effect is None else f"{effect.description or effect.track} {effect.value:+.3g}"
        gene = f"{card.genes[0].name} {card.genes[0].tss_distance:+,}" if card.genes else ""
        weight = "" if card.weight is None else f"{card.weight:.3g}"
        lines.append(f"| [{card.title}]({name}.md) | {card.id} | {weight} | {card.status} | {track} | {gene} |")
    with replacing(out / "index.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
