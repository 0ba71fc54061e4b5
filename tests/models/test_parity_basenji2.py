"""Our Basenji2 against Basenji's own Keras model on the same weights and DNA, for each of the three GELUs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.goldens import one_hot, recipe_dna
from tests.models.parity import Tap, check, error, record
from tests.oracles.published import write_keras

from distal.models.basenji2 import Basenji2, Basenji2Config
from distal.models.weights import load_keras

pytestmark = pytest.mark.shared
TAPS = [
    Tap("max_pooling1d_every8", "stem"),
    *(Tap(f"max_pooling1d_{i + 1}", f"tower.{i}") for i in range(6)),
    *(Tap(f"add_{i}" if i else "add", f"dilated.{i}") for i in range(11)),
    Tap("cropping1d", "final", "input"),
    Tap("trunk", "heads.human", "input", channels_first=False),
]
FORMS = {"tanh": "tanh", "quick": "sigmoid", "erf": "erf"}  # the references' names -> ours


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    return shared / "goldens" / "basenji2_keras"


def load(path: Path, gelu: str | None = None) -> Basenji2:
    config, state = load_keras(path, gelu=gelu)
    assert isinstance(config, Basenji2Config)
    model = Basenji2(config).eval()
    model.load_state_dict(state, strict=True)
    return model


@pytest.mark.parametrize("form", FORMS)
def test_every_stored_layer_and_the_input_gradient(golden: Path, form: str) -> None:
    reference = np.load(golden / "small_io_16384.npz")
    model = load(golden / ("small_model_quickgelu.h5" if form == "quick" else "small_model.h5"), FORMS[form])
    x = one_hot(reference["codes"]).requires_grad_()
    taps = [tap for tap in TAPS if f"{form}.{tap.golden}" in reference]
    seen = record(model, taps, lambda: model(x, "human"))
    output = model(x, "human")
    scalar = output[:, 40:56].mean()
    (gradient,) = torch.autograd.grad(scalar, x)
    seen |= {"dense": output, "output": output, "scalar": scalar}
    check(seen, reference, 1e-5, prefix=f"{form}.")
    check_gradient(model, gradient, reference["codes"], reference[f"{form}.grad_input"])
    stored = {key.removeprefix(f"{form}.") for key in reference if key.startswith(f"{form}.")}
    assert stored == {*seen, "grad_input"}


def check_gradient(model: Basenji2, gradient: torch.Tensor, codes: np.ndarray, reference: np.ndarray) -> None:
    """Ours equals our float64; Keras's equals both, but where rounding turned one max-pooling's near-tie over.

    That moves the gradient within the receptive field of one pooled position (seen once: 84 bases, tanh).
    """
    double = Basenji2(model.config).double().eval()
    double.load_state_dict(model.state_dict())
    x = one_hot(codes).double().requires_grad_()
    (exact,) = torch.autograd.grad(double(x, "human")[:, 40:56].mean(), x)
    assert error(gradient, exact.numpy()) < 1e-5
    difference = np.abs(gradient.numpy() - reference)[0].max(1) / np.abs(reference).max()
    (far,) = np.nonzero(difference > 1e-5)
    assert far.size == 0 or (far[-1] - far[0] < 128 and difference.max() < 5e-3)


def test_the_graph_tells_which_gelu(golden: Path) -> None:
    assert load(golden / "small_model.h5").config.gelu == "tanh"
    assert load(golden / "small_model_quickgelu.h5").config.gelu == "sigmoid"
    assert load(golden / "small_model.h5").config.bins == 96


def test_the_wrong_gelu_shows(golden: Path) -> None:
    """Sigmoid against tanh 0.32 on outputs of 10.2, tanh against erf 5.5e-3 (trap 67)."""
    reference = np.load(golden / "small_io_16384.npz")
    x = one_hot(reference["codes"])
    with torch.no_grad():
        output = {gelu: load(golden / "small_model.h5", gelu)(x, "human") for gelu in ("sigmoid", "tanh", "erf")}
    assert error(output["sigmoid"], reference["tanh.output"]) > 1e-2
    assert error(output["erf"], reference["tanh.output"]) > 1e-4


def test_a_training_step_equals_kerass(golden: Path, tmp_path: Path) -> None:
    """Batch statistics forward, every gradient, and moving statistics (biased variance) after the step.

    Gradients in float32 agree to 2e-5, which is what rounding leaves of them in either program. The reference's take
    the loader's own way from Keras's names and layouts: a wrong transpose shows.
    """
    reference = np.load(golden / "small_train_16384x2.npz")
    start = load(golden / "small_model.h5")
    model = Basenji2(replace(start.config, dropout=0.0, final_dropout=0.0)).train()
    model.load_state_dict(start.state_dict())
    prediction = model(one_hot(recipe_dna(16_384, 81), recipe_dna(16_384, 82)), "human")
    loss = (prediction - torch.from_numpy(reference["target"]) * torch.log(prediction + 1e-7)).mean()
    loss.backward()
    check({"loss": loss, "output": prediction}, reference, 1e-5)

    after = {key.partition(".")[2]: reference[key] for key in reference if key.startswith(("grad.", "after."))}
    write_keras(tmp_path / "after.h5", after, group="")
    _, wanted = load_keras(tmp_path / "after.h5", gelu="tanh", input_bp=16_384, crop=16)
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    found |= {name: buffer for name, buffer in model.named_buffers() if "running" in name}
    references = {name: value.numpy() for name, value in wanted.items()}
    check({name: found[name] for name in wanted if "running" in name}, references, 1e-5)
    check({name: parameter.grad for name, parameter in model.named_parameters()}, references, 5e-5)
    assert len(found) == len(after)


def test_the_published_layers_have_the_shapes_of_ours(golden: Path) -> None:
    """Every weight of the full Keras model, in order, has the shape of ours at that place, transposed."""
    layers = json.loads((golden / "full_layers.json").read_text())
    kernels = [shape for _, _, _, weights in layers for name, shape in weights if name.endswith("kernel:0")]
    with torch.device("meta"):
        state = Basenji2(Basenji2Config()).state_dict()
    ours = [list(value.shape)[::-1] for name, value in state.items() if value.ndim > 1]
    assert kernels == ours
