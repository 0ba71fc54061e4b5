"""Our Enformer against DeepMind's (TensorFlow) and enformer-pytorch's outputs on the same weights and DNA."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tests.models.goldens import one_hot, recipe_dna
from tests.models.parity import Tap, check, error, record
from tests.oracles.bundle_writer import write_bundle
from torch import Tensor

from distal.models import enformer
from distal.models.enformer import Enformer, EnformerConfig
from distal.models.weights_enformer import FROM_SONNET, FROM_TORCH, load_enformer_hf, load_enformer_tf, modules

pytestmark = pytest.mark.shared
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
RIGHT = enformer.position_features
TAPS = [
    Tap("stem_conv_every16", "stem.0"),
    Tap("stem_residual_every16", "stem.1"),
    Tap("stem_every4", "stem"),
    *(Tap(f"tower_{i}", f"tower.{i}") for i in range(6)),
    Tap("transformer_0_mha", "transformer.0.mlp", "input", channels_first=False),
    Tap("transformer_0", "transformer.0", channels_first=False),
    Tap("transformer_1_mha", "transformer.1.mlp", "input", channels_first=False),
    Tap("transformer_1", "transformer.1", channels_first=False),
    Tap("crop", "final", "input"),
    Tap("final", "heads.human", "input", channels_first=False),
]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    return shared / "goldens" / "enformer_tf"


@pytest.fixture(scope="module")
def model(golden: Path) -> Enformer:
    config, state = load_enformer_tf(golden / "small_ckpt", input_bp=24_576, bins=112)
    model = Enformer(config).eval()
    model.load_state_dict(state, strict=True)
    return model


def input_gradient(model: Enformer, codes: np.ndarray) -> tuple[Tensor, Tensor]:
    x = one_hot(codes).requires_grad_()
    scalar = model(x, "human")[:, 48:64].mean()
    (gradient,) = torch.autograd.grad(scalar, x)
    return scalar, gradient


def test_every_layer_equals_deepminds(golden: Path, model: Enformer) -> None:
    reference = np.load(golden / "small_io_24576.npz")
    x = one_hot(reference["codes"])
    with torch.no_grad():
        seen = record(model, TAPS, lambda: model(x, "human"))
        seen["head_human"], seen["head_mouse"] = (model(x, head).numpy() for head in ("human", "mouse"))
    check(seen, reference, 1e-5)


def test_input_gradient_equals_deepminds(golden: Path, model: Enformer) -> None:
    reference = np.load(golden / "small_io_24576.npz")
    scalar, gradient = input_gradient(model, reference["codes"])
    check({"scalar": scalar, "grad_input": gradient}, reference, 1e-5)


def test_float64_outputs_equal_the_float64_reference(golden: Path, model: Enformer) -> None:
    """What is left is the one rounding of the position features to float32."""
    codes = np.load(golden / "small_io_24576.npz")["codes"]
    reference = np.load(golden / "small_f64_24576.npz")
    double = Enformer(model.config).double().eval()
    double.load_state_dict(model.state_dict())
    with torch.no_grad():
        seen = {f"head_{head}": double(one_hot(codes).double(), head) for head in ("human", "mouse")}
    check(seen, reference, 2e-7)


def trained(model: Enformer, reference: np.lib.npyio.NpzFile, dtype: torch.dtype) -> dict[str, Tensor]:
    """Predictions, losses, gradients and moving statistics of one step without dropout."""
    config = replace(model.config, dropout=0.0, attention_dropout=0.0, position_dropout=0.0)
    module = Enformer(config).train()
    module.load_state_dict(model.state_dict())
    module = module.to(dtype)
    features = module.trunk(one_hot(recipe_dna(24_576, 71), recipe_dna(24_576, 72)).to(dtype))
    found, total = {}, torch.zeros((), dtype=dtype)
    for head, linear in module.heads.items():
        prediction, target = (
            torch.nn.functional.softplus(linear(features)),
            torch.from_numpy(reference[f"target_{head}"]),
        )
        loss = (prediction - target * torch.log(prediction + 1e-7)).mean()
        found |= {f"head_{head}": prediction.detach(), f"loss_{head}": loss.detach()}
        total = total + loss
    total.backward()
    found |= {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
    return found | {name: buffer for name, buffer in module.named_buffers() if "running" in name}


def test_a_training_step_equals_sonnets(golden: Path, model: Enformer, tmp_path: Path) -> None:
    """Batch statistics forward, gradients of every variable, moving averages (biased variance) after the step.

    TensorFlow's float32 is itself off by 1.3e-5 (outputs) and 6e-5 (gradients) from the same step in float64; ours by
    5e-6 and 6e-5. Reference gradients take the loader's own way from TensorFlow's names and layouts: a wrong
    transpose shows. A batch norm takes any constant out of its input again, so the true gradient of a bias that feeds
    one is 0: both programs' must be rounding noise.
    """
    reference = dict(np.load(golden / "small_train_24576x2.npz"))
    found, exact = (trained(model, reference, dtype) for dtype in (torch.float32, torch.float64))
    heads, losses = (("head_human", "head_mouse"), ("loss_human", "loss_mouse"))
    check({name: found[name] for name in heads}, {name: exact[name].numpy() for name in heads}, 1e-5)
    check({name: found[name] for name in heads}, reference, 2e-5)
    check({name: found[name] for name in losses}, reference, 1e-6)

    names = json.loads((golden / "small_names.json").read_text())
    known = {row["ckpt_key"]: row["variable"] for row in names if row["variable"] is not None}
    after = {key: reference[f"{'after' if '/average' in name else 'grad'}/{name}"] for key, name in known.items()}
    write_bundle(tmp_path / "after", after)
    wanted = {k: v.numpy() for k, v in load_enformer_tf(tmp_path / "after", input_bp=24_576, bins=112)[1].items()}
    assert len(known) == len(found) - 4
    statistics = [name for name in found if "running" in name]
    check({name: found[name] for name in statistics}, wanted, 1e-5)
    gradients = [name for name in found if name in wanted and name not in statistics]
    silent = {name for name in gradients if exact[name].abs().max() < 1e-12}
    assert len(silent) == 13
    assert all(name.endswith(".bias") for name in silent)
    loudest = max(np.abs(wanted[name]).max() for name in gradients)
    for name in silent:
        assert max(np.abs(wanted[name]).max(), found[name].abs().max().item()) < 1e-5 * loudest, name
    check({name: found[name] for name in gradients if name not in silent}, wanted, 1e-4)


@pytest.mark.parametrize(("length", "features"), [(1536, 192), (1536, 24), (384, 96), (192, 24), (64, 48), (16, 12)])
def test_position_features_equal_tensorflows(golden: Path, length: int, features: int) -> None:
    """Exact for masks; 2.4e-7 for exponentials; TensorFlow's own float32 gamma is off by 2.5e-3 (mean 1.4e-5)."""
    reference = np.load(golden / "positional_tf.npz")[f"all_T{length}_F{features}"]
    ours = enformer.position_features(length, features).numpy()
    n = features // 6
    for half in (slice(0, features // 2), slice(features // 2, features)):
        a, b = ours[:, half], reference[:, half]
        np.testing.assert_allclose(a[:, :n], b[:, :n], atol=5e-7)
        np.testing.assert_array_equal(a[:, n : 2 * n], b[:, n : 2 * n])
        np.testing.assert_allclose(a[:, 2 * n :], b[:, 2 * n :], atol=2.6e-3)
        assert np.abs(a[:, 2 * n :] - b[:, 2 * n :]).mean() < 3e-5


@pytest.mark.parametrize(("length", "n"), [(1536, 32), (1536, 4), (192, 4)])
def test_position_features_equal_the_exact_definition(golden: Path, length: int, n: int) -> None:
    reference = np.load(golden / "positional_exact.npz")
    ours = enformer.position_features(length, 6 * n).numpy().astype(np.float64)
    for at, name in ((0, "exponential"), (2 * n, "gamma")):
        np.testing.assert_allclose(ours[:, at : at + n], reference[f"{name}_f64_T{length}_n{n}"], rtol=6e-8, atol=1e-37)


def feature_normalised(length: int, features: int) -> Tensor:
    """Position features with enformer-pytorch's mistake: gamma densities divided by their maximum over the features."""
    distance = torch.arange(-(length - 1), length, dtype=torch.float64)
    n = features // 6
    right = RIGHT(length, features).clone()
    mean = torch.linspace(length / n, length, n, dtype=torch.float64)
    sigma = length / (2 * n)
    gamma = torch.distributions.Gamma((mean / sigma) ** 2, mean / sigma**2, validate_args=False)
    density = gamma.log_prob(distance.abs()[:, None]).exp() + 1e-8
    wrong = density / density.amax(dim=1, keepdim=True)
    right[:, 2 * n : 3 * n] = wrong
    right[:, 5 * n :] = torch.sign(distance)[:, None] * wrong
    return right


@pytest.fixture
def port(shared: Path, tmp_path: Path) -> tuple[Enformer, dict[str, np.ndarray]]:
    """enformer-pytorch's small model, through its own file format, and its outputs."""
    folder = shared / "goldens" / "enformer_hf"
    save_file(dict(np.load(folder / "small_weights.npz")), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((folder / "small_config.json").read_text())
    config, state = load_enformer_hf(tmp_path, input_bp=24_576)
    assert config.bins == 112
    model = Enformer(config).eval()
    model.load_state_dict(state, strict=True)
    return model, dict(np.load(folder / "small_io_24576.npz"))


HF_TAPS = [tap for tap in TAPS if not tap.golden.startswith("stem_") and "mha" not in tap.golden]


def test_enformer_pytorch_with_its_own_gammas(
    port: tuple[Enformer, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, reference = port
    monkeypatch.setattr(enformer, "position_features", feature_normalised)
    x = one_hot(reference["codes"])
    with torch.no_grad():
        seen = record(model, [Tap("stem_every4", "stem"), *HF_TAPS], lambda: model(x, "human"))
        seen["head_human"], seen["head_mouse"] = (model(x, head).numpy() for head in ("human", "mouse"))
    check(seen, reference, 1e-5)
    scalar, gradient = input_gradient(model, reference["codes"])
    check({"scalar": scalar, "grad_input": gradient}, reference, 1e-5)


def test_enformer_pytorch_differs_from_the_right_gammas(port: tuple[Enformer, dict[str, np.ndarray]]) -> None:
    """The convolutions agree; from the first attention on, the port's gamma features move everything."""
    model, reference = port
    x = one_hot(reference["codes"])
    with torch.no_grad():
        seen = record(model, HF_TAPS, lambda: model(x, "human"))
        seen["head_human"] = model(x, "human").numpy()
    check({name: seen[name] for name in seen if name.startswith("tower")}, reference, 1e-5)
    assert error(seen["transformer_0"], reference["transformer_0"]) > 1e-3
    assert error(seen["head_human"], reference["head_human"]) > 1e-3


def test_the_published_state_dict_has_a_place_for_every_tensor(shared: Path) -> None:
    """570 entries, 283 of them aliases under _trunk; 14 update counters; 251,221,292 parameters."""
    rows = json.loads((shared / "goldens" / "enformer_hf" / "full_state_dict.json").read_text())
    assert len(rows) == 570
    shapes = {name: tuple(shape) for name, shape, _ in rows if not name.startswith("_trunk.")}
    assert len(rows) - len(shapes) == 283
    used = _placed(shapes, FROM_TORCH, lambda module: module.torch)
    assert set(shapes) - used == {name for name in shapes if name.endswith("num_batches_tracked")}
    running = sum(int(np.prod(shape)) for name, shape in shapes.items() if "running" in name)
    counters = sum(name.endswith("num_batches_tracked") for name in shapes)
    assert sum(int(np.prod(s)) for s in shapes.values()) - running - counters == 251_221_292


def test_deepminds_variables_have_the_shapes_of_ours(golden: Path) -> None:
    """Variable names repeat (trap 65), so shapes are compared as a whole: each of ours, back in Sonnet's layout."""
    rows = json.loads((golden / "full_names_shapes.json").read_text())
    with torch.device("meta"):
        state = Enformer(EnformerConfig()).state_dict()
    ours = Counter(_core(value.shape) for name, value in state.items() if "num_batches" not in name)
    assert ours == Counter(_core(tuple(shape)) for _, shape in rows)


def _core(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(size for size in shape if size != 1))


def _placed(shapes: dict[str, tuple[int, ...]], parts: dict, prefix: Callable) -> set[str]:
    """Names that the map uses; each, changed, must have the shape of our tensor."""
    with torch.device("meta"):
        wanted = Enformer(EnformerConfig()).state_dict()
    used = set()
    heads = {"human": "human", "mouse": "mouse"}
    for module in modules(11, heads, attention_pooling=True):
        for ours, theirs, change in parts[module.kind]:
            name = prefix(module) + theirs
            used.add(name)
            assert change(torch.empty(shapes[name], device="meta")).shape == wanted[module.ours + ours].shape, name
    return used


def test_sonnets_published_keys(golden: Path) -> None:
    """The map's keys at depth 2 are the small checkpoint's; deeper blocks differ in their number alone."""
    names = {row["ckpt_key"] for row in json.loads((golden / "small_names.json").read_text()) if row["variable"]}
    heads = {"human": "human", "mouse": "mouse"}
    mapped = [
        m.sonnet + theirs for m in modules(2, heads, attention_pooling=True) for _, theirs, _ in FROM_SONNET[m.kind]
    ]
    assert {name + SUFFIX for name in mapped} == names
