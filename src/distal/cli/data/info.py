"""`distal data info`: what a data set holds and what looks broken; knows options and file names only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import emit, progress, say
from distal.cli.options import Json
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.data.summary import Summary


def info(folder: Path, /, *, splits: str = "", figures: Path | None = None, json: Json = False) -> None:
    """Show what a data set holds: windows, ranges of values, and tracks that look broken.

    Broken is what holds no number, never changes (in one of the splits), has a mean ten times above or below the median
    track of its assay, correlates with no other track, or repeats one. All windows are read.

    Parameters
    ----------
    folder
        A data set of `distal data`, or one of TFRecords.
    splits
        Which of its splits, separated by commas, such as valid,test; all when left out.
    figures
        Folder for overview.png and a picture of each track.
    json
        Print JSON, with every track.
    """
    from distal.data import summary as making

    source = making.source(folder)
    chosen = [name.strip() for name in splits.split(",")] if splits else list(source.counts)
    with progress("read", sum(source.counts.get(name, 0) for name in chosen), "windows") as advance:
        summary = making.summarise(source, chosen, advance)
    remarks = making.remarks(summary)
    facts = {
        "windows": {"input_bp": summary.input_bp, "bin_bp": summary.bin_bp, "bins": summary.bins},
        "splits": _splits(summary),
    }
    if json:
        emit({**facts, "tracks": _tracks(summary, remarks)}, json=True)
    else:
        emit({**facts, "assays": _assays(summary, remarks), "look broken": _broken(summary, remarks)})
    if figures is not None:
        _draw(summary, remarks, figures, folder.resolve().name)


def _splits(summary: Summary) -> list[dict[str, Any]]:
    return [
        {
            "split": name,
            "windows": len(split.intervals),
            "chromosomes": len({x.chrom for x in split.intervals if x is not None}) or None,
            "N": split.unknown,
            "G+C": split.gc,
        }
        for name, split in summary.splits.items()
    ]


def _assays(summary: Summary, remarks: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """A line for each assay."""
    import numpy as np

    assays = np.array([track.assay or "other" for track in summary.table])
    low, high = summary.range
    rows = []
    for assay in dict.fromkeys(assays.tolist()):
        mine = np.flatnonzero(assays == assay)
        rows.append(
            {
                "assay": assay,
                "tracks": len(mine),
                "lowest": float(low[mine].min()),
                "median of means": float(np.median(summary.mean[mine])),
                "highest": float(high[mine].max()),
                "look broken": sum(bool(remarks[i]) for i in mine.tolist()),
            }
        )
    return rows


def _broken(summary: Summary, remarks: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"track": track.name, "description": track.description, "remarks": "; ".join(mine)}
        for track, mine in zip(summary.table, remarks, strict=True)
        if mine
    ]


def _tracks(summary: Summary, remarks: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """A line for each track, and in it one for each split."""
    columns = ("low", "high", "mean", "zero", "silent", "broken")
    return [
        {
            "track": track.name,
            "description": track.description,
            "remarks": mine,
            "splits": {
                name: {column: getattr(split, column)[i] for column in columns}
                for name, split in summary.splits.items()
            },
        }
        for i, (track, mine) in enumerate(zip(summary.table, remarks, strict=True))
    ]


def _draw(summary: Summary, remarks: Sequence[Sequence[str]], folder: Path, title: str) -> None:
    """overview.png, and tracks/<number>.<name>.png."""
    from distal.plots import save
    from distal.plots.datasets import overview, track

    try:
        (folder / "tracks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); give another folder for --figures") from None
    save(overview(summary, remarks, title), folder / "overview.png")
    with progress("draw", len(summary.table), "tracks") as advance:
        for i, row in enumerate(summary.table):
            name = "".join(letter if letter.isalnum() or letter in "+-._" else "_" for letter in row.name)
            save(track(summary, i, remarks[i]), folder / "tracks" / f"{i:04d}.{name}.png")
            advance()
    say(f"drawn: {folder / 'overview.png'} and {len(summary.table)} in {folder / 'tracks'}")
