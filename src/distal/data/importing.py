"""Basenji's TFRecords as a store, on more bases of a genome where that is asked for; knows the bytes of neither.

Enformer learned from Basenji2's data set with 196,608 bp of the genome around the middle of each window of 131,072 bp:
the targets, and the order of the records, stay as they are. Only its flanks may lie in another split's windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from distal.data.loading import ahead
from distal.data.store import Input, Piece, Plan, Writer
from distal.dna import Codes, N
from distal.errors import InputError
from distal.io import tfrecords
from distal.io.fasta import Genome
from distal.io.tfrecords import Example
from distal.tracks import read_targets

_MOST_DIFFERENT = 0.01
"""Part of a window's known bases that may differ from the genome's: patches of an assembly, but no other place."""


def plan(folder: str | Path, inputs: Sequence[Input], input_bp: int | None = None, command: str = "") -> Plan:
    """The store that a folder of TFRecords becomes, with windows of `input_bp` around the same middle.

    The recipe says how many bases were stored. Raises `InputError` where the folder isn't a data set, its targets.txt
    has another number of tracks than its records, or `input_bp` leaves out bases, or is odd where they are even.
    """
    folder = Path(folder)
    sizes, table = tfrecords.layout(folder), read_targets(folder / "targets.txt")
    if len(table) != sizes.tracks:
        raise InputError(f"{folder / 'targets.txt'} has {len(table)} tracks, the records have {sizes.tracks}")
    width = input_bp or sizes.seq_length
    if width < sizes.seq_length:
        raise InputError(f"the records hold {sizes.seq_length:,} bp; windows of {width:,} bp would leave some out")
    windows = {
        split: tuple(interval and interval.resize(width) for interval in intervals)
        for split, intervals in tfrecords.windows(folder).items()
    }
    recipe = {"name": "tfrecords", "stored_bp": sizes.seq_length}
    return Plan(width, sizes.bin_bp, sizes.bins, windows, table, recipe, tuple(inputs), command)


def fill(folder: str | Path, writer: Writer, genome: Genome | None = None, workers: int = 1) -> Iterator[Piece]:
    """Write the pieces that are missing, and name each that is there; the records of a split are read in order.

    `workers` threads compress what one reads. With a `genome` the bases are its own, and it is compared with the
    records. Raises `InputError` where it isn't the one that they come from, or they aren't in the order of
    sequences.bed, and as `tfrecords.read` does. The mask of unmappable bins that some records have is left behind.
    """
    if genome is None and writer.plan.input_bp > tfrecords.layout(folder).seq_length:
        raise InputError(f"windows of {writer.plan.input_bp:,} bp need the genome that the records come from (--fasta)")
    work = _missing(Path(folder), writer)
    yield from ahead(lambda piece: _write(writer, genome, *piece), work, workers)


def _missing(folder: Path, writer: Writer) -> Iterator[tuple[Piece, list[Example]]]:
    """Every piece that is missing, with its records. A split is read to its end, where its records are counted."""
    missing = writer.missing
    for split in dict.fromkeys(piece.split for piece in missing):
        records = tfrecords.read(folder, split)
        for piece in (piece for piece in writer.pieces if piece.split == split):
            rows = list(islice(records, piece.last - piece.first))
            if piece in missing:
                yield piece, rows
        for _ in records:
            pass


def _write(writer: Writer, genome: Genome | None, piece: Piece, rows: Sequence[Example]) -> Piece:
    codes = [row.codes if genome is None else _widened(row, writer.plan.input_bp, genome) for row in rows]
    writer.write(piece, np.stack(codes), np.stack([row.targets for row in rows]))
    return piece


def _widened(row: Example, width: int, genome: Genome) -> Codes:
    """The genome's bases [width] around the middle of a record, N beyond the ends of its chromosome."""
    if row.interval is None:
        raise InputError("the folder of the records has no sequences.bed: nobody knows where in the genome they lie")
    codes = genome.codes(row.interval.resize(width))
    stored = codes[(width - len(row.codes)) // 2 :][: len(row.codes)]
    known = (stored < N) & (row.codes < N)
    different = np.count_nonzero(known & (stored != row.codes))
    if different > _MOST_DIFFERENT * np.count_nonzero(known):
        raise InputError(
            f"the record of {row.interval!r} differs from {genome.path} in {different:,} of {known.sum():,} bases; "
            "give the assembly that the records come from, and their own sequences.bed"
        )
    return codes
