"""Routes of what can be looked at: the model, tracks, places, genes, sequence and signal; computes nothing itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import cache
from typing import Annotated, Any, Literal

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

import distal
from distal.coords import Interval
from distal.errors import InputError
from distal.io.genes import Gene
from distal.tracks import TrackTable
from distal.web import looking, said
from distal.web.answers import MEDIA
from distal.web.asking import BYTES, PROBLEMS, Client, There, answered, numbers
from distal.web.files import igv_reference
from distal.web.problems import NotFound
from distal.web.ranged import ranged
from distal.web.recent import Recent
from distal.web.search import Found
from distal.web.served import Served

router = APIRouter(prefix="/api", responses=PROBLEMS)
RegionQuery = Annotated[str, Query(min_length=1, max_length=200, examples=["chr20:42,984,160-42,984,444"])]
FACETS = ("assay", "biosample", "target")
RECENT_BYTES = 1 << 24
"""Of answers that are kept as they were given, for readers of bigWig files ask for one part after the other."""
APART = 2
"""Threads that read the cache and write answers. More of them only wait for each other: it is Python's work."""


@router.get("/about")
def about(served: There) -> said.About:
    """What this server has, and where it starts."""
    genome = said.GenomeSaid(
        name=served.genome.path.name,
        sha256=served.genome.digest(),
        chromosomes=[said.Chromosome(name=name, length=size) for name, size in served.genome.sizes.items()],
        igv=igv_reference(served.genome),
    )
    return said.About(
        version=distal.__version__,
        model=_model(served),
        genome=genome,
        genes=served.genes is not None,
        scores=served.scores is not None,
        rc=served.rc,
        limits=asdict(served.limits),
        start=_found(served.first),
    )


def _model(served: Served) -> said.ModelSaid:
    spec, window = served.predictor.spec, served.predictor.window
    return said.ModelSaid(
        name=spec.name,
        family=spec.family,
        head=served.predictor.head,
        heads=dict(spec.heads),
        input_bp=window.input_bp,
        bin_bp=window.bin_bp,
        bins=window.bins,
        tracks=len(served.predictor.tracks),
        licence=spec.licence,
        weights_sha256=spec.weights_sha256,
    )


@router.get("/models")
def models() -> list[said.ModelListed]:
    """The models that `distal browse` could serve, those that are here first."""
    return list(_listed())


@cache
def _listed() -> tuple[said.ModelListed, ...]:
    from distal.models import zoo
    from distal.models.sources import KNOWN

    here = [zoo.read_spec(folder) for _, folder in sorted(zoo.installed().items())]
    rows = [
        said.ModelListed(
            name=spec.name,
            family=spec.family,
            heads=dict(spec.heads),
            input_bp=spec.window.input_bp,
            bin_bp=spec.window.bin_bp,
            bins=spec.window.bins,
            licence=spec.licence,
            here=True,
        )
        for spec in here
    ]
    known = {row.name for row in rows}
    return tuple(rows) + tuple(
        said.ModelListed(
            name=source.name,
            family=source.family,
            heads=dict(source.heads),
            input_bp=source.input_bp,
            bin_bp=None,
            bins=None,
            licence=source.licence,
            here=False,
        )
        for source in KNOWN.values()
        if source.name not in known
    )


@router.get("/tracks")
def tracks(served: There, query: Annotated[str, Query(max_length=1_000)] = "") -> said.TracksSaid:
    """The tracks that a query chooses, such as ``assay=DNASE biosample~HepG2``, and what they have in common."""
    found = served.predictor.tracks.select(query)
    rows = [said.TrackSaid(**{name: getattr(row, name) for name in said.TrackSaid.model_fields}) for row in found]
    return said.TracksSaid(tracks=rows, facets={facet: _values(found, facet) for facet in FACETS})


def _values(table: TrackTable, facet: str) -> list[said.Value]:
    counts = Counter(getattr(row, facet) for row in table)
    return [said.Value(value=value, count=count) for value, count in counts.most_common() if value]


@router.get("/search")
def search(served: There, text: Annotated[str, Query(min_length=1, max_length=2_000)]) -> said.FoundSaid:
    """The place that a text names: a gene, a region, a variant, or the ID of a scored variant."""
    try:
        return _found(served.search(text))
    except InputError as error:
        raise NotFound(str(error)) from None


def _found(found: Found) -> said.FoundSaid:
    at = found.region
    return said.FoundSaid(
        kind=found.kind,
        label=found.label,
        chrom=at.chrom,
        start=at.start,
        end=at.end,
        region=at.to_ucsc(),
        variant=str(found.variant) if found.variant else None,
        gene=found.gene,
    )


@router.get("/genes")
def genes(served: There, region: RegionQuery) -> list[said.GeneSaid]:
    """The genes that touch a region, with all their start sites and exons; none where the server has no genes."""
    at = served.region(region, max(served.genome.sizes.values()))
    if served.genes is None:
        return []
    return [_gene(gene, at) for gene in served.genes.touching(at)]


def _gene(gene: Gene, at: Interval) -> said.GeneSaid:
    bases = [*gene.tss, *(site + 1 for site in gene.tss), *(edge for exon in gene.exons for edge in exon)]
    return said.GeneSaid(
        name=gene.name,
        id=gene.id,
        chrom=at.chrom,
        start=min(bases),
        end=max(bases),
        strand=gene.strand,
        tss=list(gene.tss),
        exons=list(gene.exons),
    )


@router.get("/sequence")
def sequence(served: There, region: RegionQuery) -> said.SequenceSaid:
    """Letters of the reference."""
    at = served.region(region, served.limits.contributions_bp)
    return said.SequenceSaid(chrom=at.chrom, start=at.start, end=at.end, letters=served.genome.fetch(at))


# --- signal


@router.get(
    "/signal",
    response_class=Response,
    responses=BYTES,
)
async def signal(
    request: Request,
    served: There,
    client: Client,
    region: RegionQuery,
    tracks: Annotated[str, Query(min_length=1, max_length=1_000, examples=["0,3"])],
    points: Annotated[int, Query(ge=1, le=20_000)] = 1_000,
    format: Literal["json", "npz", "arrow", "tsv", "bigwig"] = "json",
) -> Response:
    """Predicted tracks over a region, computed when they are first looked at.

    Where the region has more than `points` bins, neighbours are joined to their mean.
    """
    recent: Recent = request.app.state.recent
    key = f"{region}\t{tracks}\t{points}\t{format}"
    encoded = recent.get(key)
    if encoded is None:
        at, table = served.region(region, served.limits.region_bp), served.table(numbers(tracks))
        encoded = await _encoded(request, served, client, at, table, points, format)
        recent.put(key, encoded)
    return ranged(request, encoded, MEDIA[format])


async def _encoded(
    request: Request, served: Served, client: str, at: Interval, table: TrackTable, points: int, form: str
) -> bytes:
    """The signal in one format; what nobody has looked at is computed first."""
    apart: CapacityLimiter = request.app.state.apart

    def there() -> bytes | None:
        found = served.grid.signal(at, table.channels, points)
        return None if found is None else looking.shown(served, at, table, found).encoded(form)

    encoded = await run_sync(there, limiter=apart)
    if encoded is not None:
        return encoded
    missing = await run_sync(served.grid.missing, at, points, limiter=apart)

    def work(progress: Any) -> None:
        progress.total(len(missing))
        served.grid.compute(at.chrom, missing, progress)

    if missing:  # or another request has computed it meanwhile
        await answered(served, request, client, "signal", f"{served.label}\tsignal\t{at.chrom}\t{missing}", work)
    encoded = await run_sync(there, limiter=apart)
    if encoded is None:
        raise InputError("the cache is too small to hold what is looked at; start with a larger --cache-gb")
    return encoded
