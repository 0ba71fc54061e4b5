"""A genome with one variant's ALT where REF was; knows letters and positions, not what reads them.

Positions in front of the edit are the genome's own. Behind it they count on from ALT's last base, so that after an
insertion of five bases everything lies five further to the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from distal import dna
from distal.coords import Interval, Variant
from distal.dna import Codes
from distal.errors import InputError


class Reference(Protocol):
    """Sequences by name, and the letters of any stretch of them: a `Genome`, as it is or `Edited`."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bases of each sequence."""

    def resolve(self, chrom: str) -> str:
        """The name that the sequences have for a chromosome. Raises `InputError` where there is none."""

    def codes(self, interval: Interval) -> Codes:
        """Codes uint8 [width]; N beyond the ends."""


class Edited:
    """`genome` with ALT in the place of REF. Raises `InputError` where it has not got REF there."""

    def __init__(self, genome: Reference, variant: Variant) -> None:
        self._genome = genome
        self._chrom = genome.resolve(variant.chrom)
        self._start, self._end = variant.start, variant.start + len(variant.alt)
        self._growth = len(variant.alt) - len(variant.ref)
        self._alt = dna.encode(variant.alt)
        here = genome.codes(Interval(self._chrom, variant.start, variant.end))
        if here.tobytes() != dna.encode(variant.ref).tobytes():
            raise InputError(f"{variant}: the genome has {dna.decode(here)} there; is it the build of the variant?")
        self.sizes = {**genome.sizes, self._chrom: genome.sizes[self._chrom] + self._growth}

    def resolve(self, chrom: str) -> str:
        """See `Reference.resolve`."""
        return self._genome.resolve(chrom)

    def codes(self, interval: Interval) -> Codes:
        """See `Reference.codes`."""
        chrom = self._genome.resolve(interval.chrom)
        if chrom != self._chrom:
            return self._genome.codes(interval)
        before = interval.clip(min(interval.start, self._start), self._start)
        inside = interval.clip(self._start, self._end)
        behind = interval.clip(self._end, max(interval.end, self._end)).shift(-self._growth)
        return np.concatenate(
            [
                self._genome.codes(before),
                self._alt[inside.start - self._start : inside.end - self._start],
                self._genome.codes(behind),
            ]
        )
