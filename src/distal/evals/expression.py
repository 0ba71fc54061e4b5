"""Expression of genes on held-out windows: across genes, experiment by experiment, and across tissues, gene by gene.

A gene's signal in an experiment is the sum over the three 128-bp bins around each of its start sites (the bin that
has it, and one on either side), on the track of the gene's strand, as log(1 + x), standardised over genes. *Across
genes* is Pearson's r over genes in each experiment; *across tissues* is Pearson's r over experiments of each gene,
which says nothing of how high a gene is, only of where. Which bins the article summed isn't public: our protocol.
Knows genes, windows and bins, not who predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from distal.data.dataset import Examples
from distal.errors import InputError
from distal.evals.cases import Case
from distal.evals.tss import FEWEST, Name, starts
from distal.io.genes import Genes
from distal.tracks import TrackTable
from distal.train.metrics import Floats, PearsonR, spearman
from distal.train.validation import Predicted

PUBLISHED_BIN_BP = 128
_GENES = "Basenji2 0.81, Enformer 0.85, replicates 0.94 (638 CAGE tracks, the whole test set)"
_TISSUES = "Enformer 0.451, ExPecto 0.368 (Spearman, RNA-seq of 218 tissues)"


@dataclass(frozen=True, eq=False)
class Sites:
    """Which bins of which windows are around the start sites of which gene."""

    names: tuple[str, ...]
    forward: tuple[bool, ...]
    bins: dict[int, list[tuple[int, int]]]
    """Window -> (bin, gene), each once."""

    @classmethod
    def within(cls, examples: Examples, genes: Genes) -> Sites:
        """The start sites whose three bins are all measured; each counts in the first such window.

        Raises `InputError` where the windows' places aren't known, or where too few genes start in them.
        """
        if None in examples.intervals:
            raise InputError("the data set has no sequences.bed, so no gene can be found in its windows")
        numbers: dict[Name, int] = {}
        found: dict[int, set[tuple[int, int]]] = {}
        for window, name, bins in starts(examples, genes, max(1, PUBLISHED_BIN_BP // examples.bin_bp)):
            number = numbers.setdefault(name, len(numbers))
            found.setdefault(window, set()).update((bin, number) for bin in bins)
        if len(numbers) < FEWEST:
            raise InputError(f"{len(numbers)} genes start in the windows; give the annotation of their genome")
        names = tuple(f"{id}:{strand}" for _, strand, id in numbers)
        return cls(names, tuple(strand != "-" for _, strand, _ in numbers), {w: sorted(b) for w, b in found.items()})


def experiments(table: TrackTable, assay: str) -> list[tuple[str, int, int]]:
    """(name, forward strand's track, reverse strand's) of each experiment of an assay; one track twice if unstranded.

    Raises `InputError` where the table has none.
    """
    found = []
    for place, (row, partner) in enumerate(zip(table.rows, table.partners.tolist(), strict=True)):
        if row.assay == assay and row.strand != "-":
            found.append((f"{row.name}", place, partner))
    if not found:
        raise InputError(f"the data set has no {assay} track; choose an assay that it has")
    return found


def signal(
    pieces: Iterable[Predicted], sites: Sites, tracks: int, progress: Callable[[int], object] = lambda n: None
) -> tuple[Floats, Floats]:
    """Predicted and measured sums around the start sites, float64 [genes, tracks] each."""
    sums = np.zeros((2, len(sites.names), tracks))
    for piece in pieces:
        inside = range(piece.first, piece.first + len(piece.targets))
        chosen = [(bin - piece.first, gene) for bin, gene in sites.bins.get(piece.window, ()) if bin in inside]
        if chosen:
            bins, genes = np.array(chosen).T
            for side, values in zip(sums, (piece.values, piece.targets), strict=True):
                np.add.at(side, genes, values[bins])
        progress(1)
    return sums[0], sums[1]


def cases(predicted: Floats, measured: Floats, sites: Sites, table: TrackTable, assay: str = "CAGE") -> list[Case]:
    """Across genes (Pearson and Spearman per experiment) and across tissues (Pearson per gene), from sums.

    Experiments and genes whose measurement doesn't change are left out.
    """
    chosen = experiments(table, assay)
    sides = [_of_strand(np.log1p(side), sites, chosen) for side in (predicted, measured)]
    names = [name for name, _, _ in chosen]
    moments = PearsonR(len(chosen))
    moments.update(*sides)
    found = [
        _per_unit(f"across genes, {assay}, Pearson", moments.pearson(), names, _GENES, len(sites.names), "genes"),
        _per_unit(f"across genes, {assay}, Spearman", spearman(*sides), names, "", len(sites.names), "genes"),
    ]
    if len(chosen) >= FEWEST:
        by_gene = PearsonR(len(sites.names))
        by_gene.update(*(_standardised(side).T for side in sides))
        r = by_gene.pearson()
        text = f"across tissues, {assay}, Pearson"
        found.append(_per_unit(text, r, list(sites.names), _TISSUES, len(chosen), "experiments"))
    return found


def _of_strand(values: Floats, sites: Sites, chosen: list[tuple[str, int, int]]) -> Floats:
    """[genes, tracks] to [genes, experiments]: of each experiment the track of the gene's strand."""
    forward = np.array(sites.forward)[:, None]
    ahead, back = [one[1] for one in chosen], [one[2] for one in chosen]
    picked: Floats = np.where(forward, values[:, ahead], values[:, back])
    return picked


def _standardised(values: Floats) -> Floats:
    """Each experiment's mean over genes 0 and standard deviation 1 (0 where it doesn't change)."""
    spread = values.std(axis=0)
    scaled: Floats = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return scaled


def _per_unit(name: str, r: Floats, units: list[str], published: str, over: int, what: str) -> Case:
    known = np.flatnonzero(~np.isnan(r))
    return Case(
        "expression",
        name,
        "mean",
        np.zeros(len(known)),
        r[known],
        published=published,
        notes=f"each over {over} {what}",
        units=tuple(units[i] for i in known),
    )
