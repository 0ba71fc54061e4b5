"""What `bench.accuracy` compares: models, real variants, and the arithmetics that predict them; knows no statistic.

A full pass goes through the plain nn.Module, in float64 (the truth), in float32, or in float32 with both inputs of
every matrix product and convolution rounded to bfloat16 or TF32 first: what such hardware does at its best, for
products are exact and sums are kept in fp32. A difference comes from `distal.incremental`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench import random_enformer
from distal import dna, predictor
from distal.files import replacing
from distal.io import vcf
from distal.io.fasta import Genome
from distal.models.enformer import Enformer
from distal.models.weights import convert
from distal.models.zoo import Spec
from distal.predictor import Predictor
from distal.scoring.alleles import SCORED, haplotypes, judge
from distal.scoring.scorers import sad, sar
from distal.tracks import Track, TrackTable

ARITHMETICS = {
    "plain bf16": "REF and ALT each by a full pass, inputs of matrix products rounded to bfloat16",
    "plain TF32": "the same, rounded to TF32 (10 bits of mantissa)",
    "plain fp32": "REF and ALT each by a full pass in float32",
    "difference fp32": "REF in float32, ALT carried as a difference from it in float32",
    "difference bf16": "REF in float32, the difference with matrix products in bfloat16",
}
EXACT = "fp64"
SAVED_EVERY = 20.0  # seconds

Comparison = Callable[[list[Tensor]], tuple[Tensor, Tensor]]
"""Predictions of a group's sequences -> (REF, ALT) [bins, tracks] over the same bases."""


@dataclass(frozen=True, eq=False)
class Group:
    """Sequences that one reference pass serves, the reference first, and the variants among them."""

    sequences: list[dna.Codes]
    variants: list[tuple[str, Comparison]]

    @property
    def indels(self) -> int:
        """How many variants change the length: those have a third sequence."""
        return int(len(self.sequences) == 3 and len(self.variants) == 1)


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and what it is asked."""

    name: str
    predictor: Predictor
    groups: list[Group]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of weights and sequences: what decides the truth."""
        found = hashlib.sha256()
        for name, value in self.predictor.module.state_dict().items():
            found.update(name.encode() + value.numpy().tobytes())
        for group in self.groups:
            for codes in group.sequences:
                found.update(codes.tobytes())
            for name, _ in group.variants:
                found.update(name.encode())
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class Scores:
    """Of every variant and track, float64 [variants, tracks]."""

    sad: NDArray[np.float64]
    log_sad: NDArray[np.float64]
    signal: NDArray[np.float64]
    """Sum of REF over bins."""


# ---------------------------------------------------------------------------------------------------------- subjects


def subjects(shared: Path, cache: Path, names: Sequence[str], variants: int, few: int) -> Iterator[Subject]:
    """The models called `names`, one at a time, with `variants` real variants each (`few` for the full size)."""
    genome = Genome(shared / "data/sequence/GRCh37_chr20.fa.gz")
    source = shared / "data/eqtl/1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz"
    for name in names:
        if name == "enformer-random":
            model = full_size()
            yield Subject(name, model, [one_window(model, genome, source, few)])
        else:
            model = predictor.load(str(mini_borzoi(shared, cache)) if name == "borzoi-mini" else name)
            yield Subject(name, model, list(centred(model, genome, source, variants)))


def mini_borzoi(shared: Path, cache: Path) -> Path:
    weights, folder = shared / "data/weights/baskerville_mini_borzoi", cache / "borzoi-mini"
    if (folder / "config.json").exists():
        return folder
    return convert(weights, folder, targets={"human": weights / "targets.txt"})


def full_size() -> Predictor:
    module = random_enformer.enformer()
    spec = Spec("enformer-random", "enformer", module.config, "Apache-2.0")
    table = TrackTable(tuple(Track(i, f"human_{i}") for i in range(module.config.heads["human"])))
    return Predictor(module, spec, table, "human", torch.device("cpu"), batch_size=1)


def centred(model: Predictor, genome: Genome, source: Path, count: int) -> Iterator[Group]:
    """Variants evenly spread over the file, SNVs and indels as they come, each in the middle of a window of its own."""
    rows = list(vcf.read(source))
    for row in rows[:: len(rows) // count][:count]:
        judged = judge(genome, model.window, row)
        if judged.status == SCORED:
            made = haplotypes(genome, model.window, judged)
            yield Group(list(made.sequences), [(str(made.variant), lambda seen, made=made: made.compared(*seen))])


def one_window(model: Predictor, genome: Genome, source: Path, count: int) -> Group:
    """SNVs at growing distances, 1 bp to 50 kb, on both sides of one that is in the middle of the window of all."""
    snvs = [row for row in vcf.read(source) if len(row.ref) == len(row.alt) == 1]
    middle = snvs[len(snvs) // 2]
    made = haplotypes(genome, model.window, judge(genome, model.window, middle))
    sequences, variants = [made.ref], []
    for i, distance in enumerate([0, *np.geomspace(300, 50_000, count - 1)]):
        place = middle.pos + (-1) ** i * distance
        row = min(snvs, key=lambda row: abs(row.pos - place))
        codes = made.ref.copy()
        codes[row.pos - 1 - made.interval.start] = dna.encode(row.alt)[0]
        variants.append((f"{row.pos}{row.ref}>{row.alt}", lambda seen, i=i: (seen[0], seen[i + 1])))
        sequences.append(codes)
    return Group(sequences, variants)


# ------------------------------------------------------------------------------------------------------- arithmetics


def bf16(x: Tensor) -> Tensor:
    """The nearest bfloat16 (8 bits of mantissa with the hidden one), as float32; ties to even."""
    return x.bfloat16().float()


def tf32(x: Tensor) -> Tensor:
    """The nearest TF32 number (11 bits of mantissa with the hidden one), as float32; ties away from zero."""
    bits = x.contiguous().view(torch.int32)
    return (bits + 0x1000).bitwise_and_(~0x1FFF).view(torch.float32)


class Rounded(TorchDispatchMode):
    """Rounds both inputs of every matrix product and convolution."""

    PRODUCTS: ClassVar = {
        "mm": (0, 1),
        "bmm": (0, 1),
        "addmm": (1, 2),
        "baddbmm": (1, 2),
        "linear": (0, 1),
        "matmul": (0, 1),
    }
    CONVOLUTIONS: ClassVar = {"convolution": (0, 1), "conv1d": (0, 1)}
    REFUSED = ("attention", "einsum", "mv", "dot", "addmv")

    def __init__(self, to: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.to = to
        self.seen = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        if any(name == word or word in name.split("_") for word in self.REFUSED):
            raise NotImplementedError(f"products inside {name} are not rounded")
        if at := (self.PRODUCTS | self.CONVOLUTIONS).get(name):
            self.seen += 1
            args = tuple(self.to(arg) if i in at else arg for i, arg in enumerate(args))
        return func(*args, **(kwargs or {}))


class Tiled(nn.Module):
    """Stem and tower of an Enformer in stretches, so that float64 at full size fits.

    Exact: the margin is wider than the convolutions see, and where the sequence ends the stretch does. A stretch whose
    letters were seen before has the numbers it had.
    """

    STRETCH, MARGIN = 128 * 48, 128 * 6

    def __init__(self, stem: nn.Module, tower: nn.Module) -> None:
        super().__init__()
        self.local = nn.Sequential(stem, tower)
        self.known: dict[bytes, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """[1, 4, L] -> [1, C, L / 128]."""
        parts = []
        for start in range(0, x.shape[-1], self.STRETCH):
            left, right = max(0, start - self.MARGIN), start + self.STRETCH + self.MARGIN
            letters = x[..., left:right].contiguous()
            key = start.to_bytes(4) + letters.numpy().tobytes()
            if key not in self.known:
                self.known[key] = self.local(letters)
            parts.append(self.known[key][..., (start - left) // 128 :][..., : self.STRETCH // 128])
        return torch.cat(parts, dim=-1)


def tiled(module: nn.Module) -> nn.Module:
    """A view of an Enformer (the weights are shared) that needs little memory; other modules as they are."""
    if not isinstance(module, Enformer):
        return module
    view = module.__class__.__new__(module.__class__)
    view.__dict__ = module.__dict__ | {"_modules": dict(module._modules)}
    view.stem, view.tower = nn.Identity(), Tiled(module.stem, module.tower)
    return view.eval()


def full(model: Predictor, name: str) -> Callable[[list[dna.Codes]], list[Tensor]]:
    """Full passes in the arithmetic `name`: sequences to predictions [bins, tracks], one at a time."""
    dtype = torch.float64 if name == EXACT else torch.float32
    module = tiled(deepcopy(model.module).double() if name == EXACT else model.module)
    rounding = {"plain bf16": bf16, "plain TF32": tf32}.get(name)

    def passes(sequences: list[dna.Codes]) -> list[Tensor]:
        return [one(codes) for codes in sequences]

    def one(codes: dna.Codes) -> Tensor:
        x = torch.from_numpy(dna.one_hot(codes)[None]).to(dtype)
        if rounding is None:
            return module(x, model.head)[0]
        with Rounded(rounding) as mode:
            y: Tensor = module(x, model.head)[0]
        assert mode.seen > 0, "no matrix product was rounded"
        return y

    return passes


def difference(model: Predictor, name: str) -> Callable[[list[dna.Codes]], list[Tensor]]:
    """The fast path: the first sequence is the reference of the others."""
    from distal.incremental import Incremental

    way = Incremental(replace(model, precision=name.split()[-1]))
    return lambda sequences: [members[0] for members in way.members(sequences)]


@torch.inference_mode()
def scores(subject: Subject, name: str, done: int = 0) -> Iterator[list[Tensor]]:
    """SAD, logSAD and signal [3, tracks] of each variant in the arithmetic `name`, group by group, from `done` on."""
    if done == len(subject.groups):
        return
    way = (difference if name.startswith("difference") else full)(subject.predictor, name)
    for group in subject.groups[done:]:
        seen = way(group.sequences)
        pairs = (compared(seen) for _, compared in group.variants)
        yield [torch.stack([sad(ref, alt), sar(ref, alt), ref.sum(0, dtype=torch.float64)]) for ref, alt in pairs]


def cached(subject: Subject, name: str, cache: Path, redraw: bool = False) -> Scores:
    """`scores`, kept in `cache`. An interrupted series of full passes goes on there; differences begin anew.

    With `redraw` nothing is computed: differences are those that were kept, too.
    """
    path = cache / f"{subject.name}-{name.replace(' ', '-')}-{subject.digest[:16]}.npy"
    kept = path.exists() and (redraw or not name.startswith("difference"))
    rows = list(np.load(path)) if kept else []
    sizes = [len(group.variants) for group in subject.groups]
    done = list(np.cumsum([0, *sizes])).index(len(rows))
    if redraw and len(rows) < sum(sizes):
        raise SystemExit(f"{path} holds {len(rows)} of {sum(sizes)} variants; run without --redraw first")
    saved = time.monotonic()
    for made in scores(subject, name, done):
        rows += [row.numpy() for row in made]
        if time.monotonic() - saved > SAVED_EVERY or len(rows) == sum(sizes):
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, np.stack(rows))
            saved = time.monotonic()
    return Scores(*np.stack(rows).swapaxes(0, 1))
