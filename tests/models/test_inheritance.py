"""Students that begin as their teacher compute what it computes: exactly as a Basenji2, nearly as an Enformer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.small import perturbed
from torch import Tensor
from torch.nn import functional as F

from distal import dna
from distal.coords import Interval
from distal.errors import InputError
from distal.io.fasta import Genome
from distal.models import borzoi, enformer, inheritance, zoo
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.enformer import Enformer, EnformerConfig
from distal.models.inheritance import inherit
from distal.models.layers import crop
from distal.models.weights import convert

TEACHER = BorzoiConfig(
    stem=8, stem_kernel=7, tower=(8, 10, 10, 12, 12, 14), layers=1, attention_heads=2, key_size=4, position_features=8,
    input_bp=4096, bins=64, heads={"human": 3},
)  # fmt: skip
BASENJI2 = Basenji2Config(
    stem=9, tower=(8, 11, 10, 13, 12, 14), dilated_layers=1, dilated=4, final=6, input_bp=4096, bins=16, gelu="tanh",
    heads={"human": 3},
)  # fmt: skip
ENFORMER = EnformerConfig(
    channels=24, layers=2, attention_heads=2, key_size=4, divisible_by=2, input_bp=4096, bins=16, heads={"human": 3}
)


def teacher(config: BorzoiConfig = TEACHER) -> Borzoi:
    """With scales that are positive, as training leaves them."""
    module = perturbed(Borzoi(config))
    assert isinstance(module, Borzoi)
    for block in module.tower:
        block.norm.weight.data.abs_()
    return module


def letters(length: int = 4096, seed: int = 0) -> Tensor:
    codes = np.random.default_rng(seed).integers(0, 5, (1, length)).astype(np.uint8)
    return torch.from_numpy(dna.one_hot(codes))


def tower_of(module: Borzoi, x: Tensor) -> Tensor:
    """What the teacher's transformer reads, [B, T, channels]."""
    x = module.stem(x.transpose(1, 2))
    for block in module.tower:
        x = block(F.max_pool1d(x, 2))
    return F.max_pool1d(x, 2).transpose(1, 2)


@torch.inference_mode()
def test_a_basenji2_has_its_teachers_tower_exactly() -> None:
    theirs, ours = teacher().double(), Basenji2(BASENJI2).eval()
    inherit(ours, theirs.float())
    ours, theirs, x = ours.double(), theirs.double(), letters().double()
    found = ours.tower(ours.stem(x.transpose(1, 2))).transpose(1, 2)
    torch.testing.assert_close(found[..., :14], tower_of(theirs, x), rtol=0, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("pooling", ["max", "attention"])
def test_an_enformer_has_nearly_its_teachers_tower(pooling: str) -> None:
    theirs, ours, x = teacher(), Enformer(replace(ENFORMER, pooling=pooling)).eval(), letters()
    for _ in range(60):  # the teacher's statistics must be those of its signal, for they say how sharp to be
        theirs.train()(x, "human")
    theirs.eval()
    inherit(ours, theirs)
    found = ours.tower(ours.stem(x.transpose(1, 2))).transpose(1, 2)
    assert correlation(found[..., :14], tower_of(theirs, x)) > 0.98
    assert not found[..., 14:].any()


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@torch.inference_mode()
def test_a_transformer_block_means_the_same() -> None:
    """On features whose mean over channels is small, as those of trained models are."""
    theirs, ours = teacher(), Enformer(ENFORMER).eval()
    inherit(ours, theirs)
    x = torch.randn(1, 32, 14, generator=torch.Generator().manual_seed(1))
    x -= x.mean(dim=2, keepdim=True)
    wanted = theirs.transformer[0](x, borzoi.position_features(32, 8))
    wide = F.pad(x, (0, 10))
    features = enformer.position_features(32, ENFORMER.position_features)
    assert correlation(ours.transformer[0](wide, features)[..., :14], wanted) > 0.98


@torch.inference_mode()
def test_what_is_new_starts_as_in_the_paper_and_the_rest_is_inherited() -> None:
    torch.manual_seed(3)
    fresh, ours = Enformer(ENFORMER), Enformer(ENFORMER)
    ours.load_state_dict(fresh.state_dict())
    inherit(ours, teacher())
    same = {name for name, value in ours.state_dict().items() if torch.equal(value, fresh.state_dict()[name])}
    moved = set(fresh.state_dict()) - same
    assert {name for name in moved if name.startswith(("final", "heads", "transformer.1"))} == set()
    assert {"stem.0.weight", "tower.5.0.conv.weight", "transformer.0.attention.values.weight"} <= moved


sizes = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=3)


@given(sizes)
def test_a_weight_is_laid_among_more(shape) -> None:
    """Kernels differ by an even number of taps. Sums over the rest of its rows are zero, other rows keep theirs."""
    part = torch.rand([size for size, _ in shape]) + 1
    whole = torch.full([size + 2 * more for size, more in shape], 7.0)
    inheritance.put(whole, part)
    assert whole[: len(part)].sum() == pytest.approx(float(part.sum()))
    assert (whole[len(part) :] == 7).all()
    middle = whole[tuple(slice(more if axis == 2 else 0, None) for axis, (_, more) in enumerate(shape))]
    torch.testing.assert_close(middle[tuple(map(slice, part.shape))], part)


@pytest.mark.parametrize(
    ("student", "complaint"),
    [
        (replace(ENFORMER, channels=12), "differs in convolutions"),
        (replace(ENFORMER, key_size=5), "differs in key_size$"),
        (replace(ENFORMER, attention_heads=4), "differs in attention_heads"),
        (replace(ENFORMER, input_bp=8192), "differs in input_bp"),
        (replace(ENFORMER, layers=0), "0 layers cannot begin as a teacher with 1"),
        (replace(BASENJI2, gelu="sigmoid"), "differs in gelu"),
        (replace(BASENJI2, stem=7), "differs in convolutions"),
    ],
)
def test_a_student_that_cannot_hold_its_teacher(student: EnformerConfig | Basenji2Config, complaint: str) -> None:
    module = Enformer(student) if isinstance(student, EnformerConfig) else Basenji2(student)
    with pytest.raises(InputError, match=complaint):
        inherit(module, teacher())


def test_negative_scales_do_not_pass_a_maximum() -> None:
    theirs = teacher()
    theirs.tower[2].norm.weight.data[1] = -1
    with pytest.raises(InputError, match="negative scales"):
        inherit(Basenji2(BASENJI2), theirs)
    inherit(Enformer(ENFORMER), theirs)


@pytest.mark.shared
@torch.inference_mode()
def test_students_of_the_real_mini_borzoi(shared: Path, tmp_path: Path) -> None:
    """r of what transformer and U-net read: 1 for a Basenji2 and 0.988 for an Enformer on this window."""
    weights = shared / "data/weights/baskerville_mini_borzoi"
    theirs, *_ = zoo.open_folder(convert(weights / "model.h5", tmp_path / "teacher"))
    assert isinstance(theirs, Borzoi)
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    codes = genome.codes(Interval("chr20", 42_900_000, 43_031_072))
    x = torch.from_numpy(dna.one_hot(codes[None]))
    bins = transformed = tower_of(theirs, x)
    for block in theirs.transformer:
        transformed = block(transformed, borzoi.position_features(1024, 32))
    basenji2 = Basenji2(
        replace(BASENJI2, stem=64, tower=(80, 88, 96, 104, 120, 128), input_bp=131_072, bins=512)
    ).eval()
    inherit(basenji2, theirs)
    found = basenji2.tower(basenji2.stem(x.transpose(1, 2))).transpose(1, 2)
    torch.testing.assert_close(found, bins, rtol=0, atol=2e-4)
    wide = {"channels": 168, "layers": 2, "key_size": 32, "divisible_by": 8, "input_bp": 131_072, "bins": 512}
    ours = Enformer(replace(ENFORMER, **wide)).eval()
    inherit(ours, theirs)
    read = ours.transformed(ours.tower(ours.stem(x.transpose(1, 2))).transpose(1, 2))
    assert correlation(read[..., :128], crop(transformed, 512)) > 0.98
