"""The peers: published implementations behind the same requests; runs in their Python and imports nothing of ours.

    python -m bench.peers FOLDER              makes an environment for them (from PyPI, a few minutes, once)

enformer-pytorch and basenji2-pytorch are installed from PyPI, unchanged. What this file adds: the weights that our side
wrote, one-hot letters, and for sequences shorter than Enformer's the gamma features divided by their maximum over the
distances (enformer-pytorch does that only with its table for 1,536 bins).
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.worker import ROOT, Action, Meter, serve

HOME = ROOT / "bench" / ".peers"
PACKAGES = ("enformer-pytorch==0.8.12", "basenji2-pytorch==0.1.2", "transformers==4.56.2", "safetensors")
HEAD = "human"


def make(folder: Path) -> Path:
    """A virtual environment with the peers; returns its Python.

    They share this Python's torch and numpy (a .pth file names its packages), so that both sides run the same kernels.
    """
    import torch

    venv.EnvBuilder(with_pip=True, clear=True).create(folder)
    python = folder / "bin" / "python"
    here = Path(torch.__file__).resolve().parents[1]
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "zz_same_torch.pth").write_text(f"{here}\n")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python


class Peer:
    """A peer's model with our weights, at one precision."""

    def __init__(self, weights: str, geometry: dict[str, Any], given: Mapping[str, Any]) -> None:
        import torch

        import_module("enformer_pytorch" if geometry["family"] == "enformer" else "basenji2_pytorch")
        torch.set_num_threads(given["threads"])
        torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32 on both sides
        self._meter = Meter(given["device"])
        self._device = given["device"]
        self._dtype = torch.bfloat16 if given["precision"] == "bf16" else torch.float32
        self._geometry = geometry
        self._enformer = geometry["family"] == "enformer"
        self._model = enformer(geometry, given) if self._enformer else basenji2(geometry)
        load(self._model, weights, counted=not self._enformer)
        self._model.to(self._device, self._dtype).eval()
        tensors = {id(t): t for t in (*self._model.parameters(), *self._model.buffers())}
        self._weights = sum(tensor.nbytes for tensor in tensors.values())

    def _letters(self, codes: Any) -> Any:
        """Codes uint8 [n, L] to one-hot letters as the model wants them."""
        import torch

        letters = torch.eye(5, 4, dtype=self._dtype)[torch.from_numpy(codes).long()].to(self._device)
        return letters if self._enformer else letters.transpose(1, 2).contiguous()

    def tracks(self, codes: Any) -> Any:
        """[n, bins, tracks] of codes [n, L]."""
        import torch

        with torch.inference_mode():
            return self._predicted(self._letters(codes))

    def _predicted(self, letters: Any) -> Any:
        return self._model(letters, head=HEAD) if self._enformer else self._model(letters)

    def forward(self, codes: str, save: str = "") -> dict[str, Any]:
        """All tracks of one sequence (codes in a .npy file)."""
        import numpy as np

        sequence = np.load(codes)[None]
        found: list[Any] = []
        metered = self._meter(lambda: found.append(self.tracks(sequence)), self._weights)
        if save:
            np.save(save, found[0][0].float().cpu().numpy())
        return metered

    def variants(self, codes: str, batch: int = 2, save: str = "") -> dict[str, Any]:
        """SAD of every ALT: for each, REF and ALT are predicted, both in one pass (`batch` 2) or one by one."""
        import numpy as np

        sequences = np.load(codes)
        found: list[Any] = []

        def score() -> None:
            for alt in sequences[1:]:
                pair = np.stack([sequences[0], alt])
                parts = [self.tracks(pair[i : i + batch]) for i in range(0, 2, batch)]
                ref, changed = (track for part in parts for track in part)
                found.append((changed.double() - ref.double()).sum(0).cpu().numpy())

        metered = self._meter(score, self._weights)
        if save:
            np.save(save, np.stack(found))
        return metered

    def step(self, codes: str, targets: str, save: str = "") -> dict[str, Any]:
        """Forward and backward of one sequence, without dropout; answers the loss too."""
        import numpy as np
        import torch

        for module in self._model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        self._model.train()
        sequence, wanted = np.load(codes)[None], torch.from_numpy(np.load(targets))[None].to(self._device)
        lost: list[float] = []

        def work() -> None:
            self._model.zero_grad(set_to_none=True)
            predicted = self._predicted(self._letters(sequence))
            loss = (predicted - wanted * (predicted + 1e-7).log()).mean()
            loss.backward()
            lost.append(loss.item())

        metered = self._meter(work, self._weights)
        if save:
            np.save(save, next(self._model.parameters()).grad.cpu().numpy())
        return {**metered, "loss": lost[0]}

    def actions(self) -> dict[str, Action]:
        """What can be asked."""
        return {"forward": self.forward, "variants": self.variants, "step": self.step}


def enformer(geometry: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """enformer-pytorch's model with our geometry."""
    from enformer_pytorch import Enformer, modeling_enformer

    official = geometry["bins_read"] == 1536 and geometry["channels"] == 1536
    if not official:
        modeling_enformer.get_positional_features_gamma = gamma_features
    return Enformer.from_hparams(
        dim=geometry["channels"],
        depth=geometry["layers"],
        heads=geometry["attention_heads"],
        output_heads=geometry["heads"],
        target_length=geometry["bins"],
        attn_dim_key=geometry["key_size"],
        dim_divisible_by=geometry["divisible_by"],
        use_tf_gamma=official,
        use_checkpointing=given.get("checkpointing", False),
    )


def gamma_features(positions: Any, features: int, seq_len: int, **given: Any) -> Any:
    """Gamma densities of the distances, each divided by its maximum over the distances: [D] -> [D, features]."""
    import torch

    mean = torch.linspace(seq_len / features, seq_len, features, dtype=torch.float64)
    rate = mean / (seq_len / (2 * features)) ** 2
    distance = positions.abs().double().cpu()[:, None]
    logs = torch.xlogy(mean * rate - 1, distance) - rate * distance
    density = torch.exp(logs - torch.lgamma(mean * rate) + mean * rate * torch.log(rate)) + 1e-8
    return (density / density.amax(0)).float().to(positions.device)


def basenji2(geometry: Mapping[str, Any]) -> Any:
    """basenji2-pytorch's model with our geometry."""
    import copy

    from basenji2_pytorch import Basenji2, basenji2_params

    params = copy.deepcopy(basenji2_params["model"])
    params["seq_length"] = geometry["input_bp"]
    stem, tower, dilated, crop, final = params["trunk"]
    stem["filters"], final["filters"] = geometry["stem"], geometry["final"]
    tower |= {"filters_init": geometry["tower_first"], "filters_mult": geometry["tower_growth"]}
    dilated |= {"filters": geometry["dilated"], "repeat": geometry["dilated_layers"]}
    dilated["rate_mult"] = geometry["dilation_growth"]
    crop["cropping"] = (geometry["bins_read"] - geometry["bins"]) // 2
    params["head_human"]["units"] = geometry["heads"][HEAD]
    return Basenji2(params)


def load(model: Any, path: str, counted: bool) -> None:
    """Fill every parameter and statistic; `counted`: the file has layers in their order instead of names."""
    import torch
    from safetensors.torch import load_file

    found = load_file(path)
    names = _counted(model) if counted else {name: name for name, _ in model.named_parameters()}
    if not counted:
        names |= {name: name for name, _ in model.named_buffers() if not name.endswith("num_batches_tracked")}
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for theirs, ours in names.items():
            own[theirs].copy_(found.pop(ours).reshape(own[theirs].shape))
    left = [name for name in found if not name.endswith("num_batches_tracked")]
    if left:
        raise ValueError(f"weights that the peer has no place for: {left[:5]}")


def _counted(model: Any) -> dict[str, str]:
    """The peer's names of convolutions, norms and the head -> ours, which count them."""
    from torch import nn

    names: dict[str, str] = {}
    for kind, called in ((nn.Conv1d, "conv"), (nn.BatchNorm1d, "norm"), (nn.Linear, "head")):
        places = [name for name, module in model.named_modules() if isinstance(module, kind)]
        for i, place in enumerate(places):
            parts = [name for name, _ in model.get_submodule(place).named_parameters()]
            parts += ["running_mean", "running_var"] if called == "norm" else []
            number = "" if called == "head" else f"{i}."
            names |= {f"{place}.{part}": f"{called}.{number}{part}" for part in parts}
    return names


def start(weights: str, geometry: dict[str, Any], **given: Any) -> Mapping[str, Action]:
    """For `serve`."""
    return Peer(weights, geometry, given).actions()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(start)
    elif len(sys.argv) == 2:
        print(make(Path(sys.argv[1])))
    else:
        sys.exit(__doc__)
