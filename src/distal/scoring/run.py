"""The folder of a scoring run: part files, what makes them resumable, and their merger; knows no model, no sequence.

A run goes through its rows in parts of `PART_ROWS`. Each part is written, under its final name only once it is whole,
to ``.parts/<number>.h5`` with a digest of its rows; ``.parts/run.json`` holds what else decides the scores. A run that
is started again skips the parts that are there after checking both, so it may be killed anywhere and still ends with
the same data. When all parts are there they become ``scores/<chromosome>.h5``, then ``summary.json`` is written, then
the parts are deleted.

The same allele in two rows is scored once. Rows are compared with the `REMEMBERED` rows before them, so memory stays
bounded; in a sorted file that finds every duplicate, in others one that comes later than that is scored again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from distal.errors import InputError
from distal.files import replacing
from distal.io import scores
from distal.io.scores import Block, Layout, ScoreRow
from distal.scoring.alleles import DUPLICATE, FAILED, STATUSES
from distal.tracks import TrackTable

if TYPE_CHECKING:
    from distal.io.vcf import VcfRow

PART_ROWS = 64
REMEMBERED = 1 << 16

_SUMMARY = "summary.json"


@dataclass(frozen=True)
class Part:
    """Some consecutive rows of a run, and where in its chromosome's file the allele of each stands first."""

    number: int
    rows: Sequence[VcfRow]
    places: Sequence[int]
    """Index of each row among the rows of its chromosome."""
    firsts: Sequence[int]
    """Index of the first row with the same allele; the row's own where it is the first."""

    def repeats(self, i: int) -> bool:
        """Whether row `i` has the allele of an earlier row."""
        return self.firsts[i] != self.places[i]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the rows say."""
        lines = "".join(f"{row.chrom}\t{row.pos}\t{row.name}\t{row.ref}\t{row.alt}\n" for row in self.rows)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def parts(rows: Iterable[VcfRow]) -> Iterator[Part]:
    """`rows` in parts; the duplicates among them are found on the way."""
    stream = iter(rows)
    counts: Counter[str] = Counter()
    seen: OrderedDict[tuple[str, int, bytes], int] = OrderedDict()
    number = 0
    while taken := list(islice(stream, PART_ROWS)):
        places, firsts = [], []
        for row in taken:
            alleles = hashlib.blake2b(
                f"{row.ref}>{row.alt}".encode("utf-8", "surrogateescape"), digest_size=16
            ).digest()
            places.append(counts[row.chrom])
            firsts.append(seen.setdefault((row.chrom, row.pos, alleles), counts[row.chrom]))
            counts[row.chrom] += 1
            if len(seen) > REMEMBERED:
                seen.popitem(last=False)
        yield Part(number, taken, places, firsts)
        number += 1


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


class Run:
    """A run's folder, new, begun or finished. Raises `InputError` where it holds a run that other facts decided.

    `facts` (JSON values) are what the scores depend on besides the rows; `table` and `names` (the tracks and the
    scores) and `dtype` are the columns of the files.
    """

    def __init__(self, out: Path, facts: Mapping[str, Any], table: TrackTable, names: Sequence[str]) -> None:
        self.out = out
        self._facts = dict(facts)
        self._table = table
        self._names = tuple(names)
        self._parts = out / ".parts"
        self._digest = hashlib.sha256()
        self._n = 0
        self._known = self._earlier()

    def _earlier(self) -> Summary | None:
        """The summary of a finished run; otherwise None, with the folder ready for parts."""
        summary, begun = self.out / _SUMMARY, self._parts / "run.json"
        if summary.is_file():
            known = read_summary(self.out)
            _check_same(self.out, known.facts, self._facts)
            return known
        if begun.is_file():
            _check_same(self.out, json.loads(begun.read_text()), self._facts)
            return None
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.out} cannot be made a folder ({error.strerror}); give another one") from None
        _write_json(begun, self._facts)
        return None

    def has(self, part: Part) -> bool:
        """Whether an earlier run scored `part`. To be asked of every part once, in order."""
        digest = part.digest
        self._digest.update(digest.encode())
        self._n += len(part.rows)
        if self._known is not None:
            return True
        path = self._path(part.number)
        if not path.is_file():
            return False
        with scores.Scores(path) as kept:
            if kept.attributes["rows_sha256"] != digest:
                raise InputError(f"{self.out} holds an unfinished run on other variants; give another folder")
        return True

    def keep(self, part: Part, block: Block) -> None:
        """Write what came of `part`; from here on it need not be scored again."""
        attributes = {"rows_sha256": part.digest, "firsts": np.array(part.firsts, dtype=np.int64)}
        layout = self._layout(len(block.rows), scores.text_widths(block.rows), attributes)
        with scores.write(self._path(part.number), layout) as writer:
            writer.append(block)

    def finish(self, command: str = "") -> Summary:
        """Merge the parts into a file per chromosome, write the summary, delete the parts."""
        if self._known is not None:
            if self._known.rows_sha256 != self._digest.hexdigest():
                raise InputError(f"{self.out} holds the scores of other variants; give another folder")
            shutil.rmtree(self._parts, ignore_errors=True)
            return self._known
        shapes = self._shapes()
        (self.out / "scores").mkdir(exist_ok=True)
        statuses: Counter[str] = Counter()
        attributes = {**self._attributes(), "command": command}
        for chrom, shape in shapes.items():
            layout = self._layout(shape.rows, shape.widths, attributes)
            statuses += self._merge(chrom, shape.parts, layout)
        counted = {status: statuses[status] for status in STATUSES}
        if sum(counted.values()) != self._n:
            raise RuntimeError(f"{self._n} rows went in, {sum(counted.values())} have a status")
        rows = {chrom: shape.rows for chrom, shape in shapes.items()}
        summary = Summary(self._n, counted, rows, self._digest.hexdigest(), self._facts, command)
        _write_json(self.out / _SUMMARY, asdict(summary))
        shutil.rmtree(self._parts)
        return summary

    def _merge(self, chrom: str, numbers: Iterable[int], layout: Layout) -> Counter[str]:
        """Write the file of one chromosome; returns how many of its rows have which status."""
        statuses: Counter[str] = Counter()
        with scores.write(score_file(self.out, chrom), layout) as writer:
            for number in numbers:
                with scores.Scores(self._path(number)) as part:
                    block, firsts = part.read(slice(None)), part.attributes["firsts"]
                chosen = [i for i, row in enumerate(block.rows) if row.chrom == chrom]
                start = writer.append(block.take(chosen))
                for place, i in enumerate(chosen, start=start):
                    repeats = block.rows[i].status == DUPLICATE
                    statuses[_settle(writer, int(firsts[i]), place) if repeats else block.rows[i].status] += 1
        return statuses

    def _shapes(self) -> dict[str, _Shape]:
        shapes: dict[str, _Shape] = {}
        for number in range(-(-self._n // PART_ROWS)):
            with scores.Scores(self._path(number)) as part:
                rows = part.read(slice(None), ()).rows
            for chrom in dict.fromkeys(row.chrom for row in rows):
                shapes.setdefault(chrom, _Shape()).add(number, [row for row in rows if row.chrom == chrom])
        return shapes

    def _layout(self, rows: int, widths: Mapping[str, int], attributes: Mapping[str, Any]) -> Layout:
        return Layout(rows, widths, self._table, self._names, self._facts["dtype"], attributes)

    def _attributes(self) -> dict[str, Any]:
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in self._facts.items()}

    def _path(self, number: int) -> Path:
        return self._parts / f"{number:08d}.h5"


class _Shape:
    """What is to be known of a chromosome before its file is written."""

    def __init__(self) -> None:
        self.rows = 0
        self.widths: Counter[str] = Counter()
        self.parts: list[int] = []

    def add(self, number: int, rows: Sequence[ScoreRow]) -> None:
        self.rows += len(rows)
        self.widths |= Counter(scores.text_widths(rows))
        self.parts.append(number)


def _settle(writer: scores.Writer, first: int, place: int) -> str:
    """Give a duplicate the scores of the row that it repeats; it fails with it. Returns its status."""
    writer.copy_scores(first, place)
    if writer.status(first) != FAILED:
        return DUPLICATE
    writer.set_status(place, FAILED)
    return FAILED


def score_file(out: Path, chrom: str) -> Path:
    """Where the scores of a chromosome lie."""
    return out / "scores" / f"{quote(chrom, safe='')}.h5"


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
        raise InputError(
            f"{out} holds another run (it differs in {', '.join(differing)}); give another folder or delete this one"
        )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
