"""`distal contributions`: what every base contributes to a prediction, into files and a picture; knows options."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from distal.cli.console import command_line, emit, progress, say
from distal.cli.ism import PICTURES
from distal.cli.options import BothStrands, Device, Fasta, Head, Json, Model, Shifts, TrackQuery
from distal.coords import Interval
from distal.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from distal.interpret.contributions import Contributions, Locus
    from distal.interpret.contributions import Method as Answered
    from distal.io.fasta import Genome
    from distal.predictor import Predictor

Method = Literal["grad", "grad-centred", "ig", "ism", "attention"]


def contributions(
    *,
    model: Model,
    fasta: Fasta,
    target: str,
    out: Path,
    method: Method = "grad",
    region: str = "",
    tracks: TrackQuery = "",
    baseline: Literal["uniform", "zero"] = "uniform",
    steps: int = 201,
    bigwig: Path | None = None,
    figure: Path | None = None,
    report: Path | None = None,
    rc: BothStrands = False,
    shifts: Shifts = (0,),
    head: Head = "human",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """What every base contributes to a prediction: gradients, mutagenesis, or where the model looks.

    The window that is read is centred on the target. The prediction is summed over the bins that touch the target and
    averaged over the tracks; contributions are to that one number, in its unit. They are computed in float32.

    Parameters
    ----------
    target
        Where to read the output, such as a gene's start site chr20:42,984,341-42,984,341 (counted from 1, both ends
        included).
    out
        X.h5: each base's contribution, and what the other letters would contribute there.
    method
        grad: gradient x input, one pass. grad-centred: the gradient minus its mean over the four letters. ig:
        integrated gradients, which sum to the prediction's difference from the baseline's; as many passes as that
        takes. ism: minus the mean effect of replacing the base; three predictions a base. attention: where the
        transformer looks from the target.
    region
        Which bases to report, all that the model reads when left out; ism needs it.
    baseline
        Where integrated gradients start: uniform, every letter equally likely; zero, no letter.
    steps
        The most gradients that integrated gradients take.
    bigwig
        X.bw: the contributions along the genome; of attention its mean over heads and layers.
    figure
        X.png, X.svg or X.pdf: the whole region, and its most important places letter by letter.
    report
        X.html: one page that opens from disk, with that figure and the strongest places.
    """
    from distal.interpret import contributions as ask
    from distal.io.fasta import Genome
    from distal.predictor import load

    started = time.monotonic()
    files = _Files(out, bigwig, figure, report)
    _check(files, method, region, shifts)
    predictor, genome = load(model, head, device), Genome(fasta)
    asked = ask.locus(
        predictor, genome, Interval.from_ucsc(target), tracks, Interval.from_ucsc(region) if region else None
    )
    facts = {**predictor.facts(genome), "method": method, "rc": rc, "shifts": ",".join(map(str, shifts))}
    facts |= {"tracks": tracks, "command": command_line()}
    if method == "attention":
        summary = _attention(predictor, genome, asked, files, facts, (rc, shifts))
    else:
        found = _found(predictor, genome, asked, method, baseline, steps, (rc, shifts))
        summary = _write(found, genome, files, facts, predictor.spec.name)
    seconds = round(time.monotonic() - started, 2)
    written = [str(path) for path in files if path is not None]
    emit({"files": written, "method": method, "target": asked.target.to_ucsc(), **summary, "seconds": seconds}, json)


class _Files(NamedTuple):
    """What is written; None is not asked for."""

    out: Path
    bigwig: Path | None
    figure: Path | None
    report: Path | None


Ways = tuple[bool, tuple[int, ...]]
"""Both strands or one, and the shifts."""


def _found(
    predictor: Predictor, genome: Genome, asked: Locus, method: Answered, baseline: str, steps: int, ways: Ways
) -> Contributions:
    from distal.interpret import contributions as ask
    from distal.interpret.integrated import GAP

    if method in ("grad", "grad-centred"):
        return ask.answer(predictor, genome, asked, method, *ways)
    unit = "mutants" if method == "ism" else "gradients at most"
    with progress(method, ask.steps(asked, method, steps), unit) as advance:
        found = ask.answer(predictor, genome, asked, method, *ways, baseline, steps, advance)
    if float(found.facts.get("gap", 0)) > GAP:
        say(f"contributions sum to the difference within {found.facts['gap']:.1%} only; give more --steps")
    return found


def _write(found: Contributions, genome: Genome, files: _Files, facts: dict[str, Any], model: str) -> dict[str, Any]:
    """The files of contributions, and what is printed of them."""
    from distal.io import bigwig, contributions

    values = found.actual()
    said = {"value": found.value, "formula": found.formula, **found.facts}
    content = contributions.Stored(
        values, found.hypothetical, found.codes, found.interval, found.target, found.table, {**facts, **said}
    )
    contributions.write(files.out, content)
    if files.bigwig is not None:
        bigwig.write(files.bigwig, genome.sizes, [(found.interval, values, 1)])
    if files.figure is not None:
        from distal import plots
        from distal.plots import findings

        plots.save(findings.contributions(found, model), files.figure)
    if files.report is not None:
        from distal.web.reports import bases

        bases.contributions(files.report, found, model, {**facts, **found.facts})
    return {"bases": len(values), "tracks": len(found.table), **said, "sum": float(values.sum(dtype=float))}


def _attention(
    predictor: Predictor, genome: Genome, asked: Locus, files: _Files, facts: dict[str, Any], ways: Ways
) -> dict[str, Any]:
    """The files of attention, and what is printed of it."""
    from distal.interpret.attention import attention
    from distal.io import bigwig, contributions

    found = attention(predictor, asked.codes, asked.mask.bins, *ways)
    mean = found.mean()
    formula = "attention weights from the target's bins, mean over heads and layers"
    said: dict[str, Any] = {"formula": formula, "position_bp": found.position_bp}
    stored = contributions.StoredAttention(
        found.weights, mean, found.rollout, asked.read, asked.target, {**facts, **said}
    )
    contributions.write_attention(files.out, stored)
    if files.bigwig is not None:
        bigwig.write(files.bigwig, genome.sizes, [_inside(asked.read, mean, found.position_bp, genome)])
    if files.figure is not None:
        from distal import plots
        from distal.plots import findings

        plots.save(findings.attention(found, asked, predictor.spec.name), files.figure)
    if files.report is not None:
        from distal.web.reports import bases

        bases.attention(files.report, found, asked, predictor.spec.name, facts)
    layers, heads, positions = found.weights.shape
    return {"layers": layers, "heads": heads, "positions": positions, **said}


def _inside(
    whole: Interval, values: NDArray[np.float32], bin_bp: int, genome: Genome
) -> tuple[Interval, NDArray[np.float32], int]:
    """The positions that lie on the chromosome from end to end, as one record of a bigWig."""
    first = max(0, -(whole.start // bin_bp))
    last = (min(whole.end, genome.sizes[whole.chrom]) - whole.start) // bin_bp
    start = whole.start + first * bin_bp
    return Interval(whole.chrom, start, start + (last - first) * bin_bp), values[first:last], bin_bp


def _check(files: _Files, method: str, region: str, shifts: Sequence[int]) -> None:
    endings = ((".h5", ".hdf5"), (".bw", ".bigWig", ".bigwig"), PICTURES, (".html",))
    for path, known in zip(files, endings, strict=True):
        if path is not None and path.suffix not in known:
            raise InputError(f"{path}: the name must end in {', '.join(known)}")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder; make it first")
    if method == "ism" and not region:
        raise InputError("ism predicts every substitution; say of which bases with --region")
    if method == "ism" and tuple(shifts) != (0,):
        raise InputError("ism reads sequences where they are; leave --shifts out, or ask for another method")
    if method == "attention" and region:
        raise InputError("attention is of the whole window; leave --region out")
