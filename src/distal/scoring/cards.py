"""Evidence cards: what is known of one variant, in one place; knows score files and genes, runs no model.

A card says what became of the variant's row, which tracks each score changes most, the same by biosample, which genes
start near it, and what made the scores. Scores are ALT minus REF of the file. Where the file has calibrated scores
(``SAD_quantile``), they stand beside the raw ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.io.genes import Genes
from distal.io.scores import Matrix, ScoreRow, Scores
from distal.tracks import TrackTable

_REACH = 1_000_000
"""Genes further away than this, in bp, are not near."""
_QUANTILE = "_quantile"
_SPREAD = "_sd"


@dataclass(frozen=True, slots=True)
class TrackEffect:
    """One track of one score."""

    track: str
    description: str
    value: float
    quantile: float | None
    """Signed share of common variants with a smaller effect; None where the scores are not calibrated."""


@dataclass(frozen=True, slots=True)
class BiosampleEffect:
    """All tracks of one biosample."""

    biosample: str
    tracks: int
    mean_size: float
    """Mean over its tracks of the share of all tracks whose score is as large or smaller in size: 0.5 by chance."""
    up: int
    """Tracks with a score above 0."""


@dataclass(frozen=True, slots=True)
class NearGene:
    """A gene with a start site near the variant."""

    name: str
    id: str
    strand: str
    tss_distance: int
    """Bases from the nearest of its start sites, positive downstream."""


@dataclass(frozen=True, slots=True)
class ScoreEvidence:
    """One score of the variant."""

    score: str
    formula: str
    tracks: tuple[TrackEffect, ...]
    """Those with the largest sizes, largest first."""
    biosamples: tuple[BiosampleEffect, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One variant. `pos` counts from 1."""

    chrom: str
    pos: int
    id: str
    ref: str
    alt: str
    status: str
    weight: float | None
    """What the list that it comes from gives it, such as a posterior probability."""
    scores: tuple[ScoreEvidence, ...]
    """Empty where there are none; `status` says why."""
    genes: tuple[NearGene, ...]
    """Nearest first."""
    provenance: dict[str, Any]
    """What the score file says of its making, and the file."""

    @property
    def title(self) -> str:
        """``chr20:42984264:G>A``."""
        return f"{self.chrom}:{self.pos}:{self.ref}>{self.alt}"


def cards(
    scores: Scores,
    where: NDArray[np.int64],
    weights: Sequence[float | None],
    names: Sequence[str] = (),
    query: str = "",
    genes: Genes | None = None,
    top: int = 10,
) -> Iterator[Card]:
    """The cards of the rows at `where`, in that order, with their `weights`; `names` chooses scores, all when empty.

    `query` chooses tracks. At most `top` tracks, biosamples and genes are listed.
    """
    table = scores.table.select(query)
    chosen = names or [name for name in scores.scores if not name.endswith((_QUANTILE, _SPREAD))]
    beside = [f"{name}{_QUANTILE}" for name in chosen if f"{name}{_QUANTILE}" in scores.scores]
    block = scores.read(where, (*chosen, *beside))
    formulas = {name: scores.formula(name) for name in chosen}
    made = {"file": scores.path.name, **{key: _plain(value) for key, value in scores.attributes.items()}}
    for i, (row, weight) in enumerate(zip(block.rows, weights, strict=True)):
        values = {name: matrix[i, table.channels].astype(np.float64) for name, matrix in block.values.items()}
        known = [name for name in chosen if np.isfinite(values[name]).all()]
        evidence = tuple(_evidence(name, formulas[name], values, table, top) for name in known)
        near = () if genes is None else tuple(_near(genes, row)[:top])
        yield Card(row.chrom, row.pos, row.name, row.ref, row.alt, row.status, weight, evidence, near, made)


def _evidence(name: str, formula: str, values: dict[str, Matrix], table: TrackTable, top: int) -> ScoreEvidence:
    own, quantiles = values[name], values.get(f"{name}{_QUANTILE}")
    largest = np.argsort(-np.abs(own), kind="stable")[:top].tolist()
    effects = (
        TrackEffect(
            table.rows[i].name,
            table.rows[i].description,
            float(own[i]),
            None if quantiles is None else float(quantiles[i]),
        )
        for i in largest
    )
    return ScoreEvidence(name, formula, tuple(effects), tuple(_by_biosample(own, quantiles, table)[:top]))


def _by_biosample(own: Matrix, quantiles: Matrix | None, table: TrackTable) -> list[BiosampleEffect]:
    """All biosamples, the one with the largest sizes first; calibrated sizes are used where there are any."""
    size = np.abs(own if quantiles is None else quantiles)
    ordered = np.sort(size)
    low, high = (np.searchsorted(ordered, size, side) for side in ("left", "right"))
    share = (low + high) / 2 / len(size)
    columns: dict[str, list[int]] = {}
    for column, track in enumerate(table):
        columns.setdefault(track.biosample, []).append(column)
    found = [
        BiosampleEffect(name, len(at), float(share[at].mean()), int((own[at] > 0).sum()))
        for name, at in columns.items()
    ]
    return sorted(found, key=lambda one: -one.mean_size)


def _near(genes: Genes, row: ScoreRow) -> list[NearGene]:
    """The genes with a start site within `_REACH`, nearest first."""
    base = Interval.from_one_based(row.chrom, row.pos, row.pos)
    around = Interval(base.chrom, base.start - _REACH, base.end + _REACH)
    found = [
        NearGene(gene.name, gene.id, gene.strand, distance)
        for gene in genes.touching(around)
        if abs(distance := gene.downstream(base.start)) <= _REACH
    ]
    return sorted(found, key=lambda gene: abs(gene.tss_distance))


def _plain(value: Any) -> Any:
    """An attribute of a file as JSON has it."""
    found = value.item() if isinstance(value, np.generic) else value
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found


def markdown(card: Card) -> str:
    """The card to read."""
    lines = [f"# {card.title}" + (f" ({card.id})" if card.id not in ("", ".") else ""), ""]
    lines += [f"Status: **{card.status}**" + ("" if card.weight is None else f"; weight {card.weight:.4g}"), ""]
    if not card.scores:
        lines += ["There are no scores: the status says why.", ""]
    for evidence in card.scores:
        lines += [f"## {evidence.score}", "", f"{evidence.formula or 'ALT against REF'}. ALT minus REF.", ""]
        calibrated = any(effect.quantile is not None for effect in evidence.tracks)
        head = ["track", "what", "value", *(["quantile"] if calibrated else [])]
        lines += _table(head, [_cells(effect, calibrated) for effect in evidence.tracks])
        head = ["biosample", "tracks", "mean rank of size", "up"]
        lines += _table(
            head, [(one.biosample, str(one.tracks), f"{one.mean_size:.3f}", str(one.up)) for one in evidence.biosamples]
        )
    if card.genes:
        lines += ["## Genes that start near it", ""]
        rows = [(gene.name, gene.id, gene.strand, f"{gene.tss_distance:+,}") for gene in card.genes]
        lines += _table(["gene", "identifier", "strand", "bp from the TSS, + downstream"], rows)
    lines += ["## Where the scores are from", ""]
    lines += [f"- {key}: {str(value)[:300]}" for key, value in card.provenance.items()]
    return "\n".join(lines) + "\n"


def _cells(effect: TrackEffect, calibrated: bool) -> tuple[str, ...]:
    quantile = () if not calibrated else ("" if effect.quantile is None else f"{effect.quantile:+.4f}",)
    return (effect.track, effect.description, f"{effect.value:+.4g}", *quantile)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in cells), ""]
