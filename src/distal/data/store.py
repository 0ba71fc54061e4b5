"""Data sets on disk: a folder with every window's bases and signal, and what they were made of; reads no other format.

======================  ====================================================================================
manifest.json           sizes, recipe, inputs with their SHA-256, and size and SHA-256 of each file below
sequences.bed           chromosome, start, end and split of the whole windows, 0-based, in the order of rows
targets.txt             the tracks, as Basenji has them
data.zarr/<split>/      ``codes`` uint8 [n, input_bp] (0-3 ACGT, 4 N), ``targets`` float16 [n, bins, tracks]
======================  ====================================================================================

A `Writer` fills a folder piece by piece, in any order and from any number of processes; what a killed one has left is
gone on with. The manifest is written last: a folder without one is no data set.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal import __version__
from distal.coords import Interval
from distal.dna import Codes
from distal.errors import InputError
from distal.files import digest, replacing
from distal.io import documents, shards
from distal.io.shards import Layout, Shards
from distal.tracks import TrackTable, read_targets, write_targets

FORMAT = "distal-dataset-1"
MANIFEST, BED, TARGETS, ARRAYS = "manifest.json", "sequences.bed", "targets.txt", "data.zarr"
Half = NDArray[np.float16]
Windows = Mapping[str, tuple[Interval | None, ...]]
"""Where the windows of each split lie, in the order of rows; None where nobody knows."""

_REMEDY = "build the data set again"
_BUILDING = ".building"
"""Folder inside a data set that isn't finished: what it will be, and a file for each piece that is there."""
_PIECE_BYTES, _PIECE_ROWS = 1 << 27, 32
_HALF_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a data set was made of, told apart by its content."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: str | Path) -> Input:
        """Reads the whole file, for its checksum. Raises `InputError` where it cannot be read."""
        path = Path(path)
        try:
            return cls(path.name, path.stat().st_size, digest(path))
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class Plan:
    """What a data set will be, before a value of it is known. Raises `InputError` where its sizes cannot be."""

    input_bp: int
    """Bases of a window."""
    bin_bp: int
    bins: int
    """Bins of a window, over its centre."""
    windows: Windows
    table: TrackTable
    recipe: Mapping[str, Any]
    """How signal became targets, in what JSON can hold."""
    inputs: tuple[Input, ...] = ()
    command: str = ""

    def __post_init__(self) -> None:
        if min(self.input_bp, self.bin_bp, self.bins, self.crop_bp + 1) <= 0 or self._flanks % 2:
            raise InputError(f"{self.bins} bins of {self.bin_bp} bp do not lie in the middle of {self.input_bp} bp")
        for split, windows in self.windows.items():
            if not split.replace("_", "").isalnum():
                raise InputError(f"a split cannot be called {split!r}; use letters, digits and _")
            for window in windows:
                if window is not None and window.width != self.input_bp:
                    raise InputError(f"{window!r} of {split} has {window.width} bp, windows have {self.input_bp}")

    @property
    def crop_bp(self) -> int:
        """Bases on each side of a window that have no signal."""
        return self._flanks // 2

    @property
    def _flanks(self) -> int:
        return self.input_bp - self.bins * self.bin_bp

    @property
    def counts(self) -> dict[str, int]:
        """Windows of each split that has any."""
        return {split: len(windows) for split, windows in self.windows.items() if windows}

    def layouts(self, split: str) -> dict[str, Layout]:
        """The arrays of a split; rows of both are cut at the same places."""
        row_bytes = self.input_bp + 2 * self.bins * len(self.table)
        rows = max(1, min(_PIECE_ROWS, _PIECE_BYTES // row_bytes))
        count = self.counts[split]
        return {
            "codes": Layout(count, (self.input_bp,), "uint8", rows, "bitshuffle"),
            "targets": Layout(count, (self.bins, len(self.table)), "float16", rows),
        }


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows `[first, last)` of a split: what is written at once."""

    split: str
    first: int
    last: int


@dataclass(frozen=True)
class Writer:
    """A data set that is being filled. All that it knows is on disk, so that copies in other processes do as well.

    As a context it finishes the data set when the block ends well.
    """

    folder: Path
    plan: Plan

    @property
    def pieces(self) -> list[Piece]:
        """Every piece of the data set, in the order of rows."""
        return [
            Piece(split, first, min(first + self.plan.layouts(split)["codes"].shard_rows, count))
            for split, count in self.plan.counts.items()
            for first in range(0, count, self.plan.layouts(split)["codes"].shard_rows)
        ]

    @property
    def missing(self) -> list[Piece]:
        """The pieces that aren't there yet."""
        if (self.folder / MANIFEST).exists():
            return []
        return [piece for piece in self.pieces if not self._note(piece).exists()]

    def write(self, piece: Piece, codes: Codes, targets: NDArray[np.floating[Any]]) -> None:
        """Write a piece: codes [last - first, input_bp] and targets [last - first, bins, tracks].

        Targets beyond float16 become ±65504. Raises `InputError` where one is NaN, and `ValueError` for other shapes.
        """
        half = _narrow(targets, piece)
        made = {}
        arrays: dict[str, NDArray[Any]] = {"codes": codes, "targets": half}
        for name, layout in self.plan.layouts(piece.split).items():
            rows = arrays[name]
            path = shards.write(_array(self.folder, piece.split, name), layout, piece.first // layout.shard_rows, rows)
            made[path.relative_to(self.folder).as_posix()] = _facts(path)
        sums = half.sum(axis=(0, 1), dtype=np.float64)
        documents.write(self._note(piece), {"arrays": made, "sums": sums.tolist()})

    def finish(self) -> Store:
        """Write the manifest, and open the data set. Raises `ValueError` where pieces are missing."""
        if self.missing:
            raise ValueError(f"{len(self.missing)} pieces of {self.folder} are missing, such as {self.missing[0]}")
        if not (self.folder / MANIFEST).exists():
            notes = {piece: json.loads(self._note(piece).read_text()) for piece in self.pieces}
            made = {name: facts for note in notes.values() for name, facts in note["arrays"].items()}
            facts = {**_facts_of(self.plan, self.folder), "means": self._means(notes), "arrays": made}
            documents.write(self.folder / MANIFEST, facts)
        shutil.rmtree(self.folder / _BUILDING, ignore_errors=True)
        return open(self.folder)

    def _means(self, notes: Mapping[Piece, Any]) -> dict[str, list[float]]:
        """Mean of a bin of each track, over each split: sums are added in the order of rows, so always to the same."""
        means = {}
        for split, count in self.plan.counts.items():
            sums = np.array([note["sums"] for piece, note in notes.items() if piece.split == split])
            means[split] = (sums.sum(axis=0) / (count * self.plan.bins)).tolist()
        return means

    def _note(self, piece: Piece) -> Path:
        """The file that says that a piece is there, and what it holds."""
        return self.folder / _BUILDING / f"{piece.split}-{piece.first}.json"

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.finish()


def create(folder: str | Path, plan: Plan) -> Writer:
    """Begin a data set, or go on with one that was begun by an equal plan, whatever its command.

    Raises `InputError` where the folder holds another one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".plan-") as name:
        texts = Path(name)
        _write_texts(texts, plan)
        now, begun = _facts_of(plan, texts), folder / _BUILDING / MANIFEST
        earlier = next((documents.read(path, _REMEDY) for path in (folder / MANIFEST, begun) if path.exists()), None)
        if earlier is None:
            for text in texts.iterdir():
                text.replace(folder / text.name)
            shards.group(folder / ARRAYS)
            for split in plan.counts:
                shards.group(folder / ARRAYS / split)
                for array, layout in plan.layouts(split).items():
                    shards.create(_array(folder, split, array), layout)
            begun.parent.mkdir(exist_ok=True)
            documents.write(begun, now)
        elif changed := [key for key in now if now[key] != earlier.get(key) and key not in ("command", "distal")]:
            raise InputError(f"{folder} holds a data set with another {', '.join(changed)}; choose another folder")
    return Writer(folder, plan)


class Store:
    """A finished data set, read by row; reading takes no lock, and several threads may."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Use `open`."""
        self.folder, self.manifest = folder, manifest
        self.table = read_targets(folder / TARGETS)
        input_bp, bin_bp, bins = (int(manifest[key]) for key in ("input_bp", "bin_bp", "bins"))
        windows = _read_windows(folder / BED, manifest["splits"])
        self.plan = Plan(input_bp, bin_bp, bins, windows, self.table, manifest["recipe"])
        self._arrays = {
            (split, name): Shards(_array(folder, split, name), layout)
            for split in self.plan.counts
            for name, layout in self.plan.layouts(split).items()
        }

    @property
    def splits(self) -> dict[str, int]:
        """Windows of each split."""
        return self.plan.counts

    def windows(self, split: str) -> tuple[Interval | None, ...]:
        """Where each window of a split lies."""
        return self.plan.windows[split]

    def codes(self, split: str, row: int) -> Codes:
        """Bases of a window, uint8 [input_bp], read-only."""
        return self._arrays[split, "codes"][row]

    def targets(self, split: str, row: int) -> Half:
        """Signal of a window, float16 [bins, tracks], read-only."""
        return self._arrays[split, "targets"][row]

    def means(self, split: str) -> NDArray[np.float64]:
        """Mean of a bin of each track over a split, [tracks]."""
        return np.array(self.manifest["means"][split])


def is_store(folder: str | Path) -> bool:
    """Whether a folder is a data set of this format, finished or not."""
    return any((Path(folder) / name).exists() for name in (MANIFEST, _BUILDING))


def open(folder: str | Path, verify: bool = False) -> Store:
    """Open a data set; its texts are compared with their checksums, its arrays with their sizes and indices.

    Each row is checked when it is read. `verify` compares every byte now. Raises `InputError` where the folder isn't a
    data set, isn't finished, or isn't what its manifest says.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        half = (folder / _BUILDING).exists()
        reason = "was begun and not finished; run the same command again" if half else f"has no {MANIFEST}"
        raise InputError(f"data set {folder} {reason}")
    manifest = documents.read(folder / MANIFEST, _REMEDY)
    try:
        if manifest["format"] != FORMAT:
            raise InputError(f"{folder / MANIFEST} is of format {manifest['format']!r}; this distal reads {FORMAT}")
        for name, facts in {**manifest["texts"], **manifest["arrays"]}.items():
            _check(folder / name, facts, verify or name in manifest["texts"])
        return Store(folder, manifest)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / MANIFEST} is not whole ({error!r}); build the data set again") from None


def _check(path: Path, facts: Mapping[str, Any], content: bool) -> None:
    there = path.stat().st_size if path.exists() else None
    if there != facts["bytes"] or (content and digest(path) != facts["sha256"]):
        what = "is missing" if there is None else "is not what the manifest says"
        raise InputError(f"{path} {what}; copy the data set again, or build it again")


def _array(folder: Path, split: str, name: str) -> Path:
    return folder / ARRAYS / split / name


def _narrow(targets: NDArray[np.floating[Any]], piece: Piece) -> Half:
    """Float16, finite."""
    broken = np.argwhere(np.isnan(targets))
    if len(broken):
        row, place, track = broken[0].tolist()
        where = f"window {piece.first + row} of {piece.split}, bin {place}, track {track}"
        raise InputError(f"the signal of {where} is NaN; a data set holds numbers only")
    half: Half = np.clip(targets, -_HALF_MAX, _HALF_MAX).astype(np.float16)
    return half


def _facts_of(plan: Plan, texts: Path) -> dict[str, Any]:
    """What a manifest says before the arrays are there; `texts` is the folder with the data set's texts."""
    facts = {
        "format": FORMAT,
        "recipe": dict(plan.recipe),
        **{name: getattr(plan, name) for name in ("input_bp", "bin_bp", "bins", "crop_bp")},
        "splits": plan.counts,
        "tracks": len(plan.table),
        "inputs": [asdict(file) for file in plan.inputs],
        "texts": {path.name: _facts(path) for path in (texts / BED, texts / TARGETS) if path.exists()},
        "distal": __version__,
        "command": plan.command,
    }
    said: dict[str, Any] = json.loads(json.dumps(facts))  # as it will be read again
    return said


def _facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def _write_texts(folder: Path, plan: Plan) -> None:
    """targets.txt, and sequences.bed where every window's place is known."""
    write_targets(plan.table, folder / TARGETS)
    rows = [(window, split) for split, windows in plan.windows.items() for window in windows]
    known = [f"{w.chrom}\t{w.start}\t{w.end}\t{split}\n" for w, split in rows if w is not None]
    if len(known) == len(rows):
        with replacing(folder / BED) as temporary:
            temporary.write_text("".join(known))


def _read_windows(path: Path, counts: Mapping[str, int]) -> Windows:
    """The windows of each split; the file has been compared with its checksum."""
    if not path.exists():
        return {split: (None,) * count for split, count in counts.items()}
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    places = [(split, Interval(chrom, int(start), int(end))) for chrom, start, end, split in rows]
    return {split: tuple(interval for name, interval in places if name == split) for split in counts}
