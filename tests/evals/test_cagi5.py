"""CAGI5: reading releases, the worked first component, folds that don't leak, and both protocols on a tiny model."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal import dna
from distal.coords import Interval, Variant
from distal.dna import N
from distal.errors import InputError
from distal.evals import cagi5
from distal.evals.cagi5 import Protocol, Release
from distal.evals.cases import Case
from distal.incremental import Incremental
from distal.io import islands
from distal.io.islands import Patchwork
from distal.tracks import Track, TrackTable

HEADER = "##Chrom\tGRCh37\n#Chrom\tPos\tRef\tAlt\tValue\tConfidence\n"


def table(folder: Path, body: str, name: str = "release_HNF4A.tsv") -> Path:
    (folder / name).write_text(HEADER + body)
    return folder


def test_a_release_is_read(tmp_path: Path) -> None:
    found = cagi5.read(table(tmp_path, "20\t12\tC\tT\t-0.5\t0.2\n20\t11\tA\tG\t1\t0.05\n20\t11\tA\t-\t1\t0\n"))
    assert [one.element for one in found] == ["HNF4A"]
    assert [str(variant) for variant in found[0].variants] == ["chr20:11:A>G", "chr20:12:C>T"]
    assert found[0].values.tolist() == [1, -0.5]
    assert found[0].confidence.tolist() == [0.05, 0.2]


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        ("20\tx\tC\tT\t1\t1\n", "release_HNF4A.tsv", "not understood"),
        ("20\t1\tC\tT\n", "release_HNF4A.tsv", "not understood"),
        ("20\t1\tC\tT\t1\t1\n", "release_XY.tsv", "an element of CAGI5"),
        ("20\t1\tC\tT\t1\t1\n", "hnf4a.tsv", "give the CAGI5 release"),
    ],
)
def test_what_is_no_release_is_refused(body: str, name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        cagi5.read(table(tmp_path, body, name))


def test_a_workbook_is_a_folder_of_tables(tmp_path: Path) -> None:
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = ["#Chrom", "Pos", "Ref", "Alt", "Value", "Confidence"]
    strings = "".join(f"<si><t>{text}</t></si>" for text in [*cells, "A", "C"])
    header = "".join(f'<c r="{letter}1" t="s"><v>{i}</v></c>' for i, letter in enumerate("ABCDEF"))
    row = (
        '<c r="A2"><v>20</v></c><c r="B2"><v>7</v></c><c r="C2" t="s"><v>6</v></c>'
        '<c r="D2" t="inlineStr"><is><t>C</t></is></c><c r="E2"><v>0.5</v></c><c><v>0.1</v></c>'
    )
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst {main}>{strings}</sst>")
        archive.writestr("xl/_rels/workbook.xml.rels", '<R><Relationship Id="r1" Target="worksheets/a.xml"/></R>')
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{relation}"><sheets><sheet name="release_F9" r:id="r1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/worksheets/a.xml",
            f"<worksheet {main}><sheetData><row>{header}</row><row>{row}</row></sheetData></worksheet>",
        )
    (found,) = cagi5.read(tmp_path / "x.xlsx")
    assert (found.element, str(found.variants[0]), found.values.tolist()) == ("F9", "chr20:7:A>C", [0.5])
    (tmp_path / "no.xlsx").write_text("x")
    with pytest.raises(InputError, match="Excel workbook"):
        cagi5.read(tmp_path / "no.xlsx")


def test_islands_fill_what_genomes_lack(tmp_path: Path) -> None:
    genome = builders.genome(tmp_path, 100, "chr1")
    (tmp_path / "islands.fa").write_text(">X chr2:11-14 (plus)\nACg\nT\n>Y chr1:99-103\nAAAAA\n")
    patchwork = Patchwork([genome], islands.read(tmp_path / "islands.fa"))
    assert dna.decode(patchwork.codes(Interval("chr2", 8, 16))) == "NNACGTNN"
    assert dna.decode(patchwork.codes(Interval("chr2", 12, 13))) == "G"
    end = patchwork.codes(Interval("chr1", 90, 106))
    known = genome.codes(Interval("chr1", 90, 100))
    assert end[:8].tolist() == known[:8].tolist()
    assert [int(own) for own, code in zip(end[8:10], known[8:], strict=True) if code != N] == [
        int(c) for c in known[8:] if c != N
    ]
    assert dna.decode(end[10:]) == "AAANNN"
    assert patchwork.known(Interval("chr2", 8, 16)) == 0.5
    for text, reason in ((">X\nA\n", "no place"), (">X chr1:1-2\nA\n", "has 2 bases")):
        (tmp_path / "wrong.fa").write_text(text)
        with pytest.raises(InputError, match=reason):
            islands.read(tmp_path / "wrong.fa")


def test_matched_tracks_or_all_of_the_assay() -> None:
    tracks = ("CAGE:liver, HepG2", "CAGE:brain", "DNASE:K562", "DNASE:GM12878")
    made = TrackTable(tuple(Track(i, str(i), text) for i, text in enumerate(tracks)))
    assert cagi5.matched(made, "CAGE", "hepg2") == [0]
    assert cagi5.matched(made, "DNASE", "hepg2") == [2, 3]
    assert cagi5.matched(made, "ATAC", "hepg2") == []


def test_the_first_component_by_hand_and_its_direction() -> None:
    # two tracks that agree and one that says the opposite of them, at other scales: the component is what they share
    signal = np.array([1.0, -1, 2, -2])
    features = np.stack([signal, 10 * signal, -0.1 * signal], axis=1)
    found = cagi5.first_component(features)
    assert np.corrcoef(found, signal)[0, 1] == pytest.approx(1)
    assert found == pytest.approx(signal / signal.std() * np.sqrt(3))
    assert cagi5.first_component(-features) == pytest.approx(-found)
    assert cagi5.first_component(np.ones((4, 2))).tolist() == [0, 0, 0, 0]


def test_blocks_hold_whole_positions() -> None:
    positions = [5, 5, 5, 9, 9, 12, 20, 20, 31, 40]
    found = cagi5.blocks(positions, 3)
    assert sorted(np.concatenate(found).tolist()) == list(range(10))
    of = [{positions[i] for i in block} for block in found]
    assert of == [{5, 9}, {12, 20}, {31, 40}]


def test_the_trained_form_learns_what_it_has_not_seen() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(45, 4))
    positions = np.repeat(np.arange(15), 3)
    values = 2 * features[:, 3] - features[:, 1] + 0.1 * random.normal(size=45)
    assert np.corrcoef(cagi5.trained(features, values, positions.tolist()), values)[0, 1] > 0.95
    # a value that only its position tells cannot be learned, though each position has three rows
    own = random.normal(size=15)[positions]
    assert np.corrcoef(cagi5.trained(np.eye(15)[positions], own, positions.tolist()), own)[0, 1] < 0.3


@pytest.mark.parametrize(("own", "lasso"), [(False, True), (True, False)])
def test_every_method_answers_every_question(own: bool, lasso: bool, tmp_path: Path) -> None:
    predictor = builders.predictor("basenji2")
    genome = builders.genome(tmp_path, 4000, "chr20")
    places = [at for at in range(1980, 2040) if genome.fetch(Interval("chr20", at, at + 1)) != "N"][:18]
    variants = tuple(
        Variant("chr20", at, (ref := genome.fetch(Interval("chr20", at, at + 1))), "ACGT"[("ACGT".index(ref) + 2) % 4])
        for at in places
    )
    values = np.random.default_rng(1).normal(size=18)
    release = Release("HNF4A", variants, values, np.abs(values) / 4)
    seen: list[int] = []
    found = cagi5.cases(
        Incremental(predictor), Patchwork([genome]), release, Protocol(own_windows=own, lasso=lasso), seen.append
    )
    names = ["Enformer's, training-free", *["Enformer's, trained"] * lasso, "Karollus', CAGE", "Karollus', DNASE"]
    assert list(dict.fromkeys(case.name for case in found)) == [f"HNF4A, {name}" for name in names]
    assert [case.statistic for case in found[:4]] == ["pearson", "spearman", "auroc", "auprc"]
    assert len(seen) == 18
    assert {case.protocol for case in found} == {"our protocol"}
    assert all(case.notes == "" for case in found)
    alone = cagi5.cases(
        Incremental(predictor),
        Patchwork([], [(Interval("chr20", 1900, 2100), genome.codes(Interval("chr20", 1900, 2100)))]),
        release,
        Protocol(lasso=False),
    )
    assert "of the window known" in alone[0].notes


def test_means_are_over_elements() -> None:
    truth = np.array([1.0, 2, 3])
    found = [
        Case("cagi5", f"{element}, m", "pearson", truth, scores, notes=notes)
        for element, scores, notes in (("F9", truth, ""), ("HBB", -truth, ""), ("PKLR", truth, "N elsewhere"))
    ]
    every, known = cagi5.means(found)
    assert (every.name, every.units) == ("mean pearson of elements, m", ("F9", "HBB", "PKLR"))
    assert every.estimate().value == pytest.approx(1 / 3)
    assert (known.name, known.units) == ("mean pearson of elements with flanks, m", ("F9", "HBB"))
    assert known.estimate().value == pytest.approx(0)


def test_the_published_protocol_is_called_so() -> None:
    assert Protocol(True, (-43, 0, 43), True).karollus == "as published"
    assert {
        Protocol(False, (-43, 0, 43), True).karollus,
        Protocol(True, (0,), True).karollus,
        Protocol(True, (-43, 0, 43)).karollus,
    } == {"our protocol"}


@pytest.mark.shared
def test_the_real_release(shared: Path) -> None:
    folder = shared / "data" / "cagi5"
    found = cagi5.read(folder / "cagi5_training_release.xlsx")
    assert [one.element for one in found] == list(cagi5.ELEMENTS)
    assert sum(len(one.variants) for one in found) == 4650
    known = Patchwork([], islands.read(folder / "element_reference_sequences_GRCh37.fa"))
    for release in found:
        whole = cagi5.with_ref(known, release)
        assert all(dna.decode(whole.codes(variant.interval)) == variant.ref for variant in release.variants)
        assert sum(dna.decode(known.codes(variant.interval)) == "N" for variant in release.variants) < 4
