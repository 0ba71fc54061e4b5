"""Which variants of a scoring run to look at first; knows score files, runs no model.

A variant is as large as its score is in the track where that is largest, whatever its sign. What is compared between
tracks has to be on one scale, so a score of log ratios is taken where the run has one (SAR, SADR ...), its first score
where not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.io.genes import Genes
from distal.io.scores import Block, GeneAt, ScoreRow, Scores
from distal.scoring import cards
from distal.scoring.alleles import DUPLICATE
from distal.scoring.cards import BiosampleEffect, NearGene
from distal.scoring.run import Summary, score_file
from distal.tracks import Track, TrackTable

_RATIOS = ("SAR", "logSAD", "SADR", "SAXR")
"""Scores of log ratios, over all of the output or a part of it: their tracks are on one scale."""
_CELLS = 1 << 22
"""Scores that are in memory at once."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sizes:
    """All variants of a run that have scores of their own, in the order of its files."""

    score: str
    rows: Sequence[ScoreRow]
    places: Sequence[tuple[str, int]]
    """Chromosome of the file, and the row in it."""
    sizes: Floats
    """[variants]"""
    columns: NDArray[np.int64]
    """The track in which the score is largest, [variants]."""
    table: TrackTable

    def largest(self, most: int) -> list[int]:
        """Indices of the largest, at most so many, the largest first."""
        order: list[int] = np.argsort(-self.sizes, kind="stable")[:most].tolist()
        return order

    def track(self, index: int) -> Track:
        """The track in which the variant is as large as it is."""
        return self.table.rows[int(self.columns[index])]


@dataclass(frozen=True, eq=False)
class Found:
    """One of the largest variants."""

    row: ScoreRow
    values: Mapping[str, Floats]
    """Every score that isn't per gene, with its spread and quantile where the run has them: name -> [tracks]."""
    biosamples: tuple[BiosampleEffect, ...]
    genes: tuple[NearGene, ...]
    """Nearest first; empty without an annotation."""
    on_genes: tuple[tuple[GeneAt, Mapping[str, Floats]], ...] = ()
    """Each gene near it with the scores per gene: name -> [tracks]; empty for runs without such."""


def ranking(names: Sequence[str]) -> str:
    """The score that variants are ranked by, of the names of a run's scores; empty where all are per gene."""
    plain = [name for name in names if not name.endswith(("_tss", "_gene"))]
    ratios = [name for kind in _RATIOS for name in plain if name.partition("_")[0] == kind]
    return next(iter([*ratios, *plain]), "")


def sizes(out: Path, summary: Summary) -> Sizes:
    """How large every variant of the run in `out` is that has scores of its own (duplicates have another's)."""
    score = ranking(list(summary.facts["formulas"]))
    rows: list[ScoreRow] = []
    places: list[tuple[str, int]] = []
    numbers: list[Floats] = [np.empty(0)]
    columns: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    table = TrackTable(())
    for chrom in summary.chromosomes:
        with Scores(score_file(out, chrom)) as opened:
            table = opened.table
            start = 0
            for block in opened.blocks(max(1, _CELLS // max(len(table), 1)), (score,)):
                size = np.abs(block.values[score].astype(np.float64))
                known = [
                    i for i, row in enumerate(block.rows) if row.status != DUPLICATE and np.isfinite(size[i]).all()
                ]
                rows += [block.rows[i] for i in known]
                places += [(chrom, start + i) for i in known]
                numbers.append(size[known].max(axis=1, initial=0))
                columns.append(size[known].argmax(axis=1).astype(np.int64))
                start += len(block.rows)
    return Sizes(score, rows, places, np.concatenate(numbers), np.concatenate(columns), table)


def found(out: Path, all: Sizes, chosen: Sequence[int], genes: Genes | None) -> list[Found]:
    """What the files say of some of the variants, in the order of `chosen`."""
    answers: dict[int, Found] = {}
    for chrom in dict.fromkeys(all.places[i][0] for i in chosen):
        mine = [i for i in chosen if all.places[i][0] == chrom]
        where = np.array([all.places[i][1] for i in mine], dtype=np.int64)
        with Scores(score_file(out, chrom)) as opened:
            block = opened.read(where)
            described = cards.cards(opened, where, [None] * len(mine), (all.score,), genes=genes, top=5)
            for place, (i, card) in enumerate(zip(mine, described, strict=True)):
                values = {name: matrix[place].astype(np.float64) for name, matrix in block.values.items()}
                on_genes = _on_genes(block, place)
                answers[i] = Found(block.rows[place], values, card.scores[0].biosamples, card.genes, on_genes)
    return [answers[i] for i in chosen]


def _on_genes(block: Block, place: int) -> tuple[tuple[GeneAt, Mapping[str, Floats]], ...]:
    """The genes of one row, the nearest first."""
    if block.genes is None:
        return ()
    mine = block.genes.take([place])
    entries = [
        (gene, {name: values[i].astype(np.float64) for name, values in mine.values.items()})
        for i, gene in enumerate(mine.genes)
    ]
    return tuple(sorted(entries, key=lambda entry: abs(entry[0].tss_distance)))
