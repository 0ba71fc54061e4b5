"""From a gene's name to its elements: what the table says of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests import builders

import distal
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import Incremental
from distal.interpret.contact import Measured, PowerLaw
from distal.interpret.enhancers import Asking, view
from distal.interpret.linking import GeneLinks
from distal.interpret.promoters import total
from distal.io.bed import BedRow
from distal.io.bedpe import Pair
from distal.io.fasta import Genome
from distal.io.genes import Genes
from distal.plots import findings

ROWS = [(9000, "g1", "+"), (10_500, "g1", "+"), (10_600, "other", "-"), (15_000, "twin", "+"), (16_000, "twin", "-")]


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"), 20_000)


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> Genes:
    """A gene with two promoters whose windows overlap; a twin on each strand. Contigs are named without chr."""
    path: Path = tmp_path_factory.mktemp("genes") / "genes.bed"
    path.write_text("".join(f"1\t{at}\t{at + 1}\tt{at}\t0\t{strand}\t{name}\n" for at, name, strand in ROWS))
    return Genes.read(path)


def found(genome: Genome, genes: Genes, *elements: BedRow, methods: tuple[str, ...] = ("gradient",)) -> GeneLinks:
    predictor = builders.predictor()
    given = {"width_bp": 100, "shuffles": 1, "cell_type": "K562"}
    return distal.link_enhancers(predictor, genome, genes, "G1", elements or None, methods=methods, **given)


def test_rows_are_ranked_and_say_what_each_element_is(genome: Genome, genes: Genes) -> None:
    given = [BedRow(Interval(chrom, at, at + 100), name) for chrom, at, name in (("1", 9600, "."), ("1", 10_450, "p"))]
    linked = found(genome, genes, *given, BedRow(Interval("7", 1, 2)), methods=("gradient", "ism"))
    assert (linked.gene.chrom, linked.cell_type) == ("chr1", "K562")
    assert [gene.name for gene in linked.near] == ["g1", "other"]
    rows = linked.rows()
    assert {(row.name, row.kind, row.tss) for row in rows} == {
        ("chr1:9600-9700", "intergenic", 9000),
        ("p", "promoter", 10_500),
    }
    scores = [row.scores["gradient"] for row in rows]
    assert scores == sorted(linked.links.scores["gradient"].tolist(), reverse=True)
    assert list(rows[0].scores) == [*linked.links.scores, "ism_change", "activity"]
    assert all(row.scores["ism"] == abs(row.scores["ism_change"]) for row in rows)
    first = linked.pairs()[0]
    assert first == Pair(rows[0].element, Interval("chr1", rows[0].tss, rows[0].tss + 1, "+"), scores[0], first.name)


def test_unseen_elements_come_last_and_are_no_pairs(genome: Genome, genes: Genes) -> None:
    linked = found(genome, genes)
    scores = linked.links.scores["gradient"].copy()
    scores[0] = np.nan
    less = replace(linked, links=replace(linked.links, scores={**linked.links.scores, "gradient": scores}))
    assert less.order()[-1] == 0
    assert len(less.pairs()) == len(less.rows()) - 1 == len(linked.pairs()) - 1


def test_measured_contact_takes_the_place_of_the_power_law(genome: Genome, genes: Genes) -> None:
    at = [Interval("chr1", start, start + 100) for start in (9600, 9800)]
    rows = [BedRow(place, score=1.0) for place in at]
    contact = Measured([Pair(at[0], Interval("chr1", 8990, 9010), 3.0)])
    ask = {"elements": rows, "methods": ("gradient",)}
    predictor = builders.predictor()
    told = distal.link_enhancers(predictor, genome, genes, "g1", contact=contact, **ask).links.scores["abc"]
    assert told.tolist() == [1.0, 0.0]
    default = distal.link_enhancers(predictor, genome, genes, "g1", **ask).links.scores["abc"]
    law = [sum(PowerLaw()(place, tss) for tss in (9000, 10_500)) for place in at]
    np.testing.assert_allclose(default, np.array(law) / sum(law))


@pytest.mark.parametrize(("query", "cell_type"), [("assay=CAGE", "liver"), ("", "NA")])
def test_without_a_name_the_cell_type_is_what_the_tracks_share(genome, genes, query, cell_type) -> None:
    linked = distal.link_enhancers(builders.predictor(), genome, genes, "g1", query=query, methods=("gradient",))
    assert linked.cell_type == cell_type


@pytest.mark.parametrize("rc", [False, True])
def test_strands_are_averaged_where_that_is_asked(genome: Genome, genes: Genes, rc: bool) -> None:
    predictor = builders.predictor()
    linked = distal.link_enhancers(predictor, genome, genes, "g1", methods=("gradient",), rc=rc)
    places = [element.interval for element in linked.links.elements]
    asking = Asking(("gradient",), "assay=CAGE", rc)
    parts = [view(Incremental(predictor), genome, one, asking).gradient(places) for one in linked.links.promoters]
    np.testing.assert_allclose(linked.links.scores["gradient"], total(parts))
    predicted = next(iter(distal.predict(predictor, genome, [linked.signal[0].interval], "assay=DNASE", rc)))
    np.testing.assert_array_equal(linked.signal[0].values, predicted.values)


def test_progress_hears_of_each_promoter(genome: Genome, genes: Genes) -> None:
    heard: list[int] = []
    linked = distal.link_enhancers(
        builders.predictor(), genome, genes, "g1", methods=("gradient",), progress=heard.append
    )
    assert heard == [1] * len(linked.links.promoters) == [1, 1]


def test_what_is_refused(genome: Genome, genes: Genes) -> None:
    predictor = builders.predictor()
    with pytest.raises(InputError, match="names 2 genes: twin on 1, twin on 1; give the identifier"):
        distal.link_enhancers(predictor, genome, genes, "twin")
    with pytest.raises(InputError, match="none of the elements lies in chr1:"):
        found(genome, genes, BedRow(Interval("chr1", 19_000, 19_100)))


def test_the_figure_shows_genes_whatever_their_file_calls_the_chromosome(genome: Genome, genes: Genes) -> None:
    figure = findings.enhancers(found(genome, genes), "tiny")
    assert figure.get_suptitle() == "Candidate enhancers of g1, tiny"
