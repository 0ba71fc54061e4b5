"""The fast networks: functions of a difference, the tower over any range of bins, whole models, against oracles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests import builders
from torch import Tensor, nn
from torch.nn import functional as F

from distal.models import inference
from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.enformer import Enformer, EnformerConfig, position_features
from distal.models.inference import EXACT, TF32, Arithmetic, Change, Job, attention, bf16, differences, minimal
from distal.models.inference.convolution import Convolution
from distal.models.inference.minimal import FiveTaps
from distal.models.inference.pointwise import Chain, Gelu, Linear, Softplus
from distal.models.inference.scratch import Scratch
from distal.models.layers import GELUS, RelativeAttention

INPUT_BP = 2048
ENFORMER = replace(builders.ENFORMER, input_bp=INPUT_BP)
BORZOI = BorzoiConfig(
    stem=8,
    tower=(8, 10, 12, 12, 14, 16),
    attention_heads=2,
    key_size=8,
    position_features=8,
    input_bp=INPUT_BP,
    bins=32,
    heads={"human": 6},
)
MODULES: dict[str, Callable[[], nn.Module]] = {
    "enformer": lambda: Enformer(ENFORMER),
    "enformer-max": lambda: Enformer(replace(ENFORMER, pooling="max")),
    "enformer-no-transformer": lambda: Enformer(replace(ENFORMER, layers=0)),
    "basenji2": lambda: Basenji2(builders.BASENJI2),
    "basenji2-tanh": lambda: Basenji2(replace(builders.BASENJI2, gelu="tanh")),
    "basenji2-erf": lambda: Basenji2(replace(builders.BASENJI2, gelu="erf")),
    "borzoi": lambda: Borzoi(BORZOI),
    "borzoi-no-unet": lambda: Borzoi(replace(BORZOI, upsamplings=0, bins=8)),
}
MODELS = pytest.mark.parametrize("name", MODULES)
KINDS = pytest.mark.parametrize("kind", GELUS)
SIX = torch.arange(6)


def module(name: str) -> nn.Module:
    torch.manual_seed(2)
    return builders.perturbed(MODULES[name]()).double()


def letters(rows: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 5, (rows, INPUT_BP)).astype(np.uint8)


def by_module(model: nn.Module, codes: np.ndarray, n: float = 0.0) -> Tensor:
    table = np.vstack([np.eye(4), np.full((1, 4), n)])
    with torch.inference_mode():
        prediction: Tensor = model(torch.from_numpy(table[codes]), "human")
    return prediction


# --- functions of a difference

points = st.floats(-30, 30, allow_nan=False)
steps = st.floats(-60, 60, allow_nan=False)
tiny = st.floats(-6, 0).flatmap(lambda power: st.sampled_from([-(10.0**power), 10.0**power]))


def relative_error(found: Tensor, x: float, delta: float, f: Callable[[Tensor], Tensor]) -> float:
    """Of a float32 difference, against central differences or plain subtraction in float64, whichever is sound."""
    a, b = torch.tensor(float(np.float32(x)), dtype=torch.float64), float(np.float32(delta))
    if abs(b) < 1e-3:  # mean slope over the step, by Gauss's rule with three points: an error of order δ⁶
        nodes = torch.tensor([-(0.6**0.5), 0.0, 0.6**0.5], dtype=torch.float64)
        weights = torch.tensor([5 / 9, 8 / 9, 5 / 9], dtype=torch.float64) / 2
        at = (a + b / 2 * (1 + nodes)).requires_grad_()
        (slope,) = torch.autograd.grad(f(at).sum(), at)
        want = float((slope * weights).sum().detach() * b)
    else:
        want = float(f(a + b) - f(a))
    return abs(float(found) - want) / max(abs(want), 1e-30)


@settings(max_examples=150, deadline=None)
@given(points, tiny)
def test_a_tiny_difference_of_softplus_keeps_its_digits(x: float, delta: float) -> None:
    found = Softplus().difference(torch.tensor(x), torch.tensor(delta))
    assert relative_error(found, x, delta, F.softplus) < 1e-5


@KINDS
@settings(max_examples=60, deadline=None)
@example(x=3.75, delta=-0.23713737056616552)  # a change of more than 1 before the sigmoid
@given(x=st.floats(-4, 4), delta=tiny)
def test_a_tiny_difference_of_gelu_is_precise_beside_its_step(kind: str, x: float, delta: float) -> None:
    """A GELU turns at its minimum, where its difference is 0: the error is that of a slope times the step."""
    a, d = torch.tensor(x), torch.tensor(delta)
    want = GELUS[kind](a.double() + d.double()) - GELUS[kind](a.double())
    bound = 1e-6 * abs(delta) + (1e-6 if kind == "erf" else 0.0)
    assert abs(float(Gelu(kind).difference(a, d)) - float(want)) < bound + 1e-15


@settings(max_examples=150, deadline=None)
@given(points, steps)
def test_large_differences_are_subtractions(x: float, delta: float) -> None:
    a, d = torch.tensor(x, dtype=torch.float64), torch.tensor(delta, dtype=torch.float64)
    pairs: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = [
        (differences.sigmoid(a, d), torch.sigmoid),
        (differences.softplus(a, d), F.softplus),
        *((differences.gelu(kind, a, d), gelu) for kind, gelu in GELUS.items()),
    ]
    for found, f in pairs:
        torch.testing.assert_close(found, f(a + d) - f(a), rtol=1e-8, atol=3e-9)  # torch's softplus is x from 20


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.floats(-7, 1))
def test_a_difference_of_layer_norm(seed: int, power: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, d = torch.randn(2, 3, 24, generator=generator, dtype=torch.float64) * 3 + 1
    d = d * 10.0**power
    want = F.layer_norm(x + d, (24,), eps=1e-5) - F.layer_norm(x, (24,), eps=1e-5)
    state = differences.Normalised.of(x, 1e-5)
    torch.testing.assert_close(state.difference(d), want, rtol=1e-6, atol=1e-15 / 10.0**-power + 1e-14)
    torch.testing.assert_close(state.values, F.layer_norm(x, (24,), eps=1e-5))
    narrow = differences.Normalised.of(x.float(), 1e-5).difference(d.float())
    assert float((narrow - want).abs().max() / want.abs().max()) < 1e-5


# --- matrix products


@pytest.mark.parametrize("arithmetic", [EXACT, bf16("cpu"), TF32], ids=lambda one: one.name)
def test_products_round_their_operands_and_no_more(arithmetic: Arithmetic) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(5, 64), torch.randn(64, 7)
    exact = x.double() @ y.double()
    size = (x.abs() @ y.abs()).double()
    error = float(((arithmetic.matmul(x, arithmetic.narrow(y)) - exact).abs() / size).max())
    lowest, highest = {"exact": (0, 1e-6), "tf32": (1e-5, 2**-10), "bf16": (1e-4, 2**-7)}[arithmetic.name]
    assert lowest <= error < highest
    out = torch.empty(5, 7)
    assert arithmetic.matmul(x, arithmetic.narrow(y), out) is out
    assert torch.equal(out, arithmetic.matmul(x, arithmetic.narrow(y)))


def test_bf16_is_what_torch_has() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(5, 64), torch.randn(64, 7)
    found = bf16("cpu").matmul(x, bf16("cpu").narrow(y))
    theirs = (x.bfloat16() @ y.bfloat16()).float()
    torch.testing.assert_close(found, theirs, rtol=2**-7, atol=1e-3)  # sums in another order may round elsewhere
    assert torch.equal(found, found.bfloat16().float())


def test_tf32_has_ten_bits() -> None:
    x = torch.tensor([1.0, 1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -3.14159265])
    assert TF32.narrow(x).tolist() == [1.0, 1 + 2**-10, 1 + 2**-10, 1.0, -3.140625]


@pytest.mark.parametrize(("kernel", "inputs", "dilation"), [(1, 16, 1), (5, 16, 1), (15, 4, 1), (3, 16, 4), (3, 4, 4)])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_convolution_is_torchs(kernel: int, inputs: int, dilation: int, rows: int) -> None:
    torch.manual_seed(0)
    theirs = nn.Conv1d(inputs, 6, kernel, dilation=dilation).double().requires_grad_(requires_grad=False)
    x = torch.randn(rows, 80, inputs, dtype=torch.float64)
    ours = Convolution.of(theirs.weight, theirs.bias, EXACT, dilation)
    out = torch.empty(rows, 80 - 2 * ours.reach, 6, dtype=torch.float64)
    torch.testing.assert_close(ours(x, out, Scratch()), theirs(x.transpose(1, 2)).transpose(1, 2))
    rounded = Convolution.of(theirs.weight, theirs.bias, bf16("cpu"), dilation)
    assert float((rounded(x, out.clone(), Scratch()) - out).abs().max() / out.abs().max()) < 0.02


def test_seven_products_for_two_outputs_worked() -> None:
    # inputs 1 2 4 8 16 32, taps 1 10 100 1000 10000:
    # y0 = 1 + 20 + 400 + 8000 + 160000, y1 = 2 + 40 + 800 + 16000 + 320000; the bias is 5
    taps = torch.tensor([1.0, 10.0, 100.0, 1000.0, 10000.0]).view(5, 1, 1)
    out = torch.empty(2, 1)
    FiveTaps.of(taps, torch.tensor([5.0]))(2.0 ** torch.arange(6.0)[:, None], out, Scratch())
    assert out.flatten().tolist() == [168426.0, 336847.0]


@settings(max_examples=25, deadline=None)
@given(half=st.integers(1, 40), inputs=st.integers(1, 5), outputs=st.integers(1, 5), seed=st.integers(0, 99))
def test_five_taps_are_a_convolution(half: int, inputs: int, outputs: int, seed: int) -> None:
    torch.manual_seed(seed)
    x, taps = torch.randn(2 * half + 4, inputs).double(), torch.randn(5, inputs, outputs).double()
    found, scratch = torch.empty(2 * half, outputs).double(), Scratch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimal, "_PIECE", 16)
        FiveTaps.of(taps, None)(x, found, scratch)
    expected = F.conv1d(x.t()[None], taps.permute(2, 1, 0))[0].t()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("length", "pays"), [(512, True), (510, False), (513, False)])
def test_long_sequences_alone_are_worth_the_sums(length: int, pays: bool) -> None:
    torch.manual_seed(0)
    theirs = nn.Conv1d(256, 256, 5).requires_grad_(requires_grad=False)
    ours = Convolution.of(theirs.weight, theirs.bias, EXACT)
    assert ours.five is not None
    assert ours.five.pays(length) is pays
    x, scratch = torch.randn(2, length + 4, 256), Scratch()
    found = ours(x, torch.empty(2, length, 256), scratch)
    expected = theirs.double()(x.double().transpose(1, 2)).transpose(1, 2)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-6


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="a kernel of 4 has no middle"):
        Convolution.of(torch.zeros(3, 2, 4), None, EXACT)


# --- models


@MODELS
@pytest.mark.parametrize("n", [0.0, 0.25])
def test_a_network_is_its_module(name: str, n: float) -> None:
    model, codes = module(name), letters(3)
    found = inference.network(model, n)(codes, SIX, "human")
    torch.testing.assert_close(found, by_module(model, codes, n), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        inference.network(model.float(), n)(codes, SIX, "human").double(),
        by_module(model.double(), codes, n),
        rtol=3e-5,
        atol=1e-5,
    )


@MODELS
def test_some_channels_in_any_order(name: str) -> None:
    model, codes = module(name), letters()
    network = inference.network(model)
    whole = network(codes, SIX, "human")
    for channels in ([3], [5, 0], [5, 4, 3, 2, 1, 0], [1, 1, 2, 0, 3]):
        some = network(codes, torch.tensor(channels), "human")
        torch.testing.assert_close(some, whole[..., channels], rtol=1e-12, atol=1e-12)


@MODELS
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_range_of_bins_is_that_part_of_the_window(name: str, data: st.DataObject) -> None:
    network, codes = inference.network(module(name)), letters()
    whole = network.features(codes)[0]
    first = data.draw(st.integers(0, network.tower.bins - 1))
    last = data.draw(st.integers(first + 1, network.tower.bins))
    (part,) = network.tower([Job(codes[0], first, last)])
    torch.testing.assert_close(part, whole[first:last], rtol=1e-10, atol=1e-12)


@MODELS
@pytest.mark.parametrize("place", [0, 1, 700, 1023, 1024, INPUT_BP - 2])
def test_only_the_bins_that_are_touched_change(name: str, place: int) -> None:
    network, codes = inference.network(module(name)), letters()
    other = codes.copy()
    other[0, place : place + 2] = (other[0, place : place + 2] + 1) % 4
    first, last = network.tower.touched(place, place + 2)
    same = torch.ones(network.tower.bins, dtype=torch.bool)
    same[first:last] = False
    before, after = network.features(codes)[0], network.features(other)[0]
    torch.testing.assert_close(before[same], after[same], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(before[first:last], after[first:last])


def test_a_long_window_is_computed_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    network, codes = inference.network(module("enformer")), letters(2)
    whole = network.features(codes)
    for tile in (128, 384, 1024):
        monkeypatch.setattr("distal.models.inference.convolution.TILE_BP", tile)
        torch.testing.assert_close(network.features(codes), whole, rtol=1e-10, atol=1e-12)


@MODELS
def test_a_change_of_any_size_goes_through(name: str) -> None:
    """From changes far below float64's digits of the signal to ones beyond what an exponential can hold."""
    network, codes = inference.network(module(name)), letters()
    x = network.features(codes)
    torch.manual_seed(5)
    step = torch.randn(3, x.shape[-1], dtype=torch.float64)
    chosen: list[Tensor] = []
    for size in (1e-9, 1.0, 1e4):
        outputs = network.outputs(x, [Change(4, size * step)], "human", SIX)
        change = next(outputs.changes)
        moved = x.clone()
        moved[0, 4:7] += size * step
        alone = network.outputs(moved, (), "human", SIX).prediction[0]
        want = (alone - outputs.prediction[0])[change.first : change.first + len(change.values)]
        scale = float(want.abs().max())
        tolerance = 3e-6 if size < 1e-6 else 1e-9
        assert float((change.values - want).abs().max()) < tolerance * scale + 1e-15
        chosen.append(change.values / size)
    assert not torch.allclose(chosen[0], chosen[2], rtol=0.1)


@pytest.mark.parametrize("sharpness", [1.0, 10.0, 40.0])
@pytest.mark.parametrize("few", [True, False])
def test_attention_that_turns_away_keeps_its_digits(sharpness: float, few: bool) -> None:
    """Where ALT takes away what REF attends to, 1 + m is nearly 0: such rows are subtracted, not differenced."""
    torch.manual_seed(3)
    config = replace(ENFORMER, layers=1)
    block = builders.perturbed(Enformer(config)).transformer[0].double()
    block.attention.query.weight.data *= sharpness
    features = position_features(16, config.position_features)
    x, change = torch.randn(1, 16, 24, dtype=torch.float64), torch.zeros(1, 16, 24, dtype=torch.float64)
    change[:, 3:6] = torch.randn(3, 24)

    def carried(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The change behind the block, and what there is without it."""
        own = attention.Block(block.to(dtype), features.to(dtype), slice(2, 14), EXACT, EXACT, Scratch())
        y, state = own(x.to(dtype), followed=True)
        assert state is not None
        if few:
            return own.difference_of_few(state, 3, change[:, 3:6].to(dtype)), y.clone()
        return own.difference(state, change.to(dtype)), y.clone()

    with torch.inference_mode():
        exact, before = carried(torch.float64)
        want = block(x + change, features.double())[:, 2:14] - before
        torch.testing.assert_close(exact, want, rtol=1e-9, atol=1e-12)
        found, _ = carried(torch.float32)
        assert float((found - want).abs().max() / want.abs().max()) < 2e-5


def test_what_is_loud_is_not_rounded() -> None:
    torch.manual_seed(0)
    delta, weight = torch.randn(2, 6, 8), torch.randn(5, 8)
    loud = torch.tensor([[1, 4], [0, 5]])
    linear = Linear(weight, None, EXACT, bf16("cpu"))
    rounded, found = linear.carry(delta), linear.carry(delta, loud)
    exact = delta @ weight.t()
    for i, row in enumerate(loud.tolist()):
        quiet = [t for t in range(6) if t not in row]
        torch.testing.assert_close(found[i, row], exact[i, row])
        assert torch.equal(found[i, quiet], rounded[i, quiet])
        assert not torch.allclose(rounded[i], exact[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loud", [1, 40])
def test_attention_multiplies_what_is_loud_exactly(monkeypatch: pytest.MonkeyPatch, loud: int) -> None:
    """An arithmetic that rounds everything to nothing leaves the loud values and their weights alone."""
    monkeypatch.setattr(attention, "_LOUD", loud)
    torch.manual_seed(0)
    nothing = Arithmetic("nothing", torch.zeros_like)
    module = RelativeAttention(16, 2, 8, 8, 12).double().requires_grad_(requires_grad=False)
    for bias in (module.content_bias, module.position_bias):
        nn.init.normal_(bias)
    features = torch.randn(2 * 40 - 1, 12).double()
    ours = attention.Attention(module, features, slice(0, 40), EXACT, nothing, Scratch())
    ours._output = Linear.of(module.output, EXACT, EXACT)
    x, delta = torch.randn(1, 40, 16).double(), torch.zeros(1, 40, 16).double()
    delta[:, 7] = 0.1
    _, state = ours(x, followed=True)
    assert state.weights is not None
    moved = delta @ module.values.weight.t()  # at one place; the weights stay, for the logits' change is nothing
    heads = moved.view(1, 40, 2, 8).transpose(1, 2)
    expected = module.output((state.weights @ heads).transpose(1, 2).flatten(2)) - module.output.bias
    torch.testing.assert_close(ours.difference(state, delta), expected)


def test_a_chain_carries_through_each_map() -> None:
    chain = Chain(Gelu("sigmoid"), Softplus())
    x, d = torch.tensor([0.3, -2.0], dtype=torch.float64), torch.tensor([0.5, 1e-3], dtype=torch.float64)
    y, given_ = chain(x)
    torch.testing.assert_close(chain.difference(given_, d), chain(x + d)[0] - y, rtol=1e-9, atol=1e-12)


def test_a_strange_module_is_refused() -> None:
    with pytest.raises(TypeError, match="Linear is none of Enformer, Basenji2, Borzoi"):
        inference.network(nn.Linear(2, 2))


def test_the_published_enformer_sees_259_letters_beside_its_bin() -> None:
    """7 of the stem, then 2 positions of 2, 4, 8 … 64 bp for each block of the tower."""
    config = EnformerConfig(channels=24, layers=0, attention_heads=2, key_size=8, divisible_by=4, input_bp=4096, bins=8)
    tower = inference.network(builders.perturbed(Enformer(config))).tower
    assert tower.reach == 7 + 2 * (2 + 4 + 8 + 16 + 32 + 64) == 259
    assert tower.touched(2000, 2001) == ((2000 - 259) // 128, (2000 + 259) // 128 + 1)
    assert tower.widths == [24]


def test_what_a_dilated_stack_does_not_reach_is_not_computed() -> None:
    config = Basenji2Config(
        stem=8, tower=(8,) * 6, dilated_layers=2, dilated=8, final=12, input_bp=4096, bins=32, heads={"human": 6}
    )
    network = inference.network(builders.perturbed(Basenji2(config)))
    x = network.features(np.zeros((1, 4096), dtype=np.uint8))
    change = next(network.outputs(x, [Change(10, torch.ones(2, 8))], "human", SIX).changes)
    assert (change.first, len(change.values)) == (10 - 1 - 2, 2 + 2 * (1 + 2))
