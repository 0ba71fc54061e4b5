"""What `distal score` makes of finished score files; knows where the files of each format lie."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import say

if TYPE_CHECKING:
    from distal.io.variants import Source
    from distal.scoring.components import Components
    from distal.scoring.run import Summary

_CELLS = 1 << 20
"""Scores of one matrix that are in memory at once."""


def write(
    out: Path, formats: Collection[str], source: Source, summary: Summary, components: Components | None
) -> Iterator[Path]:
    """Write what is made of the scores in `out`, and name every file of the run.

    `components` are those given; without any, tsv and vep fit them to the scores in `out`.
    """
    from distal.scoring import annotation, vep
    from distal.scoring.components import write_tables
    from distal.scoring.run import score_file

    scores = [score_file(out, chrom) for chrom in summary.chromosomes]
    yield from scores
    if components is None and scores and {"tsv", "vep"} & set(formats):
        components = _fitted(out, _first_score(scores[0]))
    if "tsv" in formats and components is not None:
        yield from (out / "pcs" / f"{chrom}.tsv.gz" for chrom in write_tables(out, components))
    if "parquet" in formats:
        yield from _parquet(scores, out / "parquet")
    if "vcf" in formats:
        annotation.annotate(source.path, out, summary.facts["formulas"], out / "annotated.vcf.gz", components)
        yield out / "annotated.vcf.gz"
    if "vep" in formats and components is not None:
        vep.write(out, components, out / "vep.vcf.gz")
        yield out / "vep.vcf.gz"
    yield out / "summary.json"


def _first_score(path: Path) -> str:
    """The score that components are fitted to: SAD where it is there."""
    from distal.io.scores import Scores

    with Scores(path) as opened:
        return "SAD" if "SAD" in opened.scores else opened.scores[0]


def _fitted(out: Path, score: str) -> Components | None:
    """Components of this run's own scores, saved beside them; None, and said so, where there are too few."""
    from distal.scoring.components import TooFewVariantsError, fit

    try:
        components = fit([out], score)
    except TooFewVariantsError as error:
        say(f"score: no components are written: {error}")
        return None
    (out / "pcs").mkdir(exist_ok=True)
    components.save(out / "pcs" / "components.safetensors")
    return components


def _parquet(scores: Sequence[Path], folder: Path) -> Iterator[Path]:
    from distal.io.score_tables import write_gene_parquet, write_parquet
    from distal.io.scores import Scores

    folder.mkdir(exist_ok=True)
    for path in scores:
        with Scores(path) as opened:
            rows = max(1, _CELLS // len(opened.table))
            if opened.scores:
                target = folder / f"{path.stem}.parquet"
                write_parquet(target, opened.table, opened.scores, opened.blocks(rows, opened.scores))
                yield target
            if opened.gene_scores:
                target = folder / f"{path.stem}.genes.parquet"
                write_gene_parquet(target, opened.table, opened.gene_scores, opened.blocks(rows, opened.gene_scores))
                yield target


def top_tracks(out: Path, summary: Summary, count: int) -> Iterator[dict[str, Any]]:
    """The tracks that each variant changes most, going by the absolute value of the first score; for a few variants.

    A variant without scores has one line, without a track.
    """
    import numpy as np

    from distal.io.scores import Scores
    from distal.scoring.run import score_file

    for chrom in summary.chromosomes:
        with Scores(score_file(out, chrom)) as opened:
            names = [name for name in summary.facts["formulas"] if name in opened.scores]
            block, table = opened.read(slice(None), opened.scores), opened.table
        for i, row in enumerate(block.rows):
            about = {"variant": f"{row.chrom}:{row.pos}:{row.ref}>{row.alt}", "status": row.status}
            values = {name: matrix[i].astype(np.float64) for name, matrix in block.values.items()}
            if not names or np.isnan(values[names[0]]).any():
                yield {**about, "track": None, "description": None, **dict.fromkeys(values)}
                continue
            for column in np.argsort(-np.abs(values[names[0]]), kind="stable")[:count].tolist():
                track = table.rows[column]
                numbers = {name: float(value[column]) for name, value in values.items()}
                yield {**about, "track": track.name, "description": track.description, **numbers}
