"""In-silico mutagenesis against one full prediction per substitution, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests import builders

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.interpret.attribution import DIFFERENCE, LOG2_FOLD, STATISTICS, Ism, Objective, ism, substitutions
from distal.io.fasta import Genome
from distal.predictor import averaged

REGION = Interval("chr1", 3000, 3007)


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
    result = ism(predictor, genome, REGION, objective, rc)
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


def test_batch_size_does_not_matter_and_progress_counts_all(genome: Genome) -> None:
    counted: list[int] = []
    one = ism(builders.predictor(batch_size=1), genome, REGION)
    many = ism(builders.predictor(batch_size=5), genome, REGION, progress=counted.append)
    np.testing.assert_allclose(one.values, many.values, rtol=1e-3, atol=1e-6)
    assert sum(counted) == substitutions(one.codes) == 21
    assert max(counted) == 5


def test_an_n_has_four_substitutions_and_the_default_target_has_two_bins_either_side(genome: Genome) -> None:
    at = genome.fetch(Interval("chr1", 2000, 4000)).index("N") + 2000
    result = ism(builders.predictor(), genome, Interval("chr1", at, at + 1))
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


def test_shapes_are_checked() -> None:
    table = builders.TABLE.take([0])
    with pytest.raises(ValueError, match=r"\(2, 4, 1\)"):
        Ism(np.zeros((2, 3, 1), np.float32), np.zeros(2, np.uint8), Interval("c", 0, 2), REGION, table, "")


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
        ism(builders.predictor(), genome, region, Objective(target=target))
