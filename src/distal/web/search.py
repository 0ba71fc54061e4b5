"""What a user's words mean: a region, a variant, a gene or the name of a scored variant; knows no model and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.io.scores import Scores, files
from distal.predictor import on_genome

AROUND_VARIANT = 8_000
"""Bases that are shown of a variant's neighbourhood."""
GENE_MARGIN = 5_000
"""Bases that are shown on either side of a gene."""


@dataclass(frozen=True)
class Found:
    """A place to go to."""

    kind: str
    """region, variant, gene or id"""
    label: str
    region: Interval
    variant: Variant | None = None
    gene: str | None = None


def search(text: str, genome: Genome, genes: Genes | None, scores: Path | None) -> Found:
    """The place that `text` names, under the genome's name of the chromosome.

    ``chr20:42984264:C>T`` is a variant, ``chr20:42,984,160-42,984,444`` and ``chr20`` are regions, ``rs1800961`` is a
    scored variant's ID, anything else a gene. Raises `InputError` for what is none of them.
    """
    text = text.strip()
    if not text:
        raise InputError("nothing is searched for; write a gene, a region or a variant such as chr20:42984264:C>T")
    if ">" in text or text.count(":") > 1:
        return _variant(Variant.parse(text), genome, "variant", text)
    if ":" in text:
        region = on_genome(Interval.from_ucsc(text), genome)
        return Found("region", region.to_ucsc(), region)
    chrom = _chromosome(text, genome)
    if chrom is not None:
        return Found("region", chrom, Interval(chrom, 0, genome.sizes[chrom]))
    if scores is not None and (scored := _scored(text, scores)) is not None:
        return _variant(scored, genome, "id", text)
    return _gene(text, genome, genes, scores)


def _variant(variant: Variant, genome: Genome, kind: str, label: str) -> Found:
    there = on_genome(variant.interval, genome)
    variant = replace(variant, chrom=there.chrom)
    around = there.resize(max(AROUND_VARIANT, 2 * there.width)).clip(0, genome.sizes[there.chrom])
    return Found(kind, label, around, variant)


def _chromosome(text: str, genome: Genome) -> str | None:
    try:
        return genome.resolve(text)
    except InputError:
        return None


def _scored(name: str, scores: Path) -> Variant | None:
    """The first scored variant of that ID."""
    for path in files(scores):
        with Scores(path) as opened:
            where = opened.named(name)
            if len(where):
                row = opened.read(where[:1], ()).rows[0]
                return Variant.from_vcf(row.chrom, row.pos, row.ref, row.alt, row.name)
    return None


def _gene(text: str, genome: Genome, genes: Genes | None, scores: Path | None) -> Found:
    if genes is None:
        more = "" if scores is not None else ", and --scores to find variants by their ID"
        raise InputError(f"{text!r} is no region and no variant; start with --genes to find genes by name{more}")
    gene = genes.named(text)[0]
    bodies = [*gene.tss, *(base for exon in gene.exons for base in exon)]
    chrom = genome.resolve(gene.chrom)
    body = Interval(chrom, min(bodies) - GENE_MARGIN, max(bodies) + GENE_MARGIN)
    return Found("gene", gene.name, body.clip(0, genome.sizes[chrom]), gene=gene.name)
