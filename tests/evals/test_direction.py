"""Direction of eQTLs: what becomes of each row, effects by hand and by whole passes, planted signs, both strands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests import builders
from torch import Tensor

from distal import dna
from distal.coords import Interval, Variant, Window
from distal.dna import Codes
from distal.errors import InputError
from distal.evals import direction
from distal.evals.direction import Association, Placed
from distal.incremental import Incremental
from distal.io.fasta import Genome
from distal.io.genes import Gene, Genes
from distal.io.vcf import VcfRow
from distal.predictor import Predictor, averaged, readings

HEADER = "gene_id\tchr\tpos\tref\talt\tslope\tqval\n"
WINDOW = Window(2048, 128, 8)
SIZE = 8000
LETTERS = "".join(np.random.default_rng(5).choice(list("ACGT"), SIZE))
TSS = 4000


class Counting:
    """A pass whose signal is the number of G: in the bin itself, or, where it reaches far, in the whole window."""

    def __init__(self, far: bool) -> None:
        self.predictor: Predictor = builders.predictor("basenji2")
        self.far = far

    def forget(self) -> None:
        pass

    def members(
        self,
        sequences: Iterable[Codes],
        rc: bool = False,
        shifts: Sequence[int] = (0,),
        channels: NDArray[np.int64] | None = None,
    ) -> Iterator[list[Tensor]]:
        assert channels is not None
        for codes in sequences:
            output = (codes == 2)[512:1536].reshape(8, 128).sum(axis=1)
            signal = np.full(8, (codes == 2).sum()) if self.far else output
            values = torch.from_numpy(signal.astype(np.float64))[:, None].expand(8, len(channels))
            yield [values] * len(readings(rc, shifts))


def fasta(folder: Path, text: str = LETTERS, name: str = "chr1") -> Genome:
    path = folder / f"{name}.fa"
    path.write_text(f">{name}\n{text}\n")
    return Genome(path)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return fasta(tmp_path_factory.mktemp("direction"))


def annotation(folder: Path, *rows: tuple[str, int, str]) -> Genes:
    path = folder / "genes.bed"
    path.write_text("".join(f"chr1\t{at}\t{at + 1}\t{gene}\t0\t{strand}\n" for gene, at, strand in rows))
    return Genes.read(path)


def row(
    start: int, ref: str = "", alt: str = "", slope: float = 1.0, gene: str = "ENSG1.4", q: float = 0
) -> Association:
    """Of the substitution or indel at 0-based `start`; by default to the next letter."""
    ref = ref or LETTERS[start]
    alt = alt or "ACGT"[("ACGT".index(ref) + 1) % 4]
    return Association(VcfRow(1, 1, "1", start + 1, gene, ref, alt), gene, slope, q)


def first(letter: str, start: int) -> int:
    return LETTERS.index(letter, start)


def statuses(rows: Sequence[Placed]) -> list[str]:
    return [one.status for one in rows]


# --- rows


@pytest.mark.parametrize("position", ["pos", "variant_pos"])
def test_tables_of_both_releases_are_read(position: str, tmp_path: Path) -> None:
    path = tmp_path / "x.egenes.txt"
    path.write_text(HEADER.replace("pos", position) + "ENSG1.4\t20\t17\ta\tG\t-0.5\t0.01\n")
    assert direction.read(path) == [Association(VcfRow(2, 2, "20", 17, "ENSG1.4", "A", "G"), "ENSG1.4", -0.5, 0.01)]
    path.write_text("gene_id\tchr\tpos\tref\talt\tslope\nENSG1\t20\t17\tA\tG\t2\n")
    assert direction.read(path)[0].q == 0


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("gene_id\tchr\tpos\tref\n")
    with pytest.raises(InputError, match=r"line 1: no column alt, slope; give a table of GTEx's"):
        direction.read(path)
    path.write_text(HEADER + "ENSG1\t20\t17\tA\tG\tNA\t0\n")
    with pytest.raises(InputError, match="line 2: slope must be a number"):
        direction.read(path)


def test_every_row_is_accounted_for(genome: Genome, tmp_path: Path) -> None:
    genes = annotation(tmp_path, ("ENSG1.9", TSS, "+"), ("ENSG2", 7000, "-"))
    at = first("A", TSS + 100)
    table = [
        row(at, "A", "C"), row(at, "A", "C", gene="ENSG1.7"), row(at, "C", "A"), row(at, "G", "T"),
        row(at, "A", "<DEL>"), row(at, "A", "C", gene="ENSG3"), row(at, "A", "C", gene="ENSG2"),
        row(at, "A", "C", q=0.06), row(at, "A", "C", 0.0), row(at, "A", "G"),
        Association(VcfRow(1, 1, "chr9", 5, "", "A", "C"), "ENSG1", 1),
        Association(VcfRow(1, 1, "chr1", SIZE + 5, "", "A", "C"), "ENSG1", 1),
    ]  # fmt: skip
    found = direction.place(table, genome, genes, WINDOW)
    assert statuses(found) == [
        "scored", "duplicate", "ref_flipped", "ref_mismatch", "unsupported_allele", "no_gene", "too_far",
        "not_significant", "no_slope", "scored", "out_of_range", "out_of_range",
    ]  # fmt: skip
    assert found[0].distance == at - TSS
    assert direction.counted(found).startswith("2 scored, 2 out_of_range, 1 duplicate")
    assert statuses(direction.place(table, genome, genes, WINDOW, fdr=0.06))[7] == "duplicate"
    direction.write(tmp_path / "rows.tsv", direction.scored(Counting(far=True), genome, found))
    lines = [line.split("\t") for line in (tmp_path / "rows.tsv").read_text().splitlines()]
    assert [line[6] for line in lines[1:]] == statuses(found)
    assert [bool(line[9]) for line in lines[1:]] == [status == "scored" for status in statuses(found)]


def test_a_distance_may_be_asked_for(genome: Genome, tmp_path: Path) -> None:
    genes = annotation(tmp_path, ("ENSG1", TSS, "+"))
    table = [row(TSS + 100), row(TSS - 101), row(TSS - 400)]
    for most, kept in ((None, 3), (101, 2), (100, 1)):
        found = direction.place(table, genome, genes, WINDOW, most)
        assert statuses(found).count("scored") == kept
    with pytest.raises(InputError, match=r"none of 3 rows can be scored \(3 too_far\)"):
        direction.place(table, genome, genes, WINDOW, 50)
    with pytest.raises(InputError, match="at most 0 bp away; give 1 or more"):
        direction.place(table, genome, genes, WINDOW, 0)
    with pytest.raises(InputError, match=r"between 0 and 1, not 1\.5"):
        direction.place(table, genome, genes, WINDOW, fdr=1.5)


@given(
    start=st.integers(2000, 6000),
    sites=st.sets(st.integers(2000, 6000), min_size=1, max_size=4),
    ref=st.integers(1, 40),
    bin_bp=st.sampled_from([32, 128]),
)
def test_what_is_seen_is_in_the_output(start: int, sites: set[int], ref: int, bin_bp: int) -> None:
    window = Window(2048, bin_bp, 1024 // bin_bp)
    variant = Variant("chr1", start, "A" * ref, "C")
    gene = Gene("g", "g", "chr1", "+", tuple(sorted(sites)), ())
    nearest = min(sites, key=lambda site: abs(site - start))
    input, bins = direction._seen(window, variant, gene, nearest)
    output = window.output_of(input)
    if len(bins):
        assert output.contains(variant.interval)
        assert bins.min() >= 0
        assert bins.max() < window.bins
        assert (nearest - output.start) // bin_bp in bins
        assert len(bins) <= len(sites) * (256 // bin_bp + 1)
    else:  # half of the output, less the bins around the site and the alleles, would have been near enough
        assert abs(nearest - start) + ref > 1024 - 2 * (128 + bin_bp) - 2 * ref - 4


# --- effects


@pytest.mark.parametrize("rc", [False, True])
def test_worked_effect(rc: bool, genome: Genome, tmp_path: Path) -> None:
    """One G more in the bins of the start site, none where the variant lies beyond them, and two for two sites."""
    genes = annotation(tmp_path, ("ENSG1", TSS, "+"))
    near, away = first("A", TSS + 11), first("A", TSS + 500)
    table = [row(near, "A", "G"), row(near, "A", "C"), row(away, "A", "G")]
    placed = direction.place(table, genome, genes, WINDOW)
    found = direction.scored(Counting(far=False), genome, placed, rc=rc)
    view = found[0].view
    assert view is not None
    start = view.input.start + 512 + int(view.bins[0]) * 128
    assert start <= TSS - 128 < TSS + 129 <= start + 3 * 128
    before = LETTERS[start : start + 3 * 128].count("G")
    assert found[0].predicted == pytest.approx(math.log2((2 + before) / (1 + before)), rel=1e-12)
    assert [one.predicted for one in found[1:]] == [0, 0]


@pytest.mark.parametrize("inserted", ["GGG", "G" * 12])
def test_an_indel_changes_what_it_brings(inserted: str, genome: Genome, tmp_path: Path) -> None:
    genes = annotation(tmp_path, ("ENSG1", TSS, "+"))
    at = next(at for at in range(TSS - 60, TSS) if "G" not in LETTERS[at : at + 2])
    ref = LETTERS[at]
    placed = direction.place([row(at, ref, ref + inserted), row(at, LETTERS[at : at + 2], ref)], genome, genes, WINDOW)
    gains, loses = direction.scored(Counting(far=False), genome, placed)
    assert gains.view is not None
    start = gains.view.input.start + 512 + int(gains.view.bins[0]) * 128
    before = LETTERS[start : start + 3 * 128].count("G")
    exact = math.log2((1 + before + len(inserted)) / (1 + before))
    assert gains.predicted == pytest.approx(exact, rel=0.1)  # a bin's signal is spread over its bases
    assert abs(loses.predicted) < exact / 4  # the base that goes is no G


@pytest.mark.parametrize(("rc", "strand"), [(False, "+"), (True, "-")])
def test_an_effect_is_that_of_whole_passes(rc: bool, strand: str, genome: Genome, tmp_path: Path) -> None:
    predictor = builders.predictor("enformer")
    genes = annotation(tmp_path, ("ENSG1", TSS, strand))
    one = row(TSS + 201)
    placed = direction.place([one], genome, genes, WINDOW)
    (found,) = direction.scored(Incremental(predictor), genome, placed, "assay=CAGE", rc)
    center = (TSS + TSS + 202) // 2
    codes = genome.codes(Interval("chr1", center - 1024, center + 1024))
    changed = codes.copy()
    changed[TSS + 201 - center + 1024] = dna.encode(one.row.alt)[0]
    bin = (TSS - (center - 512)) // 128
    channel = np.array([0 if strand == "+" else 1])
    ref, alt = (
        averaged(predictor, side, rc, channels=channel)[0, bin - 1 : bin + 2].double().sum().item()
        for side in (codes[None], changed[None])
    )
    assert found.predicted == pytest.approx(math.log2((1 + alt) / (1 + ref)), rel=1e-2, abs=1e-6)
    assert found.predicted != 0


def test_numbers_depend_on_no_order(genome: Genome, tmp_path: Path) -> None:
    pass_ = Incremental(builders.predictor("basenji2"))
    genes = annotation(tmp_path, ("ENSG1", TSS, "+"), ("ENSG1", TSS + 300, "+"), ("ENSG2", TSS + 50, "-"))
    table = [row(at, gene=gene) for at in range(TSS - 200, TSS + 200, 57) for gene in ("ENSG1", "ENSG2")]
    ahead, back = (
        {
            one.unit: one.predicted
            for one in direction.scored(pass_, genome, direction.place(rows, genome, genes, WINDOW))
        }
        for rows in (table, table[::-1])
    )
    assert ahead == back
    assert len(set(ahead.values())) == len(table)


def test_the_other_strand_tells_the_same(genome: Genome, tmp_path: Path) -> None:
    """A genome read from its other end: genes and variants with it. An odd distance, so that the middle is a middle."""
    mirrored = fasta(tmp_path, dna.decode(dna.reverse_complement(dna.encode(LETTERS))), "chr1")
    pass_ = Incremental(builders.predictor("enformer"))
    turn = str.maketrans("ACGT", "TGCA")
    sides = []
    for turned in (False, True):
        sites = [("ENSG1", TSS, "+"), ("ENSG1", TSS + 260, "+")]
        rows = [row(TSS + shift) for shift in (-301, -75, 21)]
        if turned:
            sites = [(gene, SIZE - 1 - at, "-") for gene, at, _ in sites]
            rows = [
                replace(one, row=one.row._replace(pos=SIZE + 1 - one.row.pos, ref=one.row.ref.translate(turn),
                                                  alt=one.row.alt.translate(turn)))
                for one in rows
            ]  # fmt: skip
        here = mirrored if turned else genome
        placed = direction.place(rows, here, annotation(tmp_path, *sites), WINDOW)
        found = direction.scored(pass_, here, placed, rc=True)
        assert statuses(found) == ["scored"] * 3
        sides.append([one.predicted for one in found])
    assert sides[0] == pytest.approx(sides[1], rel=1e-4)


def test_tracks_of_the_other_strand_alone_are_refused(genome: Genome, tmp_path: Path) -> None:
    placed = direction.place([row(TSS + 9)], genome, annotation(tmp_path, ("ENSG1", TSS, "-")), WINDOW)
    with pytest.raises(InputError, match="other strand than the gene's"):
        direction.scored(Counting(far=True), genome, placed, "index=0")


def test_an_infinite_answer_has_failed(genome: Genome, tmp_path: Path) -> None:
    class Broken(Counting):
        def members(self, *words: object, **more: object) -> Iterator[list[Tensor]]:
            yield from ([torch.full((8, 1), math.nan, dtype=torch.float64)] for _ in range(2))

    placed = direction.place([row(TSS + 9)], genome, annotation(tmp_path, ("ENSG1", TSS, "+")), WINDOW)
    (found,) = direction.scored(Broken(far=True), genome, placed)
    assert found.status == "failed"
    assert direction.cases([found], "x")[0].truth.tolist() == []


# --- questions


@pytest.mark.parametrize(("sign", "right"), [(1, 1.0), (-1, 0.0)])
def test_planted_signs_are_found(sign: int, right: float, genome: Genome, tmp_path: Path) -> None:
    """G raises expression wherever it is: a model that knows is always right, one that sees nothing is at chance."""
    genes = annotation(tmp_path, *((f"ENSG{i}", 2000 + 500 * i, "+-"[i % 2]) for i in range(8)))
    table = []
    for i in range(8):
        for at in (2000 + 500 * i - 300, 2000 + 500 * i + 260):
            up, down = first("A", at), first("G", at)
            table += [row(up, "A", "G", sign * 0.5, f"ENSG{i}"), row(down, "G", "T", sign * -0.7, f"ENSG{i}")]
    placed = direction.place(table, genome, genes, WINDOW)
    values = {
        (case.name, case.statistic): case.estimate(draws=50)
        for case in direction.cases(direction.scored(Counting(far=True), genome, placed), "G")
    }
    assert len(placed) == 32
    for question in ("all signs", "strongest third of predictions", "strongest tenth of predictions"):
        assert values[f"G, {question}", "concordance"].value == right
    assert values["G", "auroc"].value == right
    assert values["G", "pearson"].value * sign > 0.99
    blind = direction.cases(direction.scored(Counting(far=False), genome, placed), "G")[0]
    assert blind.estimate(draws=50).value == pytest.approx(0.5, abs=0.1)


def test_worked_questions() -> None:
    folds = [3, -2, 1, 0.5, -0.4, 0.3, 0.2, -0.1, 0.05, 0.0]
    slopes = [1, 1, 1, 1, -1, -1, 1, -1, 1, 1.0]
    distances = [10, 999, 1000, 5000, 9999, 10000, 20000, 29999, 30000, 90000]
    rows = [
        Placed(row(100 + i, slope=slope, gene=f"ENSG{i // 2}.1"), "scored", distance, predicted=fold)
        for i, (fold, slope, distance) in enumerate(zip(folds, slopes, distances, strict=True))
    ]
    rows.insert(3, Placed(row(5), "too_far", 10**6))
    found = direction.cases(rows, "x")
    values = {case.name: (len(case.truth), case.estimate(draws=9).value) for case in found}
    assert values["x, all signs"] == (10, 0.75)  # -2 and 0.3 are wrong, 0 is half right
    assert values["x, strongest third of predictions"] == (3, pytest.approx(2 / 3))
    assert values["x, strongest tenth of predictions"] == (1, 1)
    assert values["x, 0 to 1,000 bp from the start site"] == (2, 0.5)
    assert values["x, 1,000 to 10,000 bp from the start site"] == (3, 1)
    assert values["x, 10,000 to 30,000 bp from the start site"] == (3, pytest.approx(2 / 3))
    assert values["x, from 30,000 bp from the start site"] == (2, 0.75)
    assert {case.statistic for case in found if case.name == "x"} == {"auroc", "pearson", "spearman"}
    assert found[0].groups is not None
    assert found[0].groups.tolist() == [f"ENSG{i // 2}" for i in range(10)]
    assert found[0].notes == "70% of ALT alleles raise expression"
    assert all(case.protocol == "our protocol" for case in found)
    near = direction.cases(rows[:2], "x")
    assert not any("30,000" in case.name for case in near)
