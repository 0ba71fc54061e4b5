"""The bodies of the server's JSON answers, for its OpenAPI document; computes nothing.

``start`` and ``end`` are 0-based and half-open; ``region`` and ``variant`` are texts that count from 1.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class ModelSaid(BaseModel):
    """A model that is here, and the head that is served."""

    name: str
    family: str
    head: str
    heads: dict[str, int]
    """Tracks of each head."""
    input_bp: int
    bin_bp: int
    bins: int
    tracks: int
    licence: str
    weights_sha256: str


class ModelListed(BaseModel):
    """A model that could be served."""

    name: str
    family: str
    heads: dict[str, int]
    input_bp: int
    bin_bp: int | None
    """None where the model is not here."""
    bins: int | None
    licence: str
    here: bool
    """Whether its weights are on this machine."""


class Chromosome(BaseModel):
    """A sequence of the genome."""

    name: str
    length: int


class GenomeSaid(BaseModel):
    """The genome that is served. `igv` is an igv.js reference object."""

    name: str
    sha256: str
    chromosomes: list[Chromosome]
    igv: dict[str, Any]


class FoundSaid(BaseModel):
    """A place, by its name."""

    kind: str
    label: str
    chrom: str
    start: int
    end: int
    region: str
    variant: str | None = None
    gene: str | None = None


class About(BaseModel):
    """What this server has."""

    version: str
    model: ModelSaid
    genome: GenomeSaid
    genes: bool
    scores: bool
    rc: bool
    limits: dict[str, int | float]
    start: FoundSaid


class TrackSaid(BaseModel):
    """One output channel."""

    index: int
    name: str
    assay: str
    target: str
    biosample: str
    strand: str
    description: str


class Value(BaseModel):
    """A value of a facet, and how many of the tracks found have it."""

    value: str
    count: int


class TracksSaid(BaseModel):
    """The tracks that a query chooses."""

    tracks: list[TrackSaid]
    facets: dict[str, list[Value]]


class GeneSaid(BaseModel):
    """A gene that touches a region."""

    name: str
    id: str
    chrom: str
    start: int
    end: int
    strand: str
    tss: list[int]
    exons: list[tuple[int, int]]


class SequenceSaid(BaseModel):
    """Letters of the reference."""

    chrom: str
    start: int
    end: int
    letters: str


class ScoresSaid(BaseModel):
    """Rows of scores: one a variant and track."""

    total: int
    """Rows that match, of which `rows` are some."""
    scores: list[str]
    rows: list[dict[str, Any]]


class JobSaid(BaseModel):
    """A piece of work."""

    id: str
    verb: str
    status: str
    """queued, running, done, failed or cancelled"""
    position: int
    """1 for the next of those queued."""
    done: int
    total: int | None
    seconds: float
    error: str
    result_url: str | None
    formats: list[str]
    """In which the result can be had, once it is done."""
