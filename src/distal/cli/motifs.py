"""`distal motifs`: known motifs under the peaks of contributions, or the peaks for TF-MoDISco; knows options."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import emit, progress
from distal.cli.ism import PICTURES
from distal.cli.options import Json
from distal.coords import Interval
from distal.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distal.interpret.motifs import Hit
    from distal.io.contributions import Stored
    from distal.io.meme import Motif

FLANK = 8
"""Bases on either side of a peak that are looked through too: long motifs stand out of it."""
TELLING = 0.05
"""Of a peak a motif explains at least so much to be in a picture."""


def motifs(
    *,
    contributions: Path,
    meme: Path,
    out: Path,
    peaks: int = 50,
    p_value: float = 1e-4,
    best: int = 3,
    modisco: Path | None = None,
    modisco_width: int = 400,
    figure: Path | None = None,
    json: Json = False,
) -> None:
    """Known motifs under the most important bases of a region.

    The peaks of the contributions are looked through, on both strands, for every motif. A hit is as improbable in
    random letters as `p-value` says; hits are ranked by what they explain of the contributions there, and of hits that
    overlap the best is kept.

    Parameters
    ----------
    contributions
        X.h5 of `distal contributions` with grad-centred, ig, ism or grad.
    meme
        Motifs in MEME's format, plain or gzip, such as JASPAR's or HOCOMOCO's.
    out
        X.tsv: a line a hit, peaks from the most important one on; start and end count from 0, half-open.
    peaks
        How many windows of 20 bp to take, those with the largest sums of contributions.
    p_value
        The most a hit's may be.
    best
        How many hits to keep for each peak.
    modisco
        A folder for windows around the peaks in the form that `modisco motifs` (TF-MoDISco-lite) reads.
    modisco_width
        Bases of each of those windows.
    figure
        X.png, X.svg or X.pdf: the region, and its most important peaks with the motifs found there.
    """
    from distal.interpret.motifs import Scorer
    from distal.interpret.peaks import peaks as find
    from distal.io import contributions as stored
    from distal.io import meme as motif_files

    started = time.monotonic()
    _check(out, figure, peaks, p_value, best)
    content = stored.read(contributions)
    known = list(motif_files.read(meme))
    scorers = [Scorer.of(motif.probabilities) for motif in known]
    places = [
        _Place(rank, peak.start, peak.end, peak.total)
        for rank, peak in enumerate(find(content.contributions, peaks), 1)
    ]
    found: list[tuple[_Place, Hit]] = []
    with progress("motifs", len(places), "peaks") as advance:
        for place in places:
            found += [(place, hit) for hit in _hits(place, scorers, content, p_value, best)]
            advance()
    _write(out, found, known, content)
    files = [out]
    windows = 0
    if modisco is not None:
        written, windows = _export(modisco, places, content, modisco_width)
        files += written
    if figure is not None:
        _draw(figure, found, places, known, content)
        files.append(figure)
    summary: dict[str, Any] = {"files": [str(path) for path in files], "peaks": len(places)}
    summary |= {"motifs": len(known), "hits": len(found), "peaks_with_hits": len({place.rank for place, _ in found})}
    if modisco is not None:
        summary["modisco_windows"] = windows
    emit({**summary, "seconds": round(time.monotonic() - started, 2)}, json)


@dataclass(frozen=True)
class _Place:
    """A peak, the `rank`th in importance, at [start, end) of the region."""

    rank: int
    start: int
    end: int
    total: float


def _hits(place: _Place, scorers: Sequence[Any], content: Stored, most_p: float, best: int) -> Iterator[Hit]:
    """A peak's best hits, in places of the region."""
    from dataclasses import replace

    from distal.interpret.motifs import apart, hits

    start, end = max(place.start - FLANK, 0), min(place.end + FLANK, len(content.codes))
    for hit in apart(hits(scorers, content.codes[start:end], content.hypothetical[start:end], most_p), best):
        yield replace(hit, start=hit.start + start, end=hit.end + start)


COLUMNS = (
    "chrom",
    "start",
    "end",
    "motif",
    "name",
    "strand",
    "score_bits",
    "p_value",
    "explained",
    "agrees",
    "contribution",
    "peak",
    "peak_start",
    "peak_end",
    "peak_contribution",
    "sequence",
)


def _write(out: Path, found: Sequence[tuple[_Place, Hit]], known: Sequence[Motif], content: Stored) -> None:
    from distal.dna import decode, reverse_complement
    from distal.files import replacing

    chrom, first = content.interval.chrom, content.interval.start
    rows = ["\t".join(COLUMNS)]
    for place, hit in found:
        motif = known[hit.motif]
        codes = content.codes[hit.start : hit.end]
        text = decode(reverse_complement(codes) if hit.strand == "-" else codes)
        numbers = (f"{hit.score:.2f}", f"{hit.p:.3g}", f"{hit.explained:.4f}", "yes" if hit.agrees else "no")
        where = (str(place.rank), str(place.start + first), str(place.end + first), f"{place.total:.6g}")
        cells = (chrom, str(hit.start + first), str(hit.end + first), motif.name, motif.alternative or ".", hit.strand)
        rows.append("\t".join((*cells, *numbers, f"{hit.contribution:.6g}", *where, text)))
    with replacing(out) as temporary:
        temporary.write_text("\n".join(rows) + "\n")


def _export(folder: Path, places: Sequence[_Place], content: Stored, width: int) -> tuple[list[Path], int]:
    """Windows centred on the peaks that lie in the region from end to end; its files, and how many they are."""
    from distal.io import modisco

    whole = content.interval
    middles = [whole.start + (place.start + place.end) // 2 for place in places]
    windows = [Interval(whole.chrom, middle - width // 2, middle - width // 2 + width) for middle in middles]
    inside = [window for window in windows if whole.contains(window)]
    if not inside:
        raise InputError(f"no window of {width} bp around a peak lies in {whole.to_ucsc()}; make them narrower")
    rows = [slice(window.start - whole.start, window.end - whole.start) for window in inside]
    codes, values = [content.codes[row] for row in rows], [content.hypothetical[row] for row in rows]
    return modisco.write(folder, inside, codes, values), len(inside)


def _draw(
    path: Path, found: Sequence[tuple[_Place, Hit]], places: Sequence[_Place], known: Sequence[Motif], content: Stored
) -> None:
    from distal import plots
    from distal.plots import contributions as picture

    whole = content.interval

    def at(bases: _Place | Hit) -> Interval:
        return Interval(whole.chrom, whole.start + bases.start, whole.start + bases.end)

    telling = [hit for _, hit in reversed(found) if hit.explained >= TELLING]
    marks = {at(hit): f"{known[hit.motif].label[:28]} {hit.explained:.0%}" for hit in telling}
    values = picture.Shown(content.contributions, content.codes, whole)
    logos = [at(place) for place in places]
    title = f"{content.facts['model']}, {content.facts['method']}: motifs, and what they explain of each peak"
    plots.save(picture.contributions(values, content.target, logos, title, "contribution", marks), path)


def _check(out: Path, figure: Path | None, peaks: int, p_value: float, best: int) -> None:
    for path, known in ((out, (".tsv",)), (figure, PICTURES)):
        if path is not None and path.suffix not in known:
            raise InputError(f"{path}: the name must end in {', '.join(known)}")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder; make it first")
    if peaks < 1 or best < 1:
        raise InputError(f"{peaks} peaks and {best} hits of each is nothing to look for; give at least 1")
    if not 0 < p_value <= 1:
        raise InputError(f"p-value {p_value:g} is no probability above 0; 1e-4 is usual")
