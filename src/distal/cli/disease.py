"""`distal disease`: what variant scores say of a trait; knows options and files only."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from distal.cli.console import emit
from distal.cli.options import Json, TrackQuery


def annot(
    *,
    scores: Path,
    out: Path,
    kind: Literal["signed", "size", "top"] = "signed",
    score: str = "SAD",
    tracks: TrackQuery = "",
    pcs: Path | None = None,
    bim: str = "",
    top: float = 0.01,
    json: Json = False,
) -> None:
    """Write scores as annotations for SLDP (<chromosome>.sannot.gz) or LDSC (<chromosome>.annot.gz).

    A column for each track, or for each component with --pcs. SLDP's carry a sign: they are of A1 against A2. LDSC's
    have none: the size of a score, or 1 for the largest and 0 for the rest. Pass --out, with a slash behind it, to
    `sldp --sannot-chr` or to `ldsc.py --annot` and --ref-ld-chr.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote, or score files of others, on the panel's genome build.
    out
        Folder for the files.
    kind
        signed (for SLDP); size or top (for LDSC).
    score
        The score to write.
    pcs
        Components to write in place of tracks: X.safetensors, from `distal pcs fit`.
    bim
        The reference panel's .bim, with @ for the chromosome's number (1000G.EUR.QC.@.bim): a row for each of its
        variants in its order, as LDSC needs, 0 where there is no score. Without it, a row for each scored variant.
    top
        With --kind top: the share of the variants that get 1.
    """
    from distal.errors import InputError
    from distal.scoring import heritability
    from distal.scoring.components import Components

    if pcs is not None and tracks:
        raise InputError("give --tracks or --pcs, not both; components are made of all tracks")
    chosen = (
        heritability.by_track(scores, score, tracks) if pcs is None else heritability.by_component(Components.load(pcs))
    )
    if kind == "signed":
        written = heritability.write_signed(scores, out, chosen, bim)
    else:
        sized = heritability.sizes(chosen) if kind == "size" else heritability.largest(chosen, scores, top)
        written = heritability.write_sizes(scores, out, sized, bim)
    emit({"annotations": len(chosen.names), "score": chosen.score, "files": [asdict(each) for each in written]}, json)
