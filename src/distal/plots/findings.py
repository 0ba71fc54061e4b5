"""Figures of what `interpret` found, with their titles: knows its answers' shapes, not how they were made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from distal.coords import Interval
from distal.interpret.peaks import peaks
from distal.plots import contributions as bases
from distal.plots.arcs import Arc, arcs
from distal.plots.logos import Effects
from distal.plots.logos import mutagenesis as letters
from distal.plots.panels import bodies
from distal.tracks import Tracks, TrackTable

if TYPE_CHECKING:
    from distal.interpret.attention import Attention
    from distal.interpret.attribution import Ism
    from distal.interpret.contributions import Contributions, Locus
    from distal.interpret.linking import GeneLinks
    from distal.plots.style import Figure

PLACES = 30
"""Peaks among which a figure of contributions finds those that it shows letter by letter."""


def enhancers(found: GeneLinks, model: str) -> Figure:
    """Arcs of every score over the first stretch that the gene's windows read, the predicted accessibility below."""
    shown = found.signal[0]
    scored = {
        name: [
            Arc(element.interval, found.tss(element.interval), score)
            for element, score in zip(found.links.elements, values.tolist(), strict=True)
            if shown.interval.overlaps(element.interval)
        ]
        for name, values in found.links.scores.items()
    }
    near = bodies(found.near, shown.interval.chrom)
    title = f"Candidate enhancers of {found.gene.name}, {model}"
    return arcs(scored, shown.interval, _mean(shown), near, title)


def contributions(found: Contributions, model: str) -> Figure:
    """The region, and logos of its most important places."""
    values, start = found.actual(), found.interval.start
    places = [Interval(found.interval.chrom, start + peak.start, start + peak.end) for peak in peaks(values, PLACES)]
    shown = bases.Shown(values, found.codes, found.interval)
    title = f"{model}, {_described(found.table)}: {found.method} at {found.target.to_ucsc()}"
    return bases.contributions(shown, found.target, places, title, "contribution")


def attention(found: Attention, asked: Locus, model: str) -> Figure:
    """Where the target's bins look, over the window that is read."""
    curves = {"mean over heads and layers": found.mean(), "roll-out": found.rollout}
    return bases.attention(curves, asked.read, asked.target, f"{model}: attention from {asked.target.to_ucsc()}")


def mutagenesis(found: Ism, model: str) -> Figure:
    """Logo and heat map of effects averaged over the tracks."""
    label = f"{model}, {_described(found.table)}"
    effects = Effects(
        found.over_tracks(), found.codes, found.interval, "predicted", label, found.deletions_over_tracks()
    )
    every = "substitution" if found.deletions is None else "substitution and deletion"
    return letters([effects], f"{found.interval.to_ucsc()}, every {every}")


def _mean(tracks: Tracks) -> Tracks:
    """The mean over tracks, as one track."""
    first, rows = tracks.table.rows[0], tracks.table.rows
    text = first.description if len(rows) == 1 else f"{first.assay}: mean of {len(rows)} tracks"
    one = TrackTable((replace(first, description=text),))
    return replace(tracks, values=tracks.values.mean(axis=1, keepdims=True), table=one)


def _described(table: TrackTable) -> str:
    names = [row.description or row.name for row in table.rows]
    return names[0] if len(names) == 1 else f"mean of {len(names)} tracks"
