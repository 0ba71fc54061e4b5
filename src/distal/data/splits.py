"""Which stretches of genomes train a model and which test it, and the windows on them; knows no signal.

A genome's `Ground` is what is left of it without gaps and blacklist. It is cut into pieces; pieces that must stay
together (homologous ones of two genomes, `data.homology`) are groups; `assign` gives every group to one split, as a
`Plan` says; touching pieces of one split are joined again, and a `Tiling` lays windows over them.

Source: the design of Kelley 2020 (doi:10.1371/journal.pcbi.1008050). Of Basenji's basenji_data.py it leaves out three
faults: no piece is lost when large ones are cut, strides are counted in bases and measured bins leave no base between
them, and a share must have room for one piece, not for five.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from distal.coords import Interval, Window
from distal.data.chance import generator
from distal.data.regions import Regions, whole
from distal.errors import InputError
from distal.files import replacing

TRAIN, VALID, TEST = "train", "valid", "test"

SHARED = ("measured in both", "measured and read", "read in both")
"""How two splits can have a base: each of these contains the one before it."""

Windows = Mapping[str, Sequence[Interval]]
"""Split -> its windows, as long as the model's input, in the order of the records."""


@dataclass(frozen=True)
class Ground:
    """What a genome offers for windows, and where its other bases went."""

    sizes: Mapping[str, int]
    contigs: Regions
    lost: Mapping[str, int]
    """Reason -> bases. With those of `contigs` they are all that the genome has."""

    @classmethod
    def of(cls, sizes: Mapping[str, int], taken: Mapping[str, Regions], least_bp: int) -> Ground:
        """The genome without what is `taken` (reason -> bases; a base is lost for the first reason that it meets).

        What is left counts in stretches of `least_bp` bases or more.
        """
        left, lost = whole(sizes), {}
        for reason, regions in taken.items():
            rest = left - regions
            left, lost[reason] = rest, left.bases - rest.bases
        contigs = left.at_least(least_bp)
        return cls(sizes, contigs, {**lost, "too short": left.bases - contigs.bases})


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch that goes to one split as a whole."""

    genome: int
    """0, or 1 for the second one of two."""
    interval: Interval


def pieces(contigs: Iterable[Interval], genome: int, most_bp: int) -> Iterator[Piece]:
    """The contigs, those longer than `most_bp` halved until they are not; together they are all of the contigs."""
    for contig in contigs:
        if contig.width <= most_bp:
            yield Piece(genome, contig)
        else:
            halves = (contig.clip(contig.start, contig.center), contig.clip(contig.center, contig.end))
            yield from pieces(halves, genome, most_bp)


@dataclass(frozen=True)
class Plan:
    """Which splits there are, and what each gets: the first one is left with what the others don't ask for."""

    splits: tuple[str, ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    """Split -> share of all bases."""
    chroms: Mapping[str, str] = field(default_factory=dict)
    """Chromosome of the first genome -> split that gets all of it."""

    def __post_init__(self) -> None:
        if min(self.shares.values(), default=0) < 0 or sum(self.shares.values()) >= 1:
            raise InputError("the shares of valid and test must be positive and leave something to train")

    @classmethod
    def parse(cls, valid: str, test: str, resolve: Callable[[str], str] = str) -> Plan:
        """Of two words: a share below 1 such as 0.1 (0: no such split), or chromosomes such as chr8,chr10.

        `resolve` says what the genome calls a chromosome.
        """
        shares: dict[str, float] = {}
        chroms: dict[str, str] = {}
        for split, word in ((VALID, valid), (TEST, test)):
            share = _share(word)
            if share is not None:
                shares |= {split: share} if share else {}
                continue
            for chrom in map(resolve, map(str.strip, word.split(","))):
                if chroms.setdefault(chrom, split) != split:
                    raise InputError(f"chromosome {chrom} cannot be both valid and test")
        wanted = {*shares, *chroms.values()}
        return cls((TRAIN, *(split for split in (VALID, TEST) if split in wanted)), shares, chroms)

    @classmethod
    def folds(cls, count: int) -> Plan:
        """`count` equal splits, fold0, fold1 ...: each of them is the held-out one of one model."""
        if count < 2:
            raise InputError(f"{count} folds: there must be two or more")
        splits = tuple(f"fold{i}" for i in range(count))
        return cls(splits, dict.fromkeys(splits[1:], 1 / count))


def _share(word: str) -> float | None:
    """A number below 1; None for other words: 1 and 20 are names of chromosomes."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if value < 1 else None


def assign(groups: Sequence[Sequence[Piece]], plan: Plan, seed: int) -> list[str]:
    """The split of each group, [groups].

    Groups with a piece on a chromosome that the plan names follow it. The others go from the longest to the shortest,
    each to a split in which there is room for it, drawn with probabilities in proportion to the room: every split gets
    long and short ones, from everywhere. Where there is room for it in none, the roomiest gets it, so that no split
    has more than its share by more than one group. Raises `InputError` where a group is claimed by two splits.
    """
    sizes = [sum(piece.interval.width for piece in group) for group in groups]
    claimed = [_claimed(group, plan) for group in groups]
    room = {split: round(share * sum(sizes)) for split, share in plan.shares.items()}
    free = sum(size for size, split in zip(sizes, claimed, strict=True) if split is None)
    room[plan.splits[0]] = free - sum(room.values())
    draw = generator(seed)
    labels = [split or "" for split in claimed]
    unclaimed = [int(i) for i in draw.permutation(len(groups)) if claimed[i] is None]
    for i in sorted(unclaimed, key=lambda i: -sizes[i]):
        labels[i] = _drawn(room, sizes[i], draw)
        room[labels[i]] -= sizes[i]
    return labels


def _claimed(group: Sequence[Piece], plan: Plan) -> str | None:
    chroms = {piece.interval.chrom for piece in group if piece.genome == 0} & set(plan.chroms)
    splits = {plan.chroms[chrom] for chrom in chroms}
    if len(splits) > 1:
        raise InputError(
            f"chromosomes {', '.join(sorted(chroms))} cannot be in different splits: they share homologous sequence"
        )
    return splits.pop() if splits else None


def _drawn(room: Mapping[str, int], size: int, draw: np.random.Generator) -> str:
    fitting = [split for split, left in room.items() if left >= size]
    if not fitting:
        return max(room, key=lambda split: room[split])
    left = np.array([room[split] for split in fitting])
    return fitting[draw.choice(len(fitting), p=left / left.sum())]


@dataclass(frozen=True)
class Division:
    """Groups of pieces and the split of each."""

    splits: tuple[str, ...]
    groups: Sequence[Sequence[Piece]]
    labels: Sequence[str]

    def __iter__(self) -> Iterator[tuple[Piece, str]]:
        """Every piece with its split."""
        for group, split in zip(self.groups, self.labels, strict=True):
            for piece in group:
                yield piece, split

    def of(self, genome: int) -> dict[str, Regions]:
        """Split -> the stretches of one genome that are its own; pieces that touch are joined."""
        found: dict[str, list[Interval]] = {split: [] for split in self.splits}
        for piece, split in self:
            if piece.genome == genome:
                found[split].append(piece.interval)
        return {split: Regions.of(stretches) for split, stretches in found.items()}


def alone(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Every piece a group of its own."""
    return [[piece] for piece in pieces]


def divide(
    contigs: Sequence[Iterable[Interval]],
    most_bp: int,
    plan: Plan,
    seed: int = 0,
    together: Callable[[Sequence[Piece]], Sequence[Sequence[Piece]]] = alone,
) -> Division:
    """Give the contigs of each genome, in pieces of at most `most_bp` bases, to splits.

    `together` says which pieces stay together.
    """
    every = [piece for genome, given in enumerate(contigs) for piece in pieces(given, genome, most_bp)]
    groups = together(every)
    return Division(plan.splits, groups, assign(groups, plan, seed))


@dataclass(frozen=True)
class Tiling:
    """How windows lie on the stretches of a split: bins on one grid for the whole genome, inputs on their chromosome.

    The central `own_bp` bases of an input lie in a stretch of the split. With the whole input (the strictest), no base
    that a model was trained on is read when it is tested; with the output only, inputs reach into gaps and into their
    neighbours', and no measured bin does.
    """

    window: Window
    own_bp: int
    train_stride_bp: int
    stride_bp: int
    """From one window to the next where no model is trained; outputs tile where it is the width of the output."""

    def __post_init__(self) -> None:
        low, high, bin_bp = self.window.output_bp, self.window.input_bp, self.window.bin_bp
        if not low <= self.own_bp <= high or (high - self.own_bp) % 2:
            raise InputError(
                f"{self.own_bp:,} bp of each window cannot be its split's own; give an even number between what is "
                f"measured, {low:,}, and what is read, {high:,}"
            )
        for stride in (self.train_stride_bp, self.stride_bp):
            if stride <= 0 or stride % bin_bp:
                raise InputError(f"a stride of {stride:,} bp is not a whole number of bins of {bin_bp} bp")

    def longest(self, piece_bp: int) -> int:
        """`piece_bp`; raises `InputError` where its halves would be too short for a window."""
        if piece_bp < 2 * self.own_bp:
            raise InputError(f"halves of pieces of {piece_bp:,} bp hold no window; give {2 * self.own_bp:,} or more")
        return piece_bp

    def over(self, split: str, stretches: Iterable[Interval], sizes: Mapping[str, int]) -> Iterator[Interval]:
        """The inputs of a split on its stretches, from left to right."""
        reach = (self.window.input_bp - self.own_bp) // 2
        stride = self.train_stride_bp if split == TRAIN else self.stride_bp
        for stretch in stretches:
            low, high = max(stretch.start - reach, 0), min(stretch.end + reach, sizes[stretch.chrom])
            first = -(-low // self.window.bin_bp) * self.window.bin_bp
            for start in range(first, high, stride):
                if start + self.window.input_bp <= high:
                    yield Interval(stretch.chrom, start, start + self.window.input_bp)


def place(own: Mapping[str, Regions], sizes: Mapping[str, int], tiling: Tiling, seed: int) -> Windows:
    """The windows of each split on its own stretches, in random order: that of the records."""
    return {split: _shuffled(list(tiling.over(split, regions, sizes)), split, seed) for split, regions in own.items()}


def _shuffled(windows: Sequence[Interval], split: str, seed: int) -> list[Interval]:
    order = generator(seed, split).permutation(len(windows))
    return [windows[i] for i in order]


def mappable(windows: Windows, window: Window, unmappable: Regions, most: float) -> Windows:
    """The windows of which no more than the share `most` of the measured bases is unmappable."""

    def good(x: Interval) -> bool:
        return unmappable.covered(window.output_of(x)) <= most * window.output_bp

    return {split: list(filter(good, inputs)) for split, inputs in windows.items()}


def shared(windows: Windows, window: Window) -> dict[tuple[str, str], dict[str, int]]:
    """Pair of splits -> how many bases both have, by how they have them (`SHARED`)."""
    read = {split: Regions.of(inputs) for split, inputs in windows.items()}
    measured = {split: Regions.of(map(window.output_of, inputs)) for split, inputs in windows.items()}
    found = {}
    for one, two in combinations(windows, 2):
        crossed = (measured[one] & read[two]) | (read[one] & measured[two])
        both = (measured[one] & measured[two], crossed, read[one] & read[two])
        found[one, two] = dict(zip(SHARED, (regions.bases for regions in both), strict=True))
    return found


def write(path: str | Path, windows: Windows) -> None:
    """Write a BED file: chromosome, start and end of each input, and its split; split by split."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for split, inputs in windows.items():
            file.writelines(f"{x.chrom}\t{x.start}\t{x.end}\t{split}\n" for x in inputs)
