"""The report of a gene's candidate enhancers: arcs, a table, and the best of them letter by letter; knows no option.

Letters are of the 100 bp around the strongest 20 of an element: what each base adds to the signal at the promoter that
is nearest of those whose window has the element, by the gradient less its mean over the four letters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from distal.coords import Interval
from distal.interpret import contributions as asking
from distal.interpret.contributions import Contributions
from distal.interpret.enhancers import METHODS as ASKED
from distal.interpret.enhancers import Links
from distal.interpret.linking import GeneLinks
from distal.interpret.peaks import peaks
from distal.interpret.promoters import Promoter, on_strand
from distal.io.fasta import Genome
from distal.io.links import Link
from distal.io.page import Facts, Folded, Heading, Part, Picture, Table, Text, write
from distal.markup import Bar
from distal.markup import Link as Leads
from distal.plots import contributions as pictures
from distal.plots import findings, svg
from distal.predictor import Predictor

DRAWN = 6
"""Elements that are drawn letter by letter."""
OWN_BP = 1000
"""Elements nearer than this to a start site have no arc: they are its promoter, and dwarf all others."""
COLUMNS = {
    "gradient": "|gradient x letter| of ln(1 + signal), summed around the element's middle",
    "gaussian": "|gradient less the mean of the four letters'| at the letter that is there, with Gaussian weights",
    "attention": "the share of the attention of the promoter's bins that falls on the element",
    "ism": "|change of ln(1 + signal)| when the element is shuffled; ism_change has the sign",
    "inverse_distance": "1 / bases to the nearest start site",
    "abc": "the element's share of activity x contact among the candidates",
    "activity_gradient": "the element's share of activity x gradient",
    "ism_change": "what shuffling changes, below 0 where the element adds to the signal",
    "activity": "how open the element is: as it was given, or predicted",
}
"""What each number of the table is."""


@dataclass(frozen=True, eq=False)
class Report:
    """What was found of a gene, and with what it was asked."""

    found: GeneLinks
    predictor: Predictor
    genome: Genome
    query: str
    """Tracks that say how much the gene is expressed."""
    rc: bool = False
    _seen: dict[Promoter, Contributions] = field(default_factory=dict)

    def contributions(self, promoter: Promoter) -> Contributions:
        """What each base of a promoter's window adds to the signal there; asked once."""
        if promoter not in self._seen:
            target = Interval(promoter.chrom, promoter.tss[0], promoter.tss[-1] + 1)
            channels = on_strand(self.predictor.tracks.select(self.query), promoter.strand).channels
            query = f"index={','.join(map(str, channels.tolist()))}"
            asked = asking.locus(self.predictor, self.genome, target, query)
            self._seen[promoter] = asking.centred_gradient(self.predictor, asked, self.rc)
        return self._seen[promoter]


def report(path: Path, made: Report, command: str, progress: Callable[[int], object] = lambda n: None) -> None:
    """Write the page. `progress` hears of each element that is drawn, of which there are at most `DRAWN`."""
    found, model = made.found, made.predictor.spec.name
    rows = found.rows()
    parts: list[Part] = [Text(command, literal=True), *_about(made), *_arcs(found, model), *_table(rows)]
    for place, row in enumerate(_best(rows)):
        parts += [Heading(_place(row), f"{place + 1}", small=True), *_letters(made, row)]
        progress(1)
    write(path, f"Candidate enhancers of {found.gene.name}, {model}", [*parts, *_made(made)])


def _about(made: Report) -> list[Part]:
    gene, links = made.found.gene, made.found.links
    sites = ", ".join(f"{Interval(gene.chrom, site, site + 1).to_ucsc().partition('-')[0]}" for site in gene.tss[:8])
    more = f" and {len(gene.tss) - 8} more" if len(gene.tss) > 8 else ""
    about = {
        "gene": f"{gene.name} ({gene.id}), strand {gene.strand}",
        "start sites": f"{sites}{more}",
        "windows": len(links.promoters),
        "elements": len(links.elements),
        "cell type": None if made.found.cell_type == "NA" else made.found.cell_type,
    }
    return [Facts({name: value for name, value in about.items() if value is not None})]


def _arcs(found: GeneLinks, model: str) -> list[Part]:
    """A picture for each stretch that the windows read."""
    shown = replace(found, links=_distal(found.links))
    figures = [findings.enhancers(replace(shown, signal=(tracks,)), model) for tracks in found.signal]
    left = len(found.links.elements) - len(shown.links.elements)
    alt = f"arcs from the elements to the start sites of {found.gene.name}, one panel a method"
    caption = (
        "An arc is as high as its score, the five best of each method are orange; below is the predicted accessibility."
        + (f" Left out: {left} less than {OWN_BP:,} bp from a start site." if left else "")
    )
    return [Heading("Elements and the gene"), *(Picture(svg(figure), alt, caption) for figure in figures)]


def _distal(links: Links) -> Links:
    """Those elements that aren't the gene's promoters."""
    kept = [i for i, away in enumerate(links.distance()) if away >= OWN_BP]
    elements = tuple(links.elements[i] for i in kept)
    change = None if links.change is None else links.change[kept]
    return Links(links.promoters, elements, {name: values[kept] for name, values in links.scores.items()}, change)


def _best(rows: Sequence[Link]) -> list[Link]:
    """The first rows with a score."""
    return [row for row in rows if not np.isnan(_score(row))][:DRAWN]


def _table(rows: Sequence[Link]) -> list[Part]:
    names = list(rows[0].scores) if rows else []
    most = {
        name: max((abs(row.scores[name]) for row in rows if row.scores[name] == row.scores[name]), default=0.0)
        for name in names
    }
    drawn = len(_best(rows))
    lines = [
        {
            "rank": place + 1,
            "element": Leads(_place(row), f"#{place + 1}") if place < drawn else _place(row),
            "name": row.name,
            "class": row.kind,
            "bp to the TSS": row.element.center - row.tss,
            **{name: Bar(value, most[name]) if name in ASKED else value for name, value in row.scores.items()},
        }
        for place, row in enumerate(rows)
    ]
    if all(row.name == f"{row.element.chrom}:{row.element.start}-{row.element.end}" for row in rows):
        lines = [{name: value for name, value in line.items() if name != "name"} for line in lines]
    said: list[dict[str, Any]] = [{"column": name, "what it is": COLUMNS.get(name, "")} for name in names]
    order = f"Ordered by {names[0]}. " if names else ""
    return [
        Text(f"{order}Bases to the nearest start site are negative to the left of it."),
        Table(lines, long=True),
        Folded("What the columns are", [Table(said)]),
    ]


def _letters(made: Report, row: Link) -> list[Part]:
    """The strongest bases of an element, and what is known of it."""
    links, window = made.found.links, made.predictor.window
    seen_by = [each for each in links.promoters if each.read(window).contains(_middle(row.element))]
    promoter = min(seen_by, key=lambda each: each.distance(row.element))
    found = made.contributions(promoter)
    part = row.element.clip(found.interval.start, found.interval.end)
    shown = pictures.Shown(found.actual(), found.codes, found.interval)
    best = peaks(shown.over(part).values, 1)
    middle = Interval(part.chrom, part.start + best[0].start, part.start + best[0].end) if best else part
    wide = middle.resize(pictures.LOGO_BP)
    inside = wide.shift(max(found.interval.start - wide.start, 0) + min(found.interval.end - wide.end, 0))
    figure = pictures.contributions(shown.over(inside), found.target, [], "", "contribution")
    said = f"{row.kind.capitalize()}, {abs(row.element.center - row.tss):,} bp from the start site."
    return [Text(said), Picture(svg(figure), f"logo of {inside.to_ucsc()}")]


def _middle(element: Interval) -> Interval:
    return Interval(element.chrom, element.center, element.center + 1)


def _made(made: Report) -> list[Part]:
    spec, facts = made.predictor.spec, made.predictor.facts(made.genome)
    about = {
        "model": f"{spec.name} ({spec.family}), {spec.licence}",
        "window": str(spec.window),
        "genome": made.genome.path.name,
        "tracks": f"{len(made.predictor.tracks.select(made.query)):,} ({made.query or 'all'})",
        "averaged over": "both strands" if made.rc else "one strand",
    }
    letters = (
        "Letters: what each base adds to the signal at the promoter (the sum over its bins, mean over the tracks), by "
        "the gradient less its mean over the four letters, at the letter that is there; 100 bp around the strongest 20."
    )
    return [
        Heading("How it was made"),
        Facts(about),
        Text(letters, soft=True),
        Folded("Everything else that decides the scores", [Facts(facts)]),
    ]


def _score(row: Link) -> float:
    return next(iter(row.scores.values()))


def _place(row: Link) -> str:
    return row.element.to_ucsc()
