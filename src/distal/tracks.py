"""The track table (what each output channel of a model is) and predicted tracks over an interval.

Knows Basenji's targets.txt and the query language; doesn't know models or any other file. Row i of a table that
belongs to a model is output channel i of that model's head.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal.coords import Interval
from distal.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_TERM = re.compile(r"^(?P<column>[a-z_]+)(?P<operator>!?=|!?~)(?P<values>.*)$", re.DOTALL)
_DESCRIBED = ("CHIP", "HISTONE", "TF")  # assays whose description holds a target between assay and biosample
_QUERYABLE = ("index", "name", "assay", "target", "biosample", "strand", "description", "sum_stat")


@dataclass(frozen=True, slots=True)
class Track:
    """One output channel, as a line of targets.txt describes it."""

    index: int
    """Output channel in the model that the table belongs to (not the `index` column of a mouse targets.txt)."""
    name: str
    description: str = ""
    file: str = ""
    clip: float | None = None
    clip_soft: float | None = None
    scale: float = 1.0
    sum_stat: str = "sum"
    strand_pair: int | None = None
    """Channel of the same experiment on the other strand; itself (or None) for unstranded tracks."""

    @property
    def assay(self) -> str:
        """The description's first word before a colon: DNASE, ATAC, CHIP, CAGE, RNA…"""
        return self.description.partition(":")[0] if ":" in self.description else ""

    @property
    def target(self) -> str:
        """The protein or histone mark of a ChIP track (``CHIP:H3K27ac:liver`` -> ``H3K27ac``); empty elsewhere."""
        parts = self.description.split(":", 2)
        return parts[1] if len(parts) == 3 and parts[0] in _DESCRIBED else ""

    @property
    def biosample(self) -> str:
        """What is left of the description behind assay and target."""
        parts = self.description.split(":", 2) if self.target else self.description.split(":", 1)
        return parts[-1] if len(parts) > 1 else self.description

    @property
    def strand(self) -> str:
        """``+`` or ``-`` when the name ends so (``CNhs10752+``) and the track has a partner, else ``.``."""
        paired = self.strand_pair is not None and self.strand_pair != self.index
        return self.name[-1] if paired and self.name[-1:] in ("+", "-") else "."


@dataclass(frozen=True)
class TrackTable:
    """An ordered choice of a model's tracks. A whole table has `channels` 0..n-1; a selection keeps its channels."""

    rows: tuple[Track, ...]

    def __post_init__(self) -> None:
        if len({row.index for row in self.rows}) != len(self.rows):
            raise InputError("the track table names one output channel twice")

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Any:
        return iter(self.rows)

    @cached_property
    def channels(self) -> NDArray[np.int64]:
        """Output channel of each row, shape [tracks]."""
        return np.array([row.index for row in self.rows], dtype=np.int64)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Identifiers, in row order."""
        return tuple(row.name for row in self.rows)

    @cached_property
    def partners(self) -> NDArray[np.int64]:
        """Position *in this table* of each row's opposite-strand track (its own position when unstranded), [tracks].

        Raises `InputError` when the table holds one strand of a pair without the other.
        """
        place = {row.index: i for i, row in enumerate(self.rows)}
        partners = np.arange(len(self.rows), dtype=np.int64)
        for i, row in enumerate(self.rows):
            if row.strand_pair is not None:
                if row.strand_pair not in place:
                    raise InputError(
                        f"track {row.name} is selected without its opposite strand (channel {row.strand_pair}); "
                        "averaging over strands needs both"
                    )
                partners[i] = place[row.strand_pair]
        return partners

    def select(self, query: str) -> TrackTable:
        """The rows that a query matches, in table order.

        Terms are separated by spaces and all must hold: ``assay=CAGE biosample~K562``. ``=`` compares the whole value and
        ``~`` looks for a part of it, both without regard to case; ``!=`` and ``!~`` exclude; commas list alternatives
        (``assay=CAGE,DNASE``); quotes keep spaces (``biosample="CD4+ T Cells"``); ``index=0-9,41`` takes channels; a
        bare word looks in the description. An empty query keeps all. Raises `InputError` for a query that is not
        understood or matches nothing.
        """
        chosen = self.rows
        for term in _split(query):
            keep = _predicate(term, query)
            chosen = tuple(row for row in chosen if keep(row))
        if not chosen:
            raise InputError(f"no track matches {query!r}; `distal models info MODEL --tracks` lists what there is")
        return TrackTable(chosen)

    def take(self, positions: Iterable[int]) -> TrackTable:
        """The rows at `positions`, in that order."""
        return TrackTable(tuple(self.rows[i] for i in positions))

    def frame(self) -> pl.DataFrame:
        """The table as polars: index, name, assay, target, biosample, strand, strand_pair, scale, clip, ..."""
        import polars as pl

        columns = ("index", "name", "assay", "target", "biosample", "strand", "strand_pair", "scale", "clip", "clip_soft", "sum_stat", "file", "description")
        return pl.DataFrame({column: [getattr(row, column) for row in self.rows] for column in columns})


def _split(query: str) -> list[str]:
    try:
        return shlex.split(query)
    except ValueError as error:
        raise InputError(f"track query {query!r} is not understood ({error}); close the quotes") from None


def _predicate(term: str, query: str) -> Any:
    match = _TERM.match(term)
    if match is None:
        word = term.lower()
        return lambda row: word in row.description.lower()
    column, operator = match["column"], match["operator"]
    if column not in _QUERYABLE:
        raise InputError(f"track query {query!r} asks for {column!r}; the columns are {', '.join(_QUERYABLE)}")
    values = [value.strip().lower() for value in match["values"].split(",") if value.strip()]
    if not values:
        raise InputError(f"track query {query!r} gives no value for {column!r}")
    if column == "index":
        wanted = _channels(values, query)
        return lambda row: (row.index in wanted) != operator.startswith("!")
    if operator.endswith("="):
        return lambda row: (str(getattr(row, column)).lower() in values) != operator.startswith("!")
    return lambda row: any(v in str(getattr(row, column)).lower() for v in values) != operator.startswith("!")


def _channels(values: list[str], query: str) -> set[int]:
    wanted: set[int] = set()
    for value in values:
        first, dash, last = value.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"track query {query!r}: index takes numbers and ranges such as 0-9,41")
        wanted.update(range(int(first), int(last or first) + 1))
    return wanted


def read_targets(path: str | Path) -> TrackTable:
    """Read a Basenji or Borzoi targets.txt (tab-separated, header; `clip_soft`, `strand_pair`, `genome` optional).

    Row order is channel order. A mouse table of the joint Basenji2 data set numbers its rows from 5,313 in the first
    column; that offset is removed, and from `strand_pair` as well. Raises `InputError` with file and line.
    """
    path = Path(path)
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"track table {path} cannot be read: {error}") from None
    header = lines[0].split("\t") if lines else []
    if "identifier" not in header:
        raise InputError(f"{path} line 1: no column `identifier`; a targets.txt has identifier, file, clip, scale, sum_stat, description")
    rows: list[Track] = []
    offset = 0
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = dict(zip(header, line.split("\t"), strict=False))
        if len(line.split("\t")) != len(header):
            raise InputError(f"{path} line {number}: {len(line.split(chr(9)))} columns, the header has {len(header)}")
        try:
            first = int(fields.get(header[0], "0")) if header[0] in ("", "index") else len(rows)
            offset = first if not rows else offset
            rows.append(_track(fields, len(rows), offset))
        except ValueError as error:
            raise InputError(f"{path} line {number}: {error}") from None
    return TrackTable(tuple(rows))


def _track(fields: dict[str, str], channel: int, offset: int) -> Track:
    def number(column: str) -> float | None:
        text = fields.get(column, "").strip()
        return float(text) if text and text.lower() not in ("na", "nan", "none") else None

    pair = number("strand_pair")
    scale = number("scale")
    return Track(
        index=channel,
        name=fields["identifier"],
        description=fields.get("description", ""),
        file=fields.get("file", ""),
        clip=number("clip"),
        clip_soft=number("clip_soft"),
        scale=1.0 if scale is None else scale,
        sum_stat=fields.get("sum_stat", "sum"),
        strand_pair=None if pair is None else int(pair) - offset,
    )


def write_targets(table: TrackTable, path: str | Path) -> None:
    """Write `table` as a targets.txt that Basenji, Borzoi and `read_targets` read; channels are renumbered from 0."""
    place = {row.index: i for i, row in enumerate(table.rows)}
    columns = ("identifier", "file", "clip", "clip_soft", "scale", "sum_stat", "strand_pair", "description")
    lines = ["\t".join(("", *columns))]
    for i, row in enumerate(table.rows):
        pair = place.get(row.strand_pair, i) if row.strand_pair is not None else i
        cells = (row.name, row.file, _text(row.clip), _text(row.clip_soft), _text(row.scale), row.sum_stat, str(pair), row.description)
        lines.append("\t".join((str(i), *cells)))
    Path(path).write_text("\n".join(lines) + "\n")


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


@dataclass(frozen=True)
class Tracks:
    """Predicted or measured signal: float32 `values` [bins, tracks] over `interval`, one column per row of `table`."""

    values: NDArray[np.float32]
    table: TrackTable
    interval: Interval
    bin_bp: int

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ValueError(f"values must be [bins, tracks], not {self.values.shape}")
        bins, tracks = self.values.shape
        if tracks != len(self.table):
            raise ValueError(f"{tracks} columns of values but {len(self.table)} rows in the track table")
        if bins * self.bin_bp != self.interval.width:
            raise ValueError(f"{bins} bins of {self.bin_bp} bp do not make the {self.interval.width} bp of {self.interval!r}")

    def select(self, query: str) -> Tracks:
        """The tracks that `TrackTable.select` chooses."""
        chosen = self.table.select(query)
        place = {row.index: i for i, row in enumerate(self.table.rows)}
        return replace(self, values=self.values[:, [place[row.index] for row in chosen.rows]], table=chosen)

    def over(self, region: Interval) -> Tracks:
        """The bins that `region` is made of; raises `InputError` off the bin grid or outside (never rounds)."""
        if not self.interval.contains(region):
            raise InputError(f"{region!r} is not inside {self.interval!r}")
        left, right = region.start - self.interval.start, region.end - self.interval.start
        if left % self.bin_bp or right % self.bin_bp:
            raise InputError(f"{region!r} is off the {self.bin_bp}-bp grid of {self.interval!r}")
        return replace(self, values=self.values[left // self.bin_bp : right // self.bin_bp], interval=region)

    def rc(self) -> Tracks:
        """The same signal seen from the other strand: bins reversed, strand pairs swapped, interval kept."""
        return replace(self, values=np.ascontiguousarray(self.values[::-1][:, self.table.partners]))

    def __sub__(self, other: Tracks) -> Tracks:
        if (self.table, self.interval, self.bin_bp) != (other.table, other.interval, other.bin_bp):
            raise ValueError("tracks can be subtracted only from the same tracks over the same bins")
        return replace(self, values=self.values - other.values)
