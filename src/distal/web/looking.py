"""Tracks over a region, a variant's two alleles, scores of variants: from a question to an answer; knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.incremental import Incremental
from distal.io.vcf import VcfRow
from distal.scoring.alleles import DUPLICATE, FAILED, SCORED, STATUSES, Judged, judge
from distal.scoring.recipe import Recipe
from distal.scoring.scorers import named
from distal.scoring.sides import Sides, both_alleles
from distal.tracks import Tracks, TrackTable
from distal.web.answers import Answer, file_name, per_bin
from distal.web.asked import PredictBody, ScoreBody, VariantBody
from distal.web.equivalent import Equivalent, query
from distal.web.jobs import Progress
from distal.web.served import Served
from distal.web.tiles import Signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from distal.io.bigwig import Record
    from distal.plots.panels import Genes


def predict(served: Served, body: PredictBody, progress: Progress) -> Answer:
    """Tracks over a region, every bin of it."""
    region, table = served.region(body.region, served.limits.region_bp), served.table(body.tracks)
    tiles = served.grid.missing(region)
    progress.total(len(tiles))
    served.grid.compute(region.chrom, tiles, progress)
    found = served.grid.signal(region, table.channels, served.limits.region_bp)
    if found is None:
        raise RuntimeError("a tile was dropped from the cache while it was read; the cache is too small")
    return shown(served, region, table, found)


def shown(served: Served, region: Interval, table: TrackTable, found: Signal) -> Answer:
    """The answer that a signal is."""
    place = {"chrom": found.interval.chrom, "start": found.interval.start, "end": found.interval.end}
    tracks = [
        {"index": row.index, "name": row.name, "values": values}
        for row, values in zip(table, found.values, strict=True)
    ]
    return Answer(
        file_name("tracks", region.chrom, region.start + 1, region.end),
        {**place, "bin_bp": found.bin_bp, "tracks": tracks},
        _predicting(served, region, table),
        {"values": found.values, "channels": table.channels, "place": _place(found.interval, found.bin_bp)},
        columns=lambda: per_bin(found.interval.chrom, found.interval.start, found.bin_bp, table.names, found.values),
        records=_records(served, found) if len(table) == 1 else None,
        sizes=served.genome.sizes,
        figure=lambda: _drawn(served, table, found),
    )


def _predicting(served: Served, region: Interval, table: TrackTable) -> Equivalent:
    chosen, text = query(table.channels.tolist()), region.to_ucsc()
    command = served.called.command("predict", regions=text, tracks=chosen, rc=served.rc, out="tracks.h5")
    lines = [
        f"region = distal.Interval.from_ucsc({text!r})",
        f"(tracks,) = distal.predict(predictor, genome, [region], {chosen!r}, rc={served.rc})",
        "tracks.values  # [bins, tracks]",
    ]
    return Equivalent(command, served.called.python([], lines))


def _records(served: Served, found: Signal) -> Callable[[], Iterator[Record]]:
    """The one track's bins, cut where the chromosome ends."""

    def records() -> Iterator[Record]:
        at, (values,) = found.interval, found.values
        size = served.genome.sizes[at.chrom]
        whole = (min(at.end, size) - at.start) // found.bin_bp
        border = at.start + whole * found.bin_bp
        if whole:
            yield Interval(at.chrom, at.start, border), values[:whole], found.bin_bp
        if border < min(at.end, size):
            yield Interval(at.chrom, border, size), values[whole : whole + 1], size - border

    return records


def _drawn(served: Served, table: TrackTable, found: Signal) -> Figure:
    from distal import plots

    signal = Tracks(np.ascontiguousarray(found.values.T), table, found.interval, found.bin_bp)
    title = f"{served.predictor.spec.name}, {found.interval.to_ucsc()}"
    return plots.tracks(signal, title, _exons(served, found.interval))


def _exons(served: Served, region: Interval) -> Genes | None:
    """Exons by gene, for a figure; None without an annotation."""
    if served.genes is None:
        return None
    from distal.plots.panels import bodies

    return bodies(served.genes.touching(region), region.chrom)


def _place(interval: Interval, bin_bp: int) -> NDArray[np.int64]:
    """Start, end, bin: what an npz says of where its values lie (the chromosome is in the file's name)."""
    return np.array([interval.start, interval.end, bin_bp], dtype=np.int64)


# --- one variant


def variant(served: Served, body: VariantBody, progress: Progress) -> Answer:
    """REF and ALT over the model's output around a variant, their difference, and SAD and SAR of each track."""
    asked, table = served.variant(body.variant), served.table(body.tracks)
    progress.total(1)
    sides = both_alleles(Incremental(served.predictor), served.genome, asked, table, body.rc)
    progress()
    at, bin_bp = sides.ref.interval, sides.ref.bin_bp
    tracks = [
        {
            "index": row.index,
            "name": row.name,
            "ref": np.ascontiguousarray(sides.ref.values[:, i]),
            "alt": np.ascontiguousarray(sides.alt.values[:, i]),
            "difference": np.ascontiguousarray(sides.difference.values[:, i]),
            "scores": {name: float(values[i]) for name, values in sides.scores.items()},
        }
        for i, row in enumerate(table)
    ]
    place = {"chrom": at.chrom, "start": at.start, "end": at.end, "bin_bp": bin_bp, "variant": str(asked)}
    chosen = query(table.channels.tolist())
    command = served.called.command("score", variant=str(asked), tracks=chosen, rc=body.rc)
    lines = [
        f"variant = distal.Variant.parse({str(asked)!r})",
        f"tracks = predictor.tracks.select({chosen!r})",
        f"ref, alt, difference, scores = both_alleles(Incremental(predictor), genome, variant, tracks, rc={body.rc})",
    ]
    imports = ["from distal.incremental import Incremental", "from distal.scoring.sides import both_alleles"]
    return Answer(
        file_name("variant", asked.chrom, asked.pos, asked.ref[:10], asked.alt[:10]),
        {**place, "tracks": tracks},
        Equivalent(command, served.called.python(imports, lines)),
        {"ref": sides.ref.values.T, "alt": sides.alt.values.T, "difference": sides.difference.values.T}
        | sides.scores
        | {"channels": table.channels, "place": _place(at, bin_bp)},
        columns=lambda: _beside(sides),
        figure=lambda: _alleles(served, sides, asked),
    )


def _beside(sides: Sides) -> dict[str, Any]:
    """Columns: place, then REF, ALT and their difference of each track."""
    at = sides.ref.interval
    names = [f"{name}.{side}" for name in sides.ref.table.names for side in ("ref", "alt", "difference")]
    stacked = np.stack([side.values for side in sides[:3]], axis=2).reshape(len(sides.ref.values), -1)
    return dict(per_bin(at.chrom, at.start, sides.ref.bin_bp, names, stacked.T))


def _alleles(served: Served, sides: Sides, asked: Variant) -> Figure:
    """6 kb on either side of the variant."""
    from distal import plots

    window = served.predictor.window
    whole, bin_bp = sides.ref.interval, sides.ref.bin_bp
    near = window.bins_touching(asked.interval.resize(12_000).clip(whole.start, whole.end), whole)
    part = Interval(whole.chrom, whole.start + near.start * bin_bp, whole.start + near.stop * bin_bp)
    title = f"{served.predictor.spec.name}: {asked}"
    return plots.alleles(sides.ref.over(part), sides.alt.over(part), asked, title, _exons(served, part))


# --- scores


def score(served: Served, body: ScoreBody, progress: Progress) -> Answer:
    """Scores of variants on some tracks; every variant is a row for each track, or one with its status."""
    if len(body.variants) > served.limits.variants:
        most = served.limits.variants
        raise InputError(f"{len(body.variants)} variants are more than {most} at once; `distal score` takes any number")
    table = served.table(body.tracks)
    chosen = query(table.channels.tolist())
    scorers = named(body.scores)
    if any(scorer.per_gene for scorer in scorers):
        raise InputError("scores per gene are for `distal score`; ask for others here, such as SAD and SAR")
    recipe = Recipe(served.predictor, served.genome, scorers, chosen, body.rc, (0,), "float32", False, None, "skip")
    asked = [served.variant(text) for text in body.variants]
    progress.total(len(asked))
    rows = list(_scored(recipe, asked, progress))
    counts = {status: sum(row["status"] == status for row in rows[:: len(recipe.table)]) for status in STATUSES}
    command = served.called.command("score", tracks=chosen, rc=body.rc, scores=",".join(body.scores))
    command += "".join(f" --variant '{one}'" for one in asked)
    lines = [
        f"rows = Source.of_texts({[str(one) for one in asked]!r}).rows()",
        f"distal.score_variants(predictor, genome, rows, 'scores', {body.scores!r}, {chosen!r}, rc={body.rc})",
    ]
    return Answer(
        "scores",
        {"rows": rows, "counts": {status: count for status, count in counts.items() if count}},
        Equivalent(command, served.called.python(["from distal.io.variants import Source"], lines)),
        columns=lambda: {name: [row[name] for row in rows] for name in rows[0]},
    )


def _scored(recipe: Recipe, asked: Sequence[Variant], progress: Progress) -> Iterator[dict[str, Any]]:
    """A row for each variant and track."""
    names = [scorer.name for scorer in recipe.scorers]
    seen: set[Variant] = set()
    for one in asked:
        judged = _judged(recipe, one)
        values, status = np.full((len(names), len(recipe.table)), np.nan), judged.status
        if judged.variant is not None:
            (answer,) = recipe.answers([recipe.haplotypes(judged)])
            values = answer.values
            status = FAILED if not np.isfinite(values).all() else DUPLICATE if judged.variant in seen else SCORED
            seen.add(judged.variant)
        for i, track in enumerate(recipe.table):
            numbers = (float(number) if np.isfinite(number) else None for number in values[:, i])
            about = {"variant": str(one), "status": status, "track": track.name, "description": track.description}
            yield about | dict(zip(names, numbers, strict=True))
        progress()


def _judged(recipe: Recipe, one: Variant) -> Judged:
    row = VcfRow(0, 0, one.chrom, one.pos, one.name, one.ref, one.alt)
    return judge(recipe.genome, recipe.predictor.window, row)
