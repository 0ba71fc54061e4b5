"""How fast `distal score` is without its model: variants in, 5,313 scores each out, as float16 HDF5.

    python bench/score_io.py [--variants 20000] [--runs 5]

Everything is timed that a real run does besides the model's work: reading and judging a VCF, the genome over each
variant's 196,608 bp, part files, the merger into HDF5. The model is replaced by one that answers at once with numbers
that were drawn before; it exists in this file only. A variant comes to it as a view of the genome and an edit; making
two sequences of that, 0.4 MB to copy, is counted with the model. One process, one thread. Printed: variants per
second (median and range of the runs), where the time goes, and the disk's own speed for the same bytes beside it.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from distal.engine import LocalEngine
from distal.io import vcf
from distal.io.fasta import Genome
from distal.models.enformer import EnformerConfig
from distal.models.zoo import Spec
from distal.predictor import Predictor
from distal.scoring.alleles import Haplotypes
from distal.scoring.recipe import Answer, Recipe
from distal.scoring.run import Run
from distal.scoring.scorers import named
from distal.scoring.variants import score_parts
from distal.tracks import Track, TrackTable

TRACKS = 5313
BASES = 3_000_000
DRAWN = np.random.default_rng(0).normal(size=(64, 1, TRACKS))


@dataclass(frozen=True, eq=False)
class Free(Recipe):
    """A recipe whose model costs nothing; its parts are those of a run on a GPU."""

    part_rows = 128

    def answers(self, variants: Iterable[Haplotypes]) -> Iterator[Answer]:
        return (Answer(DRAWN[i % len(DRAWN)], [], np.empty((0, 0, TRACKS))) for i, _ in enumerate(variants))


def inputs(folder: Path, variants: int) -> tuple[Genome, Path]:
    """A random chromosome, and SNVs every 120 bp or so, as dense as those of the 1000 Genomes project."""
    draw = np.random.default_rng(1)
    letters = draw.choice(np.frombuffer(b"ACGT", dtype=np.uint8), BASES)
    lines = letters.reshape(-1, 60)
    (folder / "g.fa").write_bytes(b">chr1\n" + b"".join(line.tobytes() + b"\n" for line in lines))
    places = np.sort(draw.choice(BASES, variants, replace=variants > BASES))
    with (folder / "v.vcf").open("w") as file:
        file.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for i, place in enumerate(places.tolist()):
            ref = chr(letters[place])
            file.write(f"chr1\t{place + 1}\trs{i}\t{ref}\t{'CAAA'['ACGT'.index(ref)]}\t.\tPASS\t.\n")
    return Genome(folder / "g.fa"), folder / "v.vcf"


def run(genome: Genome, source: Path, out: Path) -> float:
    """Seconds from the VCF to the finished files."""
    tracks = TrackTable(tuple(Track(i, f"t{i}") for i in range(TRACKS)))
    spec = Spec("free", "enformer", EnformerConfig(), "Apache-2.0")
    predictor = Predictor(nn.Identity().eval(), spec, tracks, "human", torch.device("cpu"))
    started = time.perf_counter()
    recipe = Free(predictor, genome, named(["SAD"]), "", False, (0,), "float16", False, None, "skip")
    folder = Run(out, recipe.facts(), recipe.columns((), percentiles=False))
    score_parts(recipe, folder, vcf.read(source), LocalEngine(), None, lambda n: None)
    folder.finish()
    return time.perf_counter() - started


def disk(folder: Path, variants: int) -> float:
    """Seconds to write the bytes of the scores twice (parts, then files), plainly, and to wait for the disk."""
    block = np.zeros((64, TRACKS), dtype=np.float16).tobytes()
    started = time.perf_counter()
    for name in ("a", "b"):
        with (folder / name).open("wb") as file:
            for _ in range(-(-variants // 64)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rates, plain = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        genome, source = inputs(folder, given.variants)
        run(genome, source, folder / "warm")
        for i in range(given.runs):
            rates.append(given.variants / run(genome, source, folder / f"out{i}"))
            plain.append(given.variants / disk(folder, given.variants))
        if given.profile:
            profile = cProfile.Profile()
            profile.runcall(run, genome, source, folder / "profiled")
            pstats.Stats(profile).sort_stats("cumulative").print_stats(30)
    for name, values in (("distal, without a model", rates), ("the disk alone, the same bytes twice", plain)):
        print(f"{name}: {statistics.median(values):,.0f} variants/s ({min(values):,.0f}-{max(values):,.0f})")


if __name__ == "__main__":
    main()
