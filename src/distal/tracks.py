"""The track table (what each output channel of a model is) and predicted tracks over an interval.

Knows Basenji's targets.txt and the query language; doesn't know models or any other file. Row i of a table that
belongs to a model is output channel i of that model's head.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal import markup
from distal.coords import Interval, bins_over
from distal.errors import InputError
from distal.files import replacing

if TYPE_CHECKING:
    import polars as pl

_ALTERNATIVES = re.compile(r",(?!\s|$)")
_TERM = re.compile(r"^(?P<column>[a-z_]+)(?P<operator>!?=|!?~)(?P<values>.*)$", re.DOTALL)
_DESCRIBED = ("CHIP", "HISTONE", "TF")  # assays whose description holds a target between assay and biosample
_POINTS = 110
"""Points of a curve in a notebook."""
_DERIVED = ("assay", "target", "biosample", "strand")
_COLUMNS = ("identifier", "file", "clip", "clip_soft", "scale", "sum_stat", "strand_pair", "description")
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
    """Channel of the same experiment on the other strand; itself or None: unstranded; -1: the table lacks it."""

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

    def __iter__(self) -> Iterator[Track]:
        return iter(self.rows)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {assay}" for assay, count in self.assays().items())
        return f"TrackTable({counts})"

    def _repr_html_(self) -> str:
        columns = ("index", "name", "assay", "target", "biosample", "strand")
        first = [{column: getattr(row, column) for column in columns} for row in self.rows[: markup.SHOWN]]
        title = f"{len(self):,} track{'' if len(self) == 1 else 's'}"
        return markup.card(title, self.assays(), markup.table(first) + markup.rest(len(self)))

    def assays(self) -> dict[str, int]:
        """How many tracks each assay has, the commonest first."""
        return dict(Counter(row.assay or "other" for row in self.rows).most_common())

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

        Taking partners twice leads back. Raises `InputError` when the table holds one strand of a pair without the
        other, or pairs that are not mutual.
        """
        pairs = {row.index: row.index if row.strand_pair is None else row.strand_pair for row in self.rows}
        place = {channel: i for i, channel in enumerate(pairs)}
        for row in self.rows:
            pair = pairs[row.index]
            if pair not in place:
                raise InputError(f"track {row.name} stands without its opposite strand; what swaps strands needs both")
            if pairs[pair] != row.index:
                raise InputError(f"track {row.name} names channel {pair} as its opposite strand, which names another")
        return np.array([place[pair] for pair in pairs.values()], dtype=np.int64)

    def select(self, query: str) -> TrackTable:
        """The rows that a query matches, in table order.

        Terms are separated by spaces and all must hold: ``assay=CAGE biosample~K562``. ``=`` compares the whole value
        and ``~`` looks for a part of it, both without regard to case; ``!=`` and ``!~`` exclude; commas list
        alternatives (``assay=CAGE,DNASE``), but a comma before a space or at the end belongs to the value; quotes keep
        spaces (``biosample="CD4+ T Cells"``); ``index=0-9,41`` takes channels; a bare word looks in the description.
        An empty query keeps all. Raises `InputError` for a query that is not understood or matches nothing.
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

    def without_files(self) -> TrackTable:
        """The same tracks, naming no one's files: what a model's folder says of them."""
        return TrackTable(tuple(replace(row, file="") for row in self.rows))

    def frame(self) -> pl.DataFrame:
        """The table as polars: a column for each field of `Track`, then assay, target, biosample and strand."""
        import polars as pl

        columns = (*(field.name for field in fields(Track)), *_DERIVED)
        return pl.DataFrame({column: [getattr(row, column) for row in self.rows] for column in columns})


def _split(query: str) -> list[str]:
    try:
        return shlex.split(query)
    except ValueError as error:
        raise InputError(f"track query {query!r} is not understood ({error}); close the quotes") from None


def _predicate(term: str, query: str) -> Callable[[Track], bool]:
    match = _TERM.match(term)
    if match is None:
        word = term.lower()
        return lambda row: word in row.description.lower()
    column, wanted = match["column"], not match["operator"].startswith("!")
    if column not in _QUERYABLE:
        raise InputError(f"track query {query!r} asks for {column!r}; the columns are {', '.join(_QUERYABLE)}")
    values = [value.strip().lower() for value in _ALTERNATIVES.split(match["values"]) if value.strip()]
    if not values:
        raise InputError(f"track query {query!r} gives no value for {column!r}")
    if column == "index":
        ranges = [_channels(value, query) for value in values]
        return lambda row: any(row.index in channels for channels in ranges) == wanted
    if match["operator"].endswith("="):
        return lambda row: (str(getattr(row, column)).lower() in values) == wanted
    return lambda row: any(value in str(getattr(row, column)).lower() for value in values) == wanted


def _channels(text: str, query: str) -> range:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise InputError(f"track query {query!r}: index takes numbers and ranges such as 0-9,41")
    return range(int(first), int(last or first) + 1)


def read_targets(path: str | Path) -> TrackTable:
    """Read a Basenji or Borzoi targets.txt (tab-separated, header; `clip_soft`, `strand_pair`, `genome` optional).

    Row order is channel order, whatever the first column counts from (a mouse table of the joint Basenji2 data set
    starts at 5,313); `strand_pair` speaks of that column and is turned into channels: a track's own where it has
    no pair, -1 where the file lacks the other strand. Raises `InputError` with file and line.
    """
    path = Path(path)
    try:
        lines = [line.removesuffix("\r") for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"track table {path} cannot be read as text: {error}") from None
    header = lines[0].split("\t")
    if "identifier" not in header:
        raise InputError(f"{path} line 1: no column `identifier` between tabs; is this a targets.txt?")
    numbered = [(f"{path} line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
    rows = [(where, _cells(where, header, line.split("\t"))) for where, line in numbered[1:]]
    channels = _numbering(rows, header[0] if header[0] in ("", "index") else None)
    return TrackTable(tuple(_track(where, row, i, channels) for i, (where, row) in enumerate(rows)))


def _cells(where: str, header: list[str], values: list[str]) -> dict[str, str]:
    if len(values) != len(header):
        raise InputError(f"{where}: {len(values)} columns between tabs, the header has {len(header)}")
    cells = dict(zip(header, (value.strip() for value in values), strict=True))
    if not cells["identifier"]:
        raise InputError(f"{where}: the identifier is empty")
    return cells


def _numbering(rows: list[tuple[str, dict[str, str]]], column: str | None) -> dict[int, int]:
    """The file's own number of each row (its position where there is no such column) -> channel."""
    channels: dict[int, int] = {}
    for channel, (where, row) in enumerate(rows):
        number = channel if column is None else _number(where, row, column)
        if number is None or number in channels or number != int(number):
            raise InputError(f"{where}: the first column must number the rows, {row.get(column or '')!r} does not")
        channels[int(number)] = channel
    return channels


def _track(where: str, row: dict[str, str], channel: int, channels: dict[int, int]) -> Track:
    pair = _number(where, row, "strand_pair")
    scale = _number(where, row, "scale")
    return Track(
        index=channel,
        name=row["identifier"],
        description=row.get("description", ""),
        file=row.get("file", ""),
        clip=_number(where, row, "clip"),
        clip_soft=_number(where, row, "clip_soft"),
        scale=1.0 if scale is None else scale,
        sum_stat=row.get("sum_stat") or "sum",
        strand_pair=channel if pair is None else channels.get(int(pair), -1),
    )


def _number(where: str, row: dict[str, str], column: str) -> float | None:
    text = row.get(column, "")
    if text.lower() in ("", "na", "nan", "none"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {column or 'index'} {text!r} is not a number")
    return value


def write_targets(table: TrackTable, path: str | Path) -> None:
    """Write `table` as a targets.txt that Basenji, Borzoi and `read_targets` read; channels are renumbered from 0.

    Raises `InputError` where one strand of a pair is missing, or where a text cannot stand between tabs.
    """
    path = Path(path)
    lines = ["\t".join(("", *_COLUMNS))]
    for i, (row, pair) in enumerate(zip(table.rows, table.partners.tolist(), strict=True)):
        numbers = (_text(row.clip), _text(row.clip_soft), _text(row.scale))
        cells = (str(i), row.name, row.file, *numbers, row.sum_stat, str(pair), row.description)
        if any(control in cell for cell in cells for control in "\t\r\n"):
            raise InputError(f"track {row.name!r} has a tab or a line end in its texts; a targets.txt cannot hold it")
        lines.append("\t".join(cells))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


@dataclass(frozen=True, eq=False)
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
            raise ValueError(f"{bins} bins of {self.bin_bp} bp do not make up {self.interval!r}")

    def select(self, query: str) -> Tracks:
        """The tracks that `TrackTable.select` chooses."""
        chosen = self.table.select(query)
        place = {row.index: i for i, row in enumerate(self.table.rows)}
        return replace(self, values=self.values[:, [place[row.index] for row in chosen.rows]], table=chosen)

    def over(self, region: Interval) -> Tracks:
        """The bins that `region` is made of; raises `InputError` off the bin grid or outside (never rounds)."""
        return replace(self, values=self.values[bins_over(region, self.interval, self.bin_bp)], interval=region)

    def rc(self) -> Tracks:
        """The same signal seen from the other strand: bins reversed, strand pairs swapped, interval kept."""
        return replace(self, values=np.ascontiguousarray(self.values[::-1][:, self.table.partners]))

    def __repr__(self) -> str:
        names = [row.description or row.name for row in self.table.rows[:2]]
        more = [f"and {len(self.table) - 2:,} more"] if len(self.table) > 2 else []
        return f"Tracks({self.interval!r}, {len(self.values)} bins of {self.bin_bp} bp: {', '.join([*names, *more])})"

    def _repr_html_(self) -> str:
        rows = [self._shown(i) for i in range(min(len(self.table), markup.SHOWN))]
        facts = {f"bins of {self.bin_bp} bp": len(self.values), "tracks": len(self.table)}
        return markup.card(self.interval.to_ucsc(), facts, markup.table(rows) + markup.rest(len(self.table)))

    def _shown(self, column: int) -> dict[str, Any]:
        """A track as a line in a notebook; of its bins the largest of each point."""
        row, values = self.table.rows[column], np.nan_to_num(self.values[:, column])
        parts = np.array_split(values, min(len(values), _POINTS)) if len(values) else []
        curve = [float(part[np.abs(part).argmax()]) for part in parts]
        label = row.description or row.name
        span = {"lowest": float(values.min()), "highest": float(values.max())} if len(values) else {}
        return {"track": label, "strand": row.strand, "signal": markup.Curve(curve, f"signal of {label}"), **span}

    def __sub__(self, other: Tracks) -> Tracks:
        if (self.table, self.interval, self.bin_bp) != (other.table, other.interval, other.bin_bp):
            raise ValueError("tracks can be subtracted only from the same tracks over the same bins")
        return replace(self, values=self.values - other.values)
