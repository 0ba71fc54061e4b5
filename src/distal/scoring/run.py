"""The folder of a scoring run: what makes it resumable, which parts are there, and their merger; knows no model.

``.parts/run.json`` holds what decides the scores besides the rows, ``.parts/<number>.safetensors`` is a part that is
done (see `parts`). A run that is started again skips the parts that are there after checking both, so it may be killed
anywhere, and be shared out among any number of processes and machines that see the folder; it ends with the same data.
When all parts are there they become ``scores/<chromosome>.h5``, then ``summary.json`` is written, then the parts are
deleted. One process at a time merges; one that comes later finds the finished run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from distal import markup
from distal.errors import InputError
from distal.files import contested, replacing
from distal.io import scores
from distal.io.scores import Block, Derived, GeneScores, Layout, Writer
from distal.scoring import parts
from distal.scoring.alleles import DUPLICATE, FAILED, STATUSES
from distal.scoring.parts import Part
from distal.tracks import TrackTable

_SUMMARY = "summary.json"
_LOCK = ".merging"


@dataclass(frozen=True)
class Summary:
    """What came of a run: every row that went in has one status."""

    n_in: int
    statuses: Mapping[str, int]
    """Rows of each status; their sum is `n_in`."""
    chromosomes: Mapping[str, int]
    """Rows of each chromosome, named as in the VCF, in order of first appearance."""
    rows_sha256: str
    facts: Mapping[str, Any]
    """Model, genome, formulas, ensembling: all that decides the scores besides the rows."""
    command: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of the run."""

    def _repr_html_(self) -> str:
        counts = {status: count for status, count in self.statuses.items() if count}
        facts = {"made by": self.facts.get("model"), **self.facts.get("formulas", {}), "command": self.command}
        return markup.card(f"{self.n_in:,} variants", counts, markup.facts({k: v for k, v in facts.items() if v}))


@dataclass(frozen=True)
class Columns:
    """The matrices of a run's files."""

    table: TrackTable
    scores: tuple[str, ...]
    gene_scores: tuple[str, ...]
    dtype: str
    formulas: Mapping[str, str]
    derived: tuple[Derived, ...] = ()
    """Matrices made of the scores once all rows are there."""
    percentiles: tuple[str, ...] = ()
    """Scores whose percentiles Basenji's readers want."""


class Run:
    """A run's folder, new, begun or finished. Raises `InputError` where it holds a run that other facts decided.

    `facts` (JSON values) are what the scores depend on besides the rows.
    """

    def __init__(self, out: Path, facts: Mapping[str, Any], columns: Columns) -> None:
        self.out = out
        self._facts = dict(facts)
        self._columns = columns
        self._parts = out / ".parts"
        self._digest = hashlib.sha256()
        self._shapes = parts.Shapes()
        self._n = 0
        self._known = self._earlier()

    def _earlier(self) -> Summary | None:
        """The summary of a finished run; otherwise None, with the folder ready for parts."""
        begun = self._parts / "run.json"
        if is_finished(self.out):
            known = read_summary(self.out)
            _check_same(self.out, known.facts, self._facts)
            return known
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.out} cannot be made a folder ({error.strerror}); give another one") from None
        if not begun.is_file():
            with contested(begun) as temporary:
                _write_json(temporary, self._facts)
        _check_same(self.out, json.loads(begun.read_text()), self._facts)  # another process may have been quicker
        return None

    def has(self, part: Part) -> bool:
        """Whether `part` is done. To be asked of every part of the run once, in order."""
        self._digest.update(part.digest.encode())
        self._n += len(part.rows)
        if self._known is not None:
            return True
        self._shapes.add(part)
        digest = parts.digest_of(part_file(self.out, part.number))
        if digest is not None and digest != part.digest:
            raise InputError(f"{self.out} holds an unfinished run on other variants; give another folder")
        return digest is not None

    def finish(self, command: str = "", notes: Mapping[str, Any] | None = None) -> Summary:
        """Merge the parts into a file per chromosome, write the summary, delete the parts.

        `command` and `notes` (JSON values) are kept in all of them.
        """
        if self._known is not None:
            return self._same_rows(self._known)
        with _alone(self.out / _LOCK):
            if is_finished(self.out):  # another process has merged meanwhile
                return self._same_rows(read_summary(self.out))
            summary = self._merged(command, notes or {})
            shutil.rmtree(self._parts)
        return summary

    def _same_rows(self, known: Summary) -> Summary:
        if known.rows_sha256 != self._digest.hexdigest():
            raise InputError(f"{self.out} holds the scores of other variants; give another folder")
        shutil.rmtree(self._parts, ignore_errors=True)
        (self.out / _LOCK).unlink(missing_ok=True)  # left by a process that was killed right at its end
        return known

    def _merged(self, command: str, notes: Mapping[str, Any]) -> Summary:
        (self.out / "scores").mkdir(exist_ok=True)
        statuses: Counter[str] = Counter()
        attributes = _texts({**self._facts, **notes, "command": command})
        for chrom, shape in self._shapes.of.items():
            statuses += self._merge(chrom, shape, attributes)
        counted = {status: statuses[status] for status in STATUSES}
        if sum(counted.values()) != self._n:
            raise RuntimeError(f"{self._n} rows went in, {sum(counted.values())} have a status")
        rows = {chrom: shape.rows for chrom, shape in self._shapes.of.items()}
        summary = Summary(self._n, counted, rows, self._digest.hexdigest(), self._facts, command, notes)
        with replacing(self.out / _SUMMARY) as temporary:
            _write_json(temporary, asdict(summary))
        return summary

    def _merge(self, chrom: str, shape: parts.Shape, attributes: Mapping[str, Any]) -> Counter[str]:
        """Write the file of one chromosome; returns how many of its rows have which status."""
        columns, statuses = self._columns, Counter[str]()
        layout = Layout(
            shape.rows,
            shape.widths,
            columns.table,
            columns.scores,
            columns.dtype,
            attributes,
            columns.gene_scores,
            columns.formulas,
        )
        with scores.write(score_file(self.out, chrom), layout) as writer:
            start = 0
            for number in shape.parts:
                block = _complete(*_of(chrom, *parts.read(part_file(self.out, number))), start, writer)
                writer.append(block)
                start += len(block.rows)
                statuses.update(row.status for row in block.rows)
            for derived in columns.derived:
                writer.derive(derived)
            if columns.percentiles:
                writer.percentiles(columns.percentiles)
        return statuses


def _of(chrom: str, block: Block, firsts: NDArray[np.int64]) -> tuple[Block, NDArray[np.int64]]:
    """The rows of `block` that lie on `chrom`."""
    chosen = [i for i, row in enumerate(block.rows) if row.chrom == chrom]
    return (block, firsts) if len(chosen) == len(block.rows) else (block.take(chosen), firsts[chosen])


def _complete(block: Block, firsts: NDArray[np.int64], start: int, writer: Writer) -> Block:
    """`block`, whose first row becomes row `start` of the file, with the scores of what its duplicates repeat.

    A duplicate of a row that failed has failed too.
    """
    repeated = [i for i, row in enumerate(block.rows) if row.status == DUPLICATE]
    if not repeated:
        return block
    singles = [block.take([i]) for i in range(len(block.rows))]
    for i in repeated:
        first = int(firsts[i])
        source = singles[first - start] if first >= start else writer.written(first)
        status = FAILED if source.rows[0].status == FAILED else DUPLICATE
        singles[i] = replace(source, rows=[singles[i].rows[0]._replace(status=status)])
    return _joined(singles)


def _joined(blocks: Sequence[Block]) -> Block:
    """Blocks one after the other."""
    rows = [row for block in blocks for row in block.rows]
    values = {name: np.concatenate([block.values[name] for block in blocks]) for name in blocks[0].values}
    tables = [(i, block.genes) for i, block in enumerate(blocks) if block.genes is not None]
    if not tables:
        return Block(rows, values)
    names = tables[0][1].values
    genes = GeneScores(
        np.concatenate([table.rows + i for i, table in tables]),
        [gene for _, table in tables for gene in table.genes],
        {name: np.concatenate([table.values[name] for _, table in tables]) for name in names},
    )
    return Block(rows, values, genes)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is inside; the lock goes with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        path.unlink(missing_ok=True)


def part_file(out: Path, number: int) -> Path:
    """Where a part lies once it is done."""
    return out / ".parts" / f"{number:08d}.safetensors"


def parts_done(out: Path) -> int:
    """How many parts of the run in `out` are done; 0 once they are merged."""
    return sum(1 for _ in (out / ".parts").glob("*.safetensors"))


def score_file(out: Path, chrom: str) -> Path:
    """Where the scores of a chromosome lie."""
    return out / "scores" / f"{quote(chrom, safe='')}.h5"


def is_finished(out: Path) -> bool:
    """Whether the run in `out` is merged."""
    return (out / _SUMMARY).is_file()


def read_summary(out: Path) -> Summary:
    """What came of the finished run in `out`. Raises `InputError` when there is none."""
    path = out / _SUMMARY
    try:
        return Summary(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not the summary of a finished `distal score` ({error})") from None


def _check_same(out: Path, known: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    differing = [key for key in {**known, **facts} if known.get(key) != facts.get(key)]
    if differing:
        was = ", ".join(f"{key} {json.dumps(known.get(key))}" for key in differing)
        raise InputError(
            f"{out} holds another run (it differs in {', '.join(differing)}: there {was}); "
            "give the same, another folder, or delete this one"
        )


def _texts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
