"""How a student begins as its teacher: which weights of a Borzoi mean the same in an Enformer or a Basenji2.

Knows no data and no training. All three papers bring one-hot DNA to 128-bp bins by the same convolutions, and two let
the bins see each other by the same attention. A student that is at least as wide as its teacher can compute there what
the teacher does; its further channels start as in its paper, and nothing inherited reads them (Net2Net; Chen,
Goodfellow and Shlens 2016, arXiv:1511.05641). A Basenji2 inherits exactly. In an Enformer four things are only nearly
the same: its GELU, softmax pooling for the maximum, layer norms over more channels, and the features of distances,
whose meaning is fitted by least squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from distal.errors import InputError
from distal.models import borzoi, enformer
from distal.models.basenji2 import Basenji2
from distal.models.borzoi import Borzoi
from distal.models.enformer import Enformer
from distal.models.layers import GELUS

Student = Enformer | Basenji2
SHARPNESS = 8.0
"""Logits of softmax pooling in standard deviations; the pooled value is off the maximum by at most 0.035 of one."""
_RIDGE = 1e-6
_NEAR = 8.0  # bins; distances weigh as (1 + d / 8)^-1/2 in the fit of position features


@torch.no_grad()
def inherit(student: Student, teacher: Borzoi) -> None:
    """Let `student` begin as `teacher`, up to what its method `read` reads; what that method computes stays new.

    Raises `InputError` where the student is narrower or shallower, or differs in input, activation or attention, and
    where a Basenji2 can't have the teacher's batch norms.
    """
    will = _Will(student.state_dict(), teacher.state_dict())
    if isinstance(student, Enformer):
        ours, theirs = student.config, teacher.config
        _check(student, teacher, ours.channels // 2, ("input_bp", "attention_heads", "key_size"))
        if ours.layers < theirs.layers:
            raise InputError(f"a student with {ours.layers} layers cannot begin as a teacher with {theirs.layers}")
        _enformer(will, student, teacher)
    else:
        _check(student, teacher, student.config.stem, ("input_bp", "gelu"))
        _basenji2(will, student, teacher)


def _check(student: Student, teacher: Borzoi, stem: int, same: tuple[str, ...]) -> None:
    ours, theirs = student.config, teacher.config
    wrong = [name for name in same if getattr(ours, name) != getattr(theirs, name)]
    here, there = [stem, *ours.tower_widths], [theirs.stem, *theirs.tower]
    if len(here) != len(there) or any(width < least for width, least in zip(here, there, strict=False)):
        wrong.append(f"convolutions (of widths {here}, not {there} or more)")
    if wrong:
        raise InputError(f"the student cannot begin as its teacher, for it differs in {', '.join(wrong)}")


@dataclass(frozen=True)
class _Will:
    """The weights of student and teacher by name; the student's are the module's own."""

    ours: dict[str, Tensor]
    theirs: dict[str, Tensor]

    def layer(self, heir: str, testator: str) -> None:
        """Weight and bias of a convolution, a linear layer or the scale of a norm."""
        for kind in ("weight", "bias"):
            if (part := self.theirs.get(f"{testator}.{kind}")) is not None:
                put(self.ours[f"{heir}.{kind}"], part)

    def batch_norm(self, heir: str, testator: str, eps: float) -> None:
        """The same function, though the student adds `eps` to the variance and the teacher Keras's 1e-3."""
        self.layer(heir, testator)
        variance = self.theirs[f"{testator}.running_var"]
        for kind in ("running_mean", "running_var"):
            put(self.ours[f"{heir}.{kind}"], self.theirs[f"{testator}.{kind}"])
        self.ours[f"{heir}.weight"][: len(variance)] *= ((variance + eps) / (variance + borzoi.EPS)).sqrt()

    def layer_norm(self, heir: str, testator: str) -> None:
        """Channels of zeros shrink the variance by their share, and hardly the mean, which is small."""
        self.layer(heir, testator)
        few, many = len(self.theirs[f"{testator}.weight"]), len(self.ours[f"{heir}.weight"])
        self.ours[f"{heir}.weight"][:few] *= math.sqrt(few / many)


def put(whole: Tensor, part: Tensor) -> None:
    """Lay a weight [out, in, kernel], [out, in] or [out] into a larger one: its channels first, kernels in the middle.

    What it doesn't fill of its rows becomes zero, so that they read nothing but what they read before.
    """
    whole[: len(part)] = 0
    taps = [(width - size) // 2 for width, size in zip(whole.shape[2:], part.shape[2:], strict=True)]
    firsts = [0] * min(part.ndim, 2) + taps
    whole[tuple(slice(first, first + size) for first, size in zip(firsts, part.shape, strict=True))] = part


def _enformer(will: _Will, student: Enformer, teacher: Borzoi) -> None:
    depth = len(teacher.config.tower)
    behind = [*(f"tower.{i}.norm" for i in range(depth)), "unet.0.fine.norm"]
    will.layer("stem.0", "stem")
    for i in range(depth):
        will.batch_norm(f"tower.{i}.0.norm", f"tower.{i}.norm", eps=1e-5)
        will.layer(f"tower.{i}.0.conv", f"tower.{i}.conv")
    for part, norm in zip(["stem", *(f"tower.{i}" for i in range(depth))], behind, strict=True):
        will.ours[f"{part}.1.0.conv.weight"].zero_()  # residual branches add nothing yet
        if student.config.pooling == "attention":
            _as_maximum(will.ours[f"{part}.2.logits.weight"], will.theirs[f"{norm}.running_var"].sqrt())
    will.ours[f"tower.{depth - 1}.0.conv.weight"][teacher.config.channels :] = 0
    for i in range(teacher.config.layers):
        _transformer_block(will, f"transformer.{i}", teacher.config.attention_heads)
        wanted = _meanings(will.theirs[f"transformer.{i}.attention.positions.weight"], teacher.config)
        will.ours[f"transformer.{i}.attention.positions.weight"].copy_(_fitted(student.config, wanted))


def _as_maximum(logits: Tensor, spread: Tensor) -> None:
    """Weigh the larger of two neighbours by nearly 1, in channels with the standard deviations `spread`."""
    put(logits, (SHARPNESS / spread).diag()[:, :, None])


def _transformer_block(will: _Will, block: str, heads: int) -> None:
    will.layer_norm(f"{block}.attention_norm", f"{block}.attention_norm")
    will.layer_norm(f"{block}.mlp.0", f"{block}.mlp.0")
    for name in ("attention.query", "attention.keys", "mlp.1", "mlp.4"):
        will.layer(f"{block}.{name}", f"{block}.{name}")
    for name in ("attention.content_bias", "attention.position_bias", "attention.output.bias"):
        put(will.ours[f"{block}.{name}"], will.theirs[f"{block}.{name}"])
    for name, axis in (("values", 0), ("output", 1)):  # head by head, for a head of the student has more values
        whole, part = (state[f"{block}.attention.{name}.weight"] for state in (will.ours, will.theirs))
        for head, inherited in zip(whole.chunk(heads, axis), part.chunk(heads, axis), strict=True):
            put(head, inherited)


def _meanings(positions: Tensor, config: borzoi.BorzoiConfig) -> Tensor:
    """What each distance means to the teacher's heads, float64 [2T−1, heads · key]."""
    length = config.input_bp // config.transformer_bp
    return borzoi.position_features(length, config.position_features).double() @ positions.double().T


def _fitted(config: enformer.EnformerConfig, wanted: Tensor) -> Tensor:
    """Weights [heads · key, features] that make Enformer's features of distances mean `wanted`, nearly."""
    length = config.input_bp // enformer.BIN_BP
    distance = torch.arange(-(length - 1), length, dtype=torch.float64).abs()
    weight = (1 + distance / _NEAR).rsqrt()[:, None]
    features = weight * enformer.position_features(length, config.position_features).double()
    gram = features.T @ features
    ridge = _RIDGE * gram.trace() / len(gram) * torch.eye(len(gram), dtype=gram.dtype)
    solution: Tensor = torch.linalg.solve(gram + ridge, features.T @ (weight * wanted))
    return solution.T.float()


def _basenji2(will: _Will, student: Basenji2, teacher: Borzoi) -> None:
    """The student's batch norms stand before the pooling, which keeps their order where scales are positive.

    Its first GELU meets the one-hot. Behind its last convolution, where the teacher has no norm, there is an identity.
    """
    blocks = ["stem", *(f"tower.{i}" for i in range(len(teacher.config.tower)))]
    convolutions = ["stem", *(f"tower.{i}.conv" for i in range(len(teacher.config.tower)))]
    for block, convolution in zip(blocks, convolutions, strict=True):
        put(will.ours[f"{block}.conv.weight"], will.theirs[f"{convolution}.weight"])
    will.ours["stem.conv.weight"] /= GELUS[student.config.gelu](torch.ones(()))
    for i, (block, convolution) in enumerate(zip(blocks[:-1], convolutions[:-1], strict=True)):
        if not (will.theirs[f"tower.{i}.norm.weight"] > 0).all():
            raise InputError("the teacher has batch norms with negative scales, which a Basenji2's pooling would turn")
        will.batch_norm(f"{block}.norm", f"tower.{i}.norm", eps=borzoi.EPS)
        bias = will.theirs[f"{convolution}.bias"]
        will.ours[f"{block}.norm.running_mean"][: len(bias)] -= bias
    bias = will.theirs[f"{convolutions[-1]}.bias"]
    will.ours[f"{blocks[-1]}.norm.weight"][: len(bias)] = math.sqrt(1 + borzoi.EPS)
    put(will.ours[f"{blocks[-1]}.norm.bias"], bias)
