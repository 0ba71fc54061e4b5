"""`distal eval cagi5`: the terminal's side of the benchmark; knows options, no model."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress, say
from distal.cli.options import BothStrands, Device, Head, Json, Model, Precision, Shifts
from distal.errors import InputError


def cagi5(
    *,
    model: Model,
    data: Path,
    fasta: tuple[Path, ...] = (),
    islands: Path | None = None,
    elements: tuple[str, ...] = (),
    rc: BothStrands = False,
    shifts: Shifts = (0,),
    own_windows: bool = False,
    untrained: bool = False,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """CAGI5's saturation mutagenesis of 15 promoters and enhancers: predicted against measured effects.

    Two protocols: Enformer's, training-free (first component of matched CAGE and DNase tracks) and trained (a LASSO
    per element, on blocks of positions that it has not seen); and Karollus', for CAGE and for DNase. Pearson's r and
    Spearman's rho with the measured effect, AUROC and AUPRC of finding the variants with an effect (Confidence >= 0.1),
    each with its 95 % bootstrap interval over positions.

    With --rc --shifts -43,0,43 --own-windows Karollus' protocol is that of the article. Data: the CAGI5 challenge
    "Regulation saturation" (genomeinterpretation.org) or Kircher et al. 2019, hg19; nothing is downloaded.

    Parameters
    ----------
    data
        The release: the challenge's workbook, or a folder of release_ELEMENT.tsv files.
    fasta
        Genomes (hg19) to read the elements' surroundings from, looked in one after the other; may be given repeatedly.
    islands
        FASTA of the elements alone, its headers with places such as chr11:5248252-5248438, for those whose
        surroundings no genome has; N stands around them, and their rows say so.
    elements
        Some of the elements; all when left out.
    own_windows
        Read each variant at the middle of a window of its own; otherwise an element's variants share the one around it.
    untrained
        Leave the LASSO out, which needs scikit-learn.
    """
    from distal.evals import cagi5 as benchmark
    from distal.evals.cases import table
    from distal.incremental import Incremental
    from distal.io.fasta import Genome
    from distal.io.islands import Patchwork, read
    from distal.predictor import load

    releases = benchmark.read(data)
    names = [release.element for release in releases]
    for wanted in elements:
        if wanted not in names:
            raise InputError(f"{data} has no element {wanted!r}; it has {', '.join(names)}")
    chosen = [release for release in releases if not elements or release.element in elements]
    bases = Patchwork([Genome(path) for path in fasta], () if islands is None else read(islands))
    through = Incremental(load(model, head, device, precision))
    protocol = benchmark.Protocol(rc, shifts, own_windows, lasso=not untrained)
    found = []
    with progress("cagi5", sum(len(release.variants) for release in chosen), "variants") as advance:
        for release in chosen:
            found += benchmark.cases(through, bases, release, protocol, advance)
    found += benchmark.means(found)
    say(f"{through.predictor.spec.name}, {head}: {len(chosen)} elements")
    emit(table(found), json)
