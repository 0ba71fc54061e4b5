"""Reports of what single bases do: contributions, attention and mutagenesis; knows answers, no option and no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distal import dna
from distal.coords import Interval, Variant
from distal.interpret.attention import Attention
from distal.interpret.attribution import LETTERS, Ism
from distal.interpret.contributions import Contributions, Locus
from distal.interpret.peaks import peaks
from distal.io.page import Facts, Folded, Heading, Part, Picture, Table, Text, write
from distal.markup import Bar
from distal.plots import Figure, findings, svg
from distal.tracks import TrackTable

PEAKS = 50
"""Places that a report on contributions lists."""
EDITS = 100
"""Substitutions and deletions that a report on mutagenesis lists."""
Made = Mapping[str, Any]
"""What decides the answer besides the sequence, and the command."""


def contributions(path: Path, found: Contributions, model: str, made: Made) -> None:
    """The whole region and its strongest places, as logos and as a table."""
    values = found.actual()
    places = peaks(values, PEAKS)
    most = max((abs(place.total) for place in places), default=0.0)
    rows = [
        {
            "rank": i + 1,
            "place": Interval(
                found.interval.chrom, found.interval.start + one.start, found.interval.start + one.end
            ).to_ucsc(),
            "letters": dna.decode(found.codes[one.start : one.end]),
            "sum": Bar(one.total, most),
            "of all |contributions|": float(
                np.abs(values[one.start : one.end]).sum() / max(np.abs(values).sum(), 1e-30)
            ),
        }
        for i, one in enumerate(places)
    ]
    about = {
        "contributions of": found.interval.to_ucsc(),
        "to": f"the prediction at {found.target.to_ucsc()}, {found.value:.4g}",
        "tracks": _tracks(found.table),
        "formula": found.formula,
        "sum": float(values.sum(dtype=np.float64)),
    }
    drawn = _picture(findings.contributions(found, model), "contributions over the region, and logos of places")
    listed: list[Part] = [Heading("Strongest places"), Table(rows, long=True)]
    title = f"What contributes to {found.target.to_ucsc()}, {model}"
    write(path, title, [*_begun(about, made), drawn, *listed, *_ended(made)])


def attention(path: Path, found: Attention, asked: Locus, model: str, made: Made) -> None:
    """Where the target's bins look."""
    about = {"attention from": asked.target.to_ucsc(), "over": asked.read.to_ucsc(), "bp a position": found.position_bp}
    drawn = _picture(findings.attention(found, asked, model), "attention over the window, mean and roll-out")
    write(path, f"Attention from {asked.target.to_ucsc()}, {model}", [*_begun(about, made), drawn, *_ended(made)])


def mutagenesis(path: Path, found: Ism, model: str, made: Made) -> None:
    """Logo and heat map, and the edits that change most, averaged over the tracks."""
    rows = _edits(found)
    about = {
        "mutated": found.interval.to_ucsc(),
        "read at": found.target.to_ucsc(),
        "tracks": _tracks(found.table),
        "effect": found.formula,
    }
    drawn = _picture(findings.mutagenesis(found, model), "logo and heat map of the effects, averaged over the tracks")
    listed: list[Part] = [Heading("Strongest edits"), Text(_OF_TRACKS), Table(rows, long=True)]
    title = f"Every substitution of {found.interval.to_ucsc()}, {model}"
    write(path, title, [*_begun(about, made), drawn, *listed, *_ended(made)])


_OF_TRACKS = "The mean is over all tracks; beside it stands the one that changes most."


def _edits(found: Ism) -> list[dict[str, Any]]:
    """The `EDITS` largest, by the mean over tracks."""
    parts = [found.values.reshape(-1, len(found.table))]
    parts += [] if found.deletions is None else [found.deletions]
    effects = np.concatenate(parts)
    means = effects.mean(axis=1, dtype=np.float64)
    there = (found.codes[:, None] == np.arange(LETTERS)).reshape(-1)
    means[: len(there)][there] = 0.0
    order = np.argsort(-np.abs(means), kind="stable")[:EDITS].tolist()
    most = float(np.abs(means).max(initial=0))
    rows: list[dict[str, Any]] = []
    for i in order:
        column = int(np.abs(effects[i]).argmax())
        track = found.table.rows[column]
        rows.append(
            {
                "rank": len(rows) + 1,
                "edit": _named(found, i),
                "mean effect": Bar(float(means[i]), most),
                "largest": float(effects[i, column]),
                "of": track.description or track.name,
            }
        )
    return rows


def _named(found: Ism, edit: int) -> str:
    """``chr20:42984264:G>A``, or a deletion ``chr20:42984264:G>-``."""
    width = found.interval.width
    place, new = divmod(edit, LETTERS) if edit < width * LETTERS else (edit - width * LETTERS, -1)
    ref = dna.decode(found.codes[place : place + 1])
    start = found.interval.start + place
    if new < 0:
        return (
            f"{Interval(found.interval.chrom, start, start + 1).to_ucsc().partition('-')[0].replace(',', '')}:{ref}>-"
        )
    return str(Variant(found.interval.chrom, start, ref, "ACGT"[new]))


def _begun(about: Mapping[str, Any], made: Made) -> list[Part]:
    return [Text(str(made["command"]), literal=True), Facts(about)]


def _picture(figure: Figure, alt: str) -> Picture:
    return Picture(svg(figure), alt)


def _ended(made: Made) -> list[Part]:
    rest = {name: value for name, value in made.items() if name != "command" and value != ""}
    return [Heading("How it was made"), Folded("Everything that decides it", [Facts(rest)])]


def _tracks(table: TrackTable) -> str:
    names = [row.description or row.name for row in table.rows[:3]]
    return f"{len(table):,}: {', '.join(names)}{' ...' if len(table) > 3 else ''}"
