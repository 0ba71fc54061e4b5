"""Mutagenesis, contributions and enhancers: from a question to an answer; knows no HTTP and opens no file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import Incremental
from distal.interpret import attribution
from distal.interpret import contributions as asking
from distal.interpret.integrated import MOST_STEPS
from distal.interpret.linking import GeneLinks, link_enhancers
from distal.interpret.promoters import promoters
from distal.web.answers import Answer, file_name
from distal.web.asked import ContributionsBody, EnhancersBody, MutagenesisBody
from distal.web.equivalent import Equivalent, query
from distal.web.jobs import Progress
from distal.web.served import Served

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LETTERS = "ACGT"


def mutagenesis(served: Served, body: MutagenesisBody, progress: Progress) -> Answer:
    """The effect of every substitution of a region, averaged over the tracks."""
    region, table = served.region(body.region, served.limits.mutagenesis_bp), served.table(body.tracks)
    target = None if body.target is None else served.region(body.target, served.predictor.window.output_bp)
    chosen = query(table.channels.tolist())
    objective = attribution.Objective(chosen, target, attribution.STATISTICS[body.statistic])
    progress.total(attribution.substitutions(served.genome.codes(region)))
    pass_ = Incremental(served.predictor)
    found = attribution.ism(pass_, served.genome, region, objective, body.rc, progress=progress)
    effects = found.over_tracks()
    effects[found.codes[:, None] == np.arange(len(LETTERS))] = np.nan
    text, seen = region.to_ucsc(), found.target.to_ucsc()
    command = served.called.command(
        "ism",
        region=text,
        tracks=chosen,
        target=body.target or "",
        statistic=body.statistic,
        rc=body.rc,
        out="ism.h5",
        figure="ism.png",
    )
    aim = "None" if target is None else f"distal.Interval.from_ucsc({target.to_ucsc()!r})"
    lines = [
        f"region = distal.Interval.from_ucsc({text!r})",
        f"objective = attribution.Objective({chosen!r}, {aim}, attribution.STATISTICS[{body.statistic!r}])",
        f"found = attribution.ism(Incremental(predictor), genome, region, objective, rc={body.rc})",
        "found.over_tracks()  # [bases, A C G T]",
    ]
    imports = ["from distal.incremental import Incremental", "from distal.interpret import attribution"]

    def figure() -> Figure:
        from distal.plots import findings

        return findings.mutagenesis(found, served.predictor.spec.name)

    return Answer(
        file_name("mutagenesis", region.chrom, region.start + 1, region.end),
        {**_bases(region, found.codes), "effects": effects, "target": seen, "formula": found.formula},
        Equivalent(command, served.called.python(imports, lines)),
        {"effects": effects, "codes": found.codes, "place": np.array([region.start, region.end])},
        columns=lambda: _by_letter(region, found.codes, effects),
        figure=figure,
    )


def contributions(served: Served, body: ContributionsBody, progress: Progress) -> Answer:
    """What every base contributes to the prediction of a target, by gradients."""
    window = served.predictor.window
    target, table = served.region(body.target, window.output_bp), served.table(body.tracks)
    most = min(served.limits.contributions_bp, window.input_bp)
    region = None if body.region is None else served.region(body.region, most)
    if region is None and window.input_bp > served.limits.contributions_bp:
        raise InputError(f"the model reads {window.input_bp:,} bp, more than is given out; name a region")
    chosen = query(table.channels.tolist())
    progress.total(MOST_STEPS if body.method == "ig" else 1)
    found = asking.contributions(
        served.predictor, served.genome, target, chosen, region, body.method, body.rc, progress=progress
    )
    at, values = found.interval, found.actual()
    command = served.called.command(
        "contributions",
        target=target.to_ucsc(),
        tracks=chosen,
        region=body.region or "",
        method=body.method,
        rc=body.rc,
        out="contributions.h5",
        bigwig="contributions.bw",
    )
    aim = "None" if region is None else f"distal.Interval.from_ucsc({region.to_ucsc()!r})"
    lines = [
        f"target = distal.Interval.from_ucsc({target.to_ucsc()!r})",
        f"found = distal.contributions(predictor, genome, target, {chosen!r}, {aim}, {body.method!r}, rc={body.rc})",
        "found.actual()  # [bases]",
    ]

    def figure() -> Figure:
        from distal.plots import findings

        return findings.contributions(found, served.predictor.spec.name)

    return Answer(
        file_name("contributions", body.method, at.chrom, at.start + 1, at.end),
        {
            **_bases(at, found.codes),
            "values": values,
            "hypothetical": found.hypothetical if region is not None else None,
            "target": found.target.to_ucsc(),
            "prediction": found.value,
            "formula": found.formula,
        },
        Equivalent(command, served.called.python([], lines)),
        {
            "values": values,
            "hypothetical": found.hypothetical,
            "codes": found.codes,
            "place": np.array([at.start, at.end]),
        },
        columns=lambda: {**_by_letter(at, found.codes, found.hypothetical), "contribution": values},
        records=lambda: iter([(at, values, 1)]),
        sizes=served.genome.sizes,
        figure=figure,
    )


def enhancers(served: Served, body: EnhancersBody, progress: Progress) -> Answer:
    """The candidate enhancers of a gene, those with the highest score of the first method first."""
    if served.genes is None:
        raise InputError("there are no genes to look for enhancers of; start the server with --genes")
    progress.total(len(promoters(served.genes.one(body.gene), served.predictor.window)))
    found = link_enhancers(
        served.predictor,
        served.genome,
        served.genes,
        body.gene,
        query=body.tracks,
        accessibility=body.accessibility,
        methods=body.methods,
        rc=body.rc,
        progress=progress,
    )
    rows = found.rows()
    listed = [
        {
            "chrom": row.element.chrom,
            "start": row.element.start,
            "end": row.element.end,
            "name": row.name,
            "kind": row.kind,
            "tss": row.tss,
            "distance": abs(row.element.center - row.tss),
            "scores": {name: None if np.isnan(value) else value for name, value in row.scores.items()},
        }
        for row in rows
    ]
    command = served.called.command(
        "enhancers",
        genes=served.called.genes,
        gene=body.gene,
        tracks=body.tracks,
        accessibility=body.accessibility,
        methods=",".join(body.methods),
        rc=body.rc,
        out="enhancers.tsv",
    )
    methods = tuple(body.methods)
    lines = [
        f"genes = distal.Genes.read({served.called.genes!r})",
        "found = distal.link_enhancers(",
        f"    predictor, genome, genes, {body.gene!r}, query={body.tracks!r},",
        f"    accessibility={body.accessibility!r}, methods={methods!r}, rc={body.rc},",
        ")",
        "found.rows()",
    ]

    def figure() -> Figure:
        from distal.plots import findings

        return findings.enhancers(found, served.predictor.spec.name)

    return Answer(
        file_name("enhancers", found.gene.name),
        {
            "gene": found.gene.name,
            "strand": found.gene.strand,
            "promoters": len(found.links.promoters),
            "tss": list(found.gene.tss),
            "methods": list(found.links.scores),
            "rows": listed,
            "arcs": _arcs(found),
        },
        Equivalent(command, served.called.python([], lines)),
        columns=lambda: _flat(listed),
        bedpe=lambda path: _pairs(found, path),
        figure=figure,
    )


def _arcs(found: GeneLinks) -> list[dict[str, Any]]:
    """Links that have a score of the first method, in the order of the rows."""
    return [
        {
            "chrom": pair.first.chrom,
            "start": pair.first.start,
            "end": pair.first.end,
            "tss": pair.second.start,
            "score": pair.score,
        }
        for pair in found.pairs()
    ]


def _pairs(found: GeneLinks, path: Path) -> None:
    from distal.io import bedpe

    bedpe.write(path, found.pairs())


def _flat(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns of rows whose scores lie a level deeper."""
    if not rows:
        return {}
    plain = [name for name in rows[0] if name != "scores"]
    columns = {name: [row[name] for row in rows] for name in plain}
    return columns | {name: [row["scores"][name] for row in rows] for name in rows[0]["scores"]}


def _bases(region: Interval, codes: dna.Codes) -> dict[str, Any]:
    return {"chrom": region.chrom, "start": region.start, "end": region.end, "letters": dna.decode(codes)}


def _by_letter(region: Interval, codes: dna.Codes, values: NDArray[np.float32]) -> dict[str, Any]:
    """Columns: chrom, start, end (0-based half-open), the letter that is there, and a value for each of A, C, G, T."""
    starts = region.start + np.arange(region.width)
    place = {"chrom": [region.chrom] * region.width, "start": starts, "end": starts + 1, "ref": list(dna.decode(codes))}
    return place | dict(zip(LETTERS, values.T, strict=True))
