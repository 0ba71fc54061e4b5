"""Direction of eQTLs: does a model predict whether ALT raises or lowers its gene? Knows rows, genes, effects and signs.

Data: a table of GTEx's columns (``*.egenes.txt``): ``gene_id chr pos ref alt slope``, the position counted from 1 (v8
calls it ``variant_pos``), slope the effect of ALT relative to REF on normalised expression. Predicted is
log2(1 + ALT) - log2(1 + REF) of the signal in the bins of the gene's start sites and those within 128 bp of them, the
mean over the tracks of the gene's strand. Variant and nearest start site lie on either side of the window's middle, so
both are in the output as long as it is wide enough; further start sites count where the output has them.

Enformer's article shows the question as a figure and gives no number: our protocol. A lead variant need not be the
causal one, and of two that are inherited together either may lead: even a perfect model stays below 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, Variant, Window
from distal.errors import InputError
from distal.evals.cases import Case
from distal.files import replacing
from distal.interpret.promoters import margin, on_strand, widened
from distal.io import columns
from distal.io.lines import read_annotation
from distal.io.vcf import VcfRow
from distal.predictor import mean
from distal.scoring import alleles
from distal.scoring.effects import Signals

if TYPE_CHECKING:
    from distal.incremental import Pass
    from distal.io.fasta import Genome
    from distal.io.genes import Gene, Genes

STRONGEST = {"third": 1 / 3, "tenth": 0.1}
"""Shares of the rows, by size of the *predicted* effect, whose signs are looked at by themselves."""
LIMITS = (0, 1_000, 10_000, 30_000)
"""Distances to the start site, in bases, at which the classes begin; the last ends with the rows."""
NOT_SIGNIFICANT, NO_GENE, TOO_FAR, NO_SLOPE = "not_significant", "no_gene", "too_far", "no_slope"
"""What can become of a row, besides `alleles.STATUSES`. `too_far`: the start sites lie further than was asked for, or
than the output reaches. `no_slope`: the slope is 0, which has no sign."""
_NONE = "no published number"


@dataclass(frozen=True, slots=True)
class Association:
    """A row of the table: an allele, a gene, and what was measured of the two."""

    row: VcfRow
    gene: str
    slope: float
    """Positive where ALT goes with higher expression."""
    q: float = 0.0
    """False discovery rate of the gene's having an eQTL; 0 where the table has none."""


@dataclass(frozen=True, eq=False)
class View:
    """Where a row's variant and start sites are seen together."""

    judged: alleles.Judged
    strand: str
    """The gene's."""
    input: Interval
    bins: NDArray[np.int64]
    """Of the output: those of the gene's start sites, ascending."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A row, what becomes of it, and, where it can be scored, what is read for it."""

    association: Association
    status: str
    distance: int = -1
    """Bases between the first base of REF and the nearest start site; -1 where that isn't known."""
    view: View | None = None
    predicted: float = math.nan
    """log2 fold change of the gene's signal, once scored."""

    @property
    def unit(self) -> str:
        """A name for the row that another model's row has too."""
        row = self.association.row
        return f"{self.association.gene} {row.chrom}:{row.pos}:{row.ref}>{row.alt}"


def read(path: str | Path) -> list[Association]:
    """The rows of a table of GTEx's columns, plain or gzip. Raises `InputError` for one that isn't."""
    path = Path(path)
    names = next(iter(read_annotation(path)), "").split("\t")
    position = "pos" if "pos" in names else "variant_pos"
    missing = [name for name in ("gene_id", "chr", position, "ref", "alt", "slope") if name not in names]
    if missing:
        raise InputError(f"{path} line 1: no column {', '.join(missing)}; give a table of GTEx's columns (egenes)")
    return [association for piece in columns.read(path) for association in _rows(piece, position)]


def _rows(piece: columns.Piece, position: str) -> Iterator[Association]:
    slopes, places = piece.decimal("slope"), piece.whole(position)
    rates = piece.decimal("qval") if "qval" in piece.frame.columns else np.zeros(len(slopes))
    texts = [piece.texts(name) for name in ("chr", "ref", "alt", "gene_id")]
    rows = zip(piece.numbers.tolist(), *texts, places.tolist(), slopes.tolist(), rates.tolist(), strict=True)
    for line, chrom, ref, alt, gene, pos, slope, q in rows:
        yield Association(VcfRow(line, line, chrom, pos, gene, ref.upper(), alt.upper()), gene, slope, q)


def place(
    table: Sequence[Association],
    genome: Genome,
    genes: Genes,
    window: Window,
    max_distance: int | None = None,
    fdr: float = 0.05,
) -> list[Placed]:
    """What becomes of each row, in their order. Raises `InputError` where none can be scored, and says why.

    Genes are found by identifier, with or without its version, on the variant's own contig.
    """
    if max_distance is not None and max_distance < 1:
        raise InputError(f"no start site is at most {max_distance} bp away; give 1 or more")
    if not 0 <= fdr <= 1:
        raise InputError(f"a false discovery rate is between 0 and 1, not {fdr:g}")
    known: dict[str, dict[str, Gene]] = {}
    seen: set[str] = set()
    found = []
    for one in table:
        placed = _placed(one, genome, genes, window, max_distance, fdr, known)
        if placed.view is not None:
            key = f"{placed.view.judged.variant} {_bare(one.gene)}"
            placed = Placed(one, alleles.DUPLICATE, placed.distance) if key in seen else placed
            seen.add(key)
        found.append(placed)
    if not any(placed.status == alleles.SCORED for placed in found):
        raise InputError(
            f"none of {len(found):,} rows can be scored ({counted(found)}); "
            "give the genome and the genes of the table's assembly"
        )
    return found


def _placed(
    one: Association,
    genome: Genome,
    genes: Genes,
    window: Window,
    max_distance: int | None,
    fdr: float,
    known: dict[str, dict[str, Gene]],
) -> Placed:
    if one.q > fdr:
        return Placed(one, NOT_SIGNIFICANT)
    if one.slope == 0:
        return Placed(one, NO_SLOPE)
    judged = alleles.judge(genome, window, one.row)
    if judged.variant is None:
        return Placed(one, judged.status)
    variant = judged.variant
    if variant.chrom not in known:
        whole = genes.touching(Interval(variant.chrom, 0, genome.sizes[variant.chrom]))
        known[variant.chrom] = {_bare(gene.id): gene for gene in reversed(whole)}
    gene = known[variant.chrom].get(_bare(one.gene))
    if gene is None:
        return Placed(one, NO_GENE)
    nearest = min(gene.tss, key=lambda site: abs(site - variant.start))
    distance = abs(nearest - variant.start)
    input, bins = _seen(window, variant, gene, nearest)
    if not len(bins) or (max_distance is not None and distance > max_distance):
        return Placed(one, TOO_FAR, distance)
    return Placed(one, alleles.SCORED, distance, View(judged, gene.strand, input, bins))


def _bare(gene: str) -> str:
    """An identifier without its version: annotations of several releases differ in it."""
    return gene.upper().partition(".")[0]


def _seen(window: Window, variant: Variant, gene: Gene, nearest: int) -> tuple[Interval, NDArray[np.int64]]:
    """The input around a variant and a start site, and the gene's bins; none where the two aren't both in the output.

    A base more on either side of the alleles is asked for, because indels are compared from the base before.
    """
    both = Interval(variant.chrom, min(variant.start, nearest), max(variant.end, nearest + 1))
    input = window.input_around(both)
    output = window.output_of(input)
    near = margin(window)
    longest = max(len(variant.ref), len(variant.alt))
    middles = {site: (site - output.start) // window.bin_bp for site in gene.tss}
    inside = {site: bin for site, bin in middles.items() if near <= bin < window.bins - near}
    edited = Interval(variant.chrom, variant.start - 1, variant.start + longest + 1)
    if nearest not in inside or not output.contains(edited):
        return input, np.empty(0, np.int64)
    return input, widened(inside.values(), window)


def scored(
    pass_: Pass,
    genome: Genome,
    rows: Sequence[Placed],
    query: str = "assay=CAGE",
    rc: bool = False,
    progress: Callable[[int], object] = lambda n: None,
) -> list[Placed]:
    """The rows with their predicted effects; what has no finite one is `failed`. `progress` hears of scored rows.

    Each row is read by itself, so that its number doesn't depend on the others, or on their order.
    """
    chosen = pass_.predictor.tracks.select(query)
    window, found = pass_.predictor.window, []
    for row in rows:
        if row.view is None:
            found.append(row)
            continue
        channels = on_strand(chosen, row.view.strand).channels
        haplotypes = alleles.within(genome, window, row.view.judged, row.view.input)
        pass_.forget()
        means = [mean(members, rc) for members in pass_.members(haplotypes.sequences, rc, channels=channels)]
        ref, alt = (side.cpu().numpy()[row.view.bins].sum(axis=0)[None] for side in haplotypes.compared(*means))
        fold = float(Signals(ref, alt).log2_fold(range(len(channels)))[0])
        status = alleles.SCORED if math.isfinite(fold) else alleles.FAILED
        found.append(replace(row, predicted=fold, status=status))
        progress(1)
    return found


def counted(rows: Sequence[Placed]) -> str:
    """How many rows have which status, the most frequent first."""
    return ", ".join(f"{count:,} {status}" for status, count in Counter(row.status for row in rows).most_common())


def cases(rows: Sequence[Placed], name: str) -> list[Case]:
    """The questions; rows of one gene are drawn together. Those that aren't scored aren't asked about."""
    asked = [row for row in rows if row.status == alleles.SCORED]
    slopes = np.array([row.association.slope for row in asked], dtype=np.float64)
    folds = np.array([row.predicted for row in asked], dtype=np.float64)
    distances = np.array([row.distance for row in asked], dtype=np.int64)
    genes = np.array([_bare(row.association.gene) for row in asked], dtype=str)
    units = [row.unit for row in asked]
    raised = f"{np.mean(slopes > 0):.0%} of ALT alleles raise expression" if len(slopes) else ""

    def case(question: str, statistic: str, at: NDArray[np.int64], published: str = _NONE, notes: str = "") -> Case:
        text = f"{name}, {question}" if question else name
        of = tuple(units[i] for i in at)
        return Case(
            "direction", text, statistic, slopes[at], folds[at], genes[at], "our protocol", published, notes, of
        )

    everything, chance = np.arange(len(asked)), f"0.5 by chance; {_NONE}"
    order = np.argsort(-np.abs(folds), kind="stable")
    found = [case("all signs", "concordance", everything, chance, raised)]
    for word, share in STRONGEST.items():
        most = np.sort(order[: max(1, round(len(asked) * share))])
        found.append(case(f"strongest {word} of predictions", "concordance", most, chance))
    for low, high in zip(LIMITS, (*LIMITS[1:], None), strict=True):
        at = np.flatnonzero((distances >= low) & (distances < (math.inf if high is None else high)))
        if len(at):
            text = f"from {low:,} bp" if high is None else f"{low:,} to {high:,} bp"
            found.append(case(f"{text} from the start site", "concordance", at, chance))
    return [*found, *(case("", statistic, everything) for statistic in ("auroc", "pearson", "spearman"))]


def write(path: str | Path, rows: Sequence[Placed]) -> None:
    """A line of tab-separated text for every row of the table, whatever became of it; positions count from 1."""
    names = ("line", "gene", "chr", "pos", "ref", "alt", "status", "distance", "slope", "predicted")
    lines = ["\t".join(names)]
    for one in rows:
        row = one.association.row
        distance = str(one.distance) if one.distance >= 0 else ""
        predicted = f"{one.predicted:.6g}" if math.isfinite(one.predicted) else ""
        words = (row.line, one.association.gene, row.chrom, row.pos, row.ref, row.alt, one.status, distance)
        lines.append("\t".join([*map(str, words), f"{one.association.slope:.6g}", predicted]))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
