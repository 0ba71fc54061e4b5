"""Enformer, Basenji2 and Borzoi written naively in numpy, float64, position by position, from the papers' formulas.

Slow and independent of torch. Weights come as our state dict (name -> array); the layout is torch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = Mapping[str, NDArray[np.floating]]
Gelu = Callable[[Array], Array]


def sigmoid_gelu(x: Array) -> Array:
    return x / (1 + np.exp(-1.702 * x))


def tanh_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def erf_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


GELUS: dict[str, Gelu] = {"sigmoid": sigmoid_gelu, "tanh": tanh_gelu, "erf": erf_gelu}


def conv(state: State, name: str, x: Array, dilation: int = 1) -> Array:
    """[L, in] -> [L, out]: out[p] = b + Σ_k W[:, :, k] x[p + (k − (K−1)/2)·dilation], zeros outside."""
    weight = state[f"{name}.weight"]
    bias = state.get(f"{name}.bias", np.zeros(weight.shape[0]))
    kernel = weight.shape[2]
    out = np.zeros((len(x), weight.shape[0]))
    for p in range(len(x)):
        out[p] = bias
        for k in range(kernel):
            q = p + (k - (kernel - 1) // 2) * dilation
            if 0 <= q < len(x):
                out[p] += weight[:, :, k] @ x[q]
    return out


def depthwise(weight: NDArray[np.floating], x: Array) -> Array:
    """[L, C] -> [L, C], each channel with its own kernel [C, 1, K]."""
    out = np.zeros_like(x)
    for p in range(len(x)):
        for k in range(weight.shape[2]):
            q = p + k - (weight.shape[2] - 1) // 2
            if 0 <= q < len(x):
                out[p] += weight[:, 0, k] * x[q]
    return out


def linear(state: State, name: str, x: Array) -> Array:
    y = x @ state[f"{name}.weight"].T
    return y + state[f"{name}.bias"] if f"{name}.bias" in state else y


def batch_norm(state: State, name: str, x: Array, eps: float) -> Array:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return (x - mean) / np.sqrt(variance + eps) * state[f"{name}.weight"] + state[f"{name}.bias"]


def layer_norm(state: State, name: str, x: Array, eps: float) -> Array:
    out = np.empty_like(x)
    for p, row in enumerate(x):
        out[p] = (row - row.mean()) / math.sqrt(((row - row.mean()) ** 2).mean() + eps)
    return out * state[f"{name}.weight"] + state[f"{name}.bias"]


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def softmax_pool(state: State, name: str, x: Array) -> Array:
    """The published form: logits at both positions, softmax over the two, weighted sum."""
    weight = state[f"{name}.logits.weight"][:, :, 0]
    out = np.empty((len(x) // 2, x.shape[1]))
    for p in range(len(out)):
        pair = x[2 * p : 2 * p + 2]
        logits = pair @ weight.T
        for c in range(x.shape[1]):
            out[p, c] = softmax(logits[:, c]) @ pair[:, c]
    return out


def max_pool(x: Array) -> Array:
    return np.maximum(x[0::2], x[1::2])


def softplus(x: Array) -> Array:
    return np.log1p(np.exp(x))


def crop(x: Array, bins: int) -> Array:
    cut = (len(x) - bins) // 2
    return x[cut : len(x) - cut]


Features = Callable[[int], Sequence[float]]


def attention(state: State, name: str, x: Array, heads: int, features: Features) -> Array:
    """Every pair (i, j) on its own, the distance j − i looked up directly: no relative shift."""
    length = len(x)
    split = {
        part: linear(state, f"{name}.{part}", x).reshape(length, heads, -1) for part in ("query", "keys", "values")
    }
    content, position = state[f"{name}.content_bias"][:, 0], state[f"{name}.position_bias"][:, 0]
    key = content.shape[1]
    distance = {
        d: linear(state, f"{name}.positions", np.array(features(d))).reshape(heads, key)
        for d in range(-(length - 1), length)
    }
    out = np.zeros((length, heads, split["values"].shape[2]))
    for h in range(heads):
        for i in range(length):
            query = split["query"][i, h] / math.sqrt(key)
            logits = np.array(
                [
                    (query + content[h]) @ split["keys"][j, h] + (query + position[h]) @ distance[j - i][h]
                    for j in range(length)
                ]
            )
            out[i, h] = softmax(logits) @ split["values"][:, h]
    return linear(state, f"{name}.output", out.reshape(length, -1))


def transformer(state: State, name: str, x: Array, heads: int, features: Features, eps: float) -> Array:
    normed = layer_norm(state, f"{name}.attention_norm", x, eps)
    x = x + attention(state, f"{name}.attention", normed, heads, features)
    hidden = linear(state, f"{name}.mlp.1", layer_norm(state, f"{name}.mlp.0", x, eps))
    return x + linear(state, f"{name}.mlp.4", np.maximum(hidden, 0))


def enformer_features(distance: int, length: int, n: int) -> list[float]:
    """[exponential | central mask | gamma] · (1, sign): one distance at a time."""
    symmetric = _unnormalised(abs(distance), length, n)
    top = [max(_unnormalised(a, length, n)[2 * n + k] for a in range(length)) for k in range(n)]
    symmetric = symmetric[: 2 * n] + [g / t for g, t in zip(symmetric[2 * n :], top, strict=True)]
    sign = (distance > 0) - (distance < 0)
    return symmetric + [sign * value for value in symmetric]


def _unnormalised(a: int, length: int, n: int) -> list[float]:
    def between(first: float, last: float, k: int) -> float:
        return first + (last - first) * k / (n - 1) if n > 1 else first

    exponential = [2.0 ** (-a / 2.0 ** between(3.0, math.log2(length), k)) for k in range(n)]
    mask = [float(2**k - 1 > a) for k in range(1, n + 1)]
    gamma = []
    for k in range(n):
        mean, sigma = between(length / n, length, k), length / (2 * n)
        alpha, beta = (mean / sigma) ** 2, mean / sigma**2
        power = (alpha - 1) * math.log(a) if a else (0.0 if alpha == 1 else -math.inf)
        gamma.append(math.exp(power - beta * a - math.lgamma(alpha) + alpha * math.log(beta)) + 1e-8)
    return exponential + mask + gamma


def borzoi_features(distance: int, length: int, n: int) -> list[float]:
    sign = (distance > 0) - (distance < 0)
    inside = [float((length + 1) ** (k / n) - 1 > abs(distance)) for k in range(1, n + 1)]
    return inside + [sign * value for value in inside]


def enformer(state: State, x: Array, heads: int, layers: int, bins: int, head: str) -> Array:
    """One-hot [L, 4] -> [bins, tracks]."""

    def block(name: str, y: Array) -> Array:
        return conv(state, f"{name}.conv", sigmoid_gelu(batch_norm(state, f"{name}.norm", y, 1e-5)))

    x = conv(state, "stem.0", x)
    x = softmax_pool(state, "stem.2", x + block("stem.1.0", x))
    for i in range(6):
        x = block(f"tower.{i}.0", x)
        x = softmax_pool(state, f"tower.{i}.2", x + block(f"tower.{i}.1.0", x))
    length, n = len(x), x.shape[1] // heads // 6
    for j in range(layers):
        x = transformer(state, f"transformer.{j}", x, heads, lambda d: enformer_features(d, length, n), 1e-5)
    return softplus(linear(state, f"heads.{head}", sigmoid_gelu(block("final", crop(x, bins)))))


def basenji2(state: State, x: Array, gelu: Gelu, dilations: Sequence[int], bins: int, head: str) -> Array:
    """One-hot [L, 4] -> [bins, tracks]."""

    def block(name: str, y: Array, dilation: int = 1) -> Array:
        return batch_norm(state, f"{name}.norm", conv(state, f"{name}.conv", gelu(y), dilation), 1e-3)

    x = max_pool(block("stem", x))
    for i in range(6):
        x = max_pool(block(f"tower.{i}", x))
    for i, dilation in enumerate(dilations):
        x = x + block(f"dilated.{i}.pointwise", block(f"dilated.{i}.dilated", x, dilation))
    return softplus(linear(state, f"heads.{head}", gelu(block("final", crop(x, bins)))))


def borzoi(state: State, x: Array, sizes: tuple[int, int, int, int], features: int, bins: int, head: str) -> Array:
    """One-hot [L, 4] -> [bins, tracks]; `sizes` are tower blocks, transformer blocks, heads and U-net steps."""
    towers, layers, heads, steps = sizes

    def block(name: str, y: Array) -> Array:
        return conv(state, f"{name}.conv", tanh_gelu(batch_norm(state, f"{name}.norm", y, 1e-3)))

    x, skips = conv(state, "stem", x), []
    for i in range(towers):
        x = block(f"tower.{i}", max_pool(x))
        skips.append(x)
    x = max_pool(x)
    length = len(x)
    for j in range(layers):
        x = transformer(state, f"transformer.{j}", x, heads, lambda d: borzoi_features(d, length, features // 2), 1e-3)
    for k in range(steps):
        coarse = block(f"unet.{k}.coarse", x)
        doubled = np.array([coarse[p // 2] for p in range(2 * len(coarse))])
        together = doubled + block(f"unet.{k}.fine", skips[-1 - k])
        x = conv(state, f"unet.{k}.pointwise", depthwise(state[f"unet.{k}.depthwise.weight"], together))
    return softplus(linear(state, f"heads.{head}", tanh_gelu(crop(x, bins))))
