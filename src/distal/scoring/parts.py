"""The parts of a scoring run: some consecutive rows, and the file that keeps what came of them; knows no model.

Every row is judged and compared with the `REMEMBERED` scorable rows before it: the same normalised allele in two rows
is scored once. So memory stays bounded; in a sorted file that finds every duplicate, in others one that comes later
than that is scored again.

A part file is a safetensors file: a matrix for every score, the rows as text, and the SHA-256 of what the rows say. It
gets its name only once it is on the disk, so a name is the mark that the part is done, and a file that is not whole
all the same (a disk that lost power) counts as not there. Workers on several machines may write the same part: they
write the same bytes, each under a temporary name of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from distal.errors import InputError
from distal.files import contested
from distal.io.scores import Block, GeneAt, GeneScores, ScoreRow, text_widths
from distal.scoring.alleles import DUPLICATE, FAILED, Judged

if TYPE_CHECKING:
    from distal.io.vcf import VcfRow

PART_ROWS = 128
REMEMBERED = 1 << 15

_SHARD = re.compile(r"(?P<index>\d+)/(?P<count>\d+)")


@dataclass(frozen=True)
class Part:
    """Some consecutive rows of a run, what is to be done with each, and where its allele stands first."""

    number: int
    rows: Sequence[VcfRow]
    judged: Sequence[Judged]
    places: Sequence[int]
    """Index of each row among the rows of its chromosome."""
    firsts: Sequence[int]
    """Index of the first row that is scored for the same allele; the row's own where it is the first."""

    def __str__(self) -> str:
        first, last = self.rows[0], self.rows[-1]
        return f"lines {first.line} to {last.line} ({first.chrom}:{first.pos} to {last.chrom}:{last.pos})"

    def repeats(self, i: int) -> bool:
        """Whether row `i` gets the scores of an earlier row."""
        return self.firsts[i] != self.places[i]

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """The status of each row before any model has seen it."""
        return tuple(DUPLICATE if self.repeats(i) else judged.status for i, judged in enumerate(self.judged))

    @cached_property
    def wanted(self) -> tuple[int, ...]:
        """The rows that a model has to score."""
        return tuple(i for i, judged in enumerate(self.judged) if judged.variant is not None and not self.repeats(i))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the rows say."""
        lines = "".join(f"{row.chrom}\t{row.pos}\t{row.name}\t{row.ref}\t{row.alt}\n" for row in self.rows)
        return hashlib.sha256(_bytes(lines)).hexdigest()

    def block(self, values: Mapping[str, Any], failed: Iterable[int] = (), genes: GeneScores | None = None) -> Block:
        """The rows with what was computed; those `failed` have got no finite answer."""
        statuses = list(self.statuses)
        for i in failed:
            statuses[i] = FAILED
        rows = [
            ScoreRow(row.chrom, row.pos, row.name, row.ref, row.alt, status)
            for row, status in zip(self.rows, statuses, strict=True)
        ]
        return Block(rows, values, genes)


def parts(rows: Iterable[VcfRow], judge: Callable[[VcfRow], Judged], size: int = PART_ROWS) -> Iterator[Part]:
    """`rows` in parts of `size`; they are judged, and the duplicates among them found, on the way."""
    stream = iter(rows)
    counts: Counter[str] = Counter()
    seen = _Seen()
    number = 0
    while taken := list(islice(stream, size)):
        judged = [judge(row) for row in taken]
        places, firsts = [], []
        for row, verdict in zip(taken, judged, strict=True):
            place = counts[row.chrom]
            counts[row.chrom] += 1
            places.append(place)
            firsts.append(seen.first(row.chrom, verdict, place))
        yield Part(number, taken, judged, places, firsts)
        number += 1


@dataclass
class Shape:
    """What is to be known of a chromosome before its file is written."""

    rows: int = 0
    widths: Counter[str] = field(default_factory=Counter)
    """Longest text in bytes of each text field."""
    parts: list[int] = field(default_factory=list)
    """Numbers of the parts that have some of its rows."""


class Shapes:
    """The shapes of the chromosomes of a run, in order of first appearance."""

    def __init__(self) -> None:
        self.of: dict[str, Shape] = {}

    def add(self, part: Part) -> None:
        """Count the rows of `part`."""
        rows = part.block({}).rows
        for chrom in dict.fromkeys(row.chrom for row in rows):
            here = [row for row in rows if row.chrom == chrom]
            shape = self.of.setdefault(chrom, Shape())
            shape.rows += len(here)
            shape.widths |= Counter(text_widths(here))
            shape.parts.append(part.number)


class _Seen:
    """Where each of the last scorable alleles stood first: `REMEMBERED` of them at least, twice as many at most.

    Digests in tables of a fixed size, a new one and the one before it: objects would grow with the rows.
    """

    def __init__(self) -> None:
        self._tables = [_Table(REMEMBERED), _Table(REMEMBERED)]

    def first(self, chrom: str, judged: Judged, place: int) -> int:
        """The place of the first row with this allele and direction; `place` where it is new or is not scored."""
        if judged.variant is None:
            return place
        variant = judged.variant
        text = f"{chrom}\t{variant.start}\t{variant.ref}\t{variant.alt}\t{judged.flipped}"
        digest = hashlib.blake2b(_bytes(text), digest_size=16).digest()
        for table in self._tables:
            slot = table.slot(digest)
            if table.places[slot]:
                return table.places[slot] - 1
        if self._tables[0].full:
            self._tables = [_Table(REMEMBERED), self._tables[0]]
        self._tables[0].put(digest, place)
        return place


class _Table:
    """A hash table of 16-byte digests with open addressing, half empty when it is full."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._slots = 2 * most
        self._digests = bytearray(16 * self._slots)
        self.places = array("q", bytes(8 * self._slots))
        """Of the digest in each slot, plus one; 0: the slot is empty."""

    @property
    def full(self) -> bool:
        """Whether nothing more goes in."""
        return self._left == 0

    def slot(self, digest: bytes) -> int:
        """Where `digest` is, or would be."""
        slot = int.from_bytes(digest[:8], "little") % self._slots
        while self.places[slot] and self._digests[16 * slot : 16 * slot + 16] != digest:
            slot = (slot + 1) % self._slots
        return slot

    def put(self, digest: bytes, place: int) -> None:
        """Keep a digest that is not there."""
        slot = self.slot(digest)
        self._digests[16 * slot : 16 * slot + 16] = digest
        self.places[slot] = place + 1
        self._left -= 1


@dataclass(frozen=True)
class Shard:
    """Every `count`-th part, beginning with the `index`-th (counted from 1): one job of an array of `count`."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise InputError(f"shard {self.index}/{self.count} is none; shards are counted 1/{self.count} and up")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``3/7``."""
        match = _SHARD.fullmatch(text.strip())
        if match is None:
            raise InputError(f"shard {text!r} is not understood; write 3/7 for the third of seven")
        return cls(int(match["index"]), int(match["count"]))

    def has(self, part: Part) -> bool:
        """Whether `part` is this shard's."""
        return part.number % self.count == self.index - 1


def write(path: Path, digest: str, firsts: Sequence[int], block: Block) -> None:
    """Keep what came of a part under `path`; it is there whole or not at all."""
    tensors: dict[str, NDArray[Any]] = {f"score.{name}": np.ascontiguousarray(v) for name, v in block.values.items()}
    tensors["rows"] = _text(block.rows)
    tensors["firsts"] = np.array(firsts, dtype=np.int64)
    if block.genes is not None:
        tensors["genes"] = _text(block.genes.genes)
        tensors["genes.rows"] = block.genes.rows
        tensors |= {f"gene.{name}": np.ascontiguousarray(v) for name, v in block.genes.values.items()}
    with contested(path) as temporary:
        save_file(tensors, temporary, metadata={"rows_sha256": digest})


def digest_of(path: Path) -> str | None:
    """What `Part.digest` was of the part in `path`; None where there is none or it is not whole."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            return str((file.metadata() or {}).get("rows_sha256"))
    except (OSError, SafetensorError):
        return None


def read(path: Path) -> tuple[Block, NDArray[np.int64]]:
    """The rows of a part with their values, and `Part.firsts`."""
    with safe_open(str(path), framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    rows = [ScoreRow(*row) for row in _lists(tensors["rows"])]
    genes = None
    if "genes" in tensors:
        named = [GeneAt(*gene) for gene in _lists(tensors["genes"])]
        genes = GeneScores(tensors["genes.rows"], named, _below("gene.", tensors))
    return Block(rows, _below("score.", tensors), genes), tensors["firsts"]


def _below(prefix: str, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)}


def _text(rows: Sequence[tuple[Any, ...]]) -> NDArray[np.uint8]:
    return np.frombuffer(_bytes(json.dumps(rows)), dtype=np.uint8)


def _lists(text: NDArray[np.uint8]) -> list[list[Any]]:
    lists: list[list[Any]] = json.loads(text.tobytes())
    return lists


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
