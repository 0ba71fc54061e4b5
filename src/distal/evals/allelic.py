"""Allele-specific accessibility: does the predicted effect of a SNV go the way that the reads of heterozygotes do?

Data: tables of UDACHA's columns (Buyan et al. 2022; human_legnet's extract of it): ``#chr start end … ref alt …
ref_comb_es alt_comb_es``, 0-based, with the effect size of reads on either allele, log2, positive where that allele
has more than expected. Measured is alt_comb_es - ref_comb_es: positive where ALT is more accessible. Predicted is the
mean over the matched tracks of log2(1 + ALT) - log2(1 + REF), each summed over the four bins nearest to the SNV. No
article gives the numbers of Enformer or Basenji2 on this set: our protocol. Knows variants and effects, no file format
but this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distal.coords import Interval, Variant, spellings
from distal.errors import InputError
from distal.evals.cases import Case
from distal.io import columns
from distal.scoring import effects
from distal.train.metrics import Floats

if TYPE_CHECKING:
    from distal.incremental import Pass
    from distal.io.chain import Chains
    from distal.io.fasta import Genome

STRONGEST = 0.1
"""Share of the SNVs, by size of the measured effect, whose sign is looked at by itself."""
LOCUS_BP = 10_000
"""SNVs of so many bases are drawn together in resamples, because one accessible region has several."""
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_NONE = "no published value of these models on this set"


@dataclass(frozen=True, eq=False)
class Imbalance:
    """SNVs on the genome that is read, and what was measured of each; `left_out` says how many weren't, and why."""

    variants: tuple[Variant, ...]
    measured: Floats
    """[variants], log2: positive where ALT is more accessible."""
    left_out: dict[str, int]


def read(path: str | Path, genome: Genome, chains: Chains | None = None, chroms: Sequence[str] = ()) -> Imbalance:
    """The SNVs of a table on `genome`, lifted with `chains` where the table is of another assembly.

    `chroms` are those that are asked for; empty: all that the genome has. A SNV whose place lifts to none or several
    places, or that hasn't got its REF there, is left out and counted. Raises `InputError` where none is left.
    """
    found: list[tuple[Variant, float]] = []
    left: dict[str, int] = {"not lifted": 0, "REF differs": 0, "not a SNV": 0}
    for place, ref, alt, measured in _rows(Path(path)):
        if chroms and not any(chrom in spellings(place.chrom) for chrom in chroms):
            continue
        if len(ref) != 1 or len(alt) != 1:
            left["not a SNV"] += 1
            continue
        lifted = chains.lift(place) if chains else [place]
        on = [one for one in lifted if one.width == 1 and any(name in genome.sizes for name in spellings(one.chrom))]
        if len(lifted) != 1 or not on:
            left["not lifted"] += 1
            continue
        there = on[0]
        letters = (ref, alt) if there.strand != "-" else (ref.translate(_COMPLEMENT), alt.translate(_COMPLEMENT))
        variant = Variant(genome.resolve(there.chrom), there.start, *letters)
        if effects.holds_ref(genome, variant):
            found.append((variant, measured))
        else:
            left["REF differs"] += 1
    if not found:
        raise InputError(f"{path} has no SNV that lies on {genome.path}; give its assembly, or a chain file to it")
    found.sort(key=lambda one: (one[0].chrom, one[0].start, one[0].alt))
    return Imbalance(tuple(variant for variant, _ in found), np.array([value for _, value in found]), left)


def thinned(data: Imbalance, most: int) -> Imbalance:
    """At most so many of the SNVs, evenly spread along the genome, whatever was measured of them."""
    if most < 1:
        raise InputError(f"{most} SNVs cannot be looked at; give 1 or more")
    step = max(1, -(-len(data.variants) // most))
    return Imbalance(data.variants[::step], data.measured[::step], data.left_out)


def _rows(path: Path) -> Iterable[tuple[Interval, str, str, float]]:
    """(place, REF, ALT, log2 effect of ALT over REF) of each line."""
    header = _header(path)
    for piece in columns.read(path, header):
        starts = piece.whole("start")
        measured = piece.decimal("alt_comb_es") - piece.decimal("ref_comb_es")
        rows = zip(piece.texts("chr"), starts.tolist(), piece.texts("ref"), piece.texts("alt"), measured, strict=True)
        for chrom, start, ref, alt, value in rows:
            yield Interval(chrom, start, start + 1), ref, alt, float(value)


def _header(path: Path) -> list[str]:
    from distal.io.lines import read_annotation

    names = next(iter(read_annotation(path)), "").lstrip("#").split("\t")
    missing = {"chr", "start", "ref", "alt", "ref_comb_es", "alt_comb_es"} - set(names)
    if missing:
        raise InputError(f"{path} line 1: no column {', '.join(sorted(missing))}; give a table of UDACHA's columns")
    return names


def cases(
    pass_: Pass,
    genome: Genome,
    data: Imbalance,
    query: str,
    name: str,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    progress: Callable[[int], object] = lambda n: None,
) -> list[Case]:
    """Correlation over all SNVs, and sign concordance of the strongest, with the tracks that `query` selects.

    A SNV too near a chromosome's end to have bins around it has N there. Rows are grouped by locus.
    """
    tracks = pass_.predictor.tracks
    chosen = tracks.select(query)
    place = {row.index: i for i, row in enumerate(tracks.rows)}
    one = effects.own_window(pass_.predictor.window)
    (found,) = effects.signals(pass_, genome, data.variants, [effects.nearest_four], one, rc, shifts, progress)
    scores = found.log2_fold([place[row.index] for row in chosen.rows])
    loci = np.array([f"{variant.chrom}:{variant.start // LOCUS_BP}" for variant in data.variants])
    left = ", ".join(f"{count} {why}" for why, count in data.left_out.items() if count)
    return asked(name, data.measured, scores, loci, f"left out: {left}" if left else "")


def asked(name: str, measured: Floats, scores: Floats, loci: np.ndarray, notes: str = "") -> list[Case]:
    """The questions, from predicted [n] and measured [n] effects."""
    most = max(1, round(len(measured) * STRONGEST))
    strong = np.argsort(-np.abs(measured), kind="stable")[:most]
    return [
        Case("allelic", name, "pearson", measured, scores, loci, published=_NONE, notes=notes),
        Case("allelic", name, "spearman", measured, scores, loci, notes=notes),
        Case("allelic", f"{name}, all signs", "concordance", measured, scores, loci, published="0.5 by chance"),
        Case(
            "allelic",
            f"{name}, signs of the strongest {STRONGEST:.0%}",
            "concordance",
            measured[strong],
            scores[strong],
            loci[strong],
            published="0.5 by chance",
        ),
    ]
