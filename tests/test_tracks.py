"""The track table, its query language, targets.txt, and tracks over an interval."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval
from distal.errors import InputError
from distal.tracks import Track, Tracks, TrackTable, read_targets, write_targets

TABLE = TrackTable(
    (
        Track(0, "CNhs1+", "CAGE:liver, adult, pool1", clip=384, clip_soft=64, strand_pair=1),
        Track(1, "CNhs1-", "CAGE:liver, adult, pool1", clip=384, clip_soft=64, strand_pair=0),
        Track(2, "ENCFF1", "DNASE:K562", scale=2, sum_stat="mean", strand_pair=2),
        Track(3, "ENCFF2", "CHIP:H3K27ac:K562", strand_pair=3),
        Track(4, "ENCFF3", "CHIP:CTCF:CD4+ T Cells", strand_pair=4),
        Track(5, "8988T", "8988T", strand_pair=5),
    )
)
HEADER = "index\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"


def channels(query: str) -> list[int]:
    return TABLE.select(query).channels.tolist()


# --- what a row says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "assay", "target", "biosample", "strand"),
    [
        (0, "CAGE", "", "liver, adult, pool1", "+"),
        (1, "CAGE", "", "liver, adult, pool1", "-"),
        (2, "DNASE", "", "K562", "."),
        (3, "CHIP", "H3K27ac", "K562", "."),
        (4, "CHIP", "CTCF", "CD4+ T Cells", "."),
        (5, "", "", "8988T", "."),
    ],
)
def test_what_a_description_says(channel: int, assay: str, target: str, biosample: str, strand: str) -> None:
    row = TABLE.rows[channel]
    assert (row.assay, row.target, row.biosample, row.strand) == (assay, target, biosample, strand)


def test_a_plus_at_the_end_of_an_unpaired_name_is_no_strand() -> None:
    assert Track(0, "CD4+", "DNASE:CD4+").strand == "."
    assert Track(0, "CD4+", "DNASE:CD4+", strand_pair=0).strand == "."


# --- the table --------------------------------------------------------------------------------------------------------


def test_table_columns() -> None:
    assert len(TABLE) == 6
    assert TABLE.names == tuple(row.name for row in TABLE)
    np.testing.assert_array_equal(TABLE.channels, range(6))
    np.testing.assert_array_equal(TABLE.partners, [1, 0, 2, 3, 4, 5])


def test_partners_are_places_in_the_selection() -> None:
    chosen = TABLE.take([4, 1, 2, 0])
    np.testing.assert_array_equal(chosen.channels, [4, 1, 2, 0])
    np.testing.assert_array_equal(chosen.partners, [0, 3, 2, 1])


def test_half_a_pair_has_no_partners() -> None:
    with pytest.raises(InputError, match="CNhs1\\+ stands without its opposite strand"):
        _ = TABLE.select("strand=+").partners


def test_pairs_must_be_mutual() -> None:
    table = TrackTable((Track(0, "a+", strand_pair=1), Track(1, "a-", strand_pair=2), Track(2, "b+", strand_pair=1)))
    with pytest.raises(InputError, match="opposite strand, which names another"):
        _ = table.partners


def test_a_channel_stands_in_a_table_once() -> None:
    with pytest.raises(InputError, match="twice"):
        TrackTable((Track(3, "a"), Track(3, "b")))


def test_frame_has_fields_and_what_follows_from_them() -> None:
    frame = TABLE.frame()
    assert frame.shape == (6, 13)
    assert frame.filter(pl.col("assay") == "CHIP")["target"].to_list() == ["H3K27ac", "CTCF"]
    assert frame["clip"].to_list() == [384, 384, None, None, None, None]


# --- queries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("assay=CAGE", [0, 1]),
        ("assay=cage", [0, 1]),
        ("assay!=CAGE", [2, 3, 4, 5]),
        ("assay=CAGE,DNASE", [0, 1, 2]),
        ("assay!=CAGE,DNASE", [3, 4, 5]),
        ("biosample~k562", [2, 3]),
        ("biosample!~k562", [0, 1, 4, 5]),
        ('biosample~"k562,t cells"', [2, 3, 4]),
        ("biosample~k562,t cells", [4]),  # without quotes: "k562" or "t", and "cells" in the description
        ('biosample="CD4+ T Cells"', [4]),
        ('biosample="liver, adult, pool1"', [0, 1]),  # commas before spaces belong to the value
        ("assay=CHIP biosample=K562", [3]),
        ("target=H3K27ac,CTCF", [3, 4]),
        ("strand=-", [1]),
        ("name~CNhs", [0, 1]),
        ("index=0-1,4", [0, 1, 4]),
        ("index!=0-1,4", [2, 3, 5]),
        ("index=4-99999999999", [4, 5]),
        ("sum_stat=mean", [2]),
        ("h3k27AC", [3]),
        ("CHIP:CTCF", [4]),
    ],
)
def test_query(query: str, expected: list[int]) -> None:
    assert channels(query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("assay=RNA", "no track matches"),
        ("colour=blue", "columns are index, name"),
        ("assay=", "gives no value"),
        ("index=a-b", "numbers and ranges"),
        ("index=5-3", "no track matches"),
        ("index=-3", "numbers and ranges"),
        ('biosample="CD4', "close the quotes"),
    ],
)
def test_query_that_is_refused(query: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        channels(query)


@given(st.text(alphabet="aAKC562:=~!,+-. '\"\\", max_size=20))
def test_any_query_gives_rows_in_order_or_one_clear_error(query: str) -> None:
    try:
        found = channels(query)
    except InputError:
        return
    assert found == sorted(found)
    assert found


# --- targets.txt ------------------------------------------------------------------------------------------------------


def test_written_targets_are_read_back(tmp_path: Path) -> None:
    write_targets(TABLE, tmp_path / "targets.txt")
    assert read_targets(tmp_path / "targets.txt") == TABLE
    assert [path.name for path in tmp_path.iterdir()] == ["targets.txt"]


def test_a_written_selection_is_renumbered(tmp_path: Path) -> None:
    write_targets(TABLE.take([4, 1, 0]), tmp_path / "targets.txt")
    table = read_targets(tmp_path / "targets.txt")
    assert table.names == ("ENCFF3", "CNhs1-", "CNhs1+")
    np.testing.assert_array_equal(table.channels, [0, 1, 2])
    np.testing.assert_array_equal(table.partners, [0, 2, 1])


@given(st.floats(1e-6, 1e6))
def test_numbers_survive_exactly(tmp_path_factory: pytest.TempPathFactory, scale: float) -> None:
    path = tmp_path_factory.mktemp("targets") / "targets.txt"
    write_targets(TrackTable((Track(0, "a", scale=scale, clip=2 * scale),)), path)
    assert (read_targets(path).rows[0].scale, read_targets(path).rows[0].clip) == (scale, 2 * scale)


def test_what_a_targets_txt_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tab or a line end"):
        write_targets(TrackTable((Track(0, "a", "two\tcells"),)), tmp_path / "targets.txt")
    with pytest.raises(InputError, match="opposite strand"):
        write_targets(TABLE.take([0]), tmp_path / "targets.txt")
    assert not list(tmp_path.iterdir())


def test_pairs_follow_the_numbers_of_the_file(tmp_path: Path) -> None:
    # rows 7, 9, 8 of a larger table: 8 and 9 are a pair (channels 2 and 1 here), 7's other strand is not in the file
    path = tmp_path / "targets.txt"
    path.write_text("\tidentifier\tstrand_pair\tdescription\n7\ta+\t6\tx\n9\tb-\t8\tx\n8\tb+\t9\tx\n")
    table = read_targets(path)
    assert [row.strand_pair for row in table] == [-1, 2, 1]
    assert [row.strand for row in table] == ["+", "-", "+"]
    np.testing.assert_array_equal(table.take([1, 2]).partners, [1, 0])
    with pytest.raises(InputError, match=r"a\+ stands without"):
        _ = table.partners


def test_windows_line_ends_a_byte_order_mark_and_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "targets.txt"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b"0\ta\tf\tNA\t\t\tCAGE:x\r\n\r\n")
    assert read_targets(path).rows == (Track(0, "a", "CAGE:x", "f", strand_pair=0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column `identifier`"),
        ("index identifier\n", "line 1: no column `identifier`"),
        (HEADER + "0\ta\tf\t32\t2\tmean\n", "line 2: 6 columns between tabs, the header has 7"),
        (HEADER + "0\ta\tf\t32\t2\tmean\td\n1\tb\tf\tlots\t2\tmean\td\n", "line 3: clip 'lots' is not a number"),
        (HEADER + "0\ta\tf\t32\tinf\tmean\td\n", "line 2: scale 'inf' is not a number"),
        (HEADER + "0\ta\tf\t32\t2\tmean\td\n\n0\tb\tf\t32\t2\tmean\td\n", "line 4: the first column must number"),
        (HEADER + "x\ta\tf\t32\t2\tmean\td\n", "line 2: index 'x' is not a number"),
        (HEADER + "0\t\tf\t32\t2\tmean\td\n", "line 2: the identifier is empty"),
    ],
)
def test_targets_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "targets.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_targets(path)
    assert str(path) in str(error.value)


def test_targets_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "targets.txt").write_bytes(b"\x1f\x8b\x08\x00")
    for path in (tmp_path / "targets.txt", tmp_path / "missing.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_targets(path)


@pytest.mark.shared
def test_the_published_human_targets(shared: Path) -> None:
    table = read_targets(shared / "data/targets/targets_human.txt")
    assert len(table) == 5313
    assert Counter(row.assay for row in table) == {"DNASE": 674, "ATAC": 10, "CHIP": 3991, "CAGE": 638}
    np.testing.assert_array_equal(table.select("assay=CAGE").channels, range(4675, 5313))
    assert {121, 122, 123, 625} <= set(table.select("assay=DNASE biosample~K562").channels.tolist())
    assert {4828, 5111} <= set(table.select("assay=CAGE biosample~K562").channels.tolist())
    assert (table.rows[0].clip, table.rows[0].scale, table.rows[0].sum_stat) == (32, 2, "mean")


@pytest.mark.shared
def test_the_published_mouse_targets_count_from_5313(shared: Path) -> None:
    table = read_targets(shared / "data/targets/targets_mouse.txt")
    np.testing.assert_array_equal(table.channels, range(1643))
    assert Counter(row.assay for row in table) == {"DNASE": 101, "ATAC": 127, "CHIP": 1058, "CAGE": 357}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "tracks", "stranded"),
    [("hg38/targets.txt", 74, 54), ("hg38/targets_rna.txt", 40, 30), ("mm10/targets.txt", 32, 30)],
)
def test_strand_pairs_of_real_targets(shared: Path, tmp_path: Path, name: str, tracks: int, stranded: int) -> None:
    table = read_targets(shared / "data/tracks/baskerville_tiny" / name)
    assert len(table) == tracks
    assert sum(row.strand != "." for row in table) == stranded
    for row, partner in zip(table, table.take(table.partners), strict=True):
        assert partner.name.rstrip("+-") == row.name.rstrip("+-")
        assert {row.strand, partner.strand} in ({"+", "-"}, {"."})
    write_targets(table, tmp_path / "again.txt")
    assert read_targets(tmp_path / "again.txt") == table


# --- Tracks -----------------------------------------------------------------------------------------------------------


def tracks(bins: int = 4, start: int = 1000, bin_bp: int = 32, seed: int = 0) -> Tracks:
    values = np.random.default_rng(seed).random((bins, len(TABLE)), dtype=np.float32)
    return Tracks(values, TABLE, Interval("chr1", start, start + bins * bin_bp), bin_bp)


def test_tracks_refuse_what_does_not_fit() -> None:
    good = tracks()
    for values in (good.values[0], good.values[:, :5], good.values[:3]):
        with pytest.raises(ValueError, match=r"values|do not make up"):
            replace(good, values=values)
    with pytest.raises(ValueError, match="do not make up"):
        replace(good, bin_bp=64)


def test_select_takes_columns_by_channel() -> None:
    chosen = tracks().select("assay=CHIP")
    np.testing.assert_array_equal(chosen.values, tracks().values[:, [3, 4]])
    again = chosen.select("target=CTCF")  # channel 4, now column 1
    np.testing.assert_array_equal(again.values[:, 0], tracks().values[:, 4])
    assert again.table.names == ("ENCFF3",)


def test_over_takes_bins_and_never_rounds() -> None:
    part = tracks().over(Interval("chr1", 1032, 1096))
    np.testing.assert_array_equal(part.values, tracks().values[1:3])
    assert part.interval == Interval("chr1", 1032, 1096)
    for region in (Interval("chr1", 1030, 1094), Interval("chr1", 968, 1032), Interval("chr2", 1032, 1096)):
        with pytest.raises(InputError):
            tracks().over(region)


def test_rc_reverses_bins_and_swaps_strands() -> None:
    flipped = tracks().rc()
    np.testing.assert_array_equal(flipped.values, tracks().values[::-1][:, [1, 0, 2, 3, 4, 5]])


@given(st.permutations(range(6)), st.integers(0, 5))
def test_rc_twice_is_nothing_and_keeps_the_tracks(order: list[int], seed: int) -> None:
    signal = replace(tracks(seed=seed), table=TABLE.take(order))
    once = signal.rc()
    assert (once.table, once.interval, once.bin_bp) == (signal.table, signal.interval, signal.bin_bp)
    assert once.table.names == signal.table.names
    np.testing.assert_array_equal(once.rc().values, signal.values)


def test_only_the_same_tracks_subtract() -> None:
    a, b = tracks(seed=0), tracks(seed=1)
    np.testing.assert_array_equal((a - b).values, a.values - b.values)
    other = TrackTable(tuple(replace(row, name=f"{row.name}x") for row in TABLE))
    for wrong in (replace(b, table=other), tracks(start=1032), tracks(bins=8, bin_bp=16)):
        with pytest.raises(ValueError, match="same tracks"):
            _ = a - wrong
