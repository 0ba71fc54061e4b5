"""`distal models`: list, describe, download and import models; knows nothing of how a model is built or read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from distal.cli.begin import begin
from distal.cli.console import emit, progress, say
from distal.errors import InputError

__all__ = ["begin", "fetch", "import_weights", "info", "list_models"]

if TYPE_CHECKING:
    from distal.models.fetch import Fetched
    from distal.models.sources import Source
    from distal.models.zoo import Spec
    from distal.tracks import TrackTable


def list_models(*, json: bool = False) -> None:
    """The models there are: those that ship with distal, those that were fetched, and those that can be.

    Parameters
    ----------
    json
        Print JSON.
    """
    from distal.models import zoo
    from distal.models.sources import KNOWN

    rows = [_here(name, folder) for name, folder in sorted(zoo.installed().items())]
    taken = {row["name"] for row in rows}
    emit(rows + [_there(source) for name, source in KNOWN.items() if name not in taken], json)


def info(
    model: str, /, *, tracks: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None, json: bool = False
) -> None:
    """One model: geometry, parameters, tracks by assay, licence, provenance, and whether its weights are here.

    Parameters
    ----------
    model
        A name of `distal models list`, or a folder.
    tracks
        List the tracks that match, instead: `--tracks assay=CAGE biosample~liver`; without a query, all of them.
    json
        Print JSON.
    """
    from distal.models import zoo
    from distal.models.sources import KNOWN

    if model in KNOWN and model not in zoo.installed():
        if tracks is not None:
            raise InputError(f"the tracks of {model} are listed once it is here; `distal models fetch {model}`")
        emit(_describe_source(KNOWN[model]), json)
        return
    folder = zoo.find(model)
    spec = zoo.read_spec(folder)
    tables = zoo.read_tables(spec)
    emit(_describe(spec, tables) if tracks is None else _matching(tables, " ".join(tracks)), json)


def fetch(model: str, /, *, json: bool = False) -> None:
    """Download a published model and turn it into a model folder; afterwards `--model NAME` finds it.

    An interrupted download goes on where it stopped, and every file is compared with its published SHA-256.
    DISTAL_CACHE names the folder for it all. DISTAL_MIRROR names a folder or URL with NAME/FILE inside, which is read
    instead of the network.

    Parameters
    ----------
    model
        A name of `distal models list`.
    json
        Print JSON.
    """
    from distal.models.fetch import cache_folder
    from distal.models.sources import KNOWN
    from distal.models.zoo import installed

    if model in installed():
        emit({"model": model, "folder": installed()[model], "was here": True}, json)
        return
    if model not in KNOWN:
        raise InputError(f"no published model is called {model!r}; there are {', '.join(KNOWN)}")
    source = KNOWN[model]
    if not source.importable:
        raise InputError(f"{model} cannot be used: {source.note}")
    downloads = cache_folder() / "downloads" / model
    files = _download(source, downloads)
    folder = _convert(source, downloads, cache_folder() / "models" / model)
    emit({"model": model, "folder": folder, "was here": False, "downloads": downloads, "files": _digests(files)}, json)


def import_weights(
    weights: Path,
    /,
    *,
    out: Path,
    name: str | None = None,
    head_names: list[str] | None = None,
    targets: list[str] | None = None,
    licence: str = "see the source of the weights",
    gelu: Literal["sigmoid", "tanh", "erf"] | None = None,
    crop: int | None = None,
    input_bp: int | None = None,
    params: Path | None = None,
    json: bool = False,
) -> None:
    """Turn published weights on this machine into a model folder that `--model` takes.

    Understands DeepMind's Sonnet checkpoint (its prefix or its .index), enformer-pytorch's weights (.bin,
    .safetensors) and Calico's Keras files (.h5). Nothing in them is executed, and every tensor must be used.

    Parameters
    ----------
    weights
        The file, checkpoint prefix or folder.
    out
        Folder to write; it must not hold a model.
    name
        The model's name; by default that of the folder.
    head_names
        Names for the heads, in the file's order: `--head-names human --head-names mouse`.
    targets
        Track table of a head: `--targets human=targets_human.txt`, once for each head that has one.
    licence
        What the model's card says about its licence.
    gelu
        A Basenji2's activation: sigmoid for Calico's released files, tanh for models trained after April 2022.
    crop
        Bins cut from each side of the output; by default what the file says, or the paper (Enformer 320, Basenji2 64).
    input_bp
        Bases that the model reads; by default what the file says, or the paper.
    params
        params.json of a Borzoi; by default the one beside the weights.
    json
        Print JSON.
    """
    from distal.models import weights as published
    from distal.models import zoo

    folder = published.convert(
        weights,
        out,
        name=name,
        head_names=head_names,
        targets=_targets(targets or []),
        licence=licence,
        gelu=gelu,
        crop=crop,
        input_bp=input_bp,
        params=params,
    )
    spec = zoo.read_spec(folder)
    emit(_describe(spec, zoo.read_tables(spec)), json)


def _here(name: str, folder: Path) -> dict[str, Any]:
    from distal.models import zoo

    card = zoo.read_config(folder)
    heads = {head: entry["tracks"] for head, entry in card["heads"].items()}
    size = (folder / zoo.WEIGHTS).stat().st_size if (folder / zoo.WEIGHTS).is_file() else 0
    weights = "ships with distal" if folder.parent == zoo.SHIPPED else "here"
    return {"name": name, "family": card["family"], "tracks": heads, "MB": round(size / 1e6, 1), "weights": weights}


def _there(source: Source) -> dict[str, Any]:
    weights = f"distal models fetch {source.name}" if source.importable else "cannot be imported"
    size = round(source.size / 1e6, 1)
    return {"name": source.name, "family": source.family, "tracks": dict(source.heads), "MB": size, "weights": weights}


def _describe(spec: Spec, tables: dict[str, TrackTable | None]) -> dict[str, Any]:
    from distal.models import zoo

    module = zoo.blank(spec)
    return {
        "name": spec.name,
        "family": spec.family,
        "folder": spec.folder,
        "weights": "here" if spec.folder is not None and (spec.folder / zoo.WEIGHTS).is_file() else "missing",
        "reads": f"{spec.window.input_bp:,} bp",
        "says": f"{spec.window.bins:,} bins of {spec.window.bin_bp} bp",
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        **{f"{head} tracks": _assays(tracks, tables[head]) for head, tracks in spec.heads.items()},
        "licence": spec.licence,
        **spec.provenance,
    }


def _assays(tracks: int, table: TrackTable | None) -> dict[str, int] | int:
    """Tracks per assay, most first; their number alone where there is no table."""
    if table is None:
        return tracks
    assays = [row.assay or "other" for row in table]
    return {
        assay: assays.count(assay) for assay in sorted(set(assays), key=lambda assay: (-assays.count(assay), assay))
    }


def _describe_source(source: Source) -> dict[str, Any]:
    from distal.models.fetch import https_form

    return {
        "name": source.name,
        "family": source.family,
        "weights": f"not here; `distal models fetch {source.name}`" if source.importable else "cannot be imported",
        "origin": source.origin,
        "reads": f"{source.input_bp:,} bp",
        **{f"{head} tracks": tracks for head, tracks in source.heads.items()},
        "licence": source.licence,
        "note": source.note,
        "files": [
            {
                "file": file.name,
                "MB": round(file.size / 1e6, 2),
                "sha256": file.sha256 or "unknown",
                "url": https_form(file.url),
            }
            for file in source.files
        ],
    }


def _matching(tables: dict[str, TrackTable | None], query: str) -> list[dict[str, Any]]:
    columns = ("index", "name", "assay", "target", "biosample", "strand")
    known = {head: table for head, table in tables.items() if table is not None}
    if not known:
        raise InputError("this model has no track table; import it again with --targets HEAD=targets.txt")
    rows: list[dict[str, Any]] = []
    reasons = []
    for head, table in known.items():
        try:
            rows += [
                {"head": head, **{column: getattr(row, column) for column in columns}} for row in table.select(query)
            ]
        except InputError as error:  # a query may match the tracks of one species only
            reasons.append(error)
    if not rows:
        raise reasons[0]
    return rows


def _targets(words: list[str]) -> dict[str, str]:
    tables = dict(word.partition("=")[::2] for word in words)
    if "" in tables.values() or "" in tables:
        raise InputError(f"--targets {' '.join(words)} is not understood; write --targets human=targets_human.txt")
    return tables


def _download(source: Source, folder: Path) -> list[Fetched]:
    from distal.models.fetch import fetch as fetch_file

    files = []
    for file in source.files:
        with progress(file.name, file.size, "B") as advance:
            files.append(fetch_file(file, source.name, folder, advance))
        if not files[-1].verified:
            say(f"{file.name}: no checksum is published; its SHA-256 is {files[-1].sha256}, kept to compare with later")
    return files


def _convert(source: Source, downloads: Path, folder: Path) -> Path:
    from distal.models.weights import convert

    return convert(
        downloads / source.weights,
        folder,
        name=source.name,
        head_names=list(source.heads) if len(source.heads) == 1 else None,
        targets={head: downloads / name for head, name in source.targets.items()},
        licence=source.licence,
    )


def _digests(files: list[Fetched]) -> list[dict[str, Any]]:
    return [{"file": file.path.name, "sha256": file.sha256, "as published": file.verified} for file in files]
