"""Pieces, groups, splits and windows: nothing is lost, nothing overlaps, nothing homologous is parted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distal.coords import Interval, Window
from distal.data import splits
from distal.data.regions import Regions
from distal.data.splits import Ground, Piece, Plan, Tiling
from distal.errors import InputError

WINDOW = Window(input_bp=64, bin_bp=4, bins=8)  # reads 64, measures the central 32
STRICT = Tiling(WINDOW, own_bp=64, train_stride_bp=32, stride_bp=32)
SIZES = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 3000), min_size=1)


@st.composite
def grounds(draw: st.DrawFn, least_bp: int = 64) -> Ground:
    """Chromosomes with random gaps and a random blacklist."""
    sizes = draw(SIZES)
    interval = st.builds(
        lambda chrom, start, width: Interval(chrom, start, start + width),
        st.sampled_from(sorted(sizes)),
        st.integers(0, 3000),
        st.integers(0, 300),
    )
    taken = {name: Regions.of(draw(st.lists(interval, max_size=4))) for name in ("gaps", "blacklist")}
    return Ground.of(sizes, taken, least_bp)


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    strides = st.integers(1, 24).map(lambda bins: 4 * bins)
    return Tiling(WINDOW, draw(st.sampled_from([32, 34, 40, 64])), draw(strides), draw(strides))


def widths(pieces: Sequence[Piece]) -> list[int]:
    return [piece.interval.width for piece in pieces]


def singles(lengths: Sequence[int], chrom: str = "a") -> list[list[Piece]]:
    """Groups of one piece each, one behind the other."""
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    return splits.alone([Piece(0, Interval(chrom, s, s + width)) for s, width in zip(starts, lengths, strict=True)])


# --- the ground


def test_every_base_is_accounted_for() -> None:
    # 100 bases: 10-30 gap, 25-40 blacklist (5 of them gap already), [0, 10) is too short, [40, 100) is not.
    taken = {"gaps": Regions.of([Interval("a", 10, 30)]), "blacklist": Regions.of([Interval("a", 25, 40)])}
    ground = Ground.of({"a": 100}, taken, 45)
    assert ground.lost == {"gaps": 20, "blacklist": 10, "too short": 10}
    assert list(ground.contigs) == [Interval("a", 40, 100)]


@given(grounds())
def test_lost_bases_and_contigs_are_the_genome(ground):
    assert sum(ground.lost.values()) + ground.contigs.bases == sum(ground.sizes.values())


# --- pieces


def test_halves_of_halves() -> None:
    # 11 > 3 -> 5 + 6; 5 -> 2 + 3; 6 -> 3 + 3. 3 stays.
    cut = list(splits.pieces([Interval("a", 100, 111), Interval("b", 0, 3)], 1, 3))
    assert widths(cut) == [2, 3, 3, 3, 3]
    assert {piece.genome for piece in cut} == {1}


@given(grounds(), st.integers(2, 500))
def test_pieces_are_all_of_the_contigs(ground, most):
    cut = list(splits.pieces(ground.contigs, 0, most))
    assert list(Regions.of(piece.interval for piece in cut)) == list(ground.contigs)
    assert sum(widths(cut)) == ground.contigs.bases  # nothing twice
    assert all(width <= most for width in widths(cut))
    contigs = list(ground.contigs)
    assert all(2 * piece.interval.width >= most - 1 or piece.interval in contigs for piece in cut)


# --- which split


def test_shares_are_met() -> None:
    # 400 pieces of 50 to 150 bases: aims are met to within one of the shortest, far below 1 % of the whole.
    groups = singles([50 + (i * 37) % 101 for i in range(400)])
    plan = Plan.parse("0.05", "0.15")
    got: Counter[str] = Counter()
    for (piece,), split in zip(groups, splits.assign(groups, plan, seed=1), strict=True):
        got[split] += piece.interval.width
    total = got.total()
    assert got["valid"] / total == pytest.approx(0.05, abs=0.002)
    assert got["test"] / total == pytest.approx(0.15, abs=0.002)
    assert got["train"] / total == pytest.approx(0.80, abs=0.004)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.integers(2, 6), st.integers(0, 99))
def test_no_fold_is_too_long_by_more_than_a_group(lengths, count, seed):
    labels = splits.assign(singles(lengths), Plan.folds(count), seed)
    got = Counter[str]()
    for width, label in zip(lengths, labels, strict=True):
        got[label] += width
    assert len(labels) == len(lengths)
    assert set(labels) <= {f"fold{i}" for i in range(count)}
    assert max(got.values()) <= sum(lengths) / count + max(lengths) + 1


def test_the_seed_alone_decides() -> None:
    groups, plan = singles([10] * 60), Plan.parse("0.2", "0.2")
    one = splits.assign(groups, plan, seed=3)
    assert one == splits.assign(groups, plan, seed=3)
    assert one != splits.assign(groups, plan, seed=4)
    assert Counter(one) == {"train": 36, "valid": 12, "test": 12}


def test_every_piece_may_be_held_out() -> None:
    # Of equal pieces each is drawn for test sooner or later: no place of the genome is always trained on.
    groups, plan = singles([10] * 10), Plan.parse("0", "0.3")
    held = [{i for i, s in enumerate(splits.assign(groups, plan, seed)) if s == "test"} for seed in range(60)]
    assert set().union(*held) == set(range(10))
    assert {len(each) for each in held} == {3}


def test_chromosomes_by_name_and_a_share_of_the_rest() -> None:
    # 100 + 100 + 200 bases; b is test, 0.25 of all 400 bases is valid: the 100 of a's halves that are drawn.
    groups = [*singles([50, 50]), *singles([100], "b"), *singles([50] * 4, "c")]
    labels = splits.assign(groups, Plan.parse("0.25", "b"), seed=0)
    assert labels[2] == "test"
    assert Counter(labels) == {"train": 4, "valid": 2, "test": 1}


@pytest.mark.parametrize(
    ("words", "plan"),
    [
        (("0.1", "0.2"), Plan(("train", "valid", "test"), {"valid": 0.1, "test": 0.2})),
        (("0", "0"), Plan(("train",))),
        (("0", "8, chr9"), Plan(("train", "test"), {}, {"chr8": "test", "chr9": "test"})),
        (("1", ".5"), Plan(("train", "valid", "test"), {"test": 0.5}, {"chr1": "valid"})),
    ],
)
def test_words_of_a_plan(words: tuple[str, str], plan: Plan) -> None:
    assert Plan.parse(*words, lambda chrom: f"chr{chrom.removeprefix('chr')}") == plan


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("0.5", "0.5"), "leave something to train"),
        (("-0.1", "0.1"), "positive"),
        (("a", "b,a"), "both valid and test"),
    ],
)
def test_plans_that_are_refused(words: tuple[str, str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Plan.parse(*words)


def test_folds() -> None:
    assert Plan.folds(3).splits == ("fold0", "fold1", "fold2")
    with pytest.raises(InputError, match="two or more"):
        Plan.folds(1)


def test_a_group_on_two_named_chromosomes_is_refused_in_two_splits_only() -> None:
    group = [[Piece(0, Interval("a", 0, 10)), Piece(0, Interval("b", 0, 10)), Piece(1, Interval("c", 0, 10))]]
    with pytest.raises(InputError, match="a, b cannot be in different splits"):
        splits.assign(group, Plan.parse("a", "b"), 0)
    assert splits.assign(group, Plan.parse("0", "a,b"), 0) == ["test"]
    assert splits.assign(group, Plan.parse("c", "a"), 0) == ["test"]  # c is a chromosome of the other genome


# --- windows


def test_windows_tile_what_is_measured() -> None:
    # Stretch [5, 205): the first input starts at 8, then every 32; 8 + 64 + 4 x 32 = 200 fits, 232 doesn't.
    starts = [x.start for x in STRICT.over("train", [Interval("a", 5, 205)], {"a": 1000})]
    assert starts == [8, 40, 72, 104, 136]
    # With the output alone its own, inputs may begin 16 before the stretch and end 16 after it, but on the chromosome.
    outputs_only = Tiling(WINDOW, 32, 32, 64)
    assert [x.start for x in outputs_only.over("train", [Interval("a", 5, 205)], {"a": 210})] == [0, 32, 64, 96, 128]
    assert [x.start for x in outputs_only.over("test", [Interval("a", 5, 205)], {"a": 210})] == [0, 64, 128]


@given(grounds(), tilings(), st.booleans(), st.integers(0, 9))
def test_windows_keep_to_their_split(ground, tiling, by_fold, seed):
    plan = Plan.folds(3) if by_fold else Plan.parse("0.2", "0.3")
    division = splits.divide([ground.contigs], 2 * 64, plan, seed)
    own = division.of(0)
    windows = splits.place(own, ground.sizes, tiling, seed)
    assert set(windows) == set(plan.splits)
    flank = (WINDOW.input_bp - tiling.own_bp) // 2
    for split, inputs in windows.items():
        assert sorted(inputs, key=repr) == sorted(set(inputs), key=repr)
        for x in inputs:
            assert x.width == WINDOW.input_bp
            assert x.start % WINDOW.bin_bp == 0
            assert x.start >= 0
            assert x.end <= ground.sizes[x.chrom]
            core = Interval(x.chrom, x.start + flank, x.end - flank)
            assert own[split].covered(core) == core.width
    both = splits.shared(windows, WINDOW)
    assert all(found["measured in both"] == 0 for found in both.values())
    if tiling.own_bp == WINDOW.input_bp:
        assert all(found["read in both"] == 0 for found in both.values())


@given(grounds(), st.integers(0, 9))
def test_nothing_between_windows_is_lost(ground, seed):
    # The outputs of neighbouring windows touch, and a stretch ends before one more would fit.
    own = splits.divide([ground.contigs], 128, Plan.parse("0.2", "0.2"), seed).of(0)
    for split, inputs in splits.place(own, ground.sizes, STRICT, seed).items():
        for stretch in own[split]:
            inside = sorted((x for x in inputs if stretch.contains(x)), key=lambda x: x.start)
            assert all(other.start - one.start == 32 for one, other in pairwise(inside))
            if stretch.width >= 64 + 3:
                assert inside[0].start - stretch.start < 4
                assert stretch.end - inside[-1].end < 32


def test_order_is_shuffled_by_the_seed() -> None:
    own = {"train": Regions.of([Interval("a", 0, 4000)]), "test": Regions.of([Interval("b", 0, 4000)])}
    one, again, other = (splits.place(own, {"a": 4000, "b": 4000}, STRICT, seed) for seed in (1, 1, 2))
    assert one == again
    assert one["train"] != other["train"]
    assert sorted(x.start for x in one["train"]) == sorted(x.start for x in other["train"])
    assert [x.start for x in one["train"]] != sorted(x.start for x in one["train"])
    assert [x.start for x in one["train"]] != [x.start for x in one["test"]]  # splits have orders of their own


def test_unmappable_windows_are_left_out() -> None:
    # Outputs are [16, 48) and [116, 148). 8 of the first's 32 bases are unmappable, and 9 of the second's.
    windows = {"train": [Interval("a", 0, 64), Interval("a", 100, 164)], "test": []}
    unmappable = Regions.of([Interval("a", 10, 24), Interval("a", 139, 200)])
    keep = {most: splits.mappable(windows, WINDOW, unmappable, most)["train"] for most in (0.0, 0.25, 0.3)}
    assert keep == {0.0: [], 0.25: windows["train"][:1], 0.3: windows["train"]}


@given(st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), st.integers(0, 60)), max_size=8))
def test_shared_bases_against_sets(places):
    windows = {split: [Interval("a", 4 * i, 4 * i + 64) for s, i in places if s == split] for split in "xyz"}

    def bases(split: str, flank: int) -> set[int]:
        return {base for x in windows[split] for base in range(x.start + flank, x.end - flank)}

    found = splits.shared(windows, WINDOW)
    for one, two in combinations("xyz", 2):
        crossed = (bases(one, 16) & bases(two, 0)) | (bases(one, 0) & bases(two, 16))
        wanted = (len(bases(one, 16) & bases(two, 16)), len(crossed), len(bases(one, 0) & bases(two, 0)))
        assert tuple(found[one, two].values()) == wanted


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        ((66, 32, 32), "66 bp of each window"),
        ((30, 32, 32), "30 bp of each window"),
        ((35, 32, 32), "an even number"),
        ((64, 30, 32), "a stride of 30 bp"),
        ((64, 32, 0), "a stride of 0 bp"),
    ],
)
def test_tilings_that_are_refused(numbers: tuple[int, int, int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Tiling(WINDOW, *numbers)
    with pytest.raises(InputError, match="halves of pieces of 127 bp hold no window; give 128"):
        STRICT.longest(127)
    assert STRICT.longest(128) == 128
