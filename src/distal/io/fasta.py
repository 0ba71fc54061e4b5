"""Reference sequence from FASTA (.fa, .fa.gz) and .2bit files; knows letters at positions, nothing of models.

Both formats are opened once per process and thread, on first use: htslib's handles survive neither `fork` nor
sharing between threads (every later read fails). A `Genome` pickles as its path. Each of them keeps the stretch that
it read last, so that the windows around neighbouring variants are slices of one read.

Source of the .2bit layout: https://genome.ucsc.edu/FAQ/FAQformat.html#format7
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tempfile
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pysam
import pysam.samtools
from numpy.typing import NDArray
from pysam.utils import SamtoolsError

from distal.coords import Interval, spellings
from distal.dna import Codes, N, encode
from distal.errors import InputError
from distal.io import aliases as chrom_alias

_REACH = (1 << 16, 1 << 18)
"""Bases that are read around an interval that lies near the one before it: the first time, and at most."""
_LARGEST = 1 << 22
"""Longer stretches are not kept."""
_TWOBIT = 0x1A412743
_TWOBIT_LETTERS = np.frombuffer(b"TCAG", dtype=np.uint8)
_UNPACKED = _TWOBIT_LETTERS[np.arange(256)[:, None] >> np.array([6, 4, 2, 0]) & 3]  # [256, 4]: byte -> its four letters


class Genome:
    """A reference genome on disk: `sizes` of its sequences and the letters of any interval.

    `path` is a FASTA file, a bgzip-compressed FASTA file, or a .2bit file (told apart by content, not by name). A
    missing .fai (and .gzi) is made beside the FASTA file. `aliases` is a chromAlias file of UCSC: further names of the
    sequences. Raises `InputError` for anything else, and for a FASTA file that htslib cannot index.
    """

    def __init__(self, path: str | Path, aliases: str | Path | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"genome {self.path} is not a file; give a .fa, .fa.gz (bgzip) or .2bit file")
        if not _is_twobit(self.path):
            _index(self.path)
        self._opened = threading.local()
        self._names: dict[str, str] = {}
        self.sizes: dict[str, int] = self._here().reader.sizes
        """Name -> number of bases, in the order of the file."""
        self._aliases = chrom_alias.read(aliases, self.sizes) if aliases is not None else {}

    def resolve(self, chrom: str) -> str:
        """The name that this file has for `chrom`: chr20 and 20, chrM and MT are the same. `InputError` if none."""
        if chrom in self._names:
            return self._names[chrom]
        for name in (*spellings(chrom), self._aliases.get(chrom, "")):
            if name in self.sizes:
                self._names[chrom] = name
                return name
        some = ", ".join(list(self.sizes)[:3]) + (", …" if len(self.sizes) > 3 else "")
        raise InputError(f"chromosome {chrom!r} is not in {self.path} ({len(self.sizes)} sequences: {some})")

    def fetch(self, interval: Interval) -> str:
        """The upper-cased letters of `interval` on the forward strand, whatever its strand; N off the chromosome."""
        block, start, end = self._block(interval)
        text = block.letters[start - block.start : end - block.start]
        if end - start == interval.end - interval.start:
            return text
        before, behind = _missing(interval, start, end)
        return "N" * before + text + "N" * behind

    def codes(self, interval: Interval) -> Codes:
        """`fetch` as codes uint8[width]: 0..3 = ACGT, 4 = anything else. Read-only: often a view of what is kept."""
        block, start, end = self._block(interval)
        codes = block.codes[start - block.start : end - block.start]
        if end - start == interval.end - interval.start:
            return codes
        padded = np.pad(codes, _missing(interval, start, end), constant_values=N)
        padded.flags.writeable = False
        return padded

    def digest(self) -> str:
        """SHA-256 (hex) of the sequence dictionary: a line ``name<TAB>length`` for each sequence, in file order."""
        lines = "".join(f"{name}\t{size}\n" for name, size in self.sizes.items())
        return hashlib.sha256(lines.encode()).hexdigest()

    def _block(self, interval: Interval) -> tuple[_Block, int, int]:
        """Bases around `interval`, and the part of it `[start, end)` that lies on the chromosome."""
        name = self._names.get(interval.chrom) or self.resolve(interval.chrom)
        start, end, here = interval.start, interval.end, self._here()
        block = here.block
        if not (block.start <= start and end <= block.end and block.name == name):
            size = self.sizes[name]
            start, end = min(max(start, 0), size), max(min(end, size), 0)
            block = here.around(name, start, end)
        return block, start, end

    def _here(self) -> _Opened:
        """What this thread of this process has opened."""
        opened: _Opened | None = getattr(self._opened, "here", None)
        if opened is None or opened.pid != os.getpid():
            reader = _TwoBit(self.path) if _is_twobit(self.path) else _Fasta(self.path)
            opened = self._opened.here = _Opened(reader)
        return opened

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "sizes": self.sizes, "_aliases": self._aliases}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _opened=threading.local(), _names={})

    def __repr__(self) -> str:
        return f"Genome({str(self.path)!r})"


def _missing(interval: Interval, start: int, end: int) -> tuple[int, int]:
    """Bases of `interval` before `start` and behind `end`, the part of it that there is; all of it before, if none."""
    before = min(max(start - interval.start, 0), interval.width)
    return before, interval.width - before - (end - start)


class _Reader(Protocol):
    path: Path
    sizes: dict[str, int]

    def text(self, name: str, start: int, end: int) -> str: ...


class _Block:
    """The bases `[start, end)` of one sequence: upper-cased letters and, made when first asked for, their codes."""

    def __init__(self, name: str, start: int, letters: str) -> None:
        self.name, self.start, self.end, self.letters = name, start, start + len(letters), letters

    @cached_property
    def codes(self) -> Codes:
        return encode(self.letters)


class _Opened:
    """An open file and the stretch that was read last; belongs to one thread of the process `pid`."""

    def __init__(self, reader: _Reader) -> None:
        self.pid, self.reader, self.block = os.getpid(), reader, _Block("", 0, "")
        self._reach = 0

    def around(self, name: str, start: int, end: int) -> _Block:
        """The bases `[start, end)`, which must lie on the chromosome, and maybe more around them.

        A reader who goes along the genome gets twice as much around each stretch as around the one before; one who
        jumps gets what he asks for.
        """
        last = self.block
        if start == end or (name == last.name and last.start <= start and end <= last.end):
            return last if start < end else _Block(name, start, "")
        reach = min(max(2 * self._reach, _REACH[0]), _REACH[1])
        near = name == last.name and last.start - reach < end and start < last.end + reach
        self._reach = reach if near else 0
        first, behind = max(0, start - self._reach // 4), min(self.reader.sizes[name], end + self._reach)
        block = _Block(name, first, self._letters(name, first, behind))
        if len(block.letters) <= _LARGEST:
            self.block = block
        return block

    def _letters(self, name: str, start: int, end: int) -> str:
        letters = self.reader.text(name, start, end).upper()
        if len(letters) != end - start:
            raise InputError(
                f"{self.reader.path} and its .fai disagree at {Interval(name, start, end)!r}; "
                "delete the .fai (and .gzi), run again"
            )
        return letters


class _Fasta:
    """An indexed FASTA file through htslib. Native coordinates of `FastaFile.fetch`: 0-based, half-open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pysam.FastaFile(str(path))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read with the .fai beside it ({error}); delete the .fai") from None
        self.sizes = dict(zip(self._file.references, self._file.lengths, strict=True))

    def text(self, name: str, start: int, end: int) -> str:
        try:
            letters: str = self._file.fetch(name, start, end)
        except (OSError, ValueError):
            message = f"{self.path} cannot be read at {Interval(name, start, end)!r}; it is cut off, or its .fai is old"
            raise InputError(message) from None
        return letters


class _TwoBit:
    """A .2bit file, memory-mapped. Native coordinates: 0-based. Mask blocks (lower case) are not read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bytes: NDArray[np.uint8] = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
        self._order = "<" if self._numbers_at(0, 1, "<")[0] == _TWOBIT else ">"
        version, count = (int(x) for x in self._numbers_at(4, 2))
        if version not in (0, 1):
            raise InputError(f"{path} is a .2bit file of version {version}; versions 0 and 1 are known")
        offsets = self._offsets(count, long=version == 1)
        self._records = {name: self._record(offset) for name, offset in offsets.items()}
        self.sizes = {name: record.size for name, record in self._records.items()}

    def text(self, name: str, start: int, end: int) -> str:
        record = self._records[name]
        first = start // 4
        packed = self._slice(record.dna + first, (end + 3) // 4 - first)
        letters = np.take(_UNPACKED, packed, axis=0).reshape(-1)[start - 4 * first : end - 4 * first]
        low = int(np.searchsorted(record.n_ends, start, side="right"))
        high = int(np.searchsorted(record.n_starts, end, side="left"))
        for block in range(low, high):
            letters[max(int(record.n_starts[block]) - start, 0) : int(record.n_ends[block]) - start] = ord("N")
        return letters.tobytes().decode("ascii")

    def _offsets(self, count: int, long: bool) -> dict[str, int]:
        offsets: dict[str, int] = {}
        at, width = 16, 8 if long else 4
        for _ in range(count):
            length = int(self._slice(at, 1)[0])
            name = self._slice(at + 1, length).tobytes().decode("utf-8", errors="replace")
            offsets[name] = int(self._numbers_at(at + 1 + length, 1, width=width)[0])
            at += 1 + length + width
        return offsets

    def _record(self, offset: int) -> _Record:
        size, blocks = (int(x) for x in self._numbers_at(offset, 2))
        starts = self._numbers_at(offset + 8, blocks)
        ends = starts + self._numbers_at(offset + 8 + 4 * blocks, blocks)
        masks = offset + 8 + 8 * blocks
        dna = masks + 8 + 8 * int(self._numbers_at(masks, 1)[0])
        self._slice(dna, (size + 3) // 4)
        return _Record(size, starts, ends, dna)

    def _numbers_at(self, offset: int, count: int, order: str = "", width: int = 4) -> NDArray[np.int64]:
        return self._slice(offset, width * count).view(f"{order or self._order}u{width}").astype(np.int64)

    def _slice(self, offset: int, length: int) -> NDArray[np.uint8]:
        if offset + length > self._bytes.size:
            raise InputError(f"{self.path} is cut off: byte {offset + length} of {self._bytes.size} is needed")
        return self._bytes[offset : offset + length]


@dataclass(frozen=True, slots=True)
class _Record:
    """Where one sequence of a .2bit file lies: bases, sorted N blocks `[start, end)`, offset of its packed letters."""

    size: int
    n_starts: NDArray[np.int64]
    n_ends: NDArray[np.int64]
    dna: int


def _is_twobit(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4)
    return _TWOBIT in (int.from_bytes(head, "little"), int.from_bytes(head, "big"))


def _index(path: Path) -> None:
    """Make the .fai (and the .gzi of a compressed file) where it is missing: whole or not at all."""
    compressed = _is_gzip(path)
    if compressed and not _is_bgzip(path):
        raise InputError(f"{path} is compressed with gzip, not bgzip; `gunzip` it, or compress it again with `bgzip`")
    wanted = [Path(f"{path}{suffix}") for suffix in ((".fai", ".gzi") if compressed else (".fai",))]
    try:
        if all(file.exists() for file in wanted):
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".distal-index-") as folder:
            made = [Path(folder) / file.suffix for file in wanted]
            _faidx(path, made)
            for source, target in zip(made, wanted, strict=True):
                source.replace(target)
    except OSError as error:
        raise InputError(
            f"{wanted[0]} is missing and cannot be made ({error.strerror}); "
            f"run `samtools faidx` on a copy of {path.name} in a folder that you may write to"
        ) from None


def _faidx(path: Path, made: list[Path]) -> None:
    options = ["--fai-idx", str(made[0])] + (["--gzi-idx", str(made[1])] if len(made) > 1 else [])
    verbosity = pysam.set_verbosity(0)  # htslib writes to stderr; what it means is said below
    try:
        pysam.samtools.faidx(str(path), *options)
    except SamtoolsError:
        raise InputError(_fault(path)) from None
    finally:
        pysam.set_verbosity(verbosity)
    indexed = len(made[0].read_text().splitlines())
    if (headers := _headers(path)) != indexed:
        raise InputError(
            f"{path} has {headers} sequences and {indexed} of them can be told apart; "
            "rename or remove the empty ones and those whose name occurs twice"
        )


def _headers(path: Path) -> int:
    """Number of lines that start with `>`."""
    count, before = 0, b"\n"
    with _open(path) as file:
        while chunk := file.read(1 << 22):
            count += (before + chunk).count(b"\n>")
            before = chunk[-1:]
    return count


def _fault(path: Path) -> str:
    """Why htslib refuses to index `path`: what, at which line, and the remedy."""
    width, ended = 0, False
    number = 0
    with _open(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                if line.startswith(b">"):
                    width, ended = 0, False
                elif number == 1:
                    return f"{path} line 1: a FASTA file starts with `>` and the name of a sequence"
                elif (ended and line.strip()) or 0 < width < len(line):
                    return (
                        f"{path} line {number}: the lines of a sequence differ in length or in their line ends; "
                        "wrap them again, for example with `seqkit seq -w 60`"
                    )
                else:
                    ended = ended or 0 < len(line) < width
                    width = width or len(line)
        except (EOFError, OSError) as error:
            return f"{path} is damaged ({error}); copy or download it again"
    return f"{path} cannot be indexed by `samtools faidx` ({number} lines read); it holds no sequence"


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if _is_gzip(path) else path.open("rb")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _is_bgzip(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(14)
    return head[3:4] == b"\x04" and head[12:14] == b"BC"
