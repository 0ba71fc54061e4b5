"""The fast path against full passes through the plain nn.Module: random edits of every kind, three architectures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice, permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests import builders
from torch import Tensor, nn

from distal import dna
from distal.coords import Interval
from distal.incremental import FullForward, Incremental, Pass
from distal.io import vcf
from distal.io.fasta import Genome
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.enformer import Enformer, EnformerConfig
from distal.models.zoo import Spec
from distal.predictor import Predictor, averaged, load
from distal.scoring.alleles import haplotypes, judge

LENGTH, BIN = 4096, 128
TRACKS = len(builders.TABLE)
HEADS = {"mouse": 3, "human": TRACKS}
MODULES = {
    "enformer": lambda: Enformer(
        EnformerConfig(24, 2, 2, 5, divisible_by=2, input_bp=LENGTH, bins=16, heads=HEADS),
    ),
    "basenji2": lambda: Basenji2(
        Basenji2Config(7, 9, dilated_layers=5, dilated=6, final=13, input_bp=LENGTH, bins=24, gelu="tanh", heads=HEADS)
    ),
    "borzoi": lambda: Borzoi(
        BorzoiConfig(6, 7, (5, 7, 8, 9, 10, 12), 5, 2, 2, 5, 6, 2, 3, LENGTH, 64, "tanh", HEADS),
    ),
    "enformer, maximum": lambda: Enformer(
        EnformerConfig(12, 1, 1, 3, divisible_by=3, input_bp=LENGTH, bins=32, pooling="max", heads=HEADS)
    ),
    "basenji2, short": lambda: Basenji2(
        Basenji2Config(4, tower=(3, 5, 4, 6, 5, 7), dilated_layers=0, final=6, input_bp=LENGTH, bins=32, heads=HEADS)
    ),
    "borzoi, fine": lambda: Borzoi(
        BorzoiConfig(4, 5, (5, 6, 8), 5, 1, 2, 3, 6, 1, 5, 1024, 120, "erf", HEADS),
    ),
}
"""Published shapes made small; then variations: another pooling, no dilation, no crop, other bins, every GELU."""


def drawn(module: nn.Module, seed: int = 5) -> nn.Module:
    """In evaluation mode, nothing as it starts: every branch is on, scales have both signs, statistics are random."""
    random = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(value.shape, generator=random)
        if name.endswith("running_var"):
            value.copy_(torch.exp(0.5 * noise))
        elif "norm.weight" in name or "mlp.0.weight" in name:
            value.copy_(
                (0.6 + 0.5 * noise.abs()) * torch.where(torch.randn(value.shape, generator=random) > -0.5, 1, -1)
            )
        elif value.ndim < 2 or "bias" in name:
            value.copy_(0.4 * noise)
        else:
            value.copy_(noise * (1.7 / value[0].numel()) ** 0.5)
    return module.eval()


def louder(module: nn.Module, sharp: float, loud: float) -> nn.Module:
    """With attention that looks at few places, and predictions near 0 and far from it."""
    for name, value in module.state_dict().items():
        if "query" in name or name.startswith("heads"):
            value *= sharp if "query" in name else loud
    return module


@cache
def model(family: str, dtype: torch.dtype = torch.float64, n: float = 0.0, batch_size: int = 4) -> Predictor:
    module = drawn(MODULES[family.removeprefix("loud ")]())
    if family.startswith("loud "):
        module = louder(module, 20.0, 20.0)
    spec = Spec(f"tiny-{family}", family.removeprefix("loud ").partition(",")[0], module.config, "Apache-2.0")
    table = builders.TABLE
    return Predictor(module.to(dtype), spec, table, "human", torch.device("cpu"), batch_size=batch_size, n=n)


# ------------------------------------------------------------------------------------------------------------- edits


@dataclass(frozen=True)
class Edit:
    """What makes a sequence out of the genome: where the window lies, and what is changed in it."""

    kind: str
    at: int
    size: int
    bins: int
    seed: int

    def __call__(self, genome: dna.Codes, length: int) -> dna.Codes:
        start = 8 * BIN + self.bins * BIN + (self.size if self.kind == "off the grid" else 0)
        codes, at = genome[start:], self.at % length
        random = np.random.default_rng(self.seed)
        inserted = random.integers(0, 4, self.size, dtype=np.uint8)
        if self.kind == "snv":
            codes = _replaced(codes, at, (codes[at : at + 1] + 1 + self.seed % 3) % 4)
        elif self.kind == "mnv":
            codes = _replaced(codes, at, inserted)
        elif self.kind == "insertion":
            codes = np.concatenate([codes[:at], inserted, codes[at:]])
        elif self.kind == "duplication":
            codes = np.concatenate([codes[: at + self.size], codes[at:]])
        elif self.kind == "deletion":
            codes = np.concatenate([codes[:at], codes[at + self.size :]])
        elif self.kind == "replacement":
            codes = np.concatenate([codes[:at], inserted, codes[at + 1 + self.seed % 9 :]])
        elif self.kind == "masked":
            codes = _replaced(codes, at, np.full(self.size, dna.N, np.uint8))
        elif self.kind == "scattered":
            for place in random.integers(0, length, self.size % 7).tolist():
                codes = _replaced(codes, place, (codes[place : place + 1] + 1) % 4)
        codes = np.array(codes[:length])
        codes.flags.writeable = False  # as the genome's own are
        return codes


def _replaced(codes: dna.Codes, at: int, by: dna.Codes) -> dna.Codes:
    return np.concatenate([codes[:at], by, codes[at + len(by) :]])


GAPS = ((1900, 1937), (2040, 2041), (0, 20), (4060, 4096), (1000, 1600))
"""Runs of N in the reference's window: in its middle, one letter, at its ends, longer than several bins."""
EDGES = sorted({edge + d for gap in GAPS for edge in gap for d in (-1, 0, 1)} | {0, 1, 7, 127, 128, 129, 2047, 2048})
PLACES = st.sampled_from([*EDGES, LENGTH - 130, LENGTH - 129, LENGTH - 128, LENGTH - 2, LENGTH - 1])
SIZES = st.sampled_from([1, 1, 2, 3, 5, 16, 31, 64, BIN - 1, BIN, BIN + 1, 2 * BIN, 3 * BIN, 700])
KINDS = ("snv", "mnv", "insertion", "duplication", "deletion", "replacement", "masked", "scattered", "off the grid")


def edits_of(kind: str, moved: tuple[int, ...]) -> st.SearchStrategy[Edit]:
    places, sizes = st.integers(0, LENGTH - 1) | PLACES, SIZES | st.integers(1, 40)
    return st.builds(Edit, st.just(kind), places, sizes, st.sampled_from(moved), st.integers(0, 2**16))


EDITS = st.tuples(
    *(edits_of(kind, (0,)) for kind in ("snv", "snv", "snv", "deletion", *KINDS, "equal")),
    *(edits_of(kind, (1, -1, 2, 5, -8)) for kind in ("equal", "snv", "deletion")),
)
"""Of every kind in the reference's window, and in windows that lie some bins beside it."""


@dataclass(frozen=True)
class Stream:
    """Sequences for one object, the reference first, and how they are asked for."""

    genome: int
    gaps: tuple[tuple[int, int], ...]
    edits: tuple[Edit, ...]
    rc: bool = False
    shifts: tuple[int, ...] = (0,)
    channels: tuple[int, ...] | None = None
    n: float = 0.0
    batch_size: int = 4

    def sequences(self, length: int) -> list[dna.Codes]:
        codes = np.random.default_rng(self.genome).integers(0, 4, 8 * BIN + 2 * LENGTH, dtype=np.uint8)
        for start, end in self.gaps:
            codes[8 * BIN + start : 8 * BIN + end] = dna.N
        codes[8 * BIN + LENGTH + 500 : 8 * BIN + LENGTH + 900] = dna.N
        return [edit(codes, length) for edit in (Edit("equal", 0, 0, 0, 0), *self.edits)]

    def members(self, way: type[Pass], family: str, dtype: torch.dtype) -> list[list[Tensor]]:
        predictor = model(family, dtype, self.n, self.batch_size)
        sequences = self.sequences(predictor.window.input_bp)
        return list(way(predictor).members(sequences, self.rc, self.shifts, self.chosen))

    @property
    def chosen(self) -> NDArray[np.int64] | None:
        return None if self.channels is None else np.array(self.channels)


STREAMS = st.builds(
    Stream,
    st.integers(0, 2**16),
    st.sets(st.sampled_from(GAPS), max_size=2).map(tuple),
    EDITS,
    st.sampled_from([False, False, True]),
    st.sampled_from([(0,), (0,), (0,), (-1, 0, 2), (3,), (-128,)]),
    st.sampled_from([None, (2,), (5, 0), (4, 4, 1)]),
    st.sampled_from([0.0, 0.0, 0.25]),
    st.sampled_from([1, 3, 4, 16]),
)


# ------------------------------------------------------------------------------------------------------------ oracle


@torch.inference_mode()
def oracle(stream: Stream, family: str) -> list[list[Tensor]]:
    """Each sequence, strand and shift by itself through the nn.Module in float64."""
    predictor = model(family, torch.float64)
    channels = list(range(TRACKS)) if stream.channels is None else list(stream.channels)
    partners = [[1, 0, 2, 3, 5, 4][channel] for channel in channels]

    def one(codes: dna.Codes) -> Tensor:
        hot = torch.from_numpy(dna.one_hot(codes, stream.n)[None]).double()
        values: Tensor = predictor.module(hot, "human")[0]
        return values

    def members(codes: dna.Codes) -> Iterator[Tensor]:
        for shift in stream.shifts:
            yield one(dna.shift(codes, shift))[:, channels]
            if stream.rc:
                yield one(dna.shift(dna.reverse_complement(codes), shift)).flip(0)[:, partners]

    return [list(members(codes)) for codes in stream.sequences(predictor.window.input_bp)]


def largest(value: Tensor) -> float:
    return value.abs().max().item()


def check_effects(found: list[list[Tensor]], exact: list[list[Tensor]], relative: float, floor: float) -> None:
    """ALT - REF within `relative` of the largest effect of that edit, plus `floor` of the largest signal."""
    assert len(found) == len(exact)
    for i in range(1, len(exact)):
        for mine, my_ref, true, ref in zip(found[i], found[0], exact[i], exact[0], strict=True):
            effect = true - ref
            error = largest((mine - my_ref) - effect)
            assert error <= relative * largest(effect) + floor * largest(ref), (i, error, largest(effect))


def check_predictions(found: list[list[Tensor]], exact: list[list[Tensor]], relative: float) -> None:
    for i, (mine, true) in enumerate(zip(found, exact, strict=True)):
        for a, b in zip(mine, true, strict=True):
            assert largest(a - b) <= relative * largest(b), (i, largest(a - b) / largest(b))


def same(a: list[list[Tensor]], b: list[list[Tensor]]) -> bool:
    return all(torch.equal(x, y) for mine, other in zip(a, b, strict=True) for x, y in zip(mine, other, strict=True))


# ------------------------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("family", MODULES)
def test_no_parameter_is_silent(family: str) -> None:
    """Or the comparisons below would be blind to it: each one made a little different moves the prediction."""
    codes = Stream(1, (), ()).sequences(model(family).window.input_bp)[0]
    hot = torch.from_numpy(dna.one_hot(codes)[None]).double()
    module = drawn(MODULES[family]()).double()
    with torch.inference_mode():
        before = module(hot, "human")
        for name, value in module.state_dict().items():
            if name.startswith("heads.mouse") or name.endswith("num_batches_tracked"):
                continue
            kept = value.clone()
            value.mul_(1.03)
            assert largest(module(hot, "human") - before) > 1e-5 * largest(before), name
            value.copy_(kept)
    gammas = [value for name, value in module.state_dict().items() if name.endswith("norm.weight")]
    assert all((gamma < 0).any() or gamma.numel() < 12 for gamma in gammas)


@pytest.mark.parametrize(
    ("family", "examples"),
    [(family, 4 if "," in family else 16) for family in MODULES],
)
def test_random_edits_equal_full_passes(family: str, examples: int) -> None:
    """Over 550 different edits, and those of the variations: in float64 the effects, in float32 the predictions."""
    edits = set()

    @settings(max_examples=examples)
    @given(STREAMS)
    def check(stream: Stream) -> None:
        edits.update((stream.genome, stream.gaps, edit) for edit in stream.edits)
        exact = oracle(stream, family)
        double = stream.members(Incremental, family, torch.float64)
        check_effects(double, exact, 1e-8, 1e-14)
        check_predictions(double, exact, 1e-10)
        single = stream.members(Incremental, family, torch.float32)
        check_predictions(single, exact, 1e-5)
        sequences = stream.sequences(model(family).window.input_bp)
        for i, codes in enumerate(sequences):
            if np.array_equal(codes, sequences[0]):
                assert same([double[i], single[i]], [double[0], single[0]])

    check()
    assert len(edits) >= 170 or "," in family


@pytest.mark.parametrize("family", ["loud enformer", "loud basenji2", "loud borzoi"])
def test_large_changes_are_as_exact_as_small_ones(family: str) -> None:
    """Where attention turns from one place to another, and a prediction falls from far above 0 to nearly 0."""

    sizes = []

    @settings(max_examples=4)
    @given(STREAMS)
    def check(stream: Stream) -> None:
        exact = oracle(stream, family)
        sizes.extend(largest(true - ref) for members in exact for true, ref in zip(members, exact[0], strict=True))
        check_effects(
            stream.members(Incremental, family, torch.float64), exact, 1e-8, 1e-10
        )  # torch's softplus is x from 20
        check_predictions(stream.members(Incremental, family, torch.float32), exact, 1e-3)

    check()
    assert max(sizes) > 5


@settings(max_examples=2)
@given(STREAMS)
def test_full_passes_are_the_modules_own(stream: Stream) -> None:
    for family in ("enformer", "basenji2", "borzoi"):
        exact = oracle(stream, family)
        check_predictions(stream.members(FullForward, family, torch.float64), exact, 1e-12)
        check_predictions(stream.members(FullForward, family, torch.float32), exact, 1e-5)


FAMILIES = ("enformer", "basenji2", "borzoi")
SNVS = tuple(Edit("snv", at, 1, 0, at) for at in (0, 5, 700, 1899, 1920, 2047, 2048, 3000, 4090, 4095))
MIXED = (*SNVS[:4], Edit("deletion", 2050, 1, 0, 1), Edit("insertion", 2050, BIN, 0, 2), Edit("snv", 2000, 1, 1, 3))


@pytest.mark.parametrize("family", FAMILIES)
def test_small_effects_keep_their_digits_in_float32(family: str) -> None:
    """What is carried as a difference has rounding errors of its own size, not of the signal's."""
    stream = Stream(3, GAPS[:1], SNVS)
    single = stream.members(Incremental, family, torch.float32)
    check_effects(single, oracle(stream, family), 2e-4, 1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_differences_in_bfloat16_lose_a_hundredth_of_the_effect_at_most(family: str) -> None:
    stream = Stream(3, GAPS[:1], SNVS)
    predictor = replace(model(family, torch.float32), precision="bf16")
    exact = [members[0] for members in oracle(stream, family)]
    sequences = stream.sequences(LENGTH)
    found = [members[0] for members in Incremental(predictor).members([*sequences, sequences[0]])]
    assert torch.equal(found[-1], found[0])
    check_predictions([found[:1]], [exact[:1]], 1e-5)  # REF is in float32
    errors = []
    for mine, true in zip(found[1:-1], exact[1:], strict=True):
        sad, true_sad = (mine - found[0]).sum(0, dtype=torch.float64), (true - exact[0]).sum(0)
        size = (true - exact[0]).abs().sum(0)  # bins cancel in SAD, their rounding errors don't
        errors.append((sad - true_sad).abs() / size)
    assert torch.stack(errors).median() < 0.01
    assert largest(torch.stack(errors)) < 0.1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_same_stream_gives_the_same_bytes(family: str, dtype: torch.dtype) -> None:
    stream = Stream(4, GAPS[:2], MIXED, rc=True)
    sequences = stream.sequences(LENGTH)
    way = Incremental(model(family, dtype))
    first = list(way.members(sequences, rc=True))
    assert same(first, stream.members(Incremental, family, dtype))
    again = list(way.members(sequences, rc=True))  # now from what it knows
    check_predictions(again, first, 1e-5 if dtype == torch.float32 else 1e-12)
    way.forget()
    assert same(first, list(way.members(sequences, rc=True)))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_seen_before_or_beside_changes_little(family: str) -> None:
    """Another order, other batches, other streams before: less than 1e-5."""
    stream = Stream(5, GAPS[:2], MIXED)
    reference, *others = stream.sequences(LENGTH)
    exact, *alone = stream.members(Incremental, family, torch.float32)
    for batch_size, order in zip((1, 3, 16), islice(permutations(range(len(others))), 11, None, 907), strict=False):
        way = Incremental(model(family, torch.float32, 0.0, batch_size))
        list(way.members(Stream(6, (), SNVS).sequences(LENGTH)))
        list(way.members([others[5], reference, others[0]], rc=True, shifts=(1,)))
        found = list(way.members([reference, *(others[i] for i in order)]))
        check_predictions(found, [exact, *(alone[i] for i in order)], 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_deletion_written_in_several_ways_is_one(family: str) -> None:
    """In AAAA it doesn't matter which A goes: the sequences are the same, and so are the numbers."""
    genome = np.random.default_rng(8).integers(0, 4, LENGTH + 1, dtype=np.uint8)
    genome[2100:2104] = 0
    ways = [np.delete(genome, at)[:LENGTH] for at in range(2100, 2104)]
    _, first, *others = Incremental(model(family)).members([genome[:LENGTH], *ways])
    for other in others:
        assert largest(other[0] - first[0]) <= 1e-12 * largest(first[0])


@pytest.mark.parametrize("way", [FullForward, Incremental])
def test_sequences_are_taken_as_they_are_needed(way: type[Pass]) -> None:
    """An endless stream is no trouble: memory doesn't grow with its length."""
    taken = 0

    def endless() -> Iterator[dna.Codes]:
        nonlocal taken
        genome = Stream(7, (), ()).sequences(LENGTH)[0]
        for i in count():
            taken += 1
            yield Edit("snv", 50 * i, 1, 0, i)(np.concatenate([np.zeros(8 * BIN, np.uint8), genome]), LENGTH)

    found = list(islice(way(model("enformer", torch.float32)).members(endless()), 20))
    assert len(found) == 20
    assert taken <= 20 + 256


@pytest.mark.parametrize("way", [FullForward, Incremental])
def test_nothing_asked_and_one_sequence(way: type[Pass]) -> None:
    predictor = model("basenji2", torch.float32)
    sequence = Stream(7, (), ()).sequences(LENGTH)[0]
    assert list(way(predictor).members([])) == []
    ((member,),) = way(predictor).members([sequence])
    assert member.shape == (24, TRACKS)
    assert way(predictor).predictor is predictor


@pytest.mark.parametrize("way", [FullForward, Incremental])
def test_a_sequence_of_another_length_is_refused(way: type[Pass]) -> None:
    sequence = Stream(7, (), ()).sequences(LENGTH)[0]
    with pytest.raises(ValueError, match="4096"):
        list(way(model("basenji2", torch.float32)).members([sequence, sequence[:-BIN]]))


@pytest.mark.parametrize("way", [FullForward, Incremental])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_mean_of_the_members_is_the_prediction(way: type[Pass], family: str) -> None:
    predictor = model(family, torch.float32)
    sequences = Stream(9, (), SNVS[:2]).sequences(LENGTH)
    found = list(way(predictor).members(sequences, rc=True, shifts=(-1, 0, 1)))
    assert [len(members) for members in found] == [6] * 3
    means = torch.stack([torch.stack(members).mean(0) for members in found])
    wanted = averaged(predictor, np.stack(sequences), rc=True, shifts=(-1, 0, 1))
    check_predictions([list(means)], [list(wanted.double())], 1e-5)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["enformer-mini", "basenji2-mini"])
def test_real_variants_of_the_models_that_ship(shared: Path, name: str) -> None:
    """SNVs and indels as a file has them, and one window at the chromosome's end."""
    predictor = load(name)
    double = replace(predictor, module=load(name).module.double())
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    rows = list(vcf.read(shared / "data/eqtl/1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"))
    indels = [row for row in rows if len(row.ref) != len(row.alt)]
    groups: list[Sequence[dna.Codes]] = [
        haplotypes(genome, predictor.window, judge(genome, predictor.window, row)).sequences
        for row in (rows[100], rows[9000], indels[10], indels[-10])
    ]
    begin = genome.sizes["chr20"] - 80_000
    end = genome.codes(Interval("chr20", begin, begin + predictor.window.input_bp))
    groups.append([end, Edit("snv", 16_000, 1, 0, 1)(np.concatenate([end[: 8 * BIN], end]), len(end))])
    fast, exact = Incremental(predictor), Incremental(double)
    for sequences in groups:
        with torch.inference_mode():
            hot = torch.from_numpy(dna.one_hot(np.stack(sequences))).double()
            wanted = [[member] for member in double.module(hot, "human")]
        check_effects(list(exact.members(sequences)), wanted, 1e-8, 1e-14)
        check_predictions(list(fast.members(sequences)), wanted, 1e-5)
