"""Tables of enhancer-gene links in the columns of ENCODE's CRISPR_comparison; knows columns, not how links are found.

Source: https://github.com/EngreitzLab/CRISPR_comparison (predictions: `resources/example`, experiments:
`resources/crispr_data`). Positions are 0-based and half-open, as in BED.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distal.coords import Interval
from distal.errors import InputError
from distal.files import replacing
from distal.io import columns

_COLUMNS = ("chr", "start", "end", "name", "class", "TargetGene", "TargetGeneEnsemblID", "TargetGeneTSS", "CellType")
_TRUTH = {"TRUE": True, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Link:
    """A predicted link: an element, the gene it may regulate, and numbers that say how likely that is."""

    element: Interval
    name: str
    kind: str
    """promoter, genic or intergenic."""
    gene: str
    gene_id: str
    tss: int
    """0-based, the start site nearest to the element's middle."""
    cell_type: str
    scores: Mapping[str, float] = field(default_factory=dict)
    """Column name to number; the first is the table's Score."""


def write(path: str | Path, links: Sequence[Link]) -> None:
    """Write links in their order: ENCODE's columns, Score, DistanceToTSS, then every score under its name.

    A score that is NaN is written as NA. The file appears whole or not at all.
    """
    names = list(links[0].scores) if links else []
    rows = ["\t".join((*_COLUMNS, "Score", "DistanceToTSS", *names))]
    for link in links:
        at, scores = link.element, [_number(link.scores[name]) for name in names]
        about = (at.chrom, at.start, at.end, link.name, link.kind, link.gene, link.gene_id, link.tss, link.cell_type)
        away = abs(at.center - link.tss)
        rows.append("\t".join(map(str, (*about, scores[0] if scores else "NA", away, *scores))))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(rows) + "\n")


def _number(value: float) -> str:
    return "NA" if math.isnan(value) else f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A pair that an experiment tested: an element that was silenced, and a gene whose expression was measured."""

    element: Interval
    tss: Interval
    """One base."""
    gene: str
    regulated: bool
    """Whether silencing lowered the gene's expression, by the experiment's own test."""
    effect: float
    """Relative change of expression on silencing, -0.3 for 30 % less; NaN where the table doesn't say."""
    dataset: str
    dnase: float
    """Reads of DNase-seq per million in the element; NaN where the table doesn't say."""
    h3k27ac: float
    """Reads of H3K27ac ChIP-seq per million in the element; NaN where the table doesn't say."""


def experiments(path: str | Path) -> Iterator[Experiment]:
    """The pairs of a table of experiments, plain or gzip, in its order; those with ValidConnection FALSE are left out.

    Raises `InputError`, with file and line, where a column is missing or isn't what its name says.
    """
    for piece in columns.read(Path(path)):
        for name in ("chrom", "chromStart", "chromEnd", "startTSS", "endTSS", "measuredGeneSymbol", "Regulated"):
            if name not in piece.frame.columns:
                raise InputError(f"{path} has no column {name}; give a table of ENCODE's CRISPR_comparison")
        places = [piece.whole(name).tolist() for name in ("chromStart", "chromEnd", "startTSS", "endTSS")]
        texts = [
            _texts(piece, name) for name in ("chrom", "measuredGeneSymbol", "Regulated", "ValidConnection", "Dataset")
        ]
        numbers = [_numbers(piece, name) for name in ("EffectSize", "DHS.RPM", "H3K27ac.RPM")]
        for i, line in enumerate(piece.numbers.tolist()):
            start, end, first, last = (column[i] for column in places)
            chrom, gene, regulated, valid, dataset = (column[i] for column in texts)
            if valid.upper() == "FALSE":
                continue
            if regulated.upper() not in _TRUTH:
                raise InputError(f"{path} line {line}: Regulated is {regulated!r}, neither TRUE nor FALSE")
            tss = Interval(chrom, first, max(last, first + 1)).resize(1)
            truth = _TRUTH[regulated.upper()]
            effect, dnase, acetyl = (column[i] for column in numbers)
            yield Experiment(Interval(chrom, start, end), tss, gene, truth, effect, dataset, dnase, acetyl)


def _texts(piece: columns.Piece, name: str) -> list[str]:
    return piece.texts(name).to_list() if name in piece.frame.columns else [""] * len(piece.frame)


def _numbers(piece: columns.Piece, name: str) -> list[float]:
    """A column of numbers that may be missing, as a whole or (NA, empty) in a line."""
    values = []
    for text, line in zip(_texts(piece, name), piece.numbers.tolist(), strict=True):
        try:
            values.append(math.nan if text in ("", "NA", "NaN") else float(text))
        except ValueError:
            raise InputError(f"{piece.path} line {line}: {name} {text!r} is not a number") from None
    return values
