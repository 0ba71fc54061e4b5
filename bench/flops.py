"""How many floating-point operations a model costs, counted from its architecture; measures nothing.

    python -m bench.flops

A multiplication and an addition are two. Counted are matrix products and convolutions, as everybody does; activations,
norms and softmaxes are not. *Plain* is what the published architecture computes, layer by layer. What *remains* is what
has to be computed to get the same numbers: the pooling's logits once for two positions, nothing for bins that no one
asks for, and for a variant only what it touches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from distal.models.basenji2 import Basenji2Config
from distal.models.enformer import BIN_BP, EnformerConfig

Config = EnformerConfig | Basenji2Config
FIVE_TAPS = 3.5
"""Products of an output of five taps in `distal.models.inference` on a CPU."""


def product(positions: float, inputs: float, outputs: float, kernel: float = 1) -> float:
    """A linear layer or a convolution, for so many positions of its output."""
    return 2.0 * positions * inputs * outputs * kernel


@dataclass(frozen=True)
class Count:
    """Operations of the three stages of a pass."""

    local: float
    """One-hot DNA to bins of 128 bp."""
    between: float
    """The transformer, or the dilated convolutions."""
    heads: float
    """The pointwise layer and one head."""

    @property
    def total(self) -> float:
        """Of the pass."""
        return self.local + self.between + self.heads


def plain(config: Config) -> Count:
    """One pass as published, over the whole sequence."""
    bases, bins = config.input_bp, config.input_bp // BIN_BP
    if isinstance(config, Basenji2Config):
        return Count(
            _convolutions(config, bases, 5, pooled_once=False),
            _dilated(config, [bins] * config.dilated_layers),
            _heads(config),
        )
    layers = config.layers * (_layer(config, bins, bins, 1, 2 * bins - 1) + _distances(config, bins))
    return Count(_convolutions(config, bases, 5, pooled_once=False), layers, _heads(config))


def remaining(config: Config, every_tap: bool = False) -> Count:
    """One pass of which nothing is computed that nobody reads; in training and on GPUs `every_tap` is multiplied."""
    bases, bins = config.input_bp, config.input_bp // BIN_BP
    local = _convolutions(config, bases, 5.0 if every_tap else FIVE_TAPS)
    if isinstance(config, Basenji2Config):
        return Count(local, _dilated(config, _read(config)), _heads(config))
    last = _layer(config, bins, config.bins, 1, bins)
    return Count(local, (config.layers - 1) * _layer(config, bins, bins, 1, bins) + last, _heads(config))


def difference(config: Config) -> Count:
    """What one substitution costs once its reference is known: what it touches, carried as a difference."""
    bins = config.input_bp // BIN_BP
    local = _touched(config)
    if isinstance(config, Basenji2Config):
        wide = list(_spreading(config))
        reached = [min(a, b) for a, b in zip(wide, _read(config), strict=True)]
        return Count(local, _dilated(config, reached), _heads(config, min(config.bins, wide[-1])))
    last = _layer(config, bins, config.bins, 2, bins)
    return Count(local, (config.layers - 1) * _layer(config, bins, bins, 2, bins) + last, _heads(config))


def neighbour(config: Config, every_tap: bool = False) -> float:
    """REF and ALT of a substitution whose window was read before, a bin to the left: one bin of it is new."""
    ref = remaining(config, every_tap)
    fresh = ref.local * BIN_BP / config.input_bp
    return fresh + ref.between + ref.heads + difference(config).total


def counts(config: Config, every_tap: bool) -> dict[str, float]:
    """The numbers that comparisons need: of a pass, of one with every tap, of a difference, of a neighbour's SNV."""
    return {
        "plain": plain(config).total,
        "remaining": remaining(config, every_tap).total,
        "every tap": remaining(config, every_tap=True).total,
        "difference": difference(config).total,
        "neighbour": neighbour(config, every_tap),
    }


def _tower(config: Config) -> Iterator[tuple[int, int, int]]:
    """(inputs, outputs, kernel) of the stem's convolution and those of the tower; each is followed by a pooling."""
    first = config.stem if isinstance(config, Basenji2Config) else config.channels // 2
    yield 4, first, 15
    for inputs, outputs in pairwise([first, *config.tower_widths]):
        yield inputs, outputs, 5


def _convolutions(config: Config, bases: float, five: float, pooled_once: bool = True) -> float:
    """The local stage over `bases`, of which five taps cost `five` products an output."""
    total = 0.0
    for inputs, outputs, kernel in _tower(config):
        taps = five if kernel == 5 else kernel
        total += product(bases, inputs, outputs, taps) + _pointwise(config, bases, outputs, pooled_once)
        bases /= 2
    return total


def _pointwise(config: Config, positions: float, width: int, pooled_once: bool = True) -> float:
    """Enformer's second convolution and the logits of its pooling; Basenji2 has neither."""
    if isinstance(config, Basenji2Config):
        return 0.0
    logits = product(positions / 2 if pooled_once else positions, width, width)
    return product(positions, width, width) + (logits if config.pooling == "attention" else 0.0)


def _touched(config: Config) -> float:
    """The local stage at the positions that one base reaches."""
    total, positions = 0.0, 1
    for inputs, outputs, kernel in _tower(config):
        positions += kernel - 1
        total += product(positions, inputs, outputs, kernel) + _pointwise(config, positions, outputs)
        positions = positions // 2 + 1
    return total


def _layer(config: EnformerConfig, bins: int, queries: int, twice: int, distances: int) -> float:
    """A transformer layer; `twice` is 2 where logits and values are products of two differences each."""
    width, keys = config.channels, config.attention_heads * config.key_size
    projections = product(queries, width, keys) + product(bins, width, keys + width)
    logits = product(queries, keys, bins * twice + distances)
    values = product(queries, width, bins * twice)
    return projections + logits + values + product(queries, width, width) + 2 * product(queries, width, 2 * width)


def _distances(config: EnformerConfig, bins: int) -> float:
    """The positions' own projection, the same for every sequence."""
    return product(2 * bins - 1, config.position_features, config.attention_heads * config.key_size)


def _dilated(config: Basenji2Config, positions: list[int]) -> float:
    """The dilated layers, each over so many positions."""
    width, narrow = config.tower_widths[-1], config.dilated
    return sum(product(n, width, narrow, 3) + product(n, narrow, width) for n in positions)


def _read(config: Basenji2Config) -> list[int]:
    """Positions of each dilated layer that the central bins depend on."""
    bins, read = config.bins, []
    for dilation in reversed(config.dilations):
        read.append(min(bins, config.input_bp // BIN_BP))
        bins += 2 * dilation
    return read[::-1]


def _spreading(config: Basenji2Config) -> Iterator[int]:
    """Positions of each dilated layer that a substitution reaches; it comes in six bins or so."""
    reached = 6
    for dilation in config.dilations:
        reached = min(reached + 2 * dilation, config.input_bp // BIN_BP)
        yield reached


def _heads(config: Config, bins: int | None = None) -> float:
    """The pointwise layer and the first head, over the central bins or so many of them."""
    inputs = config.tower_widths[-1] if isinstance(config, Basenji2Config) else config.channels
    width = config.final if isinstance(config, Basenji2Config) else 2 * inputs
    tracks = next(iter(config.heads.values()))
    return product(bins or config.bins, inputs, width) + product(bins or config.bins, width, tracks)


@dataclass(frozen=True)
class Gpu:
    """A GPU as its maker's data sheet has it: dense TFLOP/s in fp32 (no tensor cores) and in bf16."""

    name: str
    fp32: float
    bf16: float


GPUS = (Gpu("L4", 30.3, 121), Gpu("A100", 19.5, 312), Gpu("H100 SXM", 67, 989))
FP32_FRACTION, BF16_FRACTION = 0.6, 0.35
"""Of the data sheet's peak that we assume to reach: an assumption, not a measurement."""
DENSITY = 8
"""Variants that share a reference, assumed for a cohort's VCF."""


def hours(config: Config, gpu: Gpu, variants: int = 1_000_000) -> dict[str, float]:
    """Estimated hours for `variants` on one GPU: every one alone, `DENSITY` to a reference, the same in bf16."""
    fp32, bf16 = gpu.fp32 * 1e12 * FP32_FRACTION, gpu.bf16 * 1e12 * BF16_FRACTION
    ref, delta = remaining(config, every_tap=True).total, difference(config).total
    return {
        "plain": variants * 2 * plain(config).total / fp32 / 3600,
        "isolated": variants * (ref + delta) / fp32 / 3600,
        "shared": variants * (ref / DENSITY + delta) / fp32 / 3600,
        "bf16": variants * (ref / DENSITY / fp32 + delta / bf16) / 3600,
    }


def main() -> None:
    """Print the counts, and what a million variants would take."""
    for name, config in (("Enformer", EnformerConfig()), ("Basenji2", Basenji2Config())):
        print(f"\n{name}, GFLOP | local | transformer or dilated | heads | all\n---|---:|---:|---:|---:")
        for what, count in (
            ("one pass, as published", plain(config)),
            ("what remains of it", remaining(config)),
            ("what remains in training, on GPUs", remaining(config, every_tap=True)),
            ("a substitution, as a difference", difference(config)),
        ):
            stages = " | ".join(f"{x / 1e9:,.1f}" for x in (count.local, count.between, count.heads, count.total))
            print(f"{what} | {stages}")
        print("\n1,000,000 variants, estimated hours | REF + ALT plain | alone | shared | shared, bf16")
        print("---|---:|---:|---:|---:")
        for gpu in GPUS:
            print(f"{gpu.name} | " + " | ".join(f"{value:,.1f}" for value in hours(config, gpu).values()))


if __name__ == "__main__":
    main()
