"""`distal data build`: the terminal's side of building a data set; knows options and file names only."""

from __future__ import annotations

from pathlib import Path

from distal.cli.console import command_line, emit, progress, say
from distal.cli.options import Fasta, Json


def build(
    *,
    fasta: Fasta,
    targets: Path,
    splits: Path,
    out: Path,
    input_bp: int = 131_072,
    bin_bp: int = 128,
    bins: int = 896,
    recipe: str = "basenji",
    blacklist: Path | None = None,
    unmappable: Path | None = None,
    unmappable_quantile: float = 0.25,
    interpolate: bool = False,
    workers: int = 1,
    json: Json = False,
) -> None:
    """Make a data set of a genome and files of signal; goes on where it stopped.

    Parameters
    ----------
    targets
        The tracks, as Basenji's targets.txt: a line with identifier, file, clip, scale, sum_stat ... for each. A file
        is a bigWig, bedGraph, BAM, CRAM, fragments.tsv, narrowPeak, BED or a table of counts per base, relative to
        this table; behind a question mark stands what is counted of it, such as reads.bam?count=ends&strand=+ or
        tss.tsv.gz?sample=wt1,wt2&strand=-.
    splits
        BED file of the windows, the split (train, valid, test) in the fourth column: `distal data splits` writes it.
    out
        Folder of the data set.
    input_bp
        Bases that the model reads.
    bin_bp
        Bases of one bin.
    bins
        Bins that are measured, in the middle of the input.
    recipe
        How signal becomes targets: basenji2 (the data set of Basenji2 and Enformer; soft clip, then scale),
        basenji2-hard (hard clip, then scale), basenji (its later form: scale, then clips), borzoi.
    blacklist
        BED file of regions whose signal is not to be believed.
    unmappable
        BED file of regions where no read can be placed: bins there are cut at a quantile of their window.
    unmappable_quantile
        Which one.
    interpolate
        Fill bases without a value linearly, instead of with the baseline of their window.
    workers
        Processes that share the work.
    """
    from distal.coords import Window
    from distal.data.build import build as build_data
    from distal.data.order import Order, begin
    from distal.engine import LocalEngine

    engine = LocalEngine(workers, threads=1)
    window = Window(input_bp, bin_bp, bins)
    regions = (blacklist, unmappable, unmappable_quantile)
    order = Order(fasta, targets, splits, window, recipe, interpolate, *regions)
    with progress("inputs", None, "files") as advance:
        job = begin(order, out, engine, advance, command_line())
    with progress("data build", job.left, "windows") as advance:
        built = build_data(job, engine, advance)
    for track, chroms in built.absent.items():
        say(f"{track} has nothing on {', '.join(chroms)}: it is 0 there")
    plan = built.store.plan
    emit({"data set": str(out), "windows": built.store.splits, "tracks": len(plan.table), "bins": plan.bins}, json)
