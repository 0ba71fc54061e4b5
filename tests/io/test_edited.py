"""A genome with an edit reads as its letters with ALT for REF, whatever the stretch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distal import dna
from distal.coords import Interval, Variant
from distal.errors import InputError
from distal.io.edited import Edited
from distal.io.fasta import Genome

LETTERS = "GATTACAGGCATTCGA"


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Genome:
    path = tmp_path_factory.mktemp("edited") / "g.fa"
    path.write_text(f">chr1\n{LETTERS}\n>chr2\nCCCC\n")
    return Genome(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 15),
    st.integers(1, 4),
    st.text("ACGT", min_size=1, max_size=5),
    st.integers(-6, 22),
    st.integers(0, 9),
)
def test_the_letters_are_those_of_the_edited_text(
    genome: Genome, at: int, width: int, alt: str, start: int, long: int
) -> None:
    ref = LETTERS[at : at + width]
    made = Edited(genome, Variant("1", at, ref, alt))
    text = LETTERS[:at] + alt + LETTERS[at + len(ref) :]
    padded = "N" * 40 + text + "N" * 40
    assert dna.decode(made.codes(Interval("chr1", start, start + long))) == padded[40 + start : 40 + start + long]
    assert made.sizes == {"chr1": len(text), "chr2": 4}


def test_other_chromosomes_stay_as_they_are(genome: Genome) -> None:
    made = Edited(genome, Variant("chr1", 0, "G", "T"))
    assert made.resolve("2") == "chr2"
    np.testing.assert_array_equal(made.codes(Interval("chr2", 0, 4)), genome.codes(Interval("chr2", 0, 4)))


def test_another_ref_is_refused(genome: Genome) -> None:
    with pytest.raises(InputError, match="the genome has G there"):
        Edited(genome, Variant("chr1", 0, "A", "T"))
