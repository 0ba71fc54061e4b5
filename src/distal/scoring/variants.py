"""Scores of a stream of variants: rows in, a folder of scores out; knows who computes, not how a score is made.

The rows go through an `Engine` part by part (`parts`), each part is scored (`recipe`) and written by one worker, and
all are merged in the end (`run`). Memory is flat in the number of rows, and the scores are the same to the last bit
for any number of workers, shards and interruptions. Two things move them, by less than 1e-5 of the signal: the batch
size, and the number of threads that one forward pass uses on a CPU; both are among a run's facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.coords import Window
from distal.engine import Engine, LocalEngine
from distal.io.scores import Derived
from distal.predictor import Predictor
from distal.scoring import parts
from distal.scoring.alleles import STATUSES
from distal.scoring.parts import Part, Shard
from distal.scoring.recipe import Recipe, judged
from distal.scoring.run import Run, Summary, part_file
from distal.scoring.scorers import Scorer, named

if TYPE_CHECKING:
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
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
    *,
    spread: bool = True,
    genes: Genes | None = None,
    ref_mismatch: str = "skip",
    share_reference: int = 0,
    full_forward: bool = False,
    derived: Sequence[Derived] = (),
    percentiles: bool = False,
    engine: Engine | None = None,
    threads: int = 0,
    shard: Shard | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Summary | None:
    """Score `rows` and write ``scores/<chromosome>.h5`` (see `distal.io.scores`) and ``summary.json`` in `out`.

    Every row gets a status (see `alleles.STATUSES`); those that are `scored` or `duplicate` have scores: SAD and SAR,
    or any that `scorers.named` knows, or your own `Scorer`, for the tracks that `query` selects. `rc` averages both
    strands, `shifts` the sequence moved by so many bases; with `spread` every score X of such an average also has X_sd,
    the standard deviation of the score over its members. `genes` is needed by scores per gene. `ref_mismatch` is one of
    `POLICIES`. With `share_reference` the variants of so many bp of a chromosome are read in one window (see
    `Window.input_of_cell`; `sharing` measures what that changes), by default each in the window around it.
    `full_forward` gives every sequence a pass of its own, as a check of the incremental pass. A CPU takes `threads`
    threads in each worker (0: as many as this process uses). What else there is to say stands at `run_recipe`.
    """
    recipe = Recipe(
        predictor,
        genome,
        named(scores),
        query=query,
        rc=rc,
        shifts=tuple(shifts),
        dtype=dtype,
        spread=spread,
        genes=genes,
        ref_mismatch=ref_mismatch,
        threads=threads,
        share_reference=share_reference,
        full_forward=full_forward,
    )
    return run_recipe(
        recipe,
        rows,
        out,
        derived=derived,
        percentiles=percentiles,
        engine=engine,
        shard=shard,
        command=command,
        progress=progress,
    )


def run_recipe(
    recipe: Recipe,
    rows: Iterable[VcfRow],
    out: str | Path,
    *,
    derived: Sequence[Derived] = (),
    percentiles: bool = False,
    engine: Engine | None = None,
    shard: Shard | None = None,
    command: str = "",
    notes: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Summary | None:
    """Score `rows` as `recipe` says and write the files of `score_variants`.

    `derived` matrices (such as quantiles) and `percentiles` are made of the scores in the end. `engine` says who
    computes (this process if None). With `shard` only that share of the parts is scored and None is returned; a call
    without it, when all shards are done, merges them. A call that was stopped goes on where it was when it is made
    again with the same arguments, and ends with the same data. `command` and `notes` (JSON values; what is known of the
    run, but doesn't decide its scores) are written to the files. Raises `InputError` when `out` holds a run that
    differs in what decides the scores.
    """
    run = Run(Path(out), recipe.facts() | _about(derived, percentiles), recipe.columns(derived, percentiles))
    score_parts(recipe, run, rows, engine or LocalEngine(), shard, progress or (lambda n: None))
    return None if shard else run.finish(command, notes or {})


def tally(genome: Genome, window: Window, rows: Iterable[VcfRow], ref_mismatch: str = "skip") -> dict[str, int]:
    """How many rows would get which status, without any model (`failed` is not foreseen)."""
    stream = parts.parts(rows, partial(judged, genome, window, ref_mismatch))
    counts = Counter(status for part in stream for status in part.statuses)
    return {status: counts[status] for status in STATUSES}


def _about(derived: Sequence[Derived], percentiles: bool) -> dict[str, Any]:
    return {"derived": {item.name: dict(item.attributes) for item in derived}, "percentiles": percentiles}


def score_parts(
    recipe: Recipe, run: Run, rows: Iterable[VcfRow], engine: Engine, shard: Shard | None, advance: Progress
) -> None:
    """Score the parts that are not there yet, and leave them in the run's folder."""

    def todo() -> Iterator[Part]:
        for part in recipe.parts(rows):
            there = run.has(part)
            if shard is not None and not shard.has(part):
                continue
            if there:
                advance(len(part.rows))
            else:
                yield part

    here = engine.workers == 1 and isinstance(engine, LocalEngine)
    work = Work(recipe if here else recipe.apart(engine.workers), run.out)
    with closing(engine.map(work, todo())) as done:
        for part, _ in done:
            advance(len(part.rows))


@dataclass(frozen=True)
class Work:
    """What a worker does with a part: score it, and write it while the next one is being scored."""

    recipe: Recipe
    out: Path

    def __call__(self, worker: int) -> Callable[[Part], Future[None]]:
        """The function of one worker."""
        recipe = self.recipe.on(worker)
        writer = ThreadPoolExecutor(1)
        last: list[Future[None]] = []

        def work(part: Part) -> Future[None]:
            block = recipe.score(part)
            for earlier in last:  # at most one part waits to be written, so memory is bounded and errors surface
                earlier.result()
            last[:] = [writer.submit(parts.write, part_file(self.out, part.number), part.digest, part.firsts, block)]
            return last[0]

        return work
