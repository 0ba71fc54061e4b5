"""Both sides of a comparison, started and asked in turn: options, weights, sequences; measures nothing itself.

The two run in processes of their own that live as long as the comparison. A round asks our side, then the peer, then
our side's next case, so that a slow moment of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.worker import Worker

PEERS = {"enformer": "enformer-pytorch", "basenji2": "basenji2-pytorch"}
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Given:
    """The options that every comparison has."""

    rounds: int
    threads: int
    device: str
    quick: bool
    json: bool
    bf16: Literal["auto", "always", "never"]
    python: str | None
    """The peers' Python; None: our side alone."""
    families: tuple[str, ...]
    more: argparse.Namespace
    """The comparison's own options."""


def options(description: str | None, rounds: int = 3, add: Sequence[tuple[str, dict[str, Any]]] = ()) -> Given:
    """Read the command line; `add` are the comparison's own options (name, keywords of argparse)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--rounds", type=int, default=0, help=f"default {rounds}; with --quick 1")
    parser.add_argument("--threads", type=int, default=2, help="of either side")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--quick", action="store_true", help="tiny models, for a test")
    parser.add_argument("--families", default="basenji2,enformer", help="default basenji2,enformer")
    parser.add_argument("--bf16", choices=("auto", "always", "never"), default="auto", help="auto: where in hardware")
    parser.add_argument("--no-peer", action="store_true", help="our side alone")
    parser.add_argument("--peer-python", help="Python that has the peers; or $DISTAL_PEERS, or bench/.peers")
    for name, keywords in add:
        parser.add_argument(name, **keywords)
    found = parser.parse_args()
    python = None if found.no_peer else peer_python(found.peer_python)
    count = found.rounds or (1 if found.quick else rounds)
    families = tuple(found.families.split(","))
    return Given(count, found.threads, found.device, found.quick, found.json, found.bf16, python, families, found)


def peer_python(asked: str | None) -> str:
    """The Python that has the peers: asked for, $DISTAL_PEERS (it or its folder), bench/.peers, made where missing."""
    place = asked or os.environ.get("DISTAL_PEERS", "")
    if place:
        python = Path(place) / "bin" / "python" if Path(place).is_dir() else Path(place)
        probe = [str(python), "-c", "import enformer_pytorch, basenji2_pytorch"]
        if not python.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
            sys.exit(f"{place} is no Python with the peers; `python -m bench.peers FOLDER` makes one")
        return str(python)
    python = peers.HOME / "bin" / "python"
    if not python.exists():
        print(f"making the peers' environment in {peers.HOME} from PyPI: a few minutes, once", file=sys.stderr)
        peers.make(peers.HOME)
    return str(python)


class Sides:
    """Our sides and the peers' by precision, started when first asked, and a folder for what they exchange."""

    def __init__(
        self, given: Given, family: str, stack: ExitStack, ours: dict[str, Any], theirs: dict[str, Any]
    ) -> None:
        self.given, self.family = given, family
        self._stack, self._our_options, self._peer_options = stack, ours, theirs
        self._ours: dict[str, Worker] = {}
        self._peers: dict[str, Worker] = {}
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distal-bench-")))
        self.machine: dict[str, Any] = self.ours("machine")
        """What our side computes with, the geometry of the model, and its operations."""

    @property
    def peer_name(self) -> str:
        """The peer; empty where there is none."""
        return PEERS[self.family] if self.given.python else ""

    def ours(self, action: str, precision: str = "fp32", **asked: Any) -> dict[str, Any]:
        """Our side's answer."""
        if precision not in self._ours:
            options = {"family": self.family, "quick": self.given.quick, **self._our_options}
            self._ours[precision] = self.started(sys.executable, "bench.ours", precision, options)
        return self._ours[precision](action, **asked)

    def peer(self, action: str, precision: str = "fp32", **asked: Any) -> dict[str, Any] | None:
        """The peer's answer; None where there is no peer."""
        if self.given.python is None:
            return None
        if precision not in self._peers:
            weights = self._folder / "weights.safetensors"
            if not weights.exists():
                self.ours("export", path=str(weights))
            options = {"weights": str(weights), "geometry": self.machine["geometry"], **self._peer_options}
            self._peers[precision] = self.started(self.given.python, "bench.peers", precision, options)
        return self._peers[precision](action, **asked)

    def started(self, python: str, module: str, precision: str, options: dict[str, Any]) -> Worker:
        """A side of its own, ended with the others."""
        common = {"device": self.given.device, "threads": self.given.threads, "precision": precision}
        worker = Worker(python, module, self.given.threads, {**common, **options})
        self._stack.callback(worker.close)
        return worker

    def gemm(self, precision: str) -> float:
        """FLOP/s of a matrix product now: 0 in bf16 where the hardware has none, for it would take minutes."""
        given = self.given
        if precision == "bf16" and not self.machine["bf16_in_hardware"]:
            return 0.0
        size = 256 if given.quick else 8192 if given.device.startswith("cuda") else 3072
        dtype = {"fp32": "float32", "bf16": "bfloat16"}[precision]
        rate: float = self.ours("gemm", device=given.device, dtype=dtype, size=size)["rate"]
        return rate

    def precisions(self) -> tuple[str, ...]:
        """Those to be measured."""
        bf16 = self.given.bf16
        return (
            ("fp32", "bf16") if bf16 == "always" or (bf16 == "auto" and self.machine["bf16_in_hardware"]) else ("fp32",)
        )

    def notes(self) -> list[str]:
        """Lines on the machine and on what was left out."""
        it, given = self.machine, self.given
        notes = [
            f"{it['device']}, {given.threads} threads on either side, torch {it['torch']}, Python {it['python']}; "
            f"medians of {given.rounds} rounds, sides in turn; weights are drawn, the same on both sides"
        ]
        if given.bf16 == "auto" and not it["bf16_in_hardware"]:
            notes.append(
                "bf16 is left out: this processor has no instructions for it, and torch's own bf16 is about a hundred "
                "times slower than fp32 here; `--bf16 always` measures it all the same"
            )
        if given.python is None:
            notes.append("no peer was measured (--no-peer)")
        return notes

    def put(self, name: str, array: NDArray[Any]) -> str:
        """Write an array for both sides to read; returns where."""
        path = self._folder / f"{name}.npy"
        np.save(path, array)
        return str(path)

    def saved(self, name: str, side: str) -> str:
        """Where a side saves its result."""
        return str(self._folder / f"{name}-{side}.npy")

    def apart(self, name: str, ours: str = "ours", peer: str = "peer") -> float | None:
        """Largest difference between what both sides saved as `name`, relative to the peer's largest number."""
        if not Path(self.saved(name, peer)).exists():
            return None
        own, theirs = (np.load(self.saved(name, side)).astype(np.float64) for side in (ours, peer))
        return float(np.abs(own[: len(theirs)] - theirs).max() / np.abs(theirs).max())


@contextmanager
def sides(given: Given, family: str, ours: dict[str, Any] | None = None, **theirs: Any) -> Iterator[Sides]:
    """Both sides of a comparison, ended at its end; `ours` and `theirs` are options of the one and of the other."""
    with ExitStack() as stack:
        yield Sides(given, family, stack, ours or {}, theirs)


def letters(length: int, seed: int = 1) -> Codes:
    """A random chromosome, codes uint8 [length]."""
    return np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)


def substituted(codes: Codes, places: Sequence[int]) -> Codes:
    """REF, then for each place the sequence with another letter there: uint8 [1 + places, L]."""
    rows = np.tile(codes, (1 + len(places), 1))
    for row, place in zip(rows[1:], places, strict=True):
        row[place] = (row[place] + 1) % 4
    return rows
