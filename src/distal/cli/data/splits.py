"""`distal data splits`: from genomes to windows; knows options and file names only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import emit, progress
from distal.cli.options import Json
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.data.homology import Net
    from distal.data.regions import Regions
    from distal.data.splits import Division, Ground, Tiling, Windows
    from distal.io.fasta import Genome

GAP_BP = 100
"""N in a row that stand for a gap of unknown length in assemblies (AGP 2.1); shorter runs are no gaps."""


def splits(
    *,
    fasta: list[Path],
    out: list[Path],
    valid: str = "0.1",
    test: str = "0.1",
    folds: int | None = None,
    input_bp: int = 131_072,
    bin_bp: int = 128,
    bins: int = 896,
    own_bp: int | None = None,
    train_stride_bp: int | None = None,
    stride_bp: int | None = None,
    within: list[str] | None = None,
    gaps: list[Path] | None = None,
    blacklist: list[Path] | None = None,
    unmappable: list[Path] | None = None,
    most_unmappable: float = 0.5,
    piece_bp: int = 786_432,
    net: Path | None = None,
    long_bp: int = 100_000,
    seed: int = 0,
    json: Json = False,
) -> None:
    """Choose windows of a genome for training, validation and test: a BED file for `distal data build`.

    What is left of the genome without gaps and blacklist is cut into pieces, each of which goes to one split as a
    whole. With a net, two genomes are split together: pieces that align with each other are never parted.

    Parameters
    ----------
    fasta
        The genome; given twice with --net: its target, then its query. Other options that name files are then given
        twice too (/dev/null for none).
    out
        BED file of the windows: chromosome, start and end of the input, split.
    valid
        A share of the bases below 1, such as 0.1 (0: none), or chromosomes such as chr8,chr10 (of the first genome).
    test
        The same for the test windows.
    folds
        As many equal splits, fold0, fold1 ..., instead of train, valid and test.
    input_bp
        Bases that the model reads.
    bin_bp
        Bases of one bin.
    bins
        Bins that are measured, in the middle of the input.
    own_bp
        Central bases of each window that lie in its split's own pieces; all that the model reads when left out. With
        bins x bin-bp, windows read bases of other splits and of gaps beside what is measured.
    train_stride_bp
        From one training window to the next; what is measured when left out, so that no base is measured twice.
    stride_bp
        The same for all other windows.
    within
        Only these chromosomes, such as chr1,chr2, or only the regions of a BED file; `all` when left out.
    gaps
        BED file of the assembly's gaps, instead of every 100 N in a row.
    blacklist
        BED file of regions to avoid altogether.
    unmappable
        BED file of regions where no read can be placed.
    most_unmappable
        Windows with a greater share of their measured bases unmappable are left out.
    piece_bp
        The longest piece; longer ones are halved.
    net
        UCSC net file of the two genomes, such as hg38.mm10.net.gz.
    long_bp
        Top-level alignments of so many bases keep what they touch together; pieces end between them.
    seed
        Another one gives other splits.
    """
    from distal.coords import Window
    from distal.data import homology
    from distal.data import splits as making

    window = Window(input_bp, bin_bp, bins)
    strides = (train_stride_bp or window.output_bp, stride_bp or window.output_bp)
    tiling = making.Tiling(window, own_bp or input_bp, *strides)
    most_bp = tiling.longest(piece_bp)
    sources = list(_sources(fasta, out=out, within=within, gaps=gaps, blacklist=blacklist, unmappable=unmappable))
    if len(sources) != (1 if net is None else 2):
        raise InputError("give one --fasta, or two of them and the --net that aligns them")
    plan = making.Plan.parse(valid, test, sources[0].genome.resolve) if folds is None else making.Plan.folds(folds)
    aligned = None if net is None else homology.Net(net, (sources[0].genome, sources[1].genome))
    joins = [] if aligned is None else homology.long(aligned, long_bp)
    grounds = [making.Ground.of(source.genome.sizes, source.taken(), tiling.own_bp) for source in sources]
    sides = ([join.target for join in joins], [join.query for join in joins])
    contigs = [homology.cut(ground.contigs, mine) for ground, mine in zip(grounds, sides, strict=False)]
    division = making.divide(contigs, most_bp, plan, seed, partial(homology.components, fills=joins))
    made = []
    for i, (source, ground) in enumerate(zip(sources, grounds, strict=True)):
        laid = making.place(division.of(i), ground.sizes, tiling, seed)
        kept = making.mappable(laid, window, source.bed(source.unmappable), most_unmappable)
        made.append(_Made(source.genome.path.name, ground, tiling, laid, kept))
    for each in made:
        each.check()
    for source, each in zip(sources, made, strict=True):
        making.write(source.out, each.windows)
    emit(_report(made, division, aligned), json)


@dataclass(frozen=True, eq=False)
class _Source:
    """What the command line says of one genome."""

    genome: Genome
    out: Path
    within: str | None
    gaps: Path | None
    blacklist: Path | None
    unmappable: Path | None

    def taken(self) -> dict[str, Regions]:
        """Reason -> bases that windows stay away from."""
        from distal.data import regions

        outside = regions.whole(self.genome.sizes) - self._within()
        return {"not asked for": outside, "gaps": self._gaps(), "blacklist": self.bed(self.blacklist)}

    def bed(self, path: Path | None) -> Regions:
        """The bases of a BED file; none without one."""
        from distal.data import regions

        return regions.Regions({}) if path is None else regions.read(path, self.genome)

    def _within(self) -> Regions:
        from distal.data import regions

        if self.within in (None, "all"):
            return regions.whole(self.genome.sizes)
        if Path(self.within).is_file():
            return self.bed(Path(self.within))
        chroms = [self.genome.resolve(name.strip()) for name in self.within.split(",")]
        return regions.whole({chrom: self.genome.sizes[chrom] for chrom in chroms})

    def _gaps(self) -> Regions:
        from distal.data import regions

        if self.gaps is not None:
            return self.bed(self.gaps)
        with progress(f"gaps of {self.genome.path.name}", sum(self.genome.sizes.values()), "B") as advance:
            return regions.unknown(self.genome, advance).at_least(GAP_BP)


def _sources(fasta: Sequence[Path], **given: Sequence[Any] | None) -> Iterator[_Source]:
    """A source for each genome; `given` are its further fields: a value for each genome, or none at all."""
    from distal.io.fasta import Genome

    for name, values in given.items():
        if values and len(values) != len(fasta):
            raise InputError(f"--{name} is given {len(values)} times and --fasta {len(fasta)}: it must be one each")
    for i, path in enumerate(fasta):
        mine: dict[str, Any] = {name: values[i] if values else None for name, values in given.items()}
        if not mine["out"].parent.is_dir():
            raise InputError(f"{mine['out'].parent} is not a folder; make it first")
        yield _Source(Genome(path), **mine)


@dataclass(frozen=True, eq=False)
class _Made:
    """The windows of one genome, and what is said of them."""

    name: str
    ground: Ground
    tiling: Tiling
    laid: Windows
    """All of them."""
    windows: Windows
    """Those that are kept: not too much of them is unmappable."""

    def check(self) -> None:
        """Raise `InputError` where a split has no window."""
        empty = [split for split, windows in self.windows.items() if not windows]
        if empty:
            missing = " and ".join(empty)
            raise InputError(
                f"no window of {self.name} is in {missing}; give larger shares, shorter windows, a shorter --piece-bp "
                "or, with --net, a greater --long-bp"
            )

    def bases(self) -> dict[str, Any]:
        """Where the bases of the genome are."""
        total = sum(self.ground.sizes.values())
        return {"genome": self.name, "all": total, **self.ground.lost, "in pieces": self.ground.contigs.bases}

    def rows(self) -> Iterator[dict[str, Any]]:
        """A line for each split."""
        from distal.data.regions import Regions

        output_of = self.tiling.window.output_of
        measured = {split: Regions.of(map(output_of, windows)).bases for split, windows in self.windows.items()}
        for split, windows in self.windows.items():
            yield {
                "genome": self.name,
                "split": split,
                "windows": len(windows),
                "unmappable, left out": len(self.laid[split]) - len(windows),
                "bases measured": measured[split],
                "share": measured[split] / sum(measured.values()),
            }

    def shared(self) -> dict[str, Any]:
        """Bases that windows of different splits have in common, summed over all pairs of splits."""
        from distal.data.splits import SHARED, shared

        pairs = list(shared(self.windows, self.tiling.window).values())
        return {"genome": self.name} | {kind: sum(bases[kind] for bases in pairs) for kind in SHARED}


def _report(made: Sequence[_Made], division: Division, aligned: Net | None) -> dict[str, Any]:
    report = {
        "bases": [each.bases() for each in made],
        "windows": [row for each in made for row in each.rows()],
        "bases of two splits": [each.shared() for each in made],
    }
    return report if aligned is None else {**report, **_homology(made, division, aligned)}


def _homology(made: Sequence[_Made], division: Division, aligned: Net) -> dict[str, Any]:
    """How large the components are, and the aligned bases between different splits: short and nested alignments."""
    from distal.data.homology import leaks

    sizes = sorted((sum(piece.interval.width for piece in group) for group in division.groups), reverse=True)
    names = [each.name for each in made]
    rows = [
        dict(zip(names, pair, strict=True)) | {"aligned": bases} for pair, bases in leaks(division, aligned).items()
    ]
    return {"components": len(sizes), "longest component": sizes[0], "aligned bases between splits": rows}
