"""Variant scores as tables for other programs: TSV and VCF with an index, long Parquet; computes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distal.files import replacing
from distal.io.scores import Block, GeneScores, ScoreRow
from distal.tracks import TrackTable

if TYPE_CHECKING:
    import polars as pl

Columns = Iterable[tuple[Sequence[ScoreRow], NDArray[Any]]]
"""Rows and what stands in the columns beside them, [rows, columns]."""

_TBI_END = 1 << 29
_TSV = {"seq_col": 0, "start_col": 1, "end_col": 1, "meta_char": "#", "zerobased": False}
_VCF = {"preset": "vcf"}
_VEP_LAST = ("SAD", "SAR")


def write_tsv(path: Path, names: Sequence[str], blocks: Columns) -> int:
    """Write ``#CHROM POS ID REF ALT`` and the columns `names`, bgzipped, with a tabix index beside it.

    `blocks` gives rows sorted by POS (1-based), each chromosome in one piece, with numbers, which are written with six
    digits, or texts. Returns the number of rows. The index is .tbi, or .csi where a position lies beyond 2^29.
    """
    header = ("#CHROM", "POS", "ID", "REF", "ALT", *names)
    lines = (
        (row, (row.chrom, str(row.pos), row.name, row.ref, row.alt, *map(_cell, cells)))
        for row, cells in _in_order(blocks, path)
    )
    return _write(path, ["\t".join(header)], lines, _TSV)


def write_vep(path: Path, names: Sequence[str], blocks: Columns) -> int:
    """Write a VCF without samples that the Enformer plugin of Ensembl's VEP reads, bgzipped, with a tabix index.

    INFO has the numbers of `names`, in that order; the plugin takes for components all that stands before SAD, then SAD
    and SAR, so they are the last two. Chromosomes are written with ``chr``, which the plugin takes off again. `blocks`
    is as for `write_tsv`; a row with NaN has no line, as the plugin knows no missing numbers. Returns the number of
    lines.

    Source: `parse_data` in https://github.com/Ensembl/VEP_plugins/blob/main/Enformer.pm
    """
    if tuple(names[-2:]) != _VEP_LAST or any("SAD" in name for name in names[:-2]):
        raise ValueError(f"the columns {', '.join(names)} must end with SAD and SAR, and no other may contain SAD")
    header = ["##fileformat=VCFv4.3"]
    header += [f'##INFO=<ID={name},Number=1,Type=Float,Description="{_about(name)}">' for name in names]
    header.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    info = ";".join(f"{name}=%.6g" for name in names)
    lines = (
        (row, (row.chrom, str(row.pos), row.name, row.ref, row.alt, ".", ".", info % tuple(cells)))
        for row, cells in _in_order(((_with_chr(rows), values) for rows, values in blocks), path)
        if not any(map(math.isnan, cells))
    )
    return _write(path, header, lines, _VCF)


def _with_chr(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    return [row if row.chrom.startswith("chr") else row._replace(chrom=f"chr{row.chrom}") for row in rows]


def _about(name: str) -> str:
    return f"Score {name}, ALT against REF" if name in _VEP_LAST else "Component of the scores over all tracks"


def _cell(cell: Any) -> str:
    return cell if isinstance(cell, str) else f"{cell:.6g}"


def _in_order(blocks: Columns, path: Path) -> Iterator[tuple[ScoreRow, list[Any]]]:
    """The rows one by one, checked to be sorted."""
    last, seen = ("", 0), set[str]()
    for rows, values in blocks:
        for row, cells in zip(rows, values.tolist(), strict=True):
            if row.pos < last[1] if row.chrom == last[0] else row.chrom in seen:
                raise ValueError(f"{path}: {row.chrom}:{row.pos} comes after {last[0]}:{last[1]}; rows must be sorted")
            last = row[:2]
            seen.add(row.chrom)
            yield row, cells


def _write(
    path: Path, header: Iterable[str], lines: Iterable[tuple[ScoreRow, Sequence[str]]], columns: Mapping[str, Any]
) -> int:
    """Write the lines, and an index that goes by `columns`; returns how many lines there are."""
    import pysam

    count, end = 0, 0
    with replacing(path) as temporary:
        with pysam.BGZFile(str(temporary), "wb", None) as file:
            file.write("".join(f"{line}\n" for line in header).encode())
            for row, cells in lines:
                file.write(("\t".join(cells) + "\n").encode("utf-8", "surrogateescape"))
                count, end = count + 1, max(end, row.pos + len(row.ref) - 1)
        _index(temporary, path, {**columns, "csi": end > _TBI_END})
    return count


def _index(made: Path, final: Path, options: Mapping[str, Any]) -> None:
    """Index `made` under the name of `final`, after clearing `final` away: no index ever lies beside other data."""
    import pysam

    pysam.tabix_index(str(made), force=True, **options)
    suffix = ".csi" if options["csi"] else ".tbi"
    for stale in ("", ".csi", ".tbi"):
        Path(f"{final}{stale}").unlink(missing_ok=True)
    Path(f"{made}{suffix}").replace(f"{final}{suffix}")


def write_parquet(path: Path, table: TrackTable, scores: Sequence[str], blocks: Iterable[Block]) -> None:
    """Write a row per variant and track: chrom, pos (1-based), id, ref, alt, status, track, and a column per score.

    A variant that was not scored has one row, without track or scores. Parquet's texts are UTF-8: what is none in the
    VCF becomes U+FFFD. Memory is that of one block.
    """
    import polars as pl

    identity = {**_variant_schema(), "status": pl.String}
    _sink(path, identity, scores, (_by_track(_variants(block.rows), block.values, table) for block in blocks))


def write_gene_parquet(path: Path, table: TrackTable, scores: Sequence[str], blocks: Iterable[Block]) -> None:
    """Write a row per variant, gene and track, for scores on genes (`scores` names some of them).

    Columns: chrom, pos (1-based), id, ref, alt, gene_id, gene_name, strand, tss_distance (bases, positive downstream of
    the TSS), track, and one per score. Memory is that of one block.
    """
    import polars as pl

    genes = {"gene_id": pl.String, "gene_name": pl.String, "strand": pl.String, "tss_distance": pl.Int32}
    frames = (
        _by_track(_entries(block.rows, block.genes, genes), {name: block.genes.values[name] for name in scores}, table)
        for block in blocks
        if block.genes is not None
    )
    _sink(path, {**_variant_schema(), **genes}, scores, frames)


def _variant_schema() -> dict[str, Any]:
    import polars as pl

    return {"chrom": pl.String, "pos": pl.UInt32, "id": pl.String, "ref": pl.String, "alt": pl.String}


def _variants(rows: Sequence[ScoreRow]) -> pl.DataFrame:
    import polars as pl

    return _frame(rows, {**_variant_schema(), "status": pl.String})


def _frame(rows: Sequence[tuple[Any, ...]], schema: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    columns = zip(schema, zip(*rows, strict=True), strict=bool(rows))
    return pl.DataFrame({name: [_utf8(cell) for cell in cells] for name, cells in columns}, schema=schema)


def _entries(rows: Sequence[ScoreRow], scores: GeneScores, genes: Mapping[str, Any]) -> pl.DataFrame:
    """The variant and the gene, in the columns `genes`, of each entry."""
    return _variants(rows).drop("status")[scores.rows].hstack(_frame(scores.genes, genes))


def _utf8(cell: Any) -> Any:
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(cell, str) else cell


def _by_track(identity: pl.DataFrame, values: Mapping[str, NDArray[Any]], table: TrackTable) -> pl.DataFrame:
    """Each row of `identity` once for every track, or once where it has no scores at all."""
    import polars as pl

    scored = ~np.all([np.isnan(matrix).all(axis=1) for matrix in values.values()], axis=0)
    counts = np.where(scored, len(table), 1)
    row = np.repeat(np.arange(len(counts)), counts)
    column = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    tracks = pl.Series("track", table.names, pl.String)[column].set(pl.Series(~scored[row]), None)
    numbers = [pl.Series(name, matrix[row, column].astype(np.float32)) for name, matrix in values.items()]
    return identity[row].hstack([tracks, *(number.fill_nan(None) for number in numbers)])


def _sink(path: Path, identity: Mapping[str, Any], scores: Sequence[str], frames: Iterable[pl.DataFrame]) -> None:
    import polars as pl
    from polars.io.plugins import register_io_source

    schema = pl.Schema({**identity, "track": pl.String, **dict.fromkeys(scores, pl.Float32)})

    def source(columns: Any, predicate: Any, limit: Any, size: Any) -> Iterator[pl.DataFrame]:
        yield from (frame.select(schema.names()) for frame in frames)

    with replacing(path) as temporary:
        register_io_source(source, schema=schema).sink_parquet(temporary)
