"""`distal pcs fit` and `distal pcs apply`: components of scores that were written before; knows options only."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import emit


def fit(
    scores: list[Path],
    /,
    *,
    out: Path,
    score: str = "SAD",
    components: int = 20,
    json: bool = False,
) -> None:
    """Fit principal components to scores, all folders and files together.

    As DeepMind's published ones: each track is scaled by median and interquartile range, projected on the leading
    singular vectors without centring, and each component scaled again. At most as many components as tracks; more
    variants than components are needed.

    Parameters
    ----------
    scores
        Folders that `distal score` wrote, or score files (also DeepMind's and Basenji's).
    out
        X.safetensors: the transform, for `distal pcs apply` and `distal score --pcs`.
    score
        The score to fit to.
    components
        How many.
    json
        Print JSON.
    """
    from distal.errors import InputError
    from distal.scoring.components import fit as fit_components

    if out.suffix != ".safetensors" or not out.parent.is_dir():
        raise InputError(f"{out} must be a name that ends in .safetensors, in a folder that is there")
    fitted = fit_components(scores, score, components)
    fitted.save(out)
    result = {
        "file": str(out),
        "score": fitted.score,
        "variants": fitted.variants,
        "tracks": len(fitted.tracks),
        "explained_variance": fitted.variance.tolist(),
    }
    emit(result, json)


def apply(scores: Path, /, *, pcs: Path, json: bool = False) -> None:
    """Turn the scores of a folder into components: pcs/<chromosome>.tsv.gz in it, tabix-indexed.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote.
    pcs
        A transform that `distal pcs fit` wrote, fitted on the same tracks.
    json
        Print JSON.
    """
    from distal.errors import InputError
    from distal.scoring.components import Components, write_tables

    if not scores.is_dir():
        raise InputError(f"{scores} is not a folder; give one that `distal score` wrote")
    written = write_tables(scores, Components.load(pcs))
    emit([{"file": str(scores / "pcs" / f"{name}.tsv.gz"), "variants": rows} for name, rows in written.items()], json)
