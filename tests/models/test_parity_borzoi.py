"""Our Borzoi against baskerville's own model: the same weights and DNA, then real held-out data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.goldens import one_hot
from tests.models.parity import Tap, check, error, record

from distal.io import tfrecords
from distal.models.borzoi import Borzoi, BorzoiConfig
from distal.models.weights import convert, load_keras
from distal.predictor import averaged, load

pytestmark = pytest.mark.shared
TAPS = [
    Tap("max_pooling1d_every256", "tower.0.norm", "input"),
    *(Tap(f"max_pooling1d_{i}_every{256 >> i}", f"tower.{i}.norm", "input") for i in range(1, 6)),
    Tap("max_pooling1d_6_every4", "transformer.0", "input", channels_first=False),
    *(
        Tap(f"{golden}_every4", f"transformer.{block}.{module}", side, channels_first=False)
        for block, names in enumerate(
            [
                ("multihead_attention", "add", "dense", "dense_1", "add_1"),
                ("multihead_attention_1", "add_2", "dense_2", "dense_3", "add_3"),
            ]
        )
        for golden, module, side in zip(
            names,
            ("attention", "mlp", "mlp.1", "mlp.4", "mlp"),
            ("output", "input", "output", "output", "output"),
            strict=True,
        )
    ),
    Tap("dense_4_every4", "unet.0.coarse"),
    Tap("dense_5_every8", "unet.0.fine"),
    Tap("add_4_every8", "unet.0.depthwise", "input"),
    Tap("separable_conv1d_every8", "unet.0"),
    Tap("dense_6_every8", "unet.1.coarse"),
    Tap("dense_7_every16", "unet.1.fine"),
    Tap("add_5_every16", "unet.1.depthwise", "input"),
    Tap("separable_conv1d_1_every16", "unet.1"),
]


@pytest.fixture(scope="module")
def weights(shared: Path) -> Path:
    return shared / "data" / "weights" / "baskerville_mini_borzoi"


@pytest.fixture(scope="module")
def model(weights: Path) -> Borzoi:
    config, state = load_keras(weights / "model.h5")
    assert config == BorzoiConfig()
    model = Borzoi(config).eval()
    model.load_state_dict(state, strict=True)
    return model


def test_every_layer_and_the_output_equal_baskervilles(shared: Path, model: Borzoi) -> None:
    reference = np.load(shared / "goldens" / "baskerville" / "eval_model_io.npz")
    x = one_hot(reference["codes"]).requires_grad_()
    output: list[torch.Tensor] = []
    seen = record(model, TAPS, lambda: output.append(model(x, "human")) or output[0])
    scalar = output[0][:, 1000:1016].mean()
    (gradient,) = torch.autograd.grad(scalar, x)
    center = slice(131_072 // 2 - 4096, 131_072 // 2 + 4096)
    seen |= {
        "dense_8_every8": output[0][:, ::8],
        "output_every16": output[0][:, ::16],
        "output_mean_over_tracks": output[0].mean(2),
        "scalar_mean_bins_1000_1016": scalar,
        "grad_input_center8192": gradient[:, center],
    }
    check(seen, reference, 1e-5)


@pytest.mark.slow
def test_real_held_out_windows_are_predicted_as_well_as_by_baskerville(
    shared: Path, weights: Path, tmp_path: Path
) -> None:
    """Through importer, model folder and predictor: ten human test windows at 32 bp, both strands averaged.

    Mean Pearson r over tracks with baskerville's own program: DNASE 0.82, CAGE 0.34, RNA 0.43.
    """
    folder = convert(weights, tmp_path / "mini", targets={"human": weights / "targets.txt"})
    predictor = load(str(folder))
    dataset = shared / "data" / "tracks" / "baskerville_tiny" / "hg38"
    examples = list(tfrecords.read(dataset, "test"))
    assert len(examples) == 10
    predicted = np.concatenate([averaged(predictor, e.codes[None], rc=True)[0].numpy() for e in examples])
    measured = np.concatenate([example.targets for example in examples])
    r = np.array([np.corrcoef(p, m)[0, 1] for p, m in zip(predicted.T, measured.T, strict=True)])
    mean = {a: np.nanmean([r[t.index] for t in predictor.tracks if t.assay == a]) for a in ("DNASE", "CAGE", "RNA")}
    assert mean["DNASE"] >= 0.81, mean
    assert mean["CAGE"] >= 0.33, mean
    assert mean["RNA"] >= 0.42, mean


def test_import_keeps_every_weight(weights: Path, model: Borzoi, tmp_path: Path) -> None:
    from distal.models import zoo

    folder = convert(weights / "model.h5", tmp_path / "mini", targets={"human": weights / "targets.txt"})
    imported, spec, tables = zoo.open_folder(folder)
    assert spec.family == "borzoi"
    assert spec.heads == {"human": 74}
    assert tables["human"] is not None
    for name, value in model.state_dict().items():
        assert error(imported.state_dict()[name] + 1.0, (value + 1.0).numpy()) == 0
