"""A model ready to run: sequences in, tracks out, over both strands, shifts and any region.

Knows models, sequences and the bin grid; knows no file format and no score.

**Tiling.** A region of any start is cut into bins counted from its own start: `ceil(width / bin_bp)` bins cover
`[start, start + bins * bin_bp)`, so the last bin may pass the region's end. The bins are shared out evenly over the
fewest windows that hold them, and every window is centred on its share: tiles abut exactly, none is used only at its
rim, and a region that fits one window is read from that window's middle. What a bin is predicted to be depends a
little on the window that reads it, so the same bin asked for in two different regions agrees closely, not to the bit.
Windows that pass a chromosome's end are padded with N; the region itself must lie on the chromosome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import groupby, islice, pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import distal
from distal import dna, markup
from distal.coords import Interval, Window
from distal.errors import InputError
from distal.models import inference
from distal.models.letters import alphabet, one_hot
from distal.tracks import Track, Tracks, TrackTable

if TYPE_CHECKING:
    from distal.io.edited import Reference
    from distal.io.fasta import Genome
    from distal.models.zoo import Spec

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A module in evaluation mode on its device, with the window it reads and the tracks that one head gives."""

    module: nn.Module
    spec: Spec
    tracks: TrackTable
    head: str
    device: torch.device
    precision: Precision = "fp32"
    batch_size: int = 4
    """Windows that go through the module together; results change by less than 1e-5 (relative) with it."""
    n: float = 0.0
    """Value of all four channels at an N: 0, or 0.25 as DeepMind's usage notebook has it."""

    def __post_init__(self) -> None:
        if self.module.training:
            raise ValueError("a Predictor needs a module in evaluation mode; call module.eval() first")
        if self.precision not in get_args(Precision):
            raise InputError(f"precision {self.precision!r} is not one of fp32, bf16")
        if self.batch_size < 1:
            raise InputError(f"batch size {self.batch_size} is below 1")

    @property
    def window(self) -> Window:
        """What the model reads and says."""
        return self.spec.window

    def __repr__(self) -> str:
        tracks = f"{len(self.tracks):,} tracks of head {self.head}"
        return f"Predictor({self.spec.name}: {self.window}, {tracks}, {self.device}, {self.precision})"

    def _repr_html_(self) -> str:
        facts = {"family": self.spec.family, "window": str(self.window), "head": self.head}
        facts |= {"device": str(self.device), "precision": self.precision, "licence": self.spec.licence}
        return markup.card(self.spec.name, {}, markup.facts(facts) + self.tracks._repr_html_())

    def on(self, device: str) -> Predictor:
        """The same predictor with a copy of the module on another device (see `open_device`)."""
        place = open_device(device)
        return replace(self, module=deepcopy(self.module).to(place), device=place)

    def __getstate__(self) -> dict[str, Any]:
        """With the weights as arrays: tensors go to other processes as handles that only one of them can open."""
        weights = {name: tensor.numpy(force=True) for name, tensor in self.module.state_dict().items()}
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"module": weights}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from distal.models import zoo

        weights = {name: torch.from_numpy(np.array(array)) for name, array in state["module"].items()}
        module = zoo.blank(state["spec"])
        module.load_state_dict(weights, strict=True, assign=True)
        self.__dict__.update(state | {"module": module.eval().to(state["device"])})

    def facts(self, genome: Genome) -> dict[str, str | int | float]:
        """What decides a prediction besides the sequence asked for, to be kept beside every result."""
        return {
            "model": self.spec.name,
            "weights_sha256": self.spec.weights_sha256,
            "head": self.head,
            "fasta_sha256": genome.digest(),
            "n_value": self.n,
            "precision": self.precision,
            "device": self.device.type,
            "distal_version": distal.__version__,
        }

    def __call__(self, codes: dna.Codes) -> NDArray[np.float32]:
        """Codes uint8 [n, input_bp] to float32 [n, bins, tracks], one strand, all tracks."""
        values: NDArray[np.float32] = self.tensor(codes).cpu().numpy()
        return values

    @torch.inference_mode()
    def tensor(self, codes: dna.Codes, channels: NDArray[np.int64] | None = None) -> Tensor:
        """Codes uint8 [n, input_bp] to [n, bins, channels] on the device, in the weights' dtype, float32.

        `channels` None means all. At most `batch_size` windows run at once, on a CPU one, so that a prediction doesn't
        depend on its neighbours there.
        """
        self._check(codes)
        chosen = self.chosen(channels)
        together = 1 if self.device.type == "cpu" else self.batch_size
        values = torch.empty(len(codes), self.window.bins, len(chosen), dtype=self._dtype, device=self.device)
        for start in range(0, len(codes), together):
            values[start : start + together] = self.network(codes[start : start + together], chosen, self.head)
        return values

    @torch.inference_mode()
    def by_module(self, codes: dna.Codes, channels: NDArray[np.int64] | None = None) -> Tensor:
        """One sequence, uint8 [input_bp], to [bins, channels], by the module that was trained.

        Within rounding what `tensor` gives; slower, for comparison.
        """
        self._check(codes[None])
        with self._arithmetic():
            values: Tensor = self.module(one_hot(codes[None], self._alphabet), self.head)[0]
        return values.index_select(1, self.chosen(channels)).to(self._dtype)

    def _check(self, codes: dna.Codes) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.window.input_bp:
            raise ValueError(f"codes must be [n, {self.window.input_bp}], not {list(codes.shape)}")

    def chosen(self, channels: NDArray[np.int64] | None) -> Tensor:
        """Channels of the head as indices on the device, all of them for None."""
        indices = np.arange(self.spec.heads[self.head]) if channels is None else channels
        return torch.from_numpy(indices).to(self.device)

    @cached_property
    def network(self) -> inference.Network:
        """The model as it runs fastest, made of the module's weights as they are when it is first asked for."""
        plain = inference.bf16(self.device.type) if self.precision == "bf16" else inference.EXACT
        return inference.network(self.module, self.n, plain)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.module.parameters()).dtype

    @cached_property
    def _alphabet(self) -> Tensor:
        return alphabet(self.n).to(self.device, self._dtype)

    def _arithmetic(self) -> AbstractContextManager[object]:
        """fp32 means fp32 (cuDNN would otherwise round convolutions to TF32); bf16 lowers matrix products only."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        if self.device.type == "cuda":
            return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        return ExitStack()


def load(
    name_or_folder: str,
    head: str = "human",
    device: str = "cpu",
    precision: Precision = "fp32",
    batch_size: int = 4,
) -> Predictor:
    """A zoo model, or a folder that distal wrote, ready to predict `head` on `device`.

    Raises `InputError` for an unknown model, a head that the model lacks, or a device that this machine lacks.
    """
    from distal.models import zoo

    module, spec, tables = zoo.open_folder(zoo.find(name_or_folder))
    if head not in spec.heads:
        raise InputError(f"{spec.name} has no head {head!r}; it has {', '.join(spec.heads)}")
    place = open_device(device)
    table = tables[head] or TrackTable(tuple(Track(i, f"{head}_{i}") for i in range(spec.heads[head])))
    return Predictor(module.to(place).eval(), spec, table, head, place, precision, batch_size)


def open_device(name: str) -> torch.device:
    """A device by torch's name for it (cpu, cuda, cuda:1, mps). Raises `InputError` where this machine lacks it."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used here ({reason}); `--device cpu` always can") from None
    return device


@dataclass(frozen=True)
class Reading:
    """One way to read a sequence: a strand and a shift, under which bins stay where they are.

    A shift moves the sequence that many bases to the right, in the strand's own reading direction (Basenji's order), so
    that the mean over both strands is exactly equivariant under reverse complement. It is not undone on the output.
    """

    shift: int = 0
    reverse: bool = False

    def read(self, codes: dna.Codes) -> dna.Codes:
        """What the model reads, of the same shape as `codes`, uint8 [..., L]."""
        return dna.shift(dna.reverse_complement(codes) if self.reverse else codes, self.shift)

    def channels(self, table: TrackTable, channels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The head's channels that stand for `channels`: on the other strand those of the partners."""
        return table.partners[channels] if self.reverse else channels

    def turned(self, values: Tensor) -> Tensor:
        """A prediction [..., bins, channels] with its bins in the order of the forward strand."""
        return values.flip(-2) if self.reverse else values


def readings(rc: bool, shifts: Sequence[int]) -> list[Reading]:
    """Every shift, each on the forward strand and with `rc` on the other. Raises `InputError` without any shift."""
    if not shifts:
        raise InputError("no shift is given; 0 is the sequence as it is")
    return [Reading(shift, reverse) for shift in shifts for reverse in (False, True)[: 1 + rc]]


@torch.inference_mode()
def averaged(
    predictor: Predictor,
    codes: dna.Codes,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    channels: NDArray[np.int64] | None = None,
) -> Tensor:
    """Mean prediction over `shifts` and, with `rc`, over both strands: [n, bins, channels] on the device.

    See `Reading`. Scores are formed from this mean, never averaged themselves.
    """
    channels = predictor.tracks.channels if channels is None else channels
    ways = readings(rc, shifts)
    read = (way.turned(predictor.tensor(way.read(codes), way.channels(predictor.tracks, channels))) for way in ways)
    return mean(read, rc)


def mean(members: Iterable[Tensor], rc: bool) -> Tensor:
    """The mean over the `readings` of a sequence. Each strand is summed by itself, so either may be the first."""
    strands: dict[bool, Tensor] = {}
    count = 0
    for count, member in enumerate(members, start=1):
        reverse = rc and count % 2 == 0
        strands[reverse] = strands[reverse] + member if reverse in strands else member
    first, *second = strands.values()
    total = first + second[0] if second else first
    return total / count if count > 1 else total


class Tile(NamedTuple):
    """One window's share of a region: what it reads, what it answers for, and which of its bins those are."""

    input: Interval
    output: Interval
    bins: slice


def tiles(region: Interval, window: Window) -> list[Tile]:
    """The fewest windows that cover `region`, evenly loaded and each centred on its bins (see the top of this file)."""
    if region.width == 0:
        raise InputError(f"region {region!r} is empty")
    bins = -(-region.width // window.bin_bp)
    count = -(-bins // window.bins)
    edges = [bins * i // count for i in range(count + 1)]
    return [_tile(region, window, first, last) for first, last in pairwise(edges)]


def _tile(region: Interval, window: Window, first: int, last: int) -> Tile:
    before = (window.bins - (last - first)) // 2
    output = Interval(region.chrom, region.start + first * window.bin_bp, region.start + last * window.bin_bp)
    start = output.start - before * window.bin_bp
    read = window.input_of(Interval(region.chrom, start, start + window.output_bp))
    return Tile(read, output, slice(before, before + last - first))


def on_genome(region: Interval, genome: Reference) -> Interval:
    """`region` under the name that the genome's file has for its chromosome, without strand.

    Raises `InputError` for an unknown chromosome and for a region that is empty or leaves the chromosome.
    """
    chrom = genome.resolve(region.chrom)
    size = genome.sizes[chrom]
    if not 0 <= region.start < region.end <= size:
        whole = Interval(chrom, 0, size).to_ucsc()
        raise InputError(f"region {region.to_ucsc()} is empty or leaves its chromosome; ask for a part of {whole}")
    return replace(region, chrom=chrom, strand=".")


def predict_tiles(
    predictor: Predictor,
    genome: Genome,
    intervals: Iterable[Interval],
    query: str = "",
    rc: bool = False,
    shifts: Sequence[int] = (0,),
) -> Iterator[tuple[int, Tracks]]:
    """The tiles of every interval, in order: (position of the interval in `intervals`, its next tile's tracks).

    Memory stays that of one batch however long the intervals are. `query` chooses tracks as `TrackTable.select` does.
    """
    table = predictor.tracks.select(query)
    bin_bp = predictor.window.bin_bp
    regions = (on_genome(region, genome) for region in intervals)
    work = ((i, tile) for i, region in enumerate(regions) for tile in tiles(region, predictor.window))
    while batch := list(islice(work, predictor.batch_size)):
        codes = np.stack([genome.codes(tile.input) for _, tile in batch])
        values = averaged(predictor, codes, rc, shifts, table.channels).cpu().numpy()
        for (i, tile), value in zip(batch, values, strict=True):
            yield i, Tracks(value[tile.bins], table, tile.output, bin_bp)


def predict(
    predictor: Predictor,
    genome: Genome,
    intervals: Iterable[Interval],
    query: str = "",
    rc: bool = False,
    shifts: Sequence[int] = (0,),
) -> Iterator[Tracks]:
    """Tracks over each interval: its bins counted from `interval.start`, the last one rounded up to a whole bin.

    Intervals wider than the window are tiled as the top of this file says. One interval's tracks are held in memory;
    for whole chromosomes with many tracks use `predict_tiles`.
    """
    stream = predict_tiles(predictor, genome, intervals, query, rc, shifts)
    for _, group in groupby(stream, key=lambda item: item[0]):
        yield _abutted([tracks for _, tracks in group])


def _abutted(parts: list[Tracks]) -> Tracks:
    first, last = parts[0], parts[-1]
    interval = replace(first.interval, end=last.interval.end)
    return replace(first, values=np.concatenate([part.values for part in parts]), interval=interval)
