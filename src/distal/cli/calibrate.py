"""`distal calibrate`: scores as quantiles of a null of common variants; knows options and file names only."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit, progress
from distal.cli.options import Json


def build(
    scored: list[Path],
    /,
    *,
    out: Path,
    name: str,
    scores: str = "SAD,SAR",
    genes: Path | None = None,
    json: Json = False,
) -> None:
    """Make a null of the scores of common variants: how large they are, track by track.

    With genes the null has strata by the distance to the nearest TSS: below 1 kb, to 10, to 50, to 200 kb, and beyond;
    one with fewer than 100 variants is left to all variants together.

    Parameters
    ----------
    scored
        Folders that `distal score` wrote for common variants, or score files (also DeepMind's and Basenji's).
    out
        N.safetensors: the null, for `distal calibrate apply`.
    name
        What to call it in the files that it is applied to, such as "1000G phase 3, MAF > 0.5 %".
    scores
        Which scores, separated by commas.
    genes
        GTF, GFF3 or BED of start sites, in the genome that was scored.
    """
    from distal.errors import InputError
    from distal.io.genes import Genes
    from distal.scoring.calibration import build as build_null

    if out.suffix != ".safetensors" or not out.parent.is_dir():
        raise InputError(f"{out} must be a name that ends in .safetensors, in a folder that is there")
    annotation = None if genes is None else Genes.read(genes)
    with progress("calibrate build", None, "rows read") as advance:
        null = build_null(scored, _names(scores), annotation, name, advance)
    null.save(out)
    emit({"file": str(out), **null.facts()}, json)


def apply(scored: Path, /, *, null: Path, scores: str = "", genes: Path | None = None, json: Json = False) -> None:
    """Write SAD_quantile beside SAD, and so on: sign(s) x share of the null with a smaller |s| in the same track.

    Never more than n / (n + 1), where n is the number of variants in the null. The matrices go into the score files
    themselves, with the null's name and size as attributes; those of an earlier null are replaced.

    Parameters
    ----------
    scored
        A folder that `distal score` wrote, or a score file.
    null
        What `distal calibrate build` wrote for the same model and tracks.
    scores
        Which scores, separated by commas; all that the null has when left out.
    genes
        The annotation that the null was built with; without it every variant is compared with the whole null.
    """
    from distal.io.genes import Genes
    from distal.scoring.calibration import Null
    from distal.scoring.calibration import apply as apply_null

    loaded = Null.load(null)
    wanted = _names(scores) if scores else list(loaded.references)
    annotation = None if genes is None else Genes.read(genes)
    with progress("calibrate apply", None, "rows") as advance:
        written = apply_null(scored, loaded, annotation, wanted, advance)
    added = [f"{score}_quantile" for score in wanted]
    emit([{"file": str(path), "variants": rows, "added": added} for path, rows in written], json)


def info(null: Path, /, *, json: Json = False) -> None:
    """Show what a null is made of: its strata, how many variants each has, and the largest quantile it can give.

    Parameters
    ----------
    null
        What `distal calibrate build` wrote.
    """
    from distal.scoring.calibration import Null

    emit(Null.load(null).facts(), json)


def _names(scores: str) -> list[str]:
    return [name.strip() for name in scores.split(",")]
