"""`distal ism`: in-silico mutagenesis of a region into HDF5, and a picture of it; knows options, no model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from distal.cli.console import command_line, emit, progress
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Precision, TrackQuery
from distal.coords import Interval
from distal.errors import InputError

PICTURES = (".png", ".svg", ".pdf")


def ism(
    *,
    model: Model,
    fasta: Fasta,
    region: str,
    out: Path,
    tracks: TrackQuery = "",
    target: str = "",
    statistic: Literal["log2_fold", "difference"] = "log2_fold",
    deletions: bool = False,
    figure: Path | None = None,
    report: Path | None = None,
    rc: BothStrands = False,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    full_forward: bool = False,
    json: Json = False,
) -> None:
    """In-silico mutagenesis: replace every base of a region by each of the other three, and see what changes.

    All sequences are read in the one window that is centred on the region. The model's output is summed over the bins
    that touch the target; the effect of a substitution is how that sum changes. A deletion is compared with the
    reference over the same bases, so that it is nothing where the model sees no difference.

    Parameters
    ----------
    region
        Such as chr20:42,984,160-42,984,444 (counted from 1, both ends included).
    out
        X.h5: the effect of each substitution, and deletion, on each track.
    target
        Where to read the output, a region; the mutated region and two bins on either side when left out.
    statistic
        log2_fold: log2 of the ratio of the sums, 1 added to both; difference: of the sums.
    deletions
        Take every base out, too; each deletion is read in four phases of the bins, so it takes as long as four mutants.
    figure
        X.png, X.svg or X.pdf: logo and heat map, averaged over the tracks.
    report
        X.html: one page that opens from disk, with that figure and the edits that change most.
    full_forward
        A pass of its own for every sequence, which is slow, to check the default: that computes what a mutant changes.
    """
    from distal.incremental import FullForward, Incremental
    from distal.interpret import attribution
    from distal.io import mutagenesis
    from distal.io.fasta import Genome
    from distal.predictor import load

    started = time.monotonic()
    _check_names(out, figure, report)
    predictor, genome = load(model, head, device, precision), Genome(fasta)
    aim = Interval.from_ucsc(target) if target else None
    objective = attribution.Objective(tracks, aim, attribution.STATISTICS[statistic])
    where = Interval.from_ucsc(region)
    substitutions, taken_out = attribution.substitutions(genome.codes(where)), where.width if deletions else 0
    through = FullForward(predictor) if full_forward else Incremental(predictor)
    with progress("ism", substitutions + taken_out, "mutants") as advance:
        result = attribution.ism(through, genome, where, objective, rc, deletions, advance)
    facts = {**predictor.facts(genome), "formula": result.formula, "rc": rc, "command": command_line()}
    facts["full_forward"] = full_forward
    if deletions:
        facts["deletion_shifts"] = ",".join(map(str, attribution.PHASES))
    content = mutagenesis.Mutagenesis(
        result.values, result.codes, result.interval, result.target, result.table, facts, result.deletions
    )
    mutagenesis.write(out, content)
    if figure is not None:
        from distal import plots
        from distal.plots import findings

        plots.save(findings.mutagenesis(result, predictor.spec.name), figure)
    if report is not None:
        from distal.web.reports import bases

        bases.mutagenesis(report, result, predictor.spec.name, facts)
    emit(
        {
            "files": [str(path) for path in (out, figure, report) if path is not None],
            "substitutions": substitutions,
            "deletions": taken_out,
            "tracks": len(result.table),
            "target": result.target.to_ucsc(),
            "formula": result.formula,
            "seconds": round(time.monotonic() - started, 2),
        },
        json,
    )


def _check_names(out: Path, figure: Path | None, report: Path | None) -> None:
    if out.suffix not in (".h5", ".hdf5"):
        raise InputError(f"{out}: the name must end in .h5")
    if figure is not None and figure.suffix not in PICTURES:
        raise InputError(f"{figure}: the name must end in {', '.join(PICTURES)}")
    if report is not None and report.suffix != ".html":
        raise InputError(f"{report}: the name must end in .html")
    for path in (out, figure, report):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder; make it first")
