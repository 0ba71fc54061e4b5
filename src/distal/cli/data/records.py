"""`distal data import-tfrecords`: Basenji's data sets as ours; knows options and file names only."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import command_line, emit, progress
from distal.cli.options import Json


def import_tfrecords(
    folder: Path,
    *,
    out: Path,
    fasta: Path | None = None,
    input_bp: int | None = None,
    workers: int = 2,
    json: Json = False,
) -> None:
    """Turn Basenji's TFRecords into a data set that is read in any order, at a fraction of the time.

    With --fasta and --input-bp 196608 windows of Basenji2's data set become Enformer's: the same targets in the same
    order, more bases of the genome around each. The records are compared with the genome. Run the same command again
    to go on where it stopped.

    Parameters
    ----------
    folder
        Folder with statistics.json, targets.txt, sequences.bed and tfrecords/.
    out
        Folder of the data set.
    fasta
        The genome that the records come from: .fa, .fa.gz (bgzip) or .2bit.
    input_bp
        Bases of a window, around the middle of what the records hold; as many as they hold when left out.
    workers
        Threads that compress; each needs about a gigabyte for records of 5,313 tracks.
    """
    from distal.data import importing, store
    from distal.data.store import Input
    from distal.io import tfrecords
    from distal.io.fasta import Genome

    genome = None if fasta is None else Genome(fasta)
    paths = [*tfrecords.files(folder), *([] if fasta is None else [fasta])]
    with progress("checksums", len(paths), "files") as advance:
        inputs = []
        for path in paths:
            inputs.append(Input.of(path))
            advance()
    plan = importing.plan(folder, inputs, input_bp, command_line())
    with store.create(out, plan) as writer:
        left = sum(piece.last - piece.first for piece in writer.missing)
        with progress(out.name, left, "windows") as advance:
            for piece in importing.fill(folder, writer, genome, workers):
                advance(piece.last - piece.first)
    sizes = {"input_bp": plan.input_bp, "bin_bp": plan.bin_bp, "bins": plan.bins}
    emit({"data": str(out), "windows": plan.counts, "tracks": len(plan.table), **sizes}, json)
