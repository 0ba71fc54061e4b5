"""DeepMind's own Enformer in TensorFlow behind the same requests; runs in its own Python, where that installs.

Its source is not on PyPI: bench/README.md says where `enformer.py` and `attention_module.py` come from. What this file
adds: our weights, found by their places in Sonnet's tree of modules, and which modules want to know whether they
train, which enformer.py asks of signatures that dm-sonnet 2.0.2 hides on newer Pythons.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from bench.worker import Action, Meter, serve

HEAD = "human"
TRAINED = {"BatchNorm", "CrossReplicaBatchNorm", "Dropout", "Sequential", "Residual", "MultiheadAttention"}


class TfPeer:
    """The published geometry with our weights, as one tf.function."""

    def __init__(self, weights: str, source: str, threads: int) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        sys.path.insert(0, source)
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        import enformer

        enformer.accepts_is_training = lambda module: type(module).__name__ in TRAINED
        self._tf, self._meter = tf, Meter("cpu")
        self._model = enformer.Enformer()
        self._run = tf.function(self._tracks)
        self._tracks(tf.zeros((1, enformer.TARGET_LENGTH * 128, 4)))  # variables are made by a first pass
        load(self._model, weights)
        self._weights = sum(4 * variable.shape.num_elements() for variable in self._model.variables)

    def _tracks(self, letters: Any) -> Any:
        embedded = self._model.trunk(letters, is_training=False)
        return self._model.heads[HEAD](embedded, is_training=False)

    def forward(self, codes: str, save: str = "") -> dict[str, Any]:
        """All tracks of one sequence (codes in a .npy file)."""
        import numpy as np

        sequence = np.load(codes)[None]
        found: list[Any] = []

        def work() -> None:
            letters = np.eye(5, 4, dtype=np.float32)[sequence]
            found.append(self._run(self._tf.constant(letters)).numpy())

        metered = self._meter(work, self._weights)
        if save:
            np.save(save, found[0][0])
        return metered


def load(model: Any, path: str) -> None:
    """Assign every weight in the file to the variable at its place, such as ``_trunk._layers.0._layers.0.w``."""
    from safetensors.numpy import load_file

    for place, value in load_file(path).items():
        found = model
        for step in place.split("."):
            if isinstance(found, Mapping):
                found = found[step]
            else:
                found = found[int(step)] if step.isdigit() else getattr(found, step)
        found.assign(value.reshape(found.shape))


def start(weights: str, source: str, threads: int, **given: Any) -> Mapping[str, Action]:
    """For `serve`."""
    return {"forward": TfPeer(weights, source, threads).forward}


if __name__ == "__main__":
    serve(start)
