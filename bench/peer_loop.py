"""Scores a VCF with a peer's model the way its users write it: a loop, two sequences a pass; started by `bench.vcf`."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.peers import Peer


def chromosomes(path: str, wanted: set[str]) -> dict[str, str]:
    """The sequences of a FASTA file that are wanted, by name without ``chr``, upper case."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    with gzip.open(path, "rt") if path.endswith(".gz") else Path(path).open() as file:
        for line in file:
            if line.startswith(">"):
                name = line[1:].split()[0].removeprefix("chr")
                lines = found[name] = []
            elif name in wanted:
                lines.append(line.rstrip("\n"))
    return {name: "".join(lines).upper() for name, lines in found.items()}


def main(vcf: str, fasta: str, out: str, weights: str, geometry: dict[str, Any], **given: Any) -> None:
    """Read everything, score row by row, write SAD by chr:pos:ref>alt."""
    peer, length = Peer(weights, geometry, given), geometry["input_bp"]
    rows = [line.split("\t")[:5] for line in Path(vcf).read_text().splitlines() if not line.startswith("#")]
    genome = chromosomes(fasta, {row[0].removeprefix("chr") for row in rows})
    letters = np.full(256, 4, dtype=np.uint8)
    letters[list(b"ACGT")] = range(4)
    found = {}
    for chrom, pos, _, ref, alts in rows:
        sequence, start = genome[chrom.removeprefix("chr")], int(pos) - 1
        left = start - (length // 2 - 1)
        before = "N" * max(0, -left) + sequence[max(0, left) : start]
        for alt in alts.split(","):
            pair = []
            for allele in (ref, alt):
                text = (before + allele + sequence[start + len(ref) :][:length]).ljust(length, "N")[:length]
                pair.append(letters[np.frombuffer(text.encode(), dtype=np.uint8)])
            one, other = peer.tracks(np.stack(pair))
            sad = (other.double() - one.double()).sum(0)
            found[f"{chrom.removeprefix('chr')}:{pos}:{ref}>{alt}"] = sad.cpu().numpy()
    np.savez(out, **found)


if __name__ == "__main__":
    with torch.inference_mode():
        main(**json.loads(sys.argv[1]))
