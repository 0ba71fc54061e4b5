"""An Enformer of the published size whose weights are drawn, not trained: the goldens' recipe, restated for numpy.

Every array is `RandomState(crc32(salt | name of DeepMind's variable))`, so that anybody gets the same gigabyte. The
kinds of arrays and their sizes are the recipe's: activations stay alive through all layers, nothing is switched off.
"""

from __future__ import annotations

import re
import zlib
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from distal.models.enformer import Enformer, EnformerConfig
from distal.models.weights_enformer import FROM_SONNET, modules

SALT = "enformer_full_v1"
_RENAMED = (
    (r"^stem\.0$", r"trunk/stem/conv1_d"),
    (r"^stem\.1\.0", r"trunk/stem/pointwise_conv_block"),
    (r"^stem\.2\.logits$", r"trunk/stem/softmax_pooling/linear"),
    (r"^tower\.(\d)\.0\.", r"trunk/conv_tower/conv_tower_block_\1/conv_block."),
    (r"^tower\.(\d)\.1\.0\.", r"trunk/conv_tower/conv_tower_block_\1/pointwise_conv_block."),
    (r"^tower\.(\d)\.2\.logits$", r"trunk/conv_tower/conv_tower_block_\1/softmax_pooling/linear"),
    (r"^transformer\.(\d+)\.attention_norm$", r"trunk/transformer/transformer_block_\1/mha/layer_norm"),
    (r"^transformer\.(\d+)\.attention\.", r"trunk/transformer/transformer_block_\1/mha/attention_\1/"),
    (r"^transformer\.(\d+)\.mlp\.0$", r"trunk/transformer/transformer_block_\1/mlp/layer_norm"),
    (r"^transformer\.(\d+)\.mlp\.1$", r"trunk/transformer/transformer_block_\1/mlp/project_in"),
    (r"^transformer\.(\d+)\.mlp\.4$", r"trunk/transformer/transformer_block_\1/mlp/project_out"),
    (r"/query$", r"/q_layer"),
    (r"/keys$", r"/k_layer"),
    (r"/values$", r"/v_layer"),
    (r"/positions$", r"/r_k_layer"),
    (r"/output$", r"/embedding_layer"),
    (r"/content_bias$", r"/r_w_bias"),
    (r"/position_bias$", r"/r_r_bias"),
    (r"^final\.", r"trunk/final_pointwise/conv_block."),
    (r"^heads\.(\w+)$", r"heads/head_\1/linear"),
    (r"\.norm$", r""),
    (r"\.conv$", r"/conv1_d"),
)


def draw(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The array of DeepMind's variable `name` in TensorFlow's layout."""
    noise = np.random.RandomState(zlib.crc32(f"{SALT}|{name}".encode())).standard_normal(prod(shape)).reshape(shape)
    leaf = name.rsplit("/", 1)[-1]
    if "softmax_pooling" in name:
        noise = 1.5 * np.eye(shape[0]) + noise / np.sqrt(shape[0])
    elif name.endswith("moving_mean/average"):
        noise = 0.3 * noise
    elif name.endswith("moving_variance/average"):
        noise = np.exp(0.4 * noise)
    elif leaf in ("r_w_bias", "r_r_bias"):
        noise = 0.15 * noise
    elif leaf == "w":
        fan_in = prod(shape[:-1])
        gain = 1.0 if "/heads/" in name else 0.5 if "pointwise_conv_block" in name else 2.0**0.5
        noise = 0.5 * noise / np.sqrt(fan_in) if gain == 0.5 else noise * np.sqrt(gain**2 / fan_in)
    else:
        noise = {"offset": 0.2 * noise, "scale": 1.0 + 0.2 * noise, "b": 0.1 * noise}[leaf]
    return noise.astype(np.float32)


def variable(ours: str, end: str) -> str:
    """DeepMind's name of the array `end` of our module `ours`."""
    for pattern, name in _RENAMED:
        ours = re.sub(pattern, name, ours)
    normal = "conv_block" in ours and end in ("/scale", "/offset")
    return f"enformer/{ours}{'/cross_replica_batch_norm' * normal}{end}"


def enformer(config: EnformerConfig | None = None) -> Enformer:
    """The module in evaluation mode, float32."""
    config = config or EnformerConfig()
    with torch.device("meta"):
        module = Enformer(config)
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    state = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    heads = {name: name for name in config.heads}
    for part in modules(config.layers, heads, attention_pooling=True):
        for ours, theirs, change in FROM_SONNET[part.kind]:
            shape = wanted[part.ours + ours]
            layout = _layout(part.kind, ours, shape)
            value = change(torch.from_numpy(draw(variable(part.ours, theirs), layout)))
            state[part.ours + ours] = value.contiguous()
    module.load_state_dict(state, strict=True, assign=True)
    return module.eval()


def _layout(kind: str, end: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sonnet's shape of an array of ours."""
    if kind == "pool":
        return shape[1], shape[0]
    if kind == "bias":
        return (1, *shape)
    if "running" in end:
        return (1, 1, *shape)
    return shape[::-1] if end == ".weight" and len(shape) > 1 else shape
