"""What a client may ask for, as bodies that check themselves; computes nothing.

Regions and variants are text as people write them, counted from 1; tracks are output channels. Sizes that depend on
how the server was started (`Limits`) are checked where the work begins.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Region = Annotated[str, Field(min_length=1, max_length=200, examples=["chr20:42,984,160-42,984,444"])]
VariantText = Annotated[str, Field(min_length=1, max_length=2_000, examples=["chr20:42984264:C>T"])]
Channels = Annotated[list[Annotated[int, Field(ge=0, lt=1_000_000)]], Field(min_length=1, max_length=1_000)]
"""Output channels of the head, as ``/api/tracks`` numbers them."""
Query = Annotated[str, Field(max_length=1_000, examples=["assay=DNASE biosample~HepG2"])]
Enhancing = Literal["gradient", "gaussian", "attention", "ism"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PredictBody(_Body):
    """Predicted tracks over a region."""

    region: Region
    tracks: Channels


class VariantBody(_Body):
    """REF and ALT around one variant."""

    variant: VariantText
    tracks: Channels
    rc: bool = False


class MutagenesisBody(_Body):
    """Every substitution of a region."""

    region: Region
    tracks: Channels
    target: Region | None = None
    """Where the output is read; the region and two bins on either side when left out."""
    statistic: Literal["log2_fold", "difference"] = "log2_fold"
    rc: bool = False


class ContributionsBody(_Body):
    """What every base contributes to the prediction of a target."""

    target: Region
    tracks: Channels
    region: Region | None = None
    """Which bases are reported; all that the model reads when left out."""
    method: Literal["grad", "grad-centred", "ig"] = "grad"
    rc: bool = False


class EnhancersBody(_Body):
    """Which elements regulate a gene."""

    gene: Annotated[str, Field(min_length=1, max_length=200, examples=["HNF4A"])]
    tracks: Query = "assay=CAGE"
    accessibility: Query = "assay=DNASE"
    methods: Annotated[list[Enhancing], Field(min_length=1, max_length=4)] = ["gradient", "gaussian"]
    rc: bool = False


class ScoreBody(_Body):
    """Scores of some variants."""

    variants: Annotated[list[VariantText], Field(min_length=1, max_length=10_000)]
    tracks: Channels
    scores: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=20)] = ["SAD", "SAR"]
    rc: bool = False
