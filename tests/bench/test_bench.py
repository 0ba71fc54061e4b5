"""Every comparison runs from its command to its table, with tiny models and our side alone; operations are counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.report import Case

from bench import flops
from distal.models.basenji2 import Basenji2Config
from distal.models.enformer import EnformerConfig

ROOT = Path(__file__).parents[2]
QUICK = ("--quick", "--no-peer", "--threads", "1", "--json")


@pytest.mark.parametrize("name", ["forward", "variants", "ism", "training", "vcf"])
def test_a_comparison_runs_from_its_command(name):
    asked = [] if name == "vcf" else ["--families", "enformer"]
    command = [sys.executable, "-m", f"bench.{name}", *QUICK, *asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    last = rows[-1]
    assert last["seconds"] > 0
    assert "ratio" in last
    if name == "variants":
        assert "dense" in last["case"]
        assert last["case"].endswith("fp32")


def test_a_pass_costs_what_is_published():
    """3.29 TFLOP, of which the convolutions are 2.55 and the transformer 0.70; the mouse's head is 9 GFLOP of them."""
    both_heads = flops.plain(EnformerConfig()).total + flops.product(896, 3072, 1643)
    assert both_heads == pytest.approx(3.293e12, rel=1e-4)
    assert flops.plain(EnformerConfig()).local == pytest.approx(2.549e12, rel=1e-3)
    assert flops.plain(Basenji2Config()).total == pytest.approx(233e9, rel=2e-3)


def test_a_small_pass_is_counted_by_hand():
    """Two dilated layers, 4 bins read, 2 said, of a Basenji2 all of whose widths are 1 (letters are 4 wide)."""
    ones = Basenji2Config(1, 1, 1.0, 2, 1, 1.5, 1, 512, 2, "erf", {"human": 1}, tower=(1,) * 6)
    # stem: 512 positions x 15 x 4 letters; tower: 256 + 128 + ... + 8 positions x 5; two operations each
    assert flops.plain(ones).local == 2 * (512 * 15 * 4 + 504 * 5)
    # each of 4 bins: 3 of the dilated convolution, 1 back; two layers
    assert flops.plain(ones).between == 2 * 2 * 4 * (3 + 1)
    assert flops.plain(ones).heads == 2 * 2 * (1 + 1)


@pytest.mark.parametrize("config", [EnformerConfig(), Basenji2Config()], ids=["enformer", "basenji2"])
def test_reuse_only_ever_saves(config):
    plain, remaining, difference = (count(config) for count in (flops.plain, flops.remaining, flops.difference))
    assert remaining.total <= plain.total
    assert difference.local < remaining.local / 100
    assert difference.total < flops.neighbour(config) < remaining.total + difference.total


def test_ratios_are_those_of_a_round():
    case = Case("a", "b", "peer")
    for ours, theirs in ((1.0, 2.0), (2.0, 8.0), (4.0, 12.0)):
        case.add({"seconds": ours, "above": 1.0, "peak": 2.0}, {"seconds": theirs, "above": 2.0, "peak": 3.0}, 1e9)
    row = case.row()
    assert (row["ratio"], row["ratio_least"], row["ratio_most"]) == (3.0, 2.0, 4.0)
    assert (row["seconds"], row["peer_seconds"]) == (2.0, 8.0)
