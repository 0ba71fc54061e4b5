"""Held-out regions and windows: shared bases counted one by one, on one assembly and after a lift."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.data.overlap import Shared, lifted, shared
from distal.io.bed import BedRow
from distal.io.chain import Chains


def test_a_worked_example() -> None:
    """Bases 90 to 99 and 100 to 149 of [90, 200) are in two windows that overlap from 140 on: 150 - 90 = 60 bases."""
    windows = [Interval("chr1", 0, 145), Interval("chr1", 140, 150), Interval("chr2", 90, 200)]
    rows = [BedRow(Interval("1", 90, 200), "test"), BedRow(Interval("chr1", 150, 160), "valid")]
    assert list(shared(windows, rows)) == [
        Shared(Interval("1", 90, 200), "test", 2, 60),
        Shared(Interval("chr1", 150, 160), "valid", 0, 0),
    ]


intervals = st.builds(
    lambda c, s, w: Interval(c, s, s + w), st.sampled_from(["a", "b"]), st.integers(0, 40), st.integers(1, 20)
)


@given(st.lists(intervals, max_size=5), st.lists(intervals, max_size=3))
def test_bases_one_by_one(windows, regions) -> None:
    def bases(interval: Interval) -> set[tuple[str, int]]:
        return {(interval.chrom, base) for base in range(interval.start, interval.end)}

    covered = set().union(*map(bases, windows))
    wanted = [
        (sum(bool(bases(w) & bases(region)) for w in windows), len(bases(region) & covered)) for region in regions
    ]
    found = list(shared(windows, [BedRow(region) for region in regions]))
    assert [(each.windows, each.bases) for each in found] == wanted


def test_lifted_rows_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "x.chain").write_text(
        "chain 1 a 90 + 0 20 b 90 + 30 50 1\n20\n\nchain 1 a 90 + 10 15 c 90 + 0 5 2\n5\n"
    )
    rows = [BedRow(Interval("a", 5, 12), "test"), BedRow(Interval("a", 40, 50), "valid")]
    assert list(lifted(rows, Chains(tmp_path / "x.chain"))) == [
        BedRow(Interval("b", 35, 42, "+"), "test"),
        BedRow(Interval("c", 0, 2, "+"), "test"),
    ]
