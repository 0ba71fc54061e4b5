"""The report of a scoring run: what became of the variants, and the strongest drawn; knows results, no option."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from distal.io.page import Facts, Folded, Heading, Part, Picture, Shares, Table, Text, write
from distal.io.scores import ScoreRow
from distal.markup import Bar, Link
from distal.plots import edits, svg
from distal.scoring.recipe import Recipe
from distal.scoring.run import Summary
from distal.tracks import Track, TrackTable
from distal.web.reports import strongest
from distal.web.reports.closer import FLANK_BP, Closer
from distal.web.reports.strongest import Found, Sizes

LISTED = 100
"""Variants in the table."""
DRAWN = 10
"""Variants that have pictures."""
PANELS = 3
"""Tracks in a picture."""
TRACKS = 6
"""Tracks that are listed of each variant."""
POINTS = 20_000
"""Variants in the picture of all."""
NAMED = 12
"""Variants that have their name in it."""


@dataclass(frozen=True, eq=False)
class Report:
    """A finished run, and what is needed to look closer at its variants."""

    out: Path
    """Its folder."""
    summary: Summary
    recipe: Recipe
    reasons: Mapping[str, str]
    """Why a row has another status than `scored`, in words."""


def report(path: Path, runs: Sequence[Report], command: str, progress: Callable[[int], object]) -> None:
    """Write the page of one run, or of several models' runs on the same variants, one after another.

    `progress` hears of each variant that is drawn, of which there are at most `DRAWN` a run.
    """
    names = [run.recipe.predictor.spec.name for run in runs]
    parts: list[Part] = [Text(command, literal=True)]
    for name, run in zip(names, runs, strict=True):
        parts += _run(run, name if len(runs) > 1 else "", progress)
    count = runs[0].summary.n_in
    write(path, f"{count:,} variant{'' if count == 1 else 's'}, scored with {' and with '.join(names)}", parts)


def _run(run: Report, model: str, progress: Callable[[int], object]) -> list[Part]:
    """The parts of one run; `model` stands in headings and anchors where there are several."""
    all = strongest.sizes(run.out, run.summary)
    listed = all.largest(LISTED)
    found = strongest.found(run.out, all, listed, run.recipe.genes)
    prefix = f"{model}-" if model else ""
    parts = [*_statuses(run), *_strongest(all, listed, found, prefix)]
    closer = Closer(run.recipe.predictor, run.recipe.genome, run.recipe.genes, run.recipe.rc, tuple(run.recipe.shifts))
    for place, one in enumerate(found[:DRAWN]):
        parts += _one(one, all.score, run.recipe.table, closer, f"{prefix}{place + 1}")
        progress(1)
    return [_of(model, part) for part in (*parts, *_made(run))]


def _of(model: str, part: Part) -> Part:
    """A heading says whose it is, where `model` does."""
    if isinstance(part, Heading) and not part.small and model:
        return replace(part, text=f"{model}: {part.text[0].lower()}{part.text[1:]}")
    return part


# --- all variants


def _statuses(run: Report) -> list[Part]:
    counts = run.summary.statuses
    why = [
        {"status": status, "variants": counts[status], "why": text}
        for status, text in run.reasons.items()
        if counts.get(status)
    ]
    return [Heading("What became of the variants"), Shares(counts), Table(why)]


def _strongest(all: Sizes, listed: Sequence[int], found: Sequence[Found], prefix: str) -> list[Part]:
    if not listed:
        return [Text("No variant has scores.")]
    if len(listed) == 1:
        return [Heading("The variant")]
    shown = all.largest(POINTS)
    points = [_point(all.rows[i], float(all.sizes[i]), all.track(i)) for i in sorted(shown)]
    order = {i: place for place, i in enumerate(sorted(shown))}
    named = {order[i]: _name(all.rows[i]) for i in listed[:NAMED]}
    figure = edits.sizes(points, f"largest |{all.score}|", named)
    few = "" if len(all.rows) <= POINTS else f" Drawn are the {POINTS:,} largest."
    about = (
        f"A variant is as large as its {all.score} is in the track where that is largest, whatever its sign; the "
        f"colour is that track's assay.{few} {f'The first {DRAWN}' if len(listed) > DRAWN else 'All'} are drawn below."
    )
    most = float(all.sizes[listed[0]])
    rows = [
        _line(place, one, all, int(all.columns[i]), most, prefix)
        for place, (i, one) in enumerate(zip(listed, found, strict=True))
    ]
    picture = Picture(svg(figure), "sizes of the variants over their positions")
    return [Heading("Strongest variants"), Text(about), picture, Table(rows, long=len(rows) > DRAWN)]


def _point(row: ScoreRow, size: float, track: Track) -> edits.Size:
    return edits.Size(row.chrom, row.pos - 1, size, track.assay)


def _line(place: int, one: Found, all: Sizes, column: int, most: float, prefix: str) -> dict[str, Any]:
    title, track = title_of(one.row), all.table.rows[column]
    line: dict[str, Any] = {
        "rank": place + 1,
        "variant": Link(title, f"#{prefix}{place + 1}") if place < DRAWN else title,
        "ID": "" if one.row.name == "." else one.row.name,
        all.score: Bar(float(one.values[all.score][column]), most),
        "track": track.description or track.name,
    }
    line |= {name: float(values[column]) for name, values in one.values.items() if name != all.score}
    if one.genes:
        line |= {"nearest gene": one.genes[0].name, "bp from its TSS": one.genes[0].tss_distance}
    return line


# --- one variant


def _one(one: Found, score: str, table: TrackTable, closer: Closer, anchor: str) -> list[Part]:
    values = one.values[score]
    order = np.argsort(-np.abs(values), kind="stable").tolist()
    about = {"ID": one.row.name if one.row.name != "." else None, "status": one.row.status, "genes": _genes(one)}
    most = float(np.abs(values[order[0]]))
    rows = [
        {
            "track": table.rows[i].description or table.rows[i].name,
            score: Bar(float(values[i]), most),
            **{name: float(numbers[i]) for name, numbers in one.values.items() if name != score},
        }
        for i in order[:TRACKS]
    ]
    biosamples = [
        {"biosample": each.biosample, "tracks": each.tracks, "mean rank of size": each.mean_size, "up": each.up}
        for each in one.biosamples
    ]
    return [
        Heading(title_of(one.row), anchor, small=True),
        Facts({name: value for name, value in about.items() if value}),
        *closer.look(one.row, _shown(table, order)),
        Table(rows),
        Table(list(_on_genes(one, table))),
        Folded("By biosample", [Text(_RANKS, soft=True), Table(biosamples)]),
    ]


def _on_genes(one: Found, table: TrackTable) -> Iterator[dict[str, Any]]:
    """A line for each gene: of each score per gene the largest, and the track that has it."""
    for gene, scores in one.on_genes:
        line: dict[str, Any] = {"gene": gene.name or gene.id, "bp from its TSS": gene.tss_distance}
        for name, values in scores.items():
            known = np.nan_to_num(np.abs(values), nan=-1.0)
            column = int(known.argmax())
            missing = known[column] < 0
            line[name] = None if missing else float(values[column])
            line[f"of {name}"] = "" if missing else table.rows[column].description or table.rows[column].name
        yield line


_RANKS = (
    "The mean over a biosample's tracks of the share of all tracks whose score is as large or smaller: 0.5 by chance. "
    "Up are tracks with a score above 0."
)


def _shown(table: TrackTable, order: Sequence[int]) -> TrackTable:
    """`PANELS` tracks: of each assay the strongest, the strongest assays first; then those that are strongest."""
    best: dict[str, int] = {}
    for i in order:
        best.setdefault(table.rows[i].assay, i)
    return table.take(list(dict.fromkeys([*best.values(), *order]))[:PANELS])


def _genes(one: Found) -> str:
    return ", ".join(f"{gene.name} ({_from(gene.tss_distance)})" for gene in one.genes[:3])


def _from(distance: int) -> str:
    side = "downstream" if distance > 0 else "upstream"
    return f"{abs(distance):,} bp {side} of its TSS" if distance else "at its TSS"


def _name(row: ScoreRow) -> str:
    return title_of(row) if row.name in ("", ".") else row.name.split(";")[0]


def title_of(row: ScoreRow) -> str:
    """``chr20:42984264:G>A``; of long alleles the beginning."""
    ref, alt = (allele if len(allele) <= 12 else f"{allele[:9]}\u2026" for allele in (row.ref, row.alt))
    return f"{row.chrom}:{row.pos}:{ref}>{alt}"


# --- how it was made


def _made(run: Report) -> list[Part]:
    summary, recipe = run.summary, run.recipe
    spec, facts = recipe.predictor.spec, dict(summary.facts)
    formulas = facts.pop("formulas")
    about = {
        "model": f"{spec.name} ({spec.family}), {spec.licence}",
        "window": str(recipe.predictor.window),
        "genome": recipe.genome.path.name,
        "tracks": f"{len(recipe.table):,}" + (f" ({recipe.query})" if recipe.query else ""),
        "averaged over": f"{'both strands' if recipe.rc else 'one strand'}, shifts {_plain(list(recipe.shifts))}",
        "command of the run": summary.command,
    }
    whole = {name: _plain(value) for name, value in facts.items()} | {"rows_sha256": summary.rows_sha256}
    letters = (
        f"Pictures are of the window around the variant, averaged as the scores are; letters ({FLANK_BP} bp on either "
        "side) over strands only."
    )
    return [
        Heading("How it was made"),
        Facts(about),
        Table([{"score": name, "formula": text} for name, text in formulas.items()]),
        Text(letters, soft=True),
        Folded("Everything that decides the scores", [Facts(whole)]),
    ]


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
