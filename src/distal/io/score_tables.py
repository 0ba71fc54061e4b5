"""Variant scores as tables for other programs: a tabix-indexed TSV of components, a long Parquet; computes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal.files import replacing
from distal.io.scores import Block, ScoreRow
from distal.tracks import TrackTable

if TYPE_CHECKING:
    import polars as pl

_TBI_END = 1 << 29


def write_tsv(path: Path, names: Sequence[str], blocks: Iterable[tuple[Sequence[ScoreRow], NDArray[Any]]]) -> int:
    """Write ``#CHROM POS ID REF ALT`` and the columns `names`, bgzipped, with a tabix index beside it.

    `blocks` gives rows sorted by chromosome and POS (1-based) with their values [rows, names]: numbers, written with six
    digits, or texts.
    Returns the number of rows. The index is .tbi, or .csi where a position lies beyond 2^29.
    """
    import pysam

    count, end = 0, 0
    with replacing(path) as temporary:
        with pysam.BGZFile(str(temporary), "wb", None) as file:
            file.write(_line(("#CHROM", "POS", "ID", "REF", "ALT", *names)))
            for row, cells in _in_order(blocks, path):
                texts = (cell if isinstance(cell, str) else f"{cell:.6g}" for cell in cells)
                file.write(_line((row.chrom, str(row.pos), row.name, row.ref, row.alt, *texts)))
                count, end = count + 1, max(end, row.pos)
        _index(temporary, path, csi=end > _TBI_END)
    return count


def _in_order(
    blocks: Iterable[tuple[Sequence[ScoreRow], NDArray[Any]]], path: Path
) -> Iterator[tuple[ScoreRow, list[Any]]]:
    """The rows one by one, checked to be sorted."""
    last = ("", 0)
    for rows, values in blocks:
        for row, cells in zip(rows, values.tolist(), strict=True):
            if row[:2] < last:
                raise ValueError(f"{path}: {row.chrom}:{row.pos} comes after {last[1]}; rows must be sorted")
            last = row[:2]
            yield row, cells


def _line(cells: Iterable[str]) -> bytes:
    return ("\t".join(cells) + "\n").encode("utf-8", "surrogateescape")


def _index(made: Path, final: Path, csi: bool) -> None:
    """Index `made` under the name of `final`, after clearing `final` away: no index ever lies beside other data."""
    import pysam

    pysam.tabix_index(str(made), force=True, seq_col=0, start_col=1, end_col=1, meta_char="#", zerobased=False, csi=csi)
    suffix = ".csi" if csi else ".tbi"
    for stale in ("", ".csi", ".tbi"):
        Path(f"{final}{stale}").unlink(missing_ok=True)
    Path(f"{made}{suffix}").replace(f"{final}{suffix}")


def write_parquet(path: Path, table: TrackTable, scores: Sequence[str], blocks: Iterable[Block]) -> None:
    """Write a row per variant and track: chrom, pos (1-based), id, ref, alt, status, track, and a column per score.

    A variant that was not scored has one row, without track or scores. Memory is that of one block.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    schema = pl.Schema(
        {"chrom": pl.String, "pos": pl.UInt32, "id": pl.String, "ref": pl.String, "alt": pl.String}
        | {"status": pl.String, "track": pl.String}
        | dict.fromkeys(scores, pl.Float32)
    )

    def source(columns: Any, predicate: Any, limit: Any, size: Any) -> Iterator[pl.DataFrame]:
        yield from (_long(block, table, schema) for block in blocks)

    with replacing(path) as temporary:
        register_io_source(source, schema=schema).sink_parquet(temporary)


def _long(block: Block, table: TrackTable, schema: pl.Schema) -> pl.DataFrame:
    import polars as pl

    scored = np.array([not np.isnan(values).all() for values in next(iter(block.values.values()))])
    repeats = np.where(scored, len(table), 1)
    identity = [row for row, times in zip(block.rows, repeats.tolist(), strict=True) for _ in range(times)]
    columns = dict(zip(list(schema)[:6], zip(*identity, strict=True), strict=True))
    tracks = [name for row in scored for name in (table.names if row else (None,))]
    values = {
        name: np.concatenate([row if kept else row[:1] for row, kept in zip(matrix, scored, strict=True)])
        for name, matrix in block.values.items()
    }
    numbers = {name: pl.Series(cells.astype(np.float32)).fill_nan(None) for name, cells in values.items()}
    return pl.DataFrame({**columns, "track": tracks, **numbers}, schema=schema)
