"""What `distal score` takes for a VCF, end to end, beside a plain loop over a peer's model.

    python -m bench.vcf [--json] [--rounds 3] [--variants 100]

All start as a process, read a VCF and a FASTA file, load enformer-mini (which ships with distal) and end with SAD of
every variant in all tracks in a file:

ours   `distal score --dtype float32`
peer   a loop as its users write it: enformer-pytorch, REF and ALT of each variant in one pass, SAD kept as .npy

and, as a case of its own, ours beside `distal score --full-forward`, which predicts every sequence by itself. The
variants are the first of the 1000 Genomes slice in $DISTAL_SHARED (or ../shared), about one every 120 bp of chr20;
without it, and with --quick, those that ship with distal. Compared are the scores of single-nucleotide variants.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import Case, show
from bench.sides import Given, Sides, options, sides
from bench.worker import ROOT, environment

OWN = (("--variants", {"type": int, "default": 0, "help": "how many: 100, with --quick 6"}),)
DEMO = ROOT / "src" / "distal" / "demo"
SLICE = ("data/eqtl/1000G_chr20_1-4Mb_hg19.reference.phased.vcf.gz", "data/sequence/GRCh37_chr20.fa.gz")
MODEL = "enformer-mini"
DISTAL = "import sys; from distal.cli import main; sys.exit(main())"


def inputs(given: Given, folder: Path) -> tuple[Path, Path, str]:
    """A VCF of so many variants, the genome's file, and what to call them."""
    shared = Path(os.environ.get("DISTAL_SHARED", ROOT.parent / "shared"))
    count = given.more.variants or (6 if given.quick else 100)
    vcf, fasta, name = DEMO / "variants.vcf", DEMO / "GRCh37_chr20_HNF4A.fa.gz", "variants around HNF4A"
    if not given.quick and all((shared / path).exists() for path in SLICE):
        (vcf, fasta), name = (shared / path for path in SLICE), "variants of 1000 Genomes"
    written = folder / "variants.vcf"
    with written.open("w") as file:
        file.writelines(line + "\n" for line in first(vcf, count))
    return written, fasta, f"{count} {name}"


def first(path: Path, count: int) -> Iterator[str]:
    """The header of a VCF and its first records, eight columns of each."""
    import gzip

    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            if count == 0:
                return
            if not line.startswith("##"):
                line = "\t".join(line.split("\t")[:8])
                count -= not line.startswith("#")
            yield line.rstrip("\n")


def run(command: list[str], threads: int) -> dict[str, Any]:
    """Seconds of a whole process, and the most memory that it had resident (looked at 20 times a second)."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        command, env=environment(threads), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while process.poll() is None:
        peak = max(peak, _most(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    if process.returncode:
        assert process.stderr is not None
        raise RuntimeError(process.stderr.read().decode())
    return {"seconds": seconds, "above": peak, "peak": peak}


def _most(process: int) -> float:
    """The high-water mark of a process's resident memory, from Linux; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def compare(given: Given) -> tuple[list[Case], list[str]]:
    """The cases, and what is to be said of them."""
    with sides(given, "enformer", {"model": MODEL}) as both, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        vcf, fasta, unit = inputs(given, folder)
        device = ["--device", given.device]
        score = [sys.executable, "-c", DISTAL, "score", "--model", MODEL, "--fasta", str(fasta), "--vcf", str(vcf)]
        score += ["--scores", "SAD", "--dtype", "float32", "--threads", str(given.threads), *device]
        theirs = _loop(both, given, folder, vcf, fasta)
        cases = [Case(f"VCF, {MODEL}", unit, "full passes, ours"), Case(f"VCF, {MODEL}", unit, both.peer_name)]
        for i in range(given.rounds):
            out = folder / f"out{i}"
            ours = run([*score, "--out", str(out)], given.threads)
            full = run([*score, "--out", str(folder / f"full{i}"), "--full-forward"], given.threads)
            cases[0].add(ours, full, 0.0)
            cases[1].add(ours, run(theirs, given.threads) if theirs else None, 0.0)
        cases[0].difference = apart(sads(out), sads(folder / f"full{i}"))
        if theirs:
            cases[1].difference = apart(sads(out), dict(np.load(folder / "peer.npz")))
        return cases, [*both.notes()[:1], "memory is that of the whole process, its libraries and weights included"]


def _loop(both: Sides, given: Given, folder: Path, vcf: Path, fasta: Path) -> list[str]:
    """The command of the peer's loop; empty without a peer."""
    if given.python is None:
        return []
    both.ours("export", path=str(folder / "weights.safetensors"))
    asked = {
        "weights": str(folder / "weights.safetensors"),
        "geometry": both.machine["geometry"],
        "vcf": str(vcf),
        "fasta": str(fasta),
        "out": str(folder / "peer.npz"),
        "threads": given.threads,
        "device": given.device,
        "precision": "fp32",
    }
    return [given.python, "-m", "bench.peer_loop", json.dumps(asked)]


def sads(out: Path) -> dict[str, Any]:
    """SAD of the single-nucleotide variants of a run, by chr:pos:ref>alt."""
    import h5py

    found = {}
    for path in sorted((out / "scores").glob("*.h5")):
        with h5py.File(path) as file:
            columns = [[_text(value) for value in file[name][:]] for name in ("chr", "pos", "ref", "alt")]
            for values, chrom, pos, ref, alt in zip(file["SAD"][:], *columns, strict=True):
                if len(ref) == len(alt) == 1:
                    found[f"{chrom.removeprefix('chr')}:{pos}:{ref}>{alt}"] = values
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> float | None:
    """Largest difference, relative to the largest score; None where there is nothing to compare."""
    both = [key for key in ours if key in theirs]
    if not both:
        return None
    a, b = (np.stack([side[key] for key in both]).astype(np.float64) for side in (ours, theirs))
    return float(np.nanmax(np.abs(a - b)) / np.nanmax(np.abs(b)))


def main() -> None:
    """Print the table."""
    given = options(__doc__, add=OWN)
    cases, notes = compare(given)
    show(cases, notes, given.json)


if __name__ == "__main__":
    main()
