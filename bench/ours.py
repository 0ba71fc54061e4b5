"""Our side: distal's models behind the requests of a benchmark; knows no clock but `Meter` and no peer.

Weights are drawn, not trained: how long a product takes doesn't depend on what is multiplied. They are sized so that
signals stay alive from layer to layer, and written once for the peer, under its names.
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bench import flops
from bench.worker import Action, Meter, serve
from distal.incremental import FullForward, Incremental
from distal.models import zoo
from distal.models.basenji2 import Basenji2, Basenji2Config, ConvBlock
from distal.models.checkpointing import checkpoint_activations
from distal.models.enformer import EnformerConfig
from distal.models.weights_enformer import FROM_SONNET, FROM_TORCH, modules
from distal.predictor import Precision, Predictor
from distal.tracks import Track, TrackTable
from distal.train.losses import poisson

HEAD, SEED = "human", 0
QUICK: dict[str, dict[str, Any]] = {
    "enformer": {
        "channels": 24,
        "layers": 2,
        "attention_heads": 2,
        "key_size": 4,
        "divisible_by": 2,
        "input_bp": 8192,
        "bins": 32,
        "heads": {HEAD: 6},
    },
    "basenji2": {
        "stem": 6,
        "tower_first": 7,
        "dilated_layers": 3,
        "dilated": 4,
        "final": 9,
        "input_bp": 8192,
        "bins": 32,
        "heads": {HEAD: 6},
    },
}
"""What `--quick` changes: models for a test, of which no speed can be read; long enough for a change to be small."""
FULL: dict[str, dict[str, Any]] = {"enformer": {"heads": {HEAD: 5313}}, "basenji2": {"gelu": "erf"}}
"""The published geometry, with one head on both sides; the GELU is the one that basenji2-pytorch has."""


def config(family: str, quick: bool) -> EnformerConfig | Basenji2Config:
    """The geometry that both sides have."""
    changed = {**FULL[family], **(QUICK[family] if quick else {})}
    return EnformerConfig(**changed) if family == "enformer" else Basenji2Config(**changed)


def drawn(family: str, quick: bool) -> nn.Module:
    """The model with weights drawn from `SEED`, in evaluation mode."""
    spec = zoo.Spec("bench", family, config(family, quick), "Apache-2.0")
    module = zoo.blank(spec).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            value.copy_(_drawn(name, torch.randn(value.shape, generator=generator)))
    return module.eval()


def _drawn(name: str, noise: Tensor) -> Tensor:
    """A weight from standard normal numbers, by what it is."""
    if noise.ndim == 0:
        return noise.zero_()  # the count of batches
    if name.endswith("running_var"):
        return (0.4 * noise).exp()
    if name.endswith("logits.weight"):
        return 1.5 * torch.eye(len(noise))[..., None] + noise * len(noise) ** -0.5
    if noise.ndim == 1 and name.endswith("weight"):
        return (0.3 if "pointwise" in name else 1.0) * (1 + 0.2 * noise)  # what ends a residual branch is weaker
    if noise.ndim == 1 or "_bias" in name:
        return 0.15 * noise
    return noise * noise[0].numel() ** -0.5


def export(module: Any, path: Path) -> None:
    """Write the weights under the peer's names: enformer-pytorch's, or Basenji2's layers counted in their order."""
    state = module.state_dict()
    if isinstance(module, Basenji2):
        save_file(_counted(module), path)
        return
    found = {}
    for one in modules(len(module.transformer), {head: head for head in module.heads}, attention_pooling=True):
        for ours, theirs, _ in FROM_TORCH[one.kind]:
            found[one.torch + theirs] = state[one.ours + ours].contiguous()
    save_file(found, path)


def export_sonnet(module: Any, path: Path) -> None:
    """Write an Enformer's weights under their places in DeepMind's tree of modules, in TensorFlow's layout."""
    state, found = module.state_dict(), {}
    for one in modules(len(module.transformer), {HEAD: HEAD}, attention_pooling=True):
        for ours, theirs, _ in FROM_SONNET[one.kind]:
            value = state[one.ours + ours]
            value = value.squeeze(-1) if one.kind == "pool" else value
            turned = value.permute(*reversed(range(value.ndim))) if theirs == "/w" or one.kind == "matrix" else value
            found[(one.sonnet + theirs).removeprefix("module/").replace("/", ".")] = turned.contiguous()
    save_file(found, path)


def _counted(module: Basenji2) -> dict[str, Tensor]:
    blocks = [block for block in module.modules() if isinstance(block, ConvBlock)]
    found = {}
    for i, block in enumerate(blocks):
        found[f"conv.{i}.weight"] = block.conv.weight.detach()
        found |= {f"norm.{i}.{name}": value for name, value in block.norm.state_dict().items()}
    return found | {f"head.{name}": value for name, value in module.heads[HEAD].state_dict().items()}


def gemm(device: str, dtype: str, size: int) -> dict[str, Any]:
    """Operations a second of a square matrix product, the best of five."""
    a, b = (torch.randn(size, size, device=device).to(getattr(torch, dtype)) for _ in range(2))
    a @ b
    best = float("inf")
    for _ in range(5):
        _wait(device)
        started = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return {"rate": 2.0 * size**3 / best}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def bf16_in_hardware(device: str) -> bool:
    """Whether matrix products of bf16 numbers have instructions of their own here."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))


class Ours:
    """A model with drawn weights on a device, at one precision."""

    def __init__(
        self,
        family: str,
        device: str = "cpu",
        precision: Precision = "fp32",
        quick: bool = False,
        threads: int = 2,
        full_forward: bool = False,
        train: bool = False,
        checkpointing: bool = False,
        model: str = "",
    ) -> None:
        torch.set_num_threads(threads)
        self._meter, self._family = Meter(device), family
        self._device = torch.device(device)
        module: Any = zoo.open_folder(zoo.find(model))[0] if model else drawn(family, quick)
        self.module = module.to(self._device)
        tracks = TrackTable(tuple(Track(i, f"{HEAD}_{i}") for i in range(self.module.config.heads[HEAD])))
        spec = zoo.Spec("bench", family, self.module.config, "Apache-2.0")
        self.weights = sum(tensor.nbytes for tensor in self.module.state_dict().values())
        checkpoint_activations(self.module, checkpointing)
        if train or model:  # not a side that predicts
            return
        self.predictor = Predictor(self.module, spec, tracks, HEAD, self._device, precision, batch_size=1)
        self._pass = FullForward(self.predictor) if full_forward else Incremental(self.predictor)

    def machine(self) -> dict[str, Any]:
        """What this side computes with."""
        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else _cpu()
        return {
            "device": name,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "bf16_in_hardware": bf16_in_hardware(str(self._device)),
            "geometry": self._geometry(),
            "operations": flops.counts(self.module.config, every_tap=self._device.type != "cpu"),
        }

    def _geometry(self) -> dict[str, Any]:
        """The configuration as plain values, for the peer."""
        made = self.module.config
        numbers = {**dataclasses.asdict(made), "heads": dict(made.heads), "tower_widths": made.tower_widths}
        return numbers | {"family": self._family, "bins_read": made.input_bp // made.window.bin_bp}

    def export(self, path: str, sonnet: bool = False) -> dict[str, Any]:
        """Write the weights for the peer."""
        (export_sonnet if sonnet else export)(self.module, Path(path))
        return {}

    def forward(self, codes: str, save: str = "") -> dict[str, Any]:
        """All tracks of one sequence (codes in a .npy file)."""
        sequence = np.load(codes)[None]
        found: list[Tensor] = []
        metered = self._meter(lambda: found.append(self.predictor.tensor(sequence)), self.weights)
        if save:
            np.save(save, found[0][0].float().cpu().numpy())
        return metered

    def variants(self, codes: str, fresh: bool = True, save: str = "") -> dict[str, Any]:
        """SAD of every ALT in all tracks: codes [1 + ALTs, L] of REF and ALTs; `fresh`: nothing is known before."""
        sequences = np.load(codes)
        found: list[Tensor] = []

        def score() -> None:
            if fresh and isinstance(self._pass, Incremental):
                self._pass.forget()
            stream = self._pass.members(iter(sequences))
            (ref,) = next(stream)
            found.extend((alt - ref).sum(0, dtype=torch.float64) for (alt,) in stream)

        with torch.inference_mode():
            metered = self._meter(score, self.weights)
        if save:
            np.save(save, torch.stack(found).cpu().numpy())
        return metered

    def step(self, codes: str, targets: str, save: str = "") -> dict[str, Any]:
        """Forward and backward of one sequence, without dropout; answers the loss too."""
        for module in self.module.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.module.train()
        sequence, wanted = np.load(codes)[None], torch.from_numpy(np.load(targets))[None].to(self._device)
        lost: list[float] = []

        def work() -> None:
            self.module.zero_grad(set_to_none=True)
            letters = torch.eye(5, 4, device=self._device)[torch.from_numpy(sequence).long().to(self._device)]
            loss = poisson(self.module(letters, HEAD), wanted)
            loss.backward()  # type: ignore[no-untyped-call]
            lost.append(loss.item())

        metered = self._meter(work, self.weights)
        if save:
            np.save(save, next(self.module.parameters()).grad.cpu().numpy())
        return {**metered, "loss": lost[0]}

    def actions(self) -> dict[str, Action]:
        """What can be asked."""
        named = (self.machine, self.export, self.forward, self.variants, self.step)
        return {"gemm": gemm, **{action.__name__: action for action in named}}


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def start(**given: Any) -> Mapping[str, Action]:
    """For `serve`."""
    return Ours(**given).actions()


if __name__ == "__main__":
    serve(start)
