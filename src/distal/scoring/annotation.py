"""Scores as INFO of the VCF that they came from; knows a run's folder and the keys, not how a score is made.

Every ALT allele gets a status and, where it was scored, the value of each score in the track where it is largest in
absolute value, the name of that track, and the components if there are any. Keys begin with ``DISTAL_``. Scores on
genes are left out: an allele has as many of them as it has genes near it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.io import vcf
from distal.io.scores import Block, Matrix, Scores
from distal.io.vcf import Value, VcfRow
from distal.scoring.alleles import STATUSES
from distal.scoring.components import Components
from distal.scoring.run import read_summary, score_file

_BLOCK_ROWS = 256


def annotate(
    source: str | Path, folder: Path, formulas: Mapping[str, str], out: Path, components: Components | None = None
) -> None:
    """Copy the VCF `source` to `out` (bgzip and tabix) with the scores that the run in `folder` gave its rows.

    `formulas` names the scores to write. Raises `InputError` where `source` is not the file that was scored.
    """
    formulas = _of_alleles(folder, formulas)
    with _Infos(folder, tuple(formulas), components) as infos:
        header = _header(formulas, components)
        vcf.annotate(source, out, header, _records(vcf.read(source), infos))


def _of_alleles(folder: Path, formulas: Mapping[str, str]) -> dict[str, str]:
    """`formulas` without those of scores on genes."""
    on_genes: tuple[str, ...] = ()
    for chrom in islice(read_summary(folder).chromosomes, 1):  # all files of a run have the same scores
        with Scores(score_file(folder, chrom)) as scores:
            on_genes = scores.gene_scores
    return {score: formula for score, formula in formulas.items() if score not in on_genes}


def _records(rows: Iterator[VcfRow], infos: _Infos) -> Iterator[dict[str, list[Value]]]:
    for _, alleles in groupby(rows, key=lambda row: row.record):
        found = [infos.of(row) for row in alleles]
        yield {key: [info.get(key) for info in found] for key in dict.fromkeys(key for info in found for key in info)}


def _header(formulas: Mapping[str, str], components: Components | None) -> list[str]:
    lines = [_info("STATUS", "String", f"What became of the allele: {', '.join(STATUSES)}")]
    if components is not None:
        what = f"Principal component of {components.score} over {len(components.tracks)} tracks"
        lines += [_info(name, "Float", what) for name in components.names]
    for score, formula in formulas.items():
        lines.append(_info(score, "Float", f"{formula}, in the track where its absolute value is largest"))
    return lines + [_info(f"{score}_TRACK", "String", f"Track of {_key(score)}") for score in formulas]


def _key(name: str) -> str:
    return "DISTAL_" + re.sub(r"[^0-9A-Za-z_.]", "_", name)


def _info(name: str, kind: str, description: str) -> str:
    text = description.replace("\\", "\\\\").replace('"', '\\"')
    return f'##INFO=<ID={_key(name)},Number=A,Type={kind},Description="{text}">'


class _Infos:
    """The INFO of every row of a VCF in file order; one score file is open at a time, some hundred rows are read."""

    def __init__(self, folder: Path, scores: Sequence[str], components: Components | None) -> None:
        self._folder = folder
        self._scores = scores
        self._components = components
        self._done: Counter[str] = Counter()
        self._open: tuple[str, Scores] | None = None
        self._ready: list[tuple[tuple[str, int, str, str, str], dict[str, Value]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._open is not None:
            self._open[1].close()

    def of(self, row: VcfRow) -> dict[str, Value]:
        """Key -> value of the next row of its chromosome."""
        scores = self._file(row.chrom)
        if not self._ready:
            start = self._done[row.chrom]
            wanted = {*self._scores, *([self._components.score] if self._components else [])}
            block = scores.read(slice(start, start + _BLOCK_ROWS), sorted(wanted))
            alleles = (row[:5] for row in block.rows)
            self._ready = list(zip(alleles, self._values(block, scores), strict=True))[::-1]
        allele, info = self._ready.pop() if self._ready else (None, dict[str, Value]())
        if allele != (row.chrom, min(row.pos, np.iinfo("uint32").max), row.name, row.ref, row.alt):
            raise InputError(f"line {row.line} of the VCF is not what was scored in {self._folder}; score it again")
        self._done[row.chrom] += 1
        return info

    def _file(self, chrom: str) -> Scores:
        if self._open is None or self._open[0] != chrom:
            self.__exit__()
            self._open = (chrom, Scores(score_file(self._folder, chrom)))
            self._ready = []
        return self._open[1]

    def _values(self, block: Block, scores: Scores) -> list[dict[str, Value]]:
        infos: list[dict[str, Value]] = [{_key("STATUS"): row.status} for row in block.rows]
        if self._components is not None:
            numbers = self._components(block.values[self._components.score]).tolist()
            for info, row in zip(infos, numbers, strict=True):
                info.update(zip(map(_key, self._components.names), row, strict=True))
        names = (*scores.table.names, None)  # None: the track of a row without scores
        largest = {score: largest_track(block.values[score]) for score in self._scores}
        for i, info in enumerate(infos):
            info |= {_key(score): float(values[i]) for score, (_, values) in largest.items()}
            info |= {_key(f"{score}_TRACK"): names[places[i]] for score, (places, _) in largest.items()}
        return infos


def largest_track(values: Matrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each row of [n, tracks] the column with the largest absolute value, and that value.

    Both int64 and float64 [n]; -1 and NaN where a score is missing.
    """
    known = ~np.isnan(values).any(axis=1)
    places = np.where(known, np.abs(np.nan_to_num(values)).argmax(axis=1), -1)
    return places, np.where(known, values[np.arange(len(values)), places].astype(np.float64), np.nan)
