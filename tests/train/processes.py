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


def run(action: str, given: dict[str, Any], processes: int = 2) -> list[int]:
    """Do `action` (a function of this file) in so many processes; their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-W", "error", "-m", "tests.train.processes", action, json.dumps(given)]
    environment = os.environ | shared | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(processes)
    ]
    try:
        return [process.wait(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def gradients(data: str, configs: dict[str, dict[str, Any]], steps: int, save: str) -> None:
    """Some steps of every config: losses, norms, the last gradient and the weights after it, as <save>/<name>.npz."""
    from distal.train import loop
    from distal.train.config import Config
    from distal.train.distributed import joined, whole
    from distal.train.run import start

    with joined("cpu") as (world, _):
        for name, values in configs.items():
            trained = start(Config.model_validate(values), Path(data), world)
            lines = [loop.step(trained, number) for number in range(1, steps + 1)]
            found = {f"gradient/{n}": whole(p.grad) for n, p in trained.model.named_parameters() if p.grad is not None}
            found |= {f"weight/{n}": whole(tensor) for n, tensor in trained.model.state_dict().items()}
            if world.first:
                arrays = {key: tensor.detach().numpy() for key, tensor in found.items()}
                numbers = {kind: np.array([line[kind] for line in lines]) for kind in ("loss", "norm")}
                np.savez(Path(save) / f"{name}.npz", **arrays, **numbers)


def fit(data: str, config: dict[str, Any], killed_at: int = 0) -> None:
    """A whole run; with `killed_at` the first process dies, without a word, as soon as that step is logged."""
    from distal.train import loop
    from distal.train.config import Config

    def report(line: loop.Line) -> None:
        if line["step"] == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    loop.fit(Config.model_validate(config), data, report)


if __name__ == "__main__":
    {"gradients": gradients, "fit": fit}[sys.argv[1]](**json.loads(sys.argv[2]))
