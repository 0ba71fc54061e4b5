"""What a report works out before it draws: what is largest, where it differs, and what each allele's letters say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import builders

from distal import dna
from distal.coords import Interval, Variant
from distal.io.fasta import Genome
from distal.io.scores import ScoreRow
from distal.plots import Effects
from distal.plots import edits as drawn
from distal.scoring.alleles import REF_FLIPPED, SCORED
from distal.tracks import Track, Tracks, TrackTable
from distal.web.reports import closer
from distal.web.reports.closer import Closer
from distal.web.reports.strongest import ranking
from distal.web.reports.variants import _from, _shown, title_of

HERE = Interval("chr1", 1000, 1000 + 8 * 128)


@pytest.mark.parametrize(
    ("names", "score"),
    [
        (("SAD", "SAR"), "SAR"),
        (("SAD", "D2"), "SAD"),
        (("SAX", "SAXR", "SADR_501"), "SADR_501"),
        (("SAD_tss", "SAR_gene"), ""),
        (("SADR_gene", "D1"), "D1"),
        ((), ""),
    ],
)
def test_variants_are_ranked_by_a_ratio_where_there_is_one(names: tuple[str, ...], score: str) -> None:
    assert ranking(names) == score


def tracks(*peaks: int) -> Tracks:
    values = np.zeros((8, len(peaks)), dtype=np.float32)
    values[list(peaks), np.arange(len(peaks))] = -1
    return Tracks(values, builders.TABLE.take([2, 3, 4][: len(peaks)]), HERE, 128)


@pytest.mark.parametrize(
    ("peaks", "said"),
    [
        ((4,), "It is largest at the variant."),
        ((7,), "It is largest 0.4 kb to the right."),
        ((0, 3), "It is largest 0.5 kb to the left and at the variant, in this order."),
        ((3, 4, 5), "It is largest at the variant."),
    ],
)
def test_where_a_difference_is_largest(peaks: tuple[int, ...], said: str) -> None:
    # Bin i has its middle at 1064 + 128 i: of bin 7 1960, 423 bp to the right of base 1536.5.
    assert closer._where(tracks(*peaks), Variant("chr1", 1536, "A", "C")) == said


@pytest.mark.parametrize(
    ("region", "part"),
    [
        (Interval("chr1", 1128, 1384), Interval("chr1", 1128, 1384)),
        (Interval("chr1", 1127, 1385), Interval("chr1", 1000, 1512)),
        (Interval("chr1", 0, 9000), HERE),
    ],
)
def test_a_part_is_made_of_whole_bins(region: Interval, part: Interval) -> None:
    assert closer._part(tracks(0), region) == part


def test_titles() -> None:
    assert _from(-5) == "5 bp upstream of its TSS"
    assert _from(1234) == "1,234 bp downstream of its TSS"
    assert _from(0) == "at its TSS"
    assert title_of(ScoreRow("chr1", 5, ".", "A" * 13, "C", SCORED)) == "chr1:5:AAAAAAAAA\u2026>C"


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ([1, 0, 3, 2, 4, 5], ["cage-", "atac", "dnase"]),
        ([5, 4, 0, 1, 3, 2], ["rna+", "cage+", "atac"]),
    ],
)
def test_assays_take_turns_on_a_picture(order: list[int], names: list[str]) -> None:
    assert list(_shown(builders.TABLE, order).names) == names


def test_where_assays_are_few_the_strongest_tracks_follow() -> None:
    assert list(_shown(builders.TABLE.take([0, 1]), [1, 0]).names) == ["cage-", "cage+"]
    unknown = TrackTable(tuple(Track(i, f"human_{i}") for i in range(6)))
    assert list(_shown(unknown, [4, 2, 0, 1, 3, 5]).names) == ["human_4", "human_2", "human_0"]


# --- letters


class Drawn:
    """What the figure of letters was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Effects, Effects, Variant]] = []
        self._draw = drawn.letters
        monkeypatch.setattr(closer.drawn, "letters", self)

    def __call__(self, ref: Effects, alt: Effects, variant: Variant, title: str) -> object:
        self.calls.append((ref, alt, variant))
        return self._draw(ref, alt, variant, title)


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    return builders.genome(tmp_path)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    monkeypatch.setattr(closer, "FLANK_BP", 4)
    return Drawn(monkeypatch)


def row(genome: Genome, alt: str = "", status: str = SCORED) -> tuple[ScoreRow, str, str]:
    ref = genome.fetch(Interval("chr1", 3000, 3001))
    alt = alt or "ACGT"[("ACGT".index(ref) + 1) % 4]
    return ScoreRow("1", 3001, ".", ref, alt, status), ref, alt


@pytest.mark.parametrize("rc", [False, True])
def test_changing_alt_back_undoes_the_variant(genome: Genome, seen: Drawn, rc: bool) -> None:
    predictor = builders.predictor("basenji2")
    one, ref, alt = row(genome)
    parts = Closer(predictor, genome, rc=rc).look(one, predictor.tracks.take([2]))
    assert len(parts) == 3
    ((of_ref, of_alt, variant),) = seen.calls
    assert (variant.ref, variant.alt) == (ref, alt)
    there, edited = dna.encode(ref)[0], dna.encode(alt)[0]
    forth, back = of_ref.values[4, edited], of_alt.values[4, there]
    assert forth != 0
    assert back == pytest.approx(-forth, rel=1e-3, abs=1e-6)
    assert dna.decode(of_ref.codes) == genome.fetch(Interval("chr1", 2996, 3005))
    assert (of_ref.codes != of_alt.codes).nonzero()[0].tolist() == [4]


def test_a_row_that_is_flipped_has_its_letters_exchanged(genome: Genome, seen: Drawn) -> None:
    predictor = builders.predictor("basenji2")
    one, ref, alt = row(genome)
    look = Closer(predictor, genome).look
    look(one, predictor.tracks.take([2]))
    look(one._replace(ref=alt, alt=ref, status=REF_FLIPPED), predictor.tracks.take([2]))
    (of_ref, of_alt, _), (turned_ref, turned_alt, variant) = seen.calls
    assert (variant.ref, variant.alt) == (alt, ref)
    np.testing.assert_allclose(turned_ref.values, of_alt.values, atol=1e-6)
    np.testing.assert_allclose(turned_alt.values, of_ref.values, atol=1e-6)


def test_long_alleles_have_no_letters(genome: Genome, seen: Drawn) -> None:
    predictor = builders.predictor("basenji2")
    one, *_ = row(genome, "A" * 40)
    *_, said = Closer(predictor, genome).look(one, predictor.tracks.take([2]))
    assert said.text == "An allele is longer than 30 bp: its letters are not shown."
    assert not seen.calls
