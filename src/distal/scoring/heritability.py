"""Scores as annotations for LD score regression and signed LD profile regression; knows score files, runs neither.

LDSC asks how much heritability lies in variants with an annotation, so it gets numbers without a sign: the size of a
score, or 1 for the largest and 0 for the rest. SLDP asks whether effects on a trait go with effects on a track, so it
gets the score of A1, with its sign. Both want one reference panel: with its .bim there is a row for each of its
variants, 0 where there is no score, and A1 is the panel's; without, a row for each variant that was scored once, and A1
is ALT. Alleles are compared as they are written, on one strand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distal.coords import spellings
from distal.errors import InputError
from distal.io import annot
from distal.io.annot import Snp
from distal.io.scores import Matrix, ScoreRow, Scores, files
from distal.quantiles import column_quantiles
from distal.scoring.alleles import DUPLICATE
from distal.scoring.compare import Chromosome, by_chromosome, signed
from distal.scoring.components import Components
from distal.scoring.stack import stacked

Array = NDArray[np.float64]
_BLOCK = 1024
_FLIP = {"A": "T", "C": "G", "G": "C", "T": "A"}


@dataclass(frozen=True, eq=False)
class Annotations:
    """What is written of each variant: columns of one score, and what is made of them."""

    score: str
    names: tuple[str, ...]
    of: Callable[[Matrix], Array]
    """Scores of some variants [n, all tracks] to their annotations [n, names]; NaN where a variant has no score."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one chromosome."""

    file: str
    variants: int
    """Rows of the file."""
    scored: int
    """Of these, variants that have scores."""
    ambiguous: int
    """Of these, A/T and C/G pairs, which SLDP leaves out: it can't tell their strand."""


def by_track(path: str | Path, score: str = "SAD", query: str = "") -> Annotations:
    """The score itself, for each track that `query` chooses; `path` is a folder of score files, or one."""
    with stacked([path]) as stack:
        chosen = stack.table.select(query)
        stack.dtype(score)  # says where there is no such score
    return Annotations(score, _columns(chosen.names), lambda values: values[:, chosen.channels].astype(np.float64))


def by_component(components: Components) -> Annotations:
    """Principal components of the scores."""
    return Annotations(components.score, components.names, components)


def sizes(annotations: Annotations) -> Annotations:
    """The same without the sign."""
    return Annotations(annotations.score, annotations.names, lambda values: np.abs(annotations.of(values)))


def largest(annotations: Annotations, path: str | Path, share: float) -> Annotations:
    """1 for the `share` of all scored variants of `path` whose numbers are largest in size, 0 for the rest."""
    if not 0 < share < 1:
        raise InputError(f"the share {share} of the variants must lie between 0 and 1, such as 0.01")
    with stacked([path]) as stack:

        def blocks(columns: slice) -> Iterator[Array]:
            return (np.abs(annotations.of(values))[:, columns] for values in stack.finite(annotations.score))

        (limits,) = column_quantiles(blocks, len(annotations.names), [1 - share])

    def above(values: Matrix) -> Array:
        found = np.abs(annotations.of(values))
        large: Array = np.greater(found, limits).astype(np.float64)
        large[np.isnan(found)] = np.nan
        return large

    return Annotations(annotations.score, annotations.names, above)


def write_signed(path: str | Path, out: Path, annotations: Annotations, bim: str = "") -> list[Written]:
    """Write ``<chromosome>.sannot.gz`` into the folder `out`, of all score files of `path`.

    `bim` is the panel's .bim; an ``@`` in it stands for the chromosome's number. Raises `InputError` for a score that
    has no sign.
    """
    if not signed(annotations.score):
        raise InputError(f"{annotations.score} has no sign; SLDP needs one such as SAD (for LDSC it is fine)")
    return _write(path, out, annotations, bim, signed=True)


def write_sizes(path: str | Path, out: Path, annotations: Annotations, bim: str = "") -> list[Written]:
    """Write ``<chromosome>.annot.gz`` into the folder `out`, of all score files of `path`; `bim` as above."""
    return _write(path, out, annotations, bim, signed=False)


def _write(path: str | Path, out: Path, annotations: Annotations, bim: str, signed: bool) -> list[Written]:
    made = []
    with ExitStack() as stack:
        found = [stack.enter_context(Scores(file)) for file in files(path)]
        out.mkdir(parents=True, exist_ok=True)
        for chromosome in (each for scores in found for each in by_chromosome(scores)):
            name = _bare(chromosome.chrom)
            target = out / f"{name}.{'sannot' if signed else 'annot'}.gz"
            counted = _Counted()
            source = (
                _on_panel(chromosome, annotations, bim.replace("@", name)) if bim else _own(chromosome, annotations)
            )
            annot.write(target, annotations.names, counted.passing(source), signed)
            made.append(Written(str(target), counted.rows, counted.scored, counted.ambiguous))
            if bim and not counted.scored:
                raise InputError(
                    f"no variant of chromosome {name} in {path} is in {bim}; are both on one genome build?"
                )
    return made


def _bare(chrom: str) -> str:
    return min(spellings(chrom), key=len)


def _columns(names: Sequence[str]) -> tuple[str, ...]:
    """Names that no reader takes for two columns, each once."""
    plain = ["_".join(name.split()) for name in names]
    return tuple(name if name not in plain[:i] else f"{name}.{i}" for i, name in enumerate(plain))


class _Counted:
    """What goes by on the way to a file; numbers of variants without scores become 0."""

    def __init__(self) -> None:
        self.rows = self.scored = self.ambiguous = 0

    def passing(self, source: Iterator[tuple[list[Snp], Array]]) -> Iterator[tuple[list[Snp], Array]]:
        for snps, values in source:
            known = np.asarray(np.isfinite(values).all(axis=1))
            palindromes = np.array([_FLIP.get(snp.a1) == snp.a2 for snp in snps], dtype=np.bool_)
            self.rows += len(snps)
            self.scored += int(known.sum())
            self.ambiguous += int((known & palindromes).sum())
            yield snps, np.where(known[:, None], values, 0.0)


def _own(chromosome: Chromosome, annotations: Annotations) -> Iterator[tuple[list[Snp], Array]]:
    """The scored variants by position, each name once; where there is no ID, place and alleles are the name."""
    seen: set[str] = set()
    for start in range(0, len(chromosome.places), _BLOCK):
        block = chromosome.scores.read(chromosome.places[start : start + _BLOCK], (annotations.score,))
        values = annotations.of(block.values[annotations.score])
        snps = [_snp(row) for row in block.rows]
        kept = []
        for i in np.flatnonzero(np.isfinite(values).all(axis=1)).tolist():
            if block.rows[i].status != DUPLICATE and snps[i].name not in seen:
                seen.add(snps[i].name)
                kept.append(i)
        yield [snps[i] for i in kept], values[kept]


def _snp(row: ScoreRow) -> Snp:
    name = row.name if row.name not in ("", ".") else f"{_bare(row.chrom)}:{row.pos}:{row.ref}:{row.alt}"
    return Snp(row.chrom, name, 0.0, row.pos, row.alt, row.ref)


def _on_panel(chromosome: Chromosome, annotations: Annotations, bim: str) -> Iterator[tuple[list[Snp], Array]]:
    """The panel's variants in its order, each with the score of its A1."""
    places: dict[tuple[int, str, str], int] = {}
    for key in chromosome.keys():  # noqa: SIM118 (it is no dict)
        places.setdefault((key.pos, key.ref, key.alt), key.place)
    panel = (snp for snp in annot.read_bim(bim) if _bare(snp.chrom) == _bare(chromosome.chrom))
    while snps := list(islice(panel, _BLOCK)):
        straight = [places.get((snp.pos, snp.a2, snp.a1), -1) for snp in snps]
        turned = [places.get((snp.pos, snp.a1, snp.a2), -1) for snp in snps]
        found = np.where(np.array(straight) >= 0, straight, turned)
        sign = np.where(np.array(straight) >= 0, 1.0, -1.0) if signed(annotations.score) else np.ones(len(snps))
        values = np.full((len(snps), len(annotations.names)), np.nan)
        here = np.flatnonzero(found >= 0)
        if len(here):
            block = chromosome.scores.read(found[here], (annotations.score,))
            values[here] = annotations.of(block.values[annotations.score] * sign[here, None])
        yield snps, values
