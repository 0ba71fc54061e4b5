"""In-silico mutagenesis against one full prediction per mutant, written out; deletions base by base."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests import builders
from torch import Tensor, nn

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.incremental import FullForward, Incremental
from distal.interpret.attribution import DIFFERENCE, LOG2_FOLD, STATISTICS, Ism, Objective, ism, substitutions
from distal.io.fasta import Genome
from distal.predictor import Predictor, Reading, averaged

REGION = Interval("chr1", 3000, 3007)


class CountG(nn.Module):
    """A model that sees nothing but its bin: how many G there are in each 128 bp."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, head: str) -> Tensor:
        del head
        return self.weight * x[:, :, 2].unflatten(1, (-1, 128)).sum(2)[:, 1:-1, None].expand(-1, -1, 6)


def counting(input_bp: int, bins: int) -> Predictor:
    """One bin on either side is read and not said."""
    made = builders.predictor()
    spec = replace(made.spec, config=replace(builders.ENFORMER, input_bp=input_bp, bins=bins))
    return Predictor(CountG().eval(), spec, made.tracks, "human", made.device, batch_size=64)


def deletion_oracle(predictor: Predictor, genome: Genome, result: Ism, position: int, rc: bool) -> NDArray[np.float64]:
    """(REF, ALT) summed over the target, [2, tracks]: base by base, a bin's signal spread evenly over its bases."""
    window, channels = predictor.window, result.table.channels
    read = window.input_around(result.interval)
    text = genome.fetch(Interval(read.chrom, read.start, read.end + 1))
    place = result.interval.start - read.start + position
    while place > 0 and text[place - 1] == text[place]:
        place -= 1
    sums = np.zeros((2, len(channels)))
    ways = [Reading(shift, reverse) for shift in (-1, 0, 1, 2) for reverse in ([False, True] if rc else [False])]
    for way in ways:
        by_base = []
        for sequence in (text[:-1], text[1:], text[:place] + text[place + 1 :]):
            letters = way.read(dna.encode(sequence))
            values = way.turned(predictor.by_module(letters, way.channels(predictor.tracks, channels))).double()
            by_base.append(np.repeat(values.numpy() / window.bin_bp, window.bin_bp, axis=0))
        # In a sequence moved to the right base 10 lies where base 9 was; on the other strand that is to the left.
        at = place + (-way.shift if way.reverse else way.shift)
        for base in range(result.target.start - read.start, result.target.end - read.start):
            sums[0] += by_base[0 if base < at else 1][base - window.crop_bp]
            sums[1] += by_base[2][base - window.crop_bp]
    return sums / len(ways)


def check_deletions(predictor: Predictor, genome: Genome, result: Ism, rc: bool = False, step: int = 1) -> None:
    assert result.deletions is not None
    for i, found in list(enumerate(result.deletions))[::step]:
        ref, alt = deletion_oracle(predictor, genome, result, i, rc)
        expected = alt - ref if result.formula == DIFFERENCE.formula else np.log2((alt + 1) / (ref + 1))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    return builders.genome(tmp_path_factory.mktemp("genome"))


def test_statistics_worked_number() -> None:
    # Two bins. REF sums to 1 + 2 = 3, ALT to 3 + 4 = 7: log2(8 / 4) = 1 and 7 - 3 = 4. ALT == REF: 0 and 0.
    ref = torch.tensor([[1.0], [2.0]])
    alt = torch.tensor([[[3.0], [4.0]], [[1.0], [2.0]]])
    assert LOG2_FOLD.of(ref, alt).tolist() == [[1.0], [0.0]]
    assert DIFFERENCE.of(ref, alt).tolist() == [[4.0], [0.0]]


@pytest.mark.parametrize("family", ["enformer", "basenji2"])
@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("name", ["log2_fold", "difference"])
def test_every_substitution_is_a_full_prediction(family: str, rc: bool, name: str, genome: Genome) -> None:
    predictor = builders.predictor(family)
    objective = Objective("assay=CAGE,DNASE", Interval("1", 2900, 3100), STATISTICS[name])
    result = ism(FullForward(predictor), genome, REGION, objective, rc)
    # The window is centred: 3003 is base 1,024 of it, its output starts at 3003 - 512 = 2491. Bins of 128 that touch
    # [2900, 3100): (2900 - 2491) // 128 = 3 to (3099 - 2491) // 128 = 4, which cover [2875, 3131).
    assert result.target == Interval("chr1", 2875, 3131)
    text = genome.fetch(Interval("chr1", 1979, 4027))
    channels = np.array([0, 1, 2])
    total = averaged(predictor, dna.encode(text)[None], rc, channels=channels)[0, 3:5].double().sum(0)
    for i in range(7):
        for j, letter in enumerate("ACGT"):
            mutant = text[: 1021 + i] + letter + text[1022 + i :]
            changed = averaged(predictor, dna.encode(mutant)[None], rc, channels=channels)[0, 3:5].double().sum(0)
            effect = changed - total if name == "difference" else torch.log2((changed + 1) / (total + 1))
            np.testing.assert_allclose(result.values[i, j], effect, rtol=1e-3, atol=1e-6)
            assert (mutant == text) == (not result.values[i, j].any())
    assert dna.decode(result.codes) == text[1021:1028]
    assert result.table.names == ("cage+", "cage-", "dnase")
    assert result.formula == STATISTICS[name].formula


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize(("family", "name"), [("enformer", "difference"), ("basenji2", "log2_fold")])
def test_deletions_are_compared_over_the_same_bases(family: str, rc: bool, name: str, genome: Genome) -> None:
    predictor = builders.predictor(family)
    objective = Objective("assay=CAGE,DNASE", Interval("1", 2900, 3100), STATISTICS[name])
    result = ism(FullForward(predictor), genome, REGION, objective, rc, deletions=True)
    check_deletions(predictor, genome, result, rc)
    without = ism(FullForward(predictor), genome, REGION, objective, rc, deletions=False)
    assert without.deletions is without.deletions_over_tracks() is None
    np.testing.assert_array_equal(without.values, result.values)


def test_deletions_are_nothing_where_the_model_sees_none(genome: Genome) -> None:
    # The window is [2491, 3515), its bins begin at 2619, 2747, 2875, 3003 and so on. The model sees the letters of a
    # bin and no further, so only deletions in the target's bin are anything (shifts move it by two), and there as much
    # as its first or last base. REF's own bins hold another number of G when everything behind a deletion moves.
    predictor = counting(1024, 6)
    aim = Objective("index=2", Interval("chr1", 3010, 3020), DIFFERENCE)
    result = ism(FullForward(predictor), genome, Interval("chr1", 2953, 3053), aim, deletions=True)
    assert (result.target.start, result.target.end) == (3003, 3131)
    assert result.deletions is not None
    assert not result.deletions[:48].any()
    assert 0 < np.abs(result.deletions[52:]).max() <= 1
    check_deletions(predictor, genome, result, step=7)
    ref, moved = (genome.fetch(Interval("chr1", 3003 + i, 3131 + i)).count("G") for i in (0, 1))
    assert ref != moved


def test_the_region_may_be_all_of_the_output(genome: Genome) -> None:
    region = Interval("chr1", 2500, 2500 + 128)
    predictor = counting(384, 1)
    result = ism(FullForward(predictor), genome, region, Objective("index=2", None, DIFFERENCE), deletions=True)
    assert (result.target.start, result.target.end) == (region.start, region.end)
    check_deletions(predictor, genome, result, step=9)


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("region", [Interval("chr1", 0, 1), Interval("chr1", 5999, 6000)])
def test_at_a_chromosomes_end_the_window_is_filled_with_n(region: Interval, rc: bool, genome: Genome) -> None:
    predictor = builders.predictor("basenji2")
    result = ism(FullForward(predictor), genome, region, Objective("DNASE"), rc, deletions=True)
    check_deletions(predictor, genome, result, rc)
    ref = genome.fetch(predictor.window.input_around(region))
    letter = "A" if result.codes[0] else "C"
    alt = ref[:1024] + letter + ref[1025:]
    one, other = (averaged(predictor, dna.encode(text)[None], rc)[0, 2:7, 2].double().sum() for text in (ref, alt))
    assert result.target.width == 5 * 128  # bins 2 to 6: two on either side of bin 4, which holds the base
    expected = torch.log2((other + 1) / (one + 1))
    np.testing.assert_allclose(result.values[0, "ACGT".index(letter), 0], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("letters", ["AAA", "NN"])
def test_equal_letters_are_deleted_with_one_effect(letters: str, genome: Genome) -> None:
    # Wherever in the run the region begins: the first letter of the run is the place.
    found = re.search(f"(?<!{letters[0]}){letters}", genome.fetch(Interval("chr1", 0, 6000)))
    assert found is not None
    start = found.start()
    predictor = builders.predictor()
    result = ism(FullForward(predictor), genome, Interval("chr1", start - 1, start + len(letters)), deletions=True)
    assert result.deletions is not None
    assert len(np.unique(result.deletions[1:], axis=0)) == 1
    assert np.abs(result.deletions).min() > 0
    check_deletions(predictor, genome, result)
    inside = ism(FullForward(predictor), genome, Interval("chr1", start + 1, start + 2), deletions=True)
    check_deletions(predictor, genome, inside)


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("family", ["enformer", "basenji2"])
def test_the_incremental_pass_finds_the_same(family: str, rc: bool, genome: Genome) -> None:
    predictor = builders.predictor(family)
    region = Interval("chr1", 3000, 3012)
    slow = ism(FullForward(predictor), genome, region, Objective(), rc, deletions=True)
    fast = ism(Incremental(predictor), genome, region, Objective(), rc, deletions=True)
    assert slow.deletions is not None
    assert fast.deletions is not None
    np.testing.assert_allclose(fast.values, slow.values, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(fast.deletions, slow.deletions, rtol=1e-3, atol=1e-6)


class Watched:
    """A pass that counts the sequences asked for."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.asked = 0

    def members(
        self,
        sequences: Iterable[dna.Codes],
        rc: bool = False,
        shifts: tuple[int, ...] = (0,),
        channels: NDArray[np.int64] | None = None,
    ) -> Iterator[list[Tensor]]:
        yield from FullForward(self.predictor).members(self._counted(sequences), rc, shifts, channels)

    def _counted(self, sequences: Iterable[dna.Codes]) -> Iterator[dna.Codes]:
        for codes in sequences:
            self.asked += 1
            yield codes


@pytest.mark.parametrize("batch_size", [1, 5])
def test_sequences_stream_and_progress_counts_all(batch_size: int, genome: Genome) -> None:
    watched = Watched(builders.predictor(batch_size=batch_size))
    done, ahead = [0], []

    def progress(n: int) -> None:
        done[0] += n
        ahead.append(watched.asked - done[0])

    made = ism(watched, genome, REGION, deletions=True, progress=progress)
    assert done == [substitutions(made.codes) + REGION.width]
    assert done == [28]
    assert max(ahead) <= batch_size + 3  # a batch, and REF and the shifted REF, which are nobody's mutants
    one = ism(FullForward(builders.predictor(batch_size=1)), genome, REGION)
    np.testing.assert_allclose(one.values, made.values, rtol=1e-3, atol=1e-6)


def test_an_n_has_four_substitutions_and_the_default_target_has_two_bins_either_side(genome: Genome) -> None:
    at = genome.fetch(Interval("chr1", 2000, 4000)).index("N") + 2000
    result = ism(FullForward(builders.predictor()), genome, Interval("chr1", at, at + 1))
    assert substitutions(result.codes) == 4
    assert np.abs(result.values[0]).min(axis=1).all()
    # One base with 2 * 128 bp on either side touches five bins.
    assert result.target.width == 5 * 128


def test_importance_is_minus_the_mean_effect_of_replacing() -> None:
    # C is there; A, G, T change track 1 by -3, -6, 0 and track 2 by 0: mean of tracks -1.5, -3, 0, importance 1.5.
    # At the N all four count: effects 4, 0, 0, 0 on both tracks, importance -1.
    values = np.zeros((2, 4, 2), dtype=np.float32)
    values[0, :, 0] = [-3, 0, -6, 0]
    values[1, 0] = 4
    table = builders.TABLE.take([0, 1])
    made = Ism(values, np.array([1, 4], dtype=np.uint8), Interval("c", 0, 2), Interval("c", 0, 128), table, "")
    assert made.importance().tolist() == [1.5, -1.0]
    assert made.over_tracks()[0].tolist() == [-1.5, 0, -3, 0]
    assert made.deletions_over_tracks() is None


def test_deletions_are_averaged_over_tracks() -> None:
    # Tracks -1 and 3 are 1 on average; importance stays that of the substitutions, here none.
    table = builders.TABLE.take([0, 1])
    values, codes = np.zeros((2, 4, 2), np.float32), np.zeros(2, np.uint8)
    lost = np.array([[-1, 3], [0, 0]], dtype=np.float32)
    made = Ism(values, codes, Interval("c", 0, 2), Interval("c", 0, 128), table, "", lost)
    means = made.deletions_over_tracks()
    assert means is not None
    assert means.tolist() == [1, 0]
    assert not made.importance().any()


def test_shapes_are_checked() -> None:
    table = builders.TABLE.take([0])
    with pytest.raises(ValueError, match=r"\(2, 4, 1\)"):
        Ism(np.zeros((2, 3, 1), np.float32), np.zeros(2, np.uint8), Interval("c", 0, 2), REGION, table, "")
    values = np.zeros((2, 4, 1), np.float32)
    with pytest.raises(ValueError, match=r"deletions must be \(2, 1\), not \(2, 4\)"):
        Ism(values, np.zeros(2, np.uint8), Interval("c", 0, 2), REGION, table, "", values[:, :, 0])


@pytest.mark.parametrize(
    ("region", "target", "named"),
    [
        (Interval("chr1", 2000, 3100), None, "region"),
        (REGION, Interval("chr1", 3400, 3600), "target"),
    ],
)
def test_what_the_window_does_not_say_is_refused(
    region: Interval, target: Interval | None, named: str, genome: Genome
) -> None:
    with pytest.raises(InputError, match=f"{named} .* is not inside"):
        ism(FullForward(builders.predictor()), genome, region, Objective(target=target))
