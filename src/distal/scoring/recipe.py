"""How a part of a run is scored: the model, the scores and everything else that decides them; knows no folder.

For each variant REF and ALT are predicted over the same window, averaged over strands and shifts, both are brought to
the same bases (`alleles`), and the scores (`scorers`) are taken on the device: bins never leave it. Neighbours in one
window share REF's prediction, and an ALT that is the same as REF scores exactly 0. What a pass remembers it forgets
before each part, so the scores of a part are the same to the last bit wherever and whenever it is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distal.errors import InputError
from distal.incremental import FullForward, Incremental, Pass
from distal.io.scores import DTYPES, Block, Derived, GeneAt, GeneScores, Matrix
from distal.predictor import Predictor, mean
from distal.scoring import parts
from distal.scoring.alleles import REF_FLIPPED, REF_MISMATCH, Haplotypes, Judged, haplotypes, judge
from distal.scoring.parts import Part
from distal.scoring.run import Columns
from distal.scoring.scorers import Scorer
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.coords import Variant, Window
    from distal.io.fasta import Genome
    from distal.io.genes import Gene, Genes
    from distal.io.vcf import VcfRow

POLICIES = ("skip", "swap", "fail")
"""What to do with a row whose REF is not the genome's: give it a status and no scores; score it in its own direction
where the genome has its ALT; refuse the whole file."""
_LONG_WINDOW = 1 << 16


def judged(genome: Genome, window: Window, ref_mismatch: str, row: VcfRow) -> Judged:
    """What is to be done with a row under one of `POLICIES`."""
    found = judge(genome, window, row, swap=ref_mismatch == "swap")
    if ref_mismatch == "fail" and found.status in (REF_MISMATCH, REF_FLIPPED):
        raise InputError(
            f"line {row.line}: {row.chrom}:{row.pos} has REF {row.ref}, and the genome has something else there; is "
            f"{genome.path} the genome that the variants were called on? `--ref-mismatch skip` scores the others"
        )
    return found


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
    spread: bool
    genes: Genes | None
    ref_mismatch: str
    threads: int = 0
    """Threads of one forward pass on a CPU; 0: those that this process uses."""
    devices: tuple[str, ...] = ()
    """Where each worker computes; empty: where the predictor is."""
    share_reference: int = 0
    """Variants of so many bp of a chromosome are read in one window; 0: each in the window around it."""
    full_forward: bool = False
    """Whether every sequence has a pass of its own, not only what a variant changes."""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InputError(f"dtype {self.dtype!r} is not one of {', '.join(DTYPES)}")
        if self.ref_mismatch not in POLICIES:
            raise InputError(f"{self.ref_mismatch!r} is not one of {', '.join(POLICIES)}")
        if not self.shifts:
            raise InputError("no shift is given; 0 is the sequence as it is")
        self.predictor.window.check_cell(self.share_reference)
        if self.rc:
            _ = self.predictor.tracks.partners  # says what is wrong with the track table before anything is computed
        if self.gene_scorers and self.genes is None:
            raise InputError(f"score {self.gene_scorers[0].name} is one per gene; give the genes (--genes, a GTF file)")
        object.__setattr__(self, "threads", self.threads or torch.get_num_threads())

    def __getstate__(self) -> dict[str, Any]:
        """Without what was made of the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _pass(self) -> Pass:
        return FullForward(self.predictor) if self.full_forward else Incremental(self.predictor)

    @cached_property
    def table(self) -> TrackTable:
        """The tracks that are scored."""
        return self.predictor.tracks.select(self.query)

    @cached_property
    def plain_scorers(self) -> tuple[Scorer, ...]:
        """Scores with one number per variant and track."""
        return tuple(scorer for scorer in self.scorers if not scorer.per_gene)

    @cached_property
    def gene_scorers(self) -> tuple[Scorer, ...]:
        """Scores with one number per variant, gene and track."""
        return tuple(scorer for scorer in self.scorers if scorer.per_gene)

    @property
    def spreads(self) -> bool:
        """Whether there are several members whose spread is kept."""
        return self.spread and len(self.shifts) * (1 + self.rc) > 1

    def names(self, scorers: Sequence[Scorer]) -> tuple[str, ...]:
        """The matrices that `scorers` fill: theirs, then their spreads."""
        names = tuple(scorer.name for scorer in scorers)
        return names + tuple(f"{name}_sd" for name in names) if self.spreads else names

    def columns(self, derived: Sequence[Derived], percentiles: bool) -> Columns:
        """The matrices of the run's files."""
        formulas = {scorer.name: scorer.formula for scorer in self.scorers}
        spread = f"standard deviation over {len(self.shifts) * (1 + self.rc)} members of the score of each"
        return Columns(
            self.table,
            self.names(self.plain_scorers),
            self.names(self.gene_scorers),
            self.dtype,
            {name: formulas.get(name, spread) for name in self.names(self.scorers)},
            tuple(derived),
            tuple(scorer.name for scorer in self.plain_scorers) if percentiles else (),
        )

    def facts(self) -> dict[str, Any]:
        """The recipe as JSON values: a run goes on only under the same ones, and the files carry them."""
        window = self.predictor.window
        return {
            "format": "distal-scores-2",
            **self.predictor.facts(self.genome),
            **({"threads": self.threads} if self.predictor.device.type == "cpu" else {}),
            "window": [window.input_bp, window.bin_bp, window.bins],
            "formulas": {scorer.name: scorer.formula for scorer in self.scorers},
            "query": self.query,
            "tracks": len(self.table),
            "rc": self.rc,
            "shifts": list(self.shifts),
            "spread": self.spreads,
            "share_reference": self.share_reference,
            "full_forward": self.full_forward,
            "genes": self.genes.digest() if self.genes else "",
            "ref_mismatch": self.ref_mismatch,
            "dtype": self.dtype,
        }

    def apart(self, workers: int) -> Recipe:
        """The recipe to be sent to `workers` processes: the model on the CPU, and where each shall compute."""
        device = self.predictor.device
        if device.type == "cpu":
            return self
        count = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 0
        places = tuple(f"cuda:{worker % count}" if count else str(device) for worker in range(workers))
        return replace(self, predictor=self.predictor.on("cpu"), devices=places)

    def on(self, worker: int) -> Recipe:
        """The recipe in a worker, where it computes."""
        torch.set_num_threads(self.threads)
        return replace(self, predictor=self.predictor.on(self.devices[worker])) if self.devices else self

    @property
    def part_rows(self) -> int:
        """Rows of a part: what is lost at most when a run is killed, so few where a window takes long on a CPU."""
        if self.predictor.device.type != "cpu" or self.predictor.window.input_bp < _LONG_WINDOW:
            return parts.PART_ROWS
        return parts.PART_ROWS // (4 if self.share_reference else 16)

    def parts(self, rows: Iterable[VcfRow]) -> Iterator[Part]:
        """The rows in parts, judged."""
        verdict = partial(judged, self.genome, self.predictor.window, self.ref_mismatch)
        return parts.parts(rows, verdict, self.part_rows)

    def score(self, part: Part) -> Block:
        """The rows of `part` with their statuses and scores; NaN where there is none (and, as yet, in duplicates)."""
        names = self.names(self.plain_scorers)
        values = np.full((len(names), len(part.rows), len(self.table)), np.nan)
        genes = _GeneRows(self.names(self.gene_scorers), self.dtype, len(self.table))
        variants = (self.haplotypes(part.judged[i]) for i in part.wanted)
        for i, answer in zip(part.wanted, self.answers(variants), strict=True):
            values[:, i] = answer.values
            genes.add(i, answer)
        with np.errstate(invalid="ignore", over="ignore"):
            finite = np.isfinite(values.sum(axis=(0, 2)))  # a single nan or inf shows in the sum
        failed = [i for i in part.wanted if not finite[i]]
        values[:, failed] = np.nan
        matrices = dict(zip(names, _narrow(values, self.dtype), strict=True))
        return part.block(matrices, failed, genes.table(failed) if self.gene_scorers else None)

    def haplotypes(self, judged: Judged) -> Haplotypes:
        """What is read of a judged variant."""
        return haplotypes(self.genome, self.predictor.window, judged, self.share_reference)

    def answers(self, variants: Iterable[Haplotypes]) -> Iterator[Answer]:
        """The scores of some variants; neighbours in the same window have one prediction of REF.

        What earlier variants have left in memory is forgotten first.
        """
        self._pass.forget()
        for _, group in groupby(variants, key=attrgetter("interval")):
            yield from self._answers(list(group))

    @torch.inference_mode()
    def _answers(self, group: Sequence[Haplotypes]) -> Iterator[Answer]:
        """The scores of variants in one window."""
        others = (codes for made in group for codes in made.sequences[1:])
        sequences = chain([group[0].ref], others)
        predictions = self._pass.members(sequences, self.rc, self.shifts, self.table.channels)
        ref = next(predictions)
        for made in group:
            yield self._answer(made, [ref, *islice(predictions, len(made.sequences) - 1)])

    def _answer(self, made: Haplotypes, predictions: Sequence[Sequence[Tensor]]) -> Answer:
        """The scores of a variant from the members of the prediction of each of its sequences."""
        plan = self._plan(made)
        scores = plan(*made.compared(*(mean(members, self.rc) for members in predictions)))
        if not self.spreads:
            return plan.answer([scores])
        each = torch.stack([plan(*made.compared(*member)) for member in zip(*predictions, strict=True)])
        return plan.answer([scores, each.std(0, correction=0)])

    def _plan(self, made: Haplotypes) -> _Plan:
        """Which scores of `made` are taken over which bins."""
        window = self.predictor.window
        output = window.output_of(made.interval)
        steps = [(scorer, scorer.bins(window, output, made.variant)) for scorer in self.plain_scorers]
        near = self.genes.touching(output) if self.genes and self.gene_scorers else []
        steps += [(scorer, scorer.gene_bins(window, output, gene)) for gene in near for scorer in self.gene_scorers]
        return _Plan(steps, len(self.plain_scorers), [_seen_from(made.variant, gene) for gene in near])


class Answer(NamedTuple):
    """What is known of one variant: [scores, tracks], and for each gene near it [genes, scores per gene, tracks]."""

    values: NDArray[np.float64]
    genes: list[GeneAt]
    gene_values: NDArray[np.float64]


@dataclass(frozen=True)
class _Plan:
    """Which scores of one variant are taken over which bins: the plain ones, then gene by gene."""

    steps: list[tuple[Scorer, NDArray[np.bool_] | None]]
    plain: int
    genes: list[GeneAt]

    def __call__(self, ref: Tensor, alt: Tensor) -> Tensor:
        """REF and ALT float[bins, tracks] to float64 [steps, tracks]."""
        none = ref.new_empty((0, ref.shape[1]), dtype=torch.float64)  # only scores per gene, and no gene is near
        return torch.cat([none, *(scorer(ref, alt, bins)[None] for scorer, bins in self.steps)])

    def answer(self, numbers: Sequence[Tensor]) -> Answer:
        """From the scores, and their spreads if there are any, each [steps, tracks]."""
        groups = [group.cpu().numpy() for group in numbers]
        values = np.concatenate([group[: self.plain] for group in groups])
        per_gene = [group[self.plain :].reshape(len(self.genes), -1, group.shape[1]) for group in groups if self.genes]
        empty = np.empty((0, 0, values.shape[1]))
        return Answer(values, self.genes, np.concatenate(per_gene, axis=1) if per_gene else empty)


class _GeneRows:
    """Collects the scores per gene of a part."""

    def __init__(self, names: Sequence[str], dtype: str, tracks: int) -> None:
        self._names = names
        self._dtype = dtype
        self._rows: list[int] = []
        self._genes: list[GeneAt] = []
        self._values = [np.empty((0, len(names), tracks))]

    def add(self, row: int, answer: Answer) -> None:
        """The genes near the variant in `row`."""
        if answer.genes:
            self._rows += [row] * len(answer.genes)
            self._genes += answer.genes
            self._values.append(answer.gene_values)

    def table(self, failed: Sequence[int]) -> GeneScores:
        """All that was added, but of variants that failed."""
        values = _narrow(np.concatenate(self._values), self._dtype)
        matrices: dict[str, Matrix] = {name: values[:, i] for i, name in enumerate(self._names)}
        table = GeneScores(np.array(self._rows, dtype=np.int64), self._genes, matrices)
        return _without(table, failed) if failed else table


def _without(table: GeneScores, rows: Sequence[int]) -> GeneScores:
    kept = np.flatnonzero(~np.isin(table.rows, rows))
    genes = [table.genes[i] for i in kept.tolist()]
    return GeneScores(table.rows[kept], genes, {name: matrix[kept] for name, matrix in table.values.items()})


def _narrow(values: NDArray[np.float64], dtype: str) -> Matrix:
    """`values` in a narrower dtype, what it cannot hold as the largest number that it can, there and in `values`.

    It is torch that does it, for it is seven times as fast as numpy.
    """
    limit = float(np.finfo(dtype).max)
    narrow: Matrix = torch.from_numpy(values).clamp_(-limit, limit).to(getattr(torch, dtype)).numpy()
    return narrow


def _seen_from(variant: Variant, gene: Gene) -> GeneAt:
    return GeneAt(gene.id, gene.name, gene.strand, gene.downstream(variant.start))
