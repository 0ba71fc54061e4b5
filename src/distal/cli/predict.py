"""`distal predict`: tracks over regions into bigWig, HDF5 or npz; knows options and file names, no model."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from distal.cli.console import command_line, emit, progress
from distal.cli.options import (
    BatchSize,
    BothStrands,
    Device,
    Fasta,
    Head,
    Json,
    Model,
    Precision,
    Shifts,
    TrackQuery,
)
from distal.coords import Interval
from distal.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from distal.io.bigwig import Record
    from distal.io.fasta import Genome
    from distal.io.predictions import Layout
    from distal.predictor import Predictor

BIGWIG, HDF5, NPZ = (".bw", ".bigWig", ".bigwig"), (".h5", ".hdf5"), (".npz",)


def predict(
    *,
    model: Model,
    fasta: Fasta,
    regions: str,
    out: Path,
    tracks: TrackQuery = "",
    rc: BothStrands = False,
    shifts: Shifts = (0,),
    head: Head = "human",
    precision: Precision = "fp32",
    batch_size: BatchSize = 4,
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Predict tracks over regions and write them as bigWig, HDF5 or npz.

    A region is cut into the model's bins from its own start; regions wider than the model's output are tiled. The last
    bin of a region is whole in HDF5 and npz, and cut at the region's end in bigWig. A bigWig has one value a base:
    regions that overlap can only be written to .h5 or .npz.

    Parameters
    ----------
    regions
        One region such as chr20:42,900,000-43,100,000 (counted from 1, both ends included), or a BED file.
    out
        X.bw: one bigWig, or X.<track>.bw each when several tracks are chosen. X.h5 or X.npz: all in one file.
    """
    from distal.io.fasta import Genome
    from distal.io.predictions import Layout
    from distal.predictor import load

    started = time.monotonic()
    kind = _kind(out)
    predictor, genome = load(model, head, device, precision, batch_size), Genome(fasta)
    wanted, names = read_regions(regions, genome)
    if kind == BIGWIG:
        _no_overlaps(wanted)
    facts = {**predictor.facts(genome), "rc": rc, "shifts": ",".join(map(str, shifts)), "command": command_line()}
    layout = Layout(wanted, names, predictor.tracks.select(tracks), predictor.window.bin_bp, facts)
    with _draft(out, kind) as draft:
        _stream(draft, layout, predictor, genome, (tracks, rc, tuple(shifts)))
        files = _deliver(draft, out, kind, layout, genome)
    result = {
        "files": [str(file) for file in files],
        "regions": len(wanted),
        "bins": int(layout.rows[-1]),
        "tracks": len(layout.table),
        "seconds": round(time.monotonic() - started, 2),
    }
    emit(result, json)


def read_regions(text: str, genome: Genome) -> tuple[list[Interval], list[str]]:
    """The regions, named as in the genome's file and checked to lie in it, and their names (`.` for none).

    Raises `InputError` for text that is neither a region nor a file, for an empty file, and for a region that leaves
    its chromosome.
    """
    from distal.io import bed
    from distal.predictor import on_genome

    path = Path(text)
    if not path.is_file() and ":" not in text:
        raise InputError(f"{text!r} is neither a BED file nor a region such as chr20:42,900,000-43,100,000")
    rows = list(bed.read(path)) if path.is_file() else [bed.BedRow(Interval.from_ucsc(text))]
    if not rows:
        raise InputError(f"{path} holds no region")
    return [on_genome(row.interval, genome) for row in rows], [row.name for row in rows]


def _kind(out: Path) -> tuple[str, ...]:
    for kind in (BIGWIG, HDF5, NPZ):
        if out.suffix in kind:
            if not out.parent.is_dir():
                raise InputError(f"{out.parent} is not a folder; make it first")
            return kind
    raise InputError(f"{out}: the name must end in {', '.join((*BIGWIG, *HDF5, *NPZ))}")


def _no_overlaps(regions: Sequence[Interval]) -> None:
    ordered = sorted(regions, key=lambda region: (region.chrom, region.start))
    for one, other in pairwise(ordered):
        if one.overlaps(other):
            raise InputError(
                f"regions {one.to_ucsc()} and {other.to_ucsc()} overlap, and a bigWig has one value a base; "
                "merge them, or write .h5 or .npz"
            )


@contextmanager
def _draft(out: Path, kind: tuple[str, ...]) -> Iterator[Path]:
    """Where the HDF5 file is written: under its own name, or in a passing folder where another format is made of it."""
    if kind == HDF5:
        yield out
        return
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".distal-predict-") as folder:
        yield Path(folder) / "draft.h5"


def _stream(
    draft: Path, layout: Layout, predictor: Predictor, genome: Genome, how: tuple[str, bool, tuple[int, ...]]
) -> None:
    from distal.io import predictions
    from distal.predictor import predict_tiles, tiles

    count = sum(len(tiles(region, predictor.window)) for region in layout.regions)
    with progress("predict", count, "windows") as advance, predictions.write(draft, layout) as values:
        for _, piece in predict_tiles(predictor, genome, layout.regions, *how):
            values.append(piece.values)
            advance()


def _deliver(draft: Path, out: Path, kind: tuple[str, ...], layout: Layout, genome: Genome) -> list[Path]:
    from distal.io import predictions

    if kind == BIGWIG:
        return _bigwigs(draft, out, layout, genome)
    if kind == NPZ:
        predictions.write_npz(draft, out)
    return [out]


def _bigwigs(draft: Path, out: Path, layout: Layout, genome: Genome) -> list[Path]:
    """A file for each track; all of them are whole before the first takes its name."""
    import h5py

    from distal.io import bigwig

    files = _bigwig_names(out, layout.table.names)
    with h5py.File(draft) as file:
        for column, path in enumerate(files):
            values = file["values"][:, column]
            bigwig.write(draft.with_name(path.name), genome.sizes, _records(layout, values, list(genome.sizes)))
    for path in files:
        shutil.move(draft.with_name(path.name), path)
    return files


def _bigwig_names(out: Path, names: Sequence[str]) -> list[Path]:
    """`X.bw` for one track; `X.<name>.bw` for several, with the column's number where a name occurs twice."""
    if len(names) == 1:
        return [out]
    safe = ["".join(letter if letter.isalnum() or letter in "+-._" else "_" for letter in name) for name in names]
    unique = [name if safe.count(name) == 1 else f"{name}.{i}" for i, name in enumerate(safe)]
    return [out.with_name(f"{out.stem}.{name}{out.suffix}") for name in unique]


def _records(layout: Layout, values: NDArray[np.float32], chroms: list[str]) -> Iterator[Record]:
    """One column as sorted records; a region's last bin is cut at the region's end."""
    places = zip(layout.regions, pairwise(layout.rows), strict=True)
    for region, (first, last) in sorted(places, key=lambda item: (chroms.index(item[0].chrom), item[0].start)):
        whole, rest = divmod(region.width, layout.bin_bp)
        border = region.start + whole * layout.bin_bp
        if whole:
            yield Interval(region.chrom, region.start, border), values[first : first + whole], layout.bin_bp
        if rest:
            yield Interval(region.chrom, border, region.end), values[last - 1 : last], rest
