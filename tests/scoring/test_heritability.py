"""Annotations for LDSC and SLDP: which number each variant gets, and which allele it is of."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scoring.test_compare import row, sad, write

from distal.errors import InputError
from distal.scoring import heritability
from distal.scoring.components import fit

TRACKS = ("a b", "a_b")


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def column(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(each[name]) for each in rows]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    rows = [
        row("chr20", 30, "A", "T"),
        row("chr20", 10, "A", "C"),
        row("chr20", 10, "A", "C", "duplicate"),
        row("chr20", 20, "G", "A", "ref_mismatch"),
        row("chr20", 40, "AT", "A")._replace(name="."),
        row("chrX", 5, "C", "T"),
    ]
    values = np.array([[3, -4], [1, -2], [1, -2], [np.nan, np.nan], [-5, 6], [0.5, 0]])
    write(tmp_path / "scores" / "all.h5", rows, TRACKS, SAD=values, D2=np.abs(values))
    return tmp_path / "scores"


def test_signed_without_a_panel(scores: Path, tmp_path: Path) -> None:
    made = heritability.write_signed(scores, tmp_path / "out", heritability.by_track(scores))
    assert [(Path(each.file).name, each.variants, each.scored, each.ambiguous) for each in made] == [
        ("20.sannot.gz", 3, 3, 1),
        ("X.sannot.gz", 1, 1, 0),
    ]
    found = read(tmp_path / "out" / "20.sannot.gz")
    assert list(found[0]) == ["CHR", "BP", "SNP", "CM", "A1", "A2", "a_b", "a_b.1"]
    assert [each["SNP"] for each in found] == ["v10", "v30", "20:40:AT:A"]
    assert [(each["CHR"], each["A1"], each["A2"]) for each in found] == [
        ("20", "C", "A"),
        ("20", "T", "A"),
        ("20", "A", "AT"),
    ]
    assert column(found, "a_b") == [1, 3, -5]
    assert column(found, "a_b.1") == [-2, -4, 6]


def test_on_a_panel_the_sign_is_of_its_a1_and_every_variant_has_a_row(scores: Path, tmp_path: Path) -> None:
    (tmp_path / "eur.20.bim").write_text("20 s1 0.5 10 A C\n20 s2 0.6 11 C T\n20 s3 0.7 20 A G\n20 s4 1 40 A AT\n")
    (tmp_path / "eur.X.bim").write_text("X s5 0 5 T C\n")
    panel = str(tmp_path / "eur.@.bim")
    made = heritability.write_signed(scores, tmp_path / "out", heritability.by_track(scores), panel)
    assert [(each.variants, each.scored) for each in made] == [(4, 2), (1, 1)]
    found = read(tmp_path / "out" / "20.sannot.gz")
    assert [each["SNP"] for each in found] == ["s1", "s2", "s3", "s4"]
    assert column(found, "a_b") == [-1, 0, 0, -5]
    assert [each["CM"] for each in found] == ["0.5", "0.6", "0.7", "1"]
    chosen = heritability.sizes(heritability.by_track(scores, "D2", 'name="a_b"'))
    heritability.write_sizes(scores, tmp_path / "sizes", chosen, panel)
    found = read(tmp_path / "sizes" / "20.annot.gz")
    assert list(found[0]) == ["CHR", "BP", "SNP", "CM", "a_b"]
    assert column(found, "a_b") == [2, 0, 0, 6]


def test_components_of_a_turned_variant_are_those_of_the_turned_scores(tmp_path: Path) -> None:
    rows = [row("chr1", pos) for pos in range(10, 60)]
    path = write(tmp_path / "s.h5", rows)
    components = fit([path], "SAD", 2)
    (tmp_path / "p.bim").write_text("1 x 0 10 A C\n1 y 0 11 C A\n")
    chosen = heritability.by_component(components)
    heritability.write_signed(path, tmp_path / "out", chosen, str(tmp_path / "p.bim"))
    values = sad(path)
    found = read(tmp_path / "out" / "1.sannot.gz")
    expected = components(np.stack([-values[0], values[1]]))
    np.testing.assert_allclose([column(found, "PC1"), column(found, "PC2")], expected.T, rtol=1e-4)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([0.02, 0.1, 0.5]))
def test_the_top_share_is_that_of_a_sort(tmp_path_factory: pytest.TempPathFactory, seed: int, share: float) -> None:
    folder = tmp_path_factory.mktemp("top")
    path = write(folder / "s.h5", [row("chr1", pos) for pos in range(1, 101)], seed=seed)
    chosen = heritability.largest(heritability.by_track(path), path, share)
    heritability.write_sizes(path, folder, chosen)
    found = np.array([column(read(folder / "1.annot.gz"), name) for name in "abcde"])
    assert set(np.unique(found)) == {0, 1}
    assert (found.sum(axis=1) == round(100 * share)).all()


def test_what_is_refused(scores: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="D2 has no sign"):
        heritability.write_signed(scores, tmp_path / "out", heritability.by_track(scores, "D2"))
    with pytest.raises(InputError, match="has no score 'SAR'"):
        heritability.by_track(scores, "SAR")
    with pytest.raises(InputError, match="between 0 and 1"):
        heritability.largest(heritability.by_track(scores), scores, 1.0)
    (tmp_path / "x.bim").write_text("20 s1 0 999 A C\n")
    with pytest.raises(InputError, match="one genome build"):
        heritability.write_signed(scores, tmp_path / "out", heritability.by_track(scores), str(tmp_path / "x.bim"))
    (tmp_path / "y.bim").write_text("20 s1 0 A C\n")
    with pytest.raises(InputError, match=r"line 1: a \.bim has"):
        heritability.write_signed(scores, tmp_path / "out", heritability.by_track(scores), str(tmp_path / "y.bim"))
