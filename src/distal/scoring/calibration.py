"""Scores as signed quantiles of a null: how large an effect is among those of common variants; knows score files.

A calibrated score is sign(s) times the share of the null's variants whose score in the same track is smaller in
absolute size (half of those that equal it included), at most n / (n + 1). It is comparable between tracks and models:
0.99 is a variant that changes this track more than 99 in 100 common variants do.

Variants near a promoter have larger scores. With an annotation the null is divided into strata by the distance to the
nearest TSS, and a variant is compared with those at its own distance; a stratum of fewer than `SMALLEST` variants is
not kept, and all variants take its place. What the null keeps of a distribution, and what that costs in precision,
stands in `reference`: for 5,313 tracks in five strata of a million variants together 19 MB a score, or 37 MB where the
scores are float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.errors import InputError
from distal.io import described
from distal.io.genes import Genes
from distal.io.scores import Block, Derived, Matrix, ScoreRow, Scores, extended, files
from distal.scoring.alleles import DUPLICATE
from distal.scoring.reference import Reference
from distal.scoring.stack import Progress, Stack, stacked

ALL = "all"
EDGES = (1_000, 10_000, 50_000, 200_000)
"""Distances to the nearest TSS, in bp, at which a stratum ends and the next begins."""
STRATA = ("<1 kb", "1-10 kb", "10-50 kb", "50-200 kb", ">=200 kb")
SMALLEST = 100
"""Variants that a stratum needs."""
_FORMAT = "distal-null-1"
_OUTSIDE = -1


@dataclass(frozen=True, eq=False)
class Null:
    """What common variants score."""

    name: str
    tracks: tuple[str, ...]
    genes: str
    """Digest of the annotation that the strata were made with; empty without strata."""
    counts: Mapping[str, Mapping[str, int]]
    """Variants of each stratum, also of those that are too small, for each score."""
    references: Mapping[str, Mapping[str, Reference]]
    """The distributions of each score: of all variants, and of the strata that are large enough."""

    def derived(self, genes: Genes | None, scores: Sequence[str]) -> list[Derived]:
        """What makes ``SAD_quantile`` of SAD, and so on; without `genes` every variant is compared with all.

        Raises `InputError` where the null knows no such score, or has no strata to go with `genes`.
        """
        if genes is not None and not self.genes:
            raise InputError(f"the null {self.name} has no strata; leave the genes out, or build it with them")
        return [self._derived(genes, score) for score in scores]

    def _derived(self, genes: Genes | None, score: str) -> Derived:
        if score not in self.references:
            raise InputError(f"the null {self.name} is of {', '.join(self.references)}, not of {score}")
        kept = self.references[score]
        chosen = {label: kept.get(label, kept[ALL]) for label in (STRATA if genes is not None else (ALL,))}
        attributes = {
            "formula": f"sign({score}) x share of the null with a smaller |{score}| in the same track and stratum",
            "null": self.name,
            "strata": self._stratified_by(genes),
            "variants": json.dumps({label: reference.size for label, reference in chosen.items()}),
            "compared_with_all": json.dumps([label for label in chosen if label not in kept]),
            "cap": json.dumps({label: reference.cap for label, reference in chosen.items()}),
        }
        function = _Quantile(score, tuple(chosen.values()), genes)
        return Derived(f"{score}_quantile", "float32", attributes, score, function)

    def _stratified_by(self, genes: Genes | None) -> str:
        if genes is None:
            return "none"
        same = genes.digest() == self.genes
        return f"distance to the nearest TSS in {'the annotation of the null' if same else 'another annotation'}"

    def check(self, tracks: Sequence[str], where: str | Path) -> None:
        """Raise `InputError` where `where` has other tracks than the null."""
        if tuple(tracks) != self.tracks:
            raise InputError(f"{where} has other tracks than the null {self.name}; build one for this model and tracks")

    def facts(self) -> dict[str, Any]:
        """What the null is, as JSON values."""
        strata = [
            {
                "score": score,
                "stratum": label,
                "variants": count,
                "knots": len(self.references[score][label].ranks) if label in self.references[score] else 0,
                "cap": self.references[score].get(label, self.references[score][ALL]).cap,
            }
            for score, counts in self.counts.items()
            for label, count in counts.items()
        ]
        return {"name": self.name, "tracks": len(self.tracks), "genes_sha256": self.genes, "strata": strata}

    def save(self, path: Path) -> None:
        """Write a safetensors file; it appears whole or not at all."""
        tensors = {
            f"{score}/{label}/{part}": np.ascontiguousarray(getattr(reference, part))
            for score, references in self.references.items()
            for label, reference in references.items()
            for part in ("ranks", "knots")
        }
        about = {
            "format": _FORMAT,
            "name": self.name,
            "tracks": self.tracks,
            "genes": self.genes,
            "counts": self.counts,
        }
        described.write(path, tensors, about)

    @classmethod
    def load(cls, path: str | Path) -> Null:
        """Read what `save` wrote. Raises `InputError` for anything else."""
        with described.opened(path, _FORMAT, "nulls", "distal calibrate build") as (about, tensors):
            references: dict[str, dict[str, Reference]] = {score: {} for score in about["counts"]}
            for key, ranks in tensors.items():
                score, label, part = key.split("/")
                if part == "ranks":
                    knots = tensors[f"{score}/{label}/knots"]
                    references[score][label] = Reference(about["counts"][score][label], ranks, knots)
            return cls(about["name"], tuple(about["tracks"]), about["genes"], about["counts"], references)


@dataclass(frozen=True, eq=False)
class _Quantile:
    """Calibrated scores of a block of variants; pickles with the annotation."""

    score: str
    references: tuple[Reference, ...]
    """Of each stratum; of all variants alone where there are no genes."""
    genes: Genes | None

    def __call__(self, block: Block) -> Matrix:
        values = block.values[self.score]
        result = np.full(values.shape, np.nan, dtype=np.float32)
        wanted = np.flatnonzero(~np.isnan(values).all(axis=1))
        stratum = _strata([block.rows[i] for i in wanted.tolist()], self.genes)
        for i, reference in enumerate(self.references):
            rows = wanted[stratum == i]
            if len(rows):
                taken = values[rows].astype(np.float32)
                result[rows] = np.sign(taken) * reference.shares(np.abs(taken))
        return result


def _strata(rows: Sequence[ScoreRow], genes: Genes | None) -> NDArray[np.int8]:
    """The stratum of each row: its number in `STRATA`, or 0 for all where there are no genes.

    A contig without any TSS is as far from one as can be.
    """
    if genes is None:
        return np.zeros(len(rows), dtype=np.int8)
    places = (Interval.from_one_based(row.chrom, row.pos, row.pos) for row in rows)
    found = (genes.tss_distance(place.chrom, place.start) for place in places)
    distances = [EDGES[-1] if nearest is None else abs(nearest[0]) for nearest in found]
    return np.searchsorted(EDGES, distances, side="right").astype(np.int8)


def build(
    paths: Sequence[str | Path],
    scores: Sequence[str],
    genes: Genes | None,
    name: str,
    progress: Progress = lambda n: None,
) -> Null:
    """The null of `scores` in all files of `paths`, which should hold common variants, under the name `name`.

    Every variant counts once (rows that are duplicates of an earlier one don't), and only if its score is finite in
    every track. `progress` hears of rows that were read, several times of each. Memory: some counters for each track,
    and a byte for each variant. Raises `InputError` where fewer
    than `SMALLEST` variants remain, or where the files have other tracks or no such score.
    """
    with stacked(paths, progress) as stack:
        once = [_once(rows, genes) for rows in stack.rows()]
        counts, references = {}, {}
        for score in scores:
            member = [_where_finite(*pair) for pair in zip(once, stack.matrices(score), strict=True)]
            counts[score], references[score] = _of_score(stack, score, member, genes is not None, name)
        return Null(name, stack.table.names, "" if genes is None else genes.digest(), counts, references)


def _once(rows: Sequence[ScoreRow], genes: Genes | None) -> NDArray[np.int8]:
    """The stratum of each row that is no duplicate and may have scores."""
    stratum = np.full(len(rows), _OUTSIDE, dtype=np.int8)
    kept = [i for i, row in enumerate(rows) if row.status != DUPLICATE and row.pos]
    stratum[kept] = _strata([rows[i] for i in kept], genes)
    return stratum


def _where_finite(stratum: NDArray[np.int8], values: Matrix) -> NDArray[np.int8]:
    return np.where(np.isfinite(values).all(axis=1), stratum, np.int8(_OUTSIDE))


def _of_score(
    stack: Stack, score: str, member: Sequence[NDArray[np.int8]], stratified: bool, name: str
) -> tuple[dict[str, int], dict[str, Reference]]:
    """How many variants each stratum has, and the distributions of those that have enough."""
    labels = (*(STRATA if stratified else ()), ALL)
    masks = {label: [stratum == i for stratum in member] for i, label in enumerate(labels[:-1])}
    masks[ALL] = [stratum != _OUTSIDE for stratum in member]
    counts = {label: int(sum(mask.sum() for mask in masks[label])) for label in labels}
    if counts[ALL] < SMALLEST:
        raise InputError(f"{counts[ALL]} variants with {score} are too few for the null {name}; {SMALLEST} are needed")
    references = {}
    for label in (label for label in labels if counts[label] >= SMALLEST):

        def blocks(columns: slice, chosen: Sequence[NDArray[np.bool_]] = masks[label]) -> Iterator[Matrix]:
            for mask, values in zip(chosen, stack.matrices(score, columns), strict=True):
                yield np.abs(values[mask])

        references[label] = Reference.of(blocks, len(stack.table), counts[label], stack.dtype(score))
    return counts, references


def apply(
    path: str | Path,
    null: Null,
    genes: Genes | None,
    scores: Sequence[str],
    progress: Progress = lambda n: None,
) -> list[tuple[Path, int]]:
    """Write the calibrated scores into the score files of `path`, beside the raw ones; returns each file and its rows.

    Every file takes its new form at once or not at all; calibrated scores that it has already are replaced. `progress`
    hears of the rows of a file for each score. Nothing is
    written where a file has other tracks than the null or lacks a score (`InputError`).
    """
    derived = null.derived(genes, scores)
    found = files(path)
    rows = []
    for file in found:
        with Scores(file) as opened:
            null.check(opened.table.names, file)
            if missing := [score for score in scores if score not in opened.scores]:
                raise InputError(f"{file} has no score {missing[0]!r}; it has {', '.join(opened.scores)}")
            rows.append(len(opened))
    for file, count in zip(found, rows, strict=True):
        with extended(file) as writer:
            for one in derived:
                writer.derive(one)
                progress(count)
    return list(zip(found, rows, strict=True))
