"""`distal pcs`: components of scores that were written before; knows options and file names only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import emit, progress
from distal.cli.options import Json

if TYPE_CHECKING:
    from distal.scoring.components import Components


def fit(
    scores: list[Path],
    /,
    *,
    out: Path,
    score: str = "SAD",
    components: int = 20,
    workers: int = 1,
    json: Json = False,
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
    workers
        Processes that share the files.
    """
    from distal.engine import LocalEngine
    from distal.errors import InputError
    from distal.scoring.components import fit as fit_components

    if out.suffix != ".safetensors" or not out.parent.is_dir():
        raise InputError(f"{out} must be a name that ends in .safetensors, in a folder that is there")
    with progress("pcs fit", None, "rows read") as advance:
        fitted = fit_components(scores, score, components, LocalEngine(workers), advance)
    fitted.save(out)
    result = {
        "file": str(out),
        "score": fitted.score,
        "variants": fitted.variants,
        "tracks": len(fitted.tracks),
        "explained_variance": fitted.variance.tolist(),
        "explained_variance_ratio": fitted.ratios.tolist(),
    }
    emit(result, json)


def apply(scores: Path, /, *, pcs: Path, json: Json = False) -> None:
    """Turn the scores of a folder into components: pcs/<chromosome>.tsv.gz in it, tabix-indexed.

    Parameters
    ----------
    scores
        A folder that `distal score` wrote.
    pcs
        A transform that `distal pcs fit` wrote, fitted on the same tracks.
    """
    from distal.errors import InputError
    from distal.scoring.components import Components, write_tables

    if not scores.is_dir():
        raise InputError(f"{scores} is not a folder; give one that `distal score` wrote")
    written = write_tables(scores, Components.load(pcs))
    emit([{"file": str(scores / "pcs" / f"{name}.tsv.gz"), "variants": rows} for name, rows in written.items()], json)


def info(pcs: Path, /, *, top: int = 5, json: Json = False) -> None:
    """Show what components are: how much of the variance each explains, and the tracks that weigh most in it.

    The variance is that of the scaled scores. A loading is a track's weight in the component, between -1 and 1; the
    largest one of each component is positive.

    Parameters
    ----------
    pcs
        A transform that `distal pcs fit` wrote.
    top
        How many tracks of each component.
    """
    from distal.errors import InputError
    from distal.scoring.components import Components

    if top < 0:
        raise InputError(f"{top} tracks cannot be shown; give 0 or more")
    loaded = Components.load(pcs)
    facts = {"score": loaded.score, "variants": loaded.variants, "tracks": len(loaded.tracks)}
    emit({**facts, "components": [_component(loaded, i, top, json) for i in range(len(loaded.names))]}, json)


def _component(components: Components, i: int, top: int, json: bool) -> dict[str, Any]:
    """A component as JSON values, or with its tracks in one cell of a table."""
    tracks = [
        {"track": components.tracks[track], "description": components.labels[track], "loading": loading}
        for track, loading in components.top(i, top)
    ]
    row = {"component": components.names[i], "variance": float(components.variance[i])}
    row["ratio"] = float(components.ratios[i])
    line = "; ".join(f"{track['loading']:+.3f} {track['track']} {track['description']}".rstrip() for track in tracks)
    return {**row, "top": tracks if json else line}
