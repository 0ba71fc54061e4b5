"""Scores of a stream of variants: windows in, one number per score and track out; memory is flat in their number.

For each variant REF and ALT are predicted over the same window, averaged over strands and shifts, ALT's bins are
brought back to REF's (`alleles`), and the scores (`scorers`) are taken on the device: bins never leave it. Windows with
the same sequence in a batch are predicted once, so an ALT that is the same as REF scores exactly 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from distal.coords import Variant, Window
from distal.errors import InputError
from distal.io.scores import DTYPES, Block, ScoreRow, clipped
from distal.predictor import Predictor, averaged
from distal.scoring.alleles import DUPLICATE, FAILED, SCORED, STATUSES, haplotypes, judge
from distal.scoring.run import Part, Run, Summary, parts
from distal.scoring.scorers import Scorer, named
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.io.fasta import Genome
    from distal.io.vcf import VcfRow

Progress = Callable[[int], object]
"""Called with the number of rows that are done since the last call."""


def score_variants(
    predictor: Predictor,
    genome: Genome,
    rows: Iterable[VcfRow],
    out: str | Path,
    scores: Sequence[str | Scorer] = ("SAD", "SAR"),
    query: str = "",
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    dtype: str = "float16",
    command: str = "",
    progress: Progress | None = None,
) -> Summary:
    """Score `rows` and write ``scores/<chromosome>.h5`` (see `distal.io.scores`) and ``summary.json`` in `out`.

    Every row gets a status (see `alleles.STATUSES`), those that are `scored` or `duplicate` have scores: SAD and SAR,
    or any of `scorers.SCORERS`, or your own `Scorer`, for the tracks that `query` selects. `rc` averages both strands,
    `shifts` the sequence moved by so many bases. At most `predictor.batch_size` windows go through the model at once;
    scores change by less than 1e-5 (relative to the signal) with it.

    A call that was stopped goes on where it was when it is made again with the same arguments, and ends with the same
    data. `command` is written to the files. Raises `InputError` when `out` holds a run that differs in its arguments.
    """
    recipe = Recipe(predictor, genome, named(scores), query, rc, tuple(shifts), dtype)
    run = Run(Path(out), recipe.facts(), recipe.table, [scorer.name for scorer in recipe.scorers])
    advance = progress or (lambda n: None)
    for part in parts(rows):
        if run.has(part):
            advance(len(part.rows))
        else:
            run.keep(part, recipe.score(part, advance))
    return run.finish(command)


def tally(genome: Genome, window: Window, rows: Iterable[VcfRow]) -> dict[str, int]:
    """How many rows would get which status, without any model (`failed` is not foreseen)."""
    counts = Counter(status for part in parts(rows) for status in _statuses(genome, window, part))
    return {status: counts[status] for status in STATUSES}


def _statuses(genome: Genome, window: Window, part: Part) -> list[str]:
    judged = (judge(genome, window, row) for row in part.rows)
    return [DUPLICATE if status == SCORED and part.repeats(i) else status for i, status in enumerate(judged)]


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that decides a score, save the variant."""

    predictor: Predictor
    genome: Genome
    scorers: tuple[Scorer, ...]
    query: str
    rc: bool
    shifts: tuple[int, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InputError(f"dtype {self.dtype!r} is not one of {', '.join(DTYPES)}")
        if not self.shifts:
            raise InputError("no shift is given; 0 is the sequence as it is")
        if self.rc:
            _ = self.predictor.tracks.partners  # says what is wrong with the track table before anything is computed

    @cached_property
    def table(self) -> TrackTable:
        """The tracks that are scored."""
        return self.predictor.tracks.select(self.query)

    def facts(self) -> dict[str, Any]:
        """The recipe as JSON values: a run goes on only under the same ones, and the files carry them."""
        window = self.predictor.window
        return {
            "format": "distal-scores-1",
            **self.predictor.facts(self.genome),
            "window": [window.input_bp, window.bin_bp, window.bins],
            "formulas": {scorer.name: scorer.formula for scorer in self.scorers},
            "query": self.query,
            "tracks": len(self.table),
            "rc": self.rc,
            "shifts": list(self.shifts),
            "dtype": self.dtype,
        }

    def score(self, part: Part, advance: Progress) -> Block:
        """The rows of `part` with their statuses and scores; NaN where there is none (and, as yet, in duplicates)."""
        statuses = _statuses(self.genome, self.predictor.window, part)
        shape = (len(self.scorers), len(part.rows), len(self.table))
        values = np.full(shape, np.nan, dtype=self.dtype)
        wanted = [i for i, status in enumerate(statuses) if status == SCORED]
        advance(len(part.rows) - len(wanted))
        for batch in self._batches(wanted):
            scored = self.score_batch([part.rows[i].variant() for i in batch])
            for i, numbers in zip(batch, scored, strict=True):
                if np.isfinite(numbers).all():
                    values[:, i] = clipped(numbers, self.dtype)
                else:
                    statuses[i] = FAILED
            advance(len(batch))
        rows = [
            ScoreRow(row.chrom, row.pos, row.name, row.ref, row.alt, status)
            for row, status in zip(part.rows, statuses, strict=True)
        ]
        return Block(rows, {scorer.name: matrix for scorer, matrix in zip(self.scorers, values, strict=True)})

    def _batches(self, wanted: list[int]) -> Iterator[list[int]]:
        """As many variants at a time as fill a pass of the predictor with two windows each."""
        size = max(1, self.predictor.batch_size // 2)
        return (wanted[i : i + size] for i in range(0, len(wanted), size))

    @torch.inference_mode()
    def score_batch(self, variants: Sequence[Variant]) -> NDArray[np.float64]:
        """Scores float64 [variants, scores, tracks] of variants that were judged to be scorable."""
        window = self.predictor.window
        made = [haplotypes(self.genome, window, variant) for variant in variants]
        sequences = list({codes.tobytes(): codes for pair in made for codes in (pair.ref, pair.alt)}.items())
        place = {key: i for i, (key, _) in enumerate(sequences)}
        codes = np.stack([codes for _, codes in sequences])
        signal = averaged(self.predictor, codes, self.rc, self.shifts, self.table.channels)
        signal = signal.cpu() if signal.device.type == "mps" else signal  # Apple's GPUs have no float64 to sum in
        results = []
        for pair in made:
            ref, alt = signal[place[pair.ref.tobytes()]], signal[place[pair.alt.tobytes()]]
            mapped = pair.realign(alt, ref)
            results.append(torch.stack([score(ref, mapped, window, pair.variant) for score in self.scorers]))
        numbers: NDArray[np.float64] = torch.stack(results).cpu().numpy()
        return numbers
