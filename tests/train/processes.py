"""Several processes of one run on this machine: what torchrun does, and the file that each of them executes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]


def run(actions: list[tuple[str, dict[str, Any]]], processes: int = 2) -> list[int]:
    """Do some functions of this file in so many processes; their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-W", "error", "-m", "tests.train.processes", json.dumps(actions)]
    environment = os.environ | shared | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(processes)
    ]
    try:
        return [process.wait(timeout=600) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def gradients(data: str, configs: dict[str, dict[str, Any]], save: str, grouped: bool = False) -> None:
    """The first step of every config: loss, norm, gradient and weights after it, as <save>/<name>.npz.

    `grouped` makes one process a group of its own, whose batch norm is that of several.
    """
    from torch import distributed

    from distal.models.layers import across_replicas
    from distal.train import loop
    from distal.train.config import Config
    from distal.train.distributed import joined, whole
    from distal.train.run import start

    with joined("cpu") as (world, _):
        for name, values in configs.items():
            trained = start(Config.model_validate(values), Path(data), world)
            if grouped:
                across_replicas(trained.model, distributed.group.WORLD)
            line = loop.step(trained, 1)
            found = {f"gradient/{n}": whole(p.grad) for n, p in trained.model.named_parameters() if p.grad is not None}
            found |= {f"weight/{n}": whole(tensor) for n, tensor in trained.model.state_dict().items()}
            if world.first:
                arrays = {key: tensor.detach().numpy() for key, tensor in found.items()}
                np.savez(Path(save) / f"{name}.npz", **arrays, loss=line["loss"], norm=line["norm"])


def normalise(save: str) -> None:
    """Batch norm of each process's half of a float64 batch: result, gradients and running statistics."""
    import torch
    from torch import distributed

    from distal.models.layers import BatchNorm, across_replicas
    from distal.train.distributed import joined

    with joined("cpu") as (world, _):
        x, weights, layer = batch_norm_case()
        assert isinstance(layer, BatchNorm)
        across_replicas(layer, distributed.group.WORLD)
        mine = x.chunk(world.size)[world.rank].clone().requires_grad_()
        y = layer(mine)
        (y * weights.chunk(world.size)[world.rank]).sum().backward()
        for parameter in layer.parameters():
            distributed.all_reduce(parameter.grad)
        assert mine.grad is not None
        halves = torch.stack([y.detach(), mine.grad])
        kept = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
        of = {f"gradient/{name}": p.grad.numpy() for name, p in layer.named_parameters() if p.grad is not None}
        np.savez(Path(save) / f"norm-{world.rank}.npz", halves=halves.numpy(), **kept, **of)


def batch_norm_case() -> tuple[Any, Any, Any]:
    """A batch whose halves differ in mean and spread, the weights of its loss, and a layer with a history."""
    import torch

    from distal.models.layers import BatchNorm

    chance = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, 5, generator=chance, dtype=torch.float64)
    x[2:] = 3 * x[2:] + 2
    layer = BatchNorm(3, eps=1e-3).double()
    with torch.no_grad():
        for value in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
            value.uniform_(0.5, 2, generator=chance)
    return x, torch.randn(4, 3, 5, generator=chance, dtype=torch.float64), layer


def fit(data: str, config: dict[str, Any], killed_at: int = 0) -> None:
    """A whole run; with `killed_at` the first process dies, without a word, as soon as that step is logged."""
    from distal.train import loop
    from distal.train.config import Config

    def report(line: loop.Line) -> None:
        if line["step"] == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    loop.fit(Config.model_validate(config), data, report)


if __name__ == "__main__":
    from torch import distributed

    distributed.init_process_group("gloo")  # one for all actions: a second on the same port may meet the first
    for action, given in json.loads(sys.argv[1]):
        {"gradients": gradients, "normalise": normalise, "fit": fit}[action](**given)
    distributed.destroy_process_group()
