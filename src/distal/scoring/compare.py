"""Where two sets of scores agree and where they don't; knows score files, not how a score is made.

The sets may come from two models, two runs, or from others (DeepMind's and Basenji's published files). Variants are
joined by chromosome (chr20 = 20), POS, REF and ALT, tracks by name. Where B has REF and ALT the other way round
(published files follow plink's major and minor allele), its scores are multiplied by -1, unless the score has no sign;
such variants are counted and marked. Of several rows with the same allele in B the first is taken.

Each chromosome of both sets is read once, sorted by POS, in blocks: memory is that of a block, of one number for each
variant, and of the sample that Spearman's rho of a track needs (`agreement`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distal.coords import spellings
from distal.errors import InputError
from distal.files import replacing
from distal.io.score_tables import write_tsv
from distal.io.scores import Matrix, ScoreRow, Scores, files
from distal.scoring.agreement import Array, ByColumn, pearson, same_sign, spearman
from distal.tracks import Track

COLUMNS = ("SIGN_AGREEMENT", "PEARSON", "SPEARMAN", "LARGEST_DIFFERENCE", "TRACK", "SWAPPED")
"""What ``agreement.tsv.gz`` says of each variant behind ``#CHROM POS ID REF ALT``, which are A's."""

_BLOCK_BYTES = 1 << 25
_KEYS = 1 << 14
_UNSIGNED = re.compile(r"(log|sqrt)?(D1|D2|JS)(?![A-Za-z0-9])(?!.*_quantile$)|.*_sd$")
"""Scores that are the same in both directions; the quantile of any score has a sign."""


@dataclass(frozen=True)
class Agreement:
    """What came of a comparison. Means are over the variants compared; NaN where nothing can be said."""

    score: str
    a: str
    b: str
    variants_a: int
    variants_b: int
    joined: int
    """Rows of A whose allele B has too."""
    swapped: int
    """Of these, rows with REF and ALT the other way round in B."""
    compared: int
    """Of the joined rows, those that have scores in both."""
    tracks: int
    """Tracks with the same name in both."""
    sign_agreement: float
    """Mean over variants of the fraction of tracks where both have the same sign; zeros are left out."""
    pearson: float
    """Mean over variants of Pearson's r over tracks."""
    spearman: float
    """Mean over variants of Spearman's rho over tracks."""
    sampled: int
    """How many variants the rho of each track, in ``tracks.tsv``, was taken over."""


def compare(
    a: str | Path,
    b: str | Path,
    out: str | Path,
    score: str = "",
    query: str = "",
    progress: Callable[[int], object] | None = None,
) -> Agreement:
    """Compare one score of A with B's and write ``agreement.tsv.gz`` (tabix), ``tracks.tsv``, ``agreement.json``.

    `a` and `b` are score files or folders of them, `out` a folder, `score` the score's name (SAD, or else the first
    that both have, when empty), `query` chooses among A's tracks. The table has a line per variant (see `COLUMNS`):
    LARGEST_DIFFERENCE is B - A at the track where it is largest in absolute value. Raises `InputError` where the two
    have no score, no track or no variant in common.
    """
    out = Path(out)
    with ExitStack() as stack:
        first, second = (_Side(path, [stack.enter_context(Scores(file)) for file in files(path)]) for path in (a, b))
        pairing = _Pairing.of(first, second, score, query)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{out} cannot be made a folder ({error.strerror}); give another one") from None
        totals = _Totals(pairing, progress or (lambda n: None))
        write_tsv(out / "agreement.tsv.gz", COLUMNS, totals.lines(first, second))
    _write_tracks(out / "tracks.tsv", pairing.tracks, totals.tracks)
    result = totals.result(first, second)
    with replacing(out / "agreement.json") as temporary:
        temporary.write_text(json.dumps(_without_nan(asdict(result)), indent=2, ensure_ascii=False) + "\n")
    return result


def signed(score: str) -> bool:
    """Whether a score changes its sign when REF and ALT change places."""
    return _UNSIGNED.match(score) is None


class Chromosome(NamedTuple):
    """The rows of one chromosome in one file, sorted by POS."""

    scores: Scores
    chrom: str
    places: NDArray[np.int64]

    def keys(self) -> Iterator[_Key]:
        """POS and alleles of every row, in order; read in blocks, without scores."""
        for start in range(0, len(self.places), _KEYS):
            places = self.places[start : start + _KEYS]
            for place, row in zip(places.tolist(), self.scores.read(places, ()).rows, strict=True):
                yield _Key(row.pos, row.ref, row.alt, place)


class _Key(NamedTuple):
    pos: int
    ref: str
    alt: str
    place: int


class _Side:
    """One of the two sets: its files, and where in them each chromosome's rows are."""

    def __init__(self, path: str | Path, opened: Sequence[Scores]) -> None:
        self.path = path
        self.opened = opened
        self.chroms: dict[str, Chromosome] = {}
        """Shortest spelling -> rows."""
        self.variants = sum(map(len, opened))
        names = {scores.table.names for scores in opened}
        if len(names) > 1:
            raise InputError(f"the score files of {path} have different tracks; compare files of one kind")
        for scores in opened:
            for rows in by_chromosome(scores):
                if earlier := self.chroms.get(_bare(rows.chrom)):
                    both = f"{earlier.scores.path} and {scores.path}"
                    raise InputError(f"{both} both hold chromosome {rows.chrom}; compare one of them")
                self.chroms[_bare(rows.chrom)] = rows

    def shared(self, other: _Side) -> list[tuple[Chromosome, Chromosome]]:
        """The chromosomes that both have, in the order of this side's names."""
        both = [(rows, other.chroms[name]) for name, rows in self.chroms.items() if name in other.chroms]
        return sorted(both, key=lambda pair: pair[0].chrom)


def _bare(chrom: str) -> str:
    return min(spellings(chrom))


def by_chromosome(scores: Scores) -> Iterator[Chromosome]:
    """The chromosomes of a file in order of first appearance, whatever the order of its rows."""
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    start = 0
    for block in scores.blocks(_KEYS, ()):
        chroms = np.array([row.chrom for row in block.rows])
        pos = np.array([row.pos for row in block.rows], dtype=np.int64)
        for chrom in dict.fromkeys(chroms.tolist()):
            here = np.flatnonzero(chroms == chrom)
            found.setdefault(chrom, []).append((pos[here], start + here))
        start += len(block.rows)
    for chrom, pieces in found.items():
        pos, index = (np.concatenate(part) for part in zip(*pieces, strict=True))
        yield Chromosome(scores, chrom, index[np.argsort(pos, kind="stable")])


@dataclass(frozen=True)
class _Pairing:
    """What is compared with what: the score, and for each track its column in A and in B."""

    score: str
    signed: bool
    tracks: tuple[Track, ...]
    a: NDArray[np.int64]
    b: NDArray[np.int64]

    @classmethod
    def of(cls, first: _Side, second: _Side, score: str, query: str) -> _Pairing:
        table = first.opened[0].table
        theirs = {key: column for column, key in enumerate(_numbered(second.opened[0].table.names))}
        mine = dict(zip(table.channels.tolist(), _numbered(table.names), strict=True))
        chosen = [track for track in table.select(query) if mine[track.index] in theirs]
        if not chosen:
            raise InputError(f"no track that is asked for has the same name in {first.path} and {second.path}")
        name = _score(first, second, score)
        columns = [[track.index for track in chosen], [theirs[mine[track.index]] for track in chosen]]
        return cls(name, signed(name), tuple(chosen), *(np.array(column, dtype=np.int64) for column in columns))

    @property
    def rows(self) -> int:
        """How many variants make a block."""
        return int(np.clip(_BLOCK_BYTES // (8 * len(self.tracks)), 16, 4096))


def _numbered(names: Iterable[str]) -> list[tuple[str, int]]:
    """Each name and how often it came before: tables of others have some names twice."""
    seen: dict[str, int] = {}
    numbered = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        numbered.append((name, seen[name]))
    return numbered


def _score(first: _Side, second: _Side, score: str) -> str:
    has = [set(side.opened[0].scores) for side in (first, second)]
    both = [name for name in first.opened[0].scores if name in has[1]]
    if score and score not in both:
        lacking = first if score not in has[0] else second
        raise InputError(f"{lacking.path} has no score {score!r}; both have {', '.join(both) or 'none in common'}")
    if not both:
        raise InputError(f"{first.path} and {second.path} have no score in common")
    return score or ("SAD" if "SAD" in both else both[0])


class _Pair(NamedTuple):
    """Row `a` of A and row `b` of B have the same two alleles."""

    a: int
    b: int
    swapped: bool


def _joined(first: Iterable[_Key], second: Iterable[_Key]) -> Iterator[_Pair]:
    """Every row of `first` whose alleles `second` has at the same POS; both are sorted by POS."""
    groups = groupby(second, key=lambda key: key.pos)
    there, theirs = -1, dict[tuple[str, str], int]()
    for pos, group in groupby(first, key=lambda key: key.pos):
        while there < pos and (following := next(groups, None)):
            there = following[0]
            if there >= pos:
                theirs = {(key.ref, key.alt): key.place for key in reversed(list(following[1]))}
        for key in group if there == pos else ():
            if (straight := theirs.get((key.ref, key.alt))) is not None:
                yield _Pair(key.place, straight, False)
            elif (turned := theirs.get((key.alt, key.ref))) is not None:
                yield _Pair(key.place, turned, True)


def _values(
    pairing: _Pairing, first: Scores, second: Scores, batch: Sequence[_Pair]
) -> tuple[Sequence[ScoreRow], Array, Array]:
    """A's rows, and both scores float64 [pairs, tracks] in A's direction."""
    a = first.read(np.array([pair.a for pair in batch]), (pairing.score,))
    b = second.read(np.array([pair.b for pair in batch]), (pairing.score,))
    turn = np.array([-1.0 if pair.swapped and pairing.signed else 1.0 for pair in batch])
    ours: Matrix = a.values[pairing.score][:, pairing.a]
    theirs: Matrix = b.values[pairing.score][:, pairing.b]
    return a.rows, ours.astype(np.float64), theirs.astype(np.float64) * turn[:, None]


def _by_variant(pairing: _Pairing, a: Array, b: Array, swapped: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The columns `COLUMNS` of each variant, [variants, 6]."""
    difference = b - a
    where = np.abs(difference).argmax(axis=1)
    found = np.empty((len(a), len(COLUMNS)), dtype=object)
    found[:, 0] = same_sign(a, b)
    found[:, 1] = pearson(a, b)
    found[:, 2] = spearman(a, b)
    found[:, 3] = difference[np.arange(len(a)), where]
    found[:, 4] = [pairing.tracks[column].name for column in where]
    found[:, 5] = swapped.astype(int)
    return found


class _Totals:
    """What is counted and averaged while the lines of ``agreement.tsv.gz`` are made."""

    def __init__(self, pairing: _Pairing, advance: Callable[[int], object]) -> None:
        self._pairing = pairing
        self._advance = advance
        self.joined = self._swapped = self._compared = 0
        self._sums, self._known = np.zeros(3), np.zeros(3)
        self.tracks = ByColumn(len(pairing.tracks))

    def lines(self, first: _Side, second: _Side) -> Iterator[tuple[list[ScoreRow], NDArray[np.object_]]]:
        """A's rows that have scores in both, sorted, with what is said of each (`COLUMNS`)."""
        for a, b in first.shared(second):
            pairs = _joined(a.keys(), b.keys())
            while batch := list(islice(pairs, self._pairing.rows)):
                yield self._lines(a.scores, b.scores, batch)
                self._advance(len(batch))
        if not self.joined:
            raise InputError(f"{first.path} and {second.path} share no variant; are they on the same genome build?")

    def _lines(
        self, first: Scores, second: Scores, batch: Sequence[_Pair]
    ) -> tuple[list[ScoreRow], NDArray[np.object_]]:
        rows, a, b = _values(self._pairing, first, second, batch)
        scored = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
        swapped = np.array([pair.swapped for pair in batch])
        about = _by_variant(self._pairing, a[scored], b[scored], swapped[scored])
        self.tracks.add(a[scored], b[scored])
        self.joined += len(batch)
        self._swapped += int(swapped.sum())
        self._compared += len(about)
        numbers = about[:, :3].astype(np.float64)
        self._sums += np.nansum(numbers, axis=0)
        self._known += np.isfinite(numbers).sum(axis=0)
        return [rows[i] for i in np.flatnonzero(scored).tolist()], about

    def result(self, first: _Side, second: _Side) -> Agreement:
        """The numbers over all variants."""
        means = [total / known if known else math.nan for total, known in zip(self._sums, self._known, strict=True)]
        return Agreement(
            score=self._pairing.score,
            a=str(first.path),
            b=str(second.path),
            variants_a=first.variants,
            variants_b=second.variants,
            joined=self.joined,
            swapped=self._swapped,
            compared=self._compared,
            tracks=len(self._pairing.tracks),
            sign_agreement=means[0],
            pearson=means[1],
            spearman=means[2],
            sampled=self.tracks.sampled,
        )


def _write_tracks(path: Path, tracks: Sequence[Track], agreement: ByColumn) -> None:
    """A line for each track; empty where nothing can be said."""
    columns = zip(tracks, agreement.same_sign(), agreement.pearson(), agreement.spearman(), strict=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("track\tdescription\tsign_agreement\tpearson\tspearman\n")
        for track, *numbers in columns:
            cells = ("" if math.isnan(number) else f"{number:.6g}" for number in numbers)
            file.write("\t".join((track.name, track.description, *cells)) + "\n")


def _without_nan(values: dict[str, str | int | float]) -> dict[str, str | int | float | None]:
    """JSON has no word for NaN."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}
