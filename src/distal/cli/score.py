"""`distal score`: a VCF into scores and what is made of them; knows options and file names, no model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from distal.cli.console import SomeFailed, command_line, emit, progress, say
from distal.cli.options import Shifts
from distal.errors import InputError
from distal.files import is_pipe

if TYPE_CHECKING:
    from distal.scoring.components import Components
    from distal.scoring.run import Summary

FORMATS = ("h5", "parquet", "tsv", "vcf")
FileOrStdin = Annotated[Path, Parameter(allow_leading_hyphen=True)]
"""A path, or ``-``."""


def score(
    *,
    model: str,
    fasta: Path,
    vcf: FileOrStdin,
    out: Path,
    scores: str = "SAD,SAR",
    tracks: str = "",
    rc: bool = False,
    shifts: Shifts = (0,),
    formats: str = "h5,tsv",
    pcs: Path | None = None,
    head: str = "human",
    precision: Literal["fp32", "bf16"] = "fp32",
    dtype: Literal["float16", "float32"] = "float16",
    batch_size: int = 4,
    device: str = "cpu",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Score every variant of a VCF: what each ALT allele changes in each track.

    Each ALT allele is an own row with a status; those that cannot be scored (REF is not what the genome has, symbolic
    alleles, ...) are kept, without scores. A run that was stopped goes on when the same command is given again.

    Parameters
    ----------
    model
        A model's name (`distal models list`) or folder.
    fasta
        The genome that the variants were called on: .fa, .fa.gz (bgzip) or .2bit.
    vcf
        The variants: .vcf, .vcf.gz or .bcf; - reads standard input.
    out
        Folder for the results; made if need be.
    scores
        Names separated by commas: SAD, SAR, SADR, SAX, D1, D2, logD2, JS.
    tracks
        Which tracks, such as "assay=DNASE biosample~HepG2"; all when left out.
    rc
        Average both strands.
    shifts
        Average the sequence moved by so many bases, such as -1,0,1.
    formats
        Separated by commas. h5: scores/<chromosome>.h5, always written. tsv: principal components with a tabix index,
        pcs/<chromosome>.tsv.gz. parquet: parquet/<chromosome>.parquet. vcf: annotated.vcf.gz with a tabix index.
    pcs
        Components fitted elsewhere (`distal pcs fit`) for tsv and vcf. Without it tsv fits them to this run's scores.
    head
        Which output head of the model: human, mouse ...
    precision
        fp32, or bf16: three digits, small effects drown; faster only where the hardware has it (`distal doctor`).
    dtype
        How scores are stored; float16 is what the published scores have.
    batch_size
        Windows that go through the model together; a variant has two.
    device
        cpu, cuda, cuda:1, mps.
    dry_run
        Only say how many variants would get which status.
    json
        Print JSON.
    """
    from distal.io import vcf as reader
    from distal.io.fasta import Genome
    from distal.predictor import load
    from distal.scoring.variants import score_variants, tally

    started = time.monotonic()
    wanted = _formats(formats, vcf)
    predictor, genome = load(model, head, device, precision, batch_size), Genome(fasta)
    names = [name.strip() for name in scores.split(",")]
    given = _given(pcs, wanted, predictor.tracks.select(tracks).names, names)
    if dry_run:
        statuses = tally(genome, predictor.window, reader.read(vcf))
        emit({"n_in": sum(statuses.values()), "statuses": statuses}, json)
        return
    count = None if is_pipe(vcf) else sum(1 for _ in reader.read(vcf))  # checks every line before any is scored
    with progress("score", count, "variants") as advance:
        arguments = (predictor, genome, reader.read(vcf), out, names, tracks, rc, shifts, dtype, command_line())
        summary = score_variants(*arguments, advance)
    files = [str(path) for path in _others(wanted, out, vcf, given, summary)]
    result = {"n_in": summary.n_in, "statuses": dict(summary.statuses), "files": files, "out": str(out)}
    emit({**result, "seconds": round(time.monotonic() - started, 2)}, json)
    if failed := summary.statuses["failed"]:
        raise SomeFailed(
            f"{failed} of {summary.n_in} variants failed: the model's answer was not finite; see {files[0]}"
        )


def _formats(text: str, vcf: Path) -> set[str]:
    wanted = {name.strip() for name in text.split(",")}
    if unknown := sorted(wanted - set(FORMATS)):
        raise InputError(f"format {unknown[0]!r} is not known; there are {', '.join(FORMATS)}")
    if "vcf" in wanted and is_pipe(vcf):
        raise InputError(f"{vcf} is no file, and annotating reads the VCF twice; save it to a file or leave vcf out")
    return wanted


def _given(pcs: Path | None, wanted: set[str], tracks: tuple[str, ...], scores: list[str]) -> Components | None:
    """The components of `--pcs`, checked against what will be scored before anything is."""
    from distal.scoring.components import Components

    if pcs is None:
        return None
    if not wanted & {"tsv", "vcf"}:
        raise InputError("--pcs is for the formats tsv and vcf; add one of them to --formats")
    components = Components.load(pcs)
    if components.score not in scores:
        raise InputError(f"{pcs} turns {components.score} into components; add {components.score} to --scores")
    if components.tracks != tracks:
        raise InputError(f"{pcs} was fitted on other tracks than are scored here; choose those with --tracks")
    return components


def _others(wanted: set[str], out: Path, vcf: Path, given: Components | None, summary: Summary) -> Iterator[Path]:
    """Write what is made of the scores, and name every file."""
    from distal.scoring.annotation import annotate
    from distal.scoring.run import score_file

    scores = [score_file(out, chrom) for chrom in summary.chromosomes]
    yield from scores
    components = given
    if "tsv" in wanted and scores:
        components = given or _fitted(out, summary)
        if components is not None:
            yield from component_files(out, components)
    if "parquet" in wanted:
        yield from _parquet(scores, out / "parquet")
    if "vcf" in wanted:
        annotate(vcf, out, summary.facts["formulas"], out / "annotated.vcf.gz", components)
        yield out / "annotated.vcf.gz"
    yield out / "summary.json"


def _fitted(out: Path, summary: Summary) -> Components | None:
    """Components of this run's own scores, saved beside them; None, and said so, where there are too few."""
    from distal.scoring.components import TooFewVariantsError, fit

    scores = list(summary.facts["formulas"])
    try:
        components = fit([out], "SAD" if "SAD" in scores else scores[0])
    except TooFewVariantsError as error:
        say(f"score: no components are written: {error}")
        return None
    (out / "pcs").mkdir(exist_ok=True)
    components.save(out / "pcs" / "components.safetensors")
    return components


def component_files(folder: Path, components: Components) -> list[Path]:
    """Write the components of every chromosome of `folder` and name the files."""
    from distal.scoring.components import write_tables

    return [folder / "pcs" / f"{chrom}.tsv.gz" for chrom in write_tables(folder, components)]


def _parquet(scores: list[Path], folder: Path) -> Iterator[Path]:
    from distal.io.score_tables import write_parquet
    from distal.io.scores import Scores

    folder.mkdir(exist_ok=True)
    for path in scores:
        with Scores(path) as opened:
            rows = max(1, (1 << 20) // len(opened.table))
            target = folder / f"{path.stem}.parquet"
            write_parquet(target, opened.table, opened.scores, opened.blocks(rows))
        yield target
