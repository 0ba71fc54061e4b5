"""The signal of every base, whatever file it was measured into; knows formats and chromosomes, not bins or recipes.

The `file` of a targets table is a path (relative to the table's folder) and, behind a question mark, what is to be
counted of it: ``reads.bam?count=ends&strand=+``. What each format takes stands in `FORMATS`; in a table of counts any
other column chooses lines (``tss.tsv.gz?sample=wt1,wt2&strand=+``). A bigWig is read where it lies. Everything else is
first turned into `Steps`, a pair of arrays a chromosome that are mapped from disk: then any stretch of any file is read
at random, and memory never holds more than one chromosome of one file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

import numpy as np

from distal.coords import Interval, spellings
from distal.data.steps import Bases, Steps, highest, single, summed
from distal.errors import InputError
from distal.files import keep, remember
from distal.io import alignments, bedgraph, bigwig, counts, fragments, narrowpeak
from distal.io.spans import Spans

_ASSEMBLY = "; is it another assembly?"
_SPAN = np.dtype([("start", "<i8"), ("end", "<i8"), ("value", "<f8")])


@dataclass(frozen=True)
class Source:
    """One cell of a targets table's `file` column, understood."""

    text: str
    path: Path
    kind: str
    """Key of `FORMATS`."""
    options: Mapping[str, str]

    @property
    def in_place(self) -> bool:
        """Whether any stretch can be read from the file as it is."""
        return FORMATS[self.kind].read is None

    def option(self, name: str, *allowed: str) -> str:
        """An option's value, the first of `allowed` where it is not given; `InputError` where it is none of them."""
        value = self.options.get(name, allowed[0])
        if value not in allowed:
            raise InputError(f"{self.text}: {name} is {value!r}; give {' or '.join(filter(None, allowed))}")
        return value

    def numbers(self, name: str, *default: int) -> tuple[int, ...]:
        """An option of as many whole numbers, between commas, as the `default` has."""
        words = self.options.get(name, ",".join(map(str, default))).split(",")
        if len(words) != len(default) or not all(word.removeprefix("-").isdecimal() for word in words):
            raise InputError(f"{self.text}: {name} takes {len(default)} whole number(s) between commas")
        return tuple(int(word) for word in words)


@dataclass(frozen=True)
class Format:
    """How files of one kind are told, read, and turned into steps."""

    endings: tuple[str, ...]
    options: tuple[str, ...]
    """What may stand behind the question mark, beside `format`; ``*`` for anything."""
    read: Callable[[Source, Path], Iterator[Spans]] | None
    """The stretches of a source; the path is the genome's, which a CRAM needs. None: read in place."""
    steps: Callable[[Spans], Steps] = summed


def _alignments(source: Source, fasta: Path) -> Iterator[Spans]:
    what: Any = source.option("count", "bases", "ends", "fragments")
    forward, reverse = source.numbers("shift", 0, 0)
    counting = alignments.Counting(
        what,
        strand=source.option("strand", "", "+", "-"),
        mapq=source.numbers("mapq", 10)[0],
        shift=(forward, reverse),
        length=source.numbers("length", 1)[0],
    )
    return alignments.read(source.path, counting, fasta)


def _peaks(source: Source, _: Path) -> Iterator[Spans]:
    return narrowpeak.read(source.path, signal=source.option("value", "one", "signal") == "signal")


def _fragments(source: Source, _: Path) -> Iterator[Spans]:
    return fragments.read(source.path, whole=source.option("count", "ends", "whole") == "whole")


def _counts(source: Source, _: Path) -> Iterator[Spans]:
    where = {name: value.split(",") for name, value in source.options.items() if name not in ("count", "format")}
    return counts.read(source.path, source.options.get("count", ""), where)


def _text(*endings: str) -> tuple[str, ...]:
    return tuple(ending + packed for ending in endings for packed in ("", ".gz"))


FORMATS = {
    "bigwig": Format((".bw", ".bigwig"), (), None),
    "bedgraph": Format(_text(".bedgraph", ".bdg", ".bg"), (), lambda source, _: bedgraph.read(source.path), single),
    "bam": Format((".bam", ".cram"), ("count", "strand", "mapq", "shift", "length"), _alignments),
    "fragments": Format(_text("fragments.tsv", "fragments.bed"), ("count",), _fragments),
    "peaks": Format(_text(".narrowpeak", ".broadpeak", ".bed"), ("value",), _peaks, highest),
    "counts": Format(_text(".tsv"), ("*",), _counts),
}
"""The kinds of files, told by the ends of their names in this order, or by ``?format=``."""


def source_of(text: str, folder: Path) -> Source:
    """Understand a cell of the `file` column; paths are relative to `folder`. Raises `InputError` where it is not."""
    name, _, query = text.partition("?")
    options = dict(part.partition("=")[::2] for part in query.split("&") if part)
    ended = (kind for kind, format in FORMATS.items() if name.lower().endswith(format.endings))
    kind = options.get("format") or next(ended, "")
    if kind not in FORMATS:
        raise InputError(f"{text!r} is of no known format; add ?format= and one of {', '.join(FORMATS)}")
    taken = FORMATS[kind].options
    for option in options:
        if option != "format" and option not in taken and "*" not in taken:
            raise InputError(f"{text!r}: {kind} files take {', '.join(taken) or 'no option'}, not {option!r}")
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path} is not there; the file column of a targets table is relative to the table")
    source = Source(text, path, kind, options)
    if (read := FORMATS[kind].read) is not None:
        read(source, folder)  # looks at the options; the file is opened when the first stretch is asked for
    return source


class Signal(Protocol):
    """What a track's values are read from."""

    @property
    def chroms(self) -> Sequence[str]:
        """The chromosomes that it has values for."""

    def bases(self, interval: Interval) -> Bases:
        """The value of each base [width]: NaN where the file says nothing, as on a chromosome that it lacks."""


def check_sizes(source: Source, sizes: Mapping[str, int]) -> None:
    """Raise `InputError` where a source that is read in place has chromosomes that are longer or shorter than `sizes`.

    Of other files only positions tell; `prepare` looks at them.
    """
    there = bigwig.sizes(source.path) if source.in_place else {}
    for chrom, size in sizes.items():
        for name in spellings(chrom):
            if there.get(name, size) != size:
                raise InputError(f"{source.path}: {name} has {there[name]:,} bases, {size:,} in the genome{_ASSEMBLY}")


def prepare(source: Source, genome: Path, sizes: Mapping[str, int], folder: Path) -> None:
    """Make the steps of a source that isn't read in place in `folder`, all of it or none.

    `sizes` are the chromosomes to be read and their lengths. Raises `InputError` where the file is damaged, has none of
    them, or counts something behind the end of one.
    """
    format = FORMATS[source.kind]
    assert format.read is not None
    draft = folder.with_name(f".part.{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    seen = _sort(format.read(source, genome), sizes, draft, source.path)
    if not any(draft.iterdir()):
        there = ", ".join(list(seen)[:3]) or "none"
        raise InputError(f"{source.text} has nothing on the windows' chromosomes; those in it: {there}")
    for unsorted in list(draft.iterdir()):
        stretches = np.fromfile(unsorted, dtype=_SPAN)
        spans = Spans(unquote(unsorted.name), stretches["start"], stretches["end"], stretches["value"])
        try:
            _save(format.steps(spans), unsorted)
        except InputError as error:
            raise InputError(f"{source.path}: {error}") from None
        unsorted.unlink()
    draft.rename(folder)
    remember(folder.parent)


def _sort(stream: Iterator[Spans], sizes: Mapping[str, int], draft: Path, path: Path) -> dict[str, None]:
    """Append each stretch to the file of its chromosome; returns the names of all chromosomes that came."""
    names = {spelling: chrom for chrom in sizes for spelling in spellings(chrom)} | {chrom: chrom for chrom in sizes}
    seen: dict[str, None] = {}
    for spans in stream:
        seen[spans.chrom] = None
        if spans.chrom in names:
            size = sizes[names[spans.chrom]]
            if spans.starts.max() >= size:
                raise InputError(f"{path}: {spans.chrom} goes on behind its {size:,} bases in the genome{_ASSEMBLY}")
            stretches = np.empty(len(spans.starts), dtype=_SPAN)
            stretches["start"], stretches["end"], stretches["value"] = spans.starts, spans.ends, spans.values
            with (draft / quote(names[spans.chrom], safe="")).open("ab") as file:
                file.write(stretches.tobytes())
    return seen


def _save(steps: Steps, stem: Path) -> None:
    for part, array in (("edges", steps.edges), ("values", steps.values)):
        with (made := Path(f"{stem}.{part}")).open("wb") as file:
            np.save(file, array)
        keep(made, Path(f"{stem}.{part}.npy"))


class InPlace:
    """A bigWig as a `Signal`."""

    def __init__(self, path: Path) -> None:
        self._file = bigwig.Opened(path)
        self.chroms = tuple(self._file.sizes)

    def bases(self, interval: Interval) -> Bases:
        """As `Signal.bases`."""
        if not any(name in self._file.sizes for name in spellings(interval.chrom)):
            return np.full(interval.width, np.nan)
        return self._file.bases(interval)


class Prepared:
    """What `prepare` made, as a `Signal`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._steps = cache(self._opened)
        self.chroms = tuple(
            unquote(path.name.removesuffix(".edges.npy")) for path in sorted(folder.glob("*.edges.npy"))
        )

    def bases(self, interval: Interval) -> Bases:
        """As `Signal.bases`."""
        if interval.chrom not in self.chroms:
            return np.full(interval.width, np.nan)
        return self._steps(interval.chrom).bases(interval.start, interval.end)

    def _opened(self, chrom: str) -> Steps:
        stem = self._folder / quote(chrom, safe="")
        return Steps(*(np.load(f"{stem}.{part}.npy", mmap_mode="r") for part in ("edges", "values")))
